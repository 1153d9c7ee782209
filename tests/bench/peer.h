/* SPDX-License-Identifier: MIT */
/*
 * peer: what programs here have in common that move bytes from one process to another by one library: peer_NAME.c and .cc say
 * how, peer.c measures.
 *
 *   peer_NAME KIND PIECE MS PLACE [WAY]       prints one number
 *
 * KIND: stream (bytes/s), messages (messages/s; each of PIECE bytes), trip (ns there and back, the median). MS: how long it
 * takes, about. PLACE: a directory of this sample's own, and for ivpipe a region.
 *
 * All copy from private memory in, and out into private memory, as a lane does.
 */
#ifndef IVPIPE_BENCH_PEER_H
#define IVPIPE_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Looks at what the other end says before the processor is lent to somebody else, who may be that end. */
#define PEER_LOOKS 4096

#ifdef __cplusplus
extern "C" {
#endif

/* One of two, in a process and on a processor of its own. */
struct peer_end {
	bool second, stream;
	size_t piece;
	const char *place, *way;
	char *memory; /* private, of a piece */
	char *window; /* of both ends */
	void *own;
};

/* What a program has to say. The first end writes first; write() has handed all over when it returns, and read() has it all. */
struct peer {
	size_t window;                         /* bytes of it that are needed */
	void (*prepare)(struct peer_end *end); /* before there are two; may be NULL */
	void (*open)(struct peer_end *end);    /* in each of them; may be NULL */
	void (*write)(struct peer_end *end, uint64_t bytes);
	void (*read)(struct peer_end *end, uint64_t bytes);
	void (*clean)(struct peer_end *end); /* when they are gone; may be NULL */
};
extern const struct peer peer;

/* Says what failed and ends this process. */
void peer_die(const char *what, const char *why) __attribute__((noreturn));

/* After so many vain looks. */
void peer_relax(uint32_t *looks);

#ifdef __cplusplus
}
#endif
#endif
