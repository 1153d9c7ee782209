// SPDX-License-Identifier: MIT
/* peer_nng: nng, a pair of sockets over ipc. */
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <stdio.h>

#include "peer.h"

static nng_socket sock;

static void must(const char *what, int ret)
{
	if (ret)
		peer_die(what, nng_strerror(ret));
}

static void open_end(struct peer_end *end)
{
	char address[256];

	snprintf(address, sizeof(address), "ipc://%s/nng", end->place);
	must("nng_pair0_open", nng_pair0_open(&sock));
	must("nng_setopt", nng_socket_set_size(sock, NNG_OPT_RECVMAXSZ, 0));
	/* Not there yet is no error: it is called again. */
	if (end->second)
		must(address, nng_listen(sock, address, NULL, 0));
	else
		must(address, nng_dial(sock, address, NULL, NNG_FLAG_NONBLOCK));
}

static void write_bytes(struct peer_end *end, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes; done += end->piece)
		must("nng_send", nng_send(sock, end->memory, end->piece, 0));
}

static void read_bytes(struct peer_end *end, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes; done += end->piece) {
		size_t len = end->piece;

		must("nng_recv", nng_recv(sock, end->memory, &len, 0));
		if (len != end->piece)
			peer_die("nng_recv", "a message of another length");
	}
}

const struct peer peer = {.open = open_end, .write = write_bytes, .read = read_bytes};
