// SPDX-License-Identifier: MIT
/* peer_socat: socat at either end, with a unix socket between the two and each of our ends behind a pair of sockets. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"

static void __attribute__((noreturn)) be_socat(const struct peer_end *end, int fd)
{
	char address[256], size[32];

	/* The sender's waits for the receiver's. */
	snprintf(address, sizeof(address), "%s:%s/socat%s", end->second ? "UNIX-LISTEN" : "UNIX-CONNECT", end->place,
		 end->second ? "" : ",retry=1000,interval=0.01");
	snprintf(size, sizeof(size), "-b%zu", end->piece < 8192 ? (size_t)8192 : end->piece);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	execlp("socat", "socat", size, "-", address, (char *)NULL);
	peer_die("socat", strerror(errno));
}

static void open_end(struct peer_end *end)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		peer_die("socketpair", strerror(errno));
	if (!fork())
		be_socat(end, ends[1]);
	close(ends[1]);
	end->own = (void *)(intptr_t)ends[0];
}

static void write_bytes(struct peer_end *end, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes; done += end->piece)
		for (size_t put = 0; put < end->piece;) {
			ssize_t now = write((int)(intptr_t)end->own, end->memory + put, end->piece - put);

			if (now <= 0)
				peer_die("write", strerror(errno));
			put += (size_t)now;
		}
}

static void read_bytes(struct peer_end *end, uint64_t bytes)
{
	for (uint64_t left = bytes; left;) {
		ssize_t now = read((int)(intptr_t)end->own, end->memory, left < end->piece ? left : end->piece);

		if (now <= 0)
			peer_die("read", now ? strerror(errno) : "socat has ended");
		left -= (uint64_t)now;
	}
}

const struct peer peer = {.open = open_end, .write = write_bytes, .read = read_bytes};
