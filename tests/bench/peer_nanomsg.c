// SPDX-License-Identifier: MIT
/* peer_nanomsg: nanomsg, a pair of sockets over ipc. */
#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <stdint.h>
#include <stdio.h>

#include "peer.h"

static void open_end(struct peer_end *end)
{
	int fd = nn_socket(AF_SP, NN_PAIR), any = -1;
	char address[256];

	snprintf(address, sizeof(address), "ipc://%s/nanomsg", end->place);
	if (nn_setsockopt(fd, NN_SOL_SOCKET, NN_RCVMAXSIZE, &any, sizeof(any)) < 0 ||
	    (end->second ? nn_bind : nn_connect)(fd, address) < 0)
		peer_die(address, nn_strerror(nn_errno()));
	end->own = (void *)(intptr_t)fd;
}

static void write_bytes(struct peer_end *end, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes; done += end->piece)
		if (nn_send((int)(intptr_t)end->own, end->memory, end->piece, 0) < 0)
			peer_die("nn_send", nn_strerror(nn_errno()));
}

static void read_bytes(struct peer_end *end, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes; done += end->piece)
		if (nn_recv((int)(intptr_t)end->own, end->memory, end->piece, 0) != (int)end->piece)
			peer_die("nn_recv", nn_strerror(nn_errno()));
}

const struct peer peer = {.open = open_end, .write = write_bytes, .read = read_bytes};
