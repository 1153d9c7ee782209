// SPDX-License-Identifier: MIT
/* peer_zmq: ZeroMQ, a pair of sockets over ipc. Its own thread moves what zmq_send() took: "handed over" is less than elsewhere. */
#include <stdio.h>
#include <zmq.h>

#include "peer.h"

static void open_end(struct peer_end *end)
{
	char address[256];
	void *context = zmq_ctx_new();

	end->own = zmq_socket(context, ZMQ_PAIR);
	snprintf(address, sizeof(address), "ipc://%s/zmq", end->place);
	/* A client of ZeroMQ's waits for its server by itself. */
	if ((end->second ? zmq_bind : zmq_connect)(end->own, address))
		peer_die(address, zmq_strerror(zmq_errno()));
}

static void write_bytes(struct peer_end *end, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes; done += end->piece)
		if (zmq_send(end->own, end->memory, end->piece, 0) < 0)
			peer_die("zmq_send", zmq_strerror(zmq_errno()));
}

static void read_bytes(struct peer_end *end, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes; done += end->piece)
		if (zmq_recv(end->own, end->memory, end->piece, 0) != (int)end->piece)
			peer_die("zmq_recv", zmq_strerror(zmq_errno()));
}

const struct peer peer = {.open = open_end, .write = write_bytes, .read = read_bytes};
