/* SPDX-License-Identifier: MIT */
/*
 * peer: the other end of a control connection and of a lane, as a liar has it. It owns the connection's far end and every byte of
 * the region, but what the end under test stores: all else must stay as it is.
 */
#ifndef PEER_H
#define PEER_H

#include "fuzz.h"
#include "layout.h"
#include "region.h"

#define PEER_LOG 16384

/* Bytes of one direction of the connection, all of this run. */
struct peer_log {
	u8 bytes[PEER_LOG];
	size_t len;
};

struct peer {
	struct ivp_region *region; /* of the end under test */
	struct peer_log said, heard;
	char spec[32]; /* of the connection, for the end under test */
	bool silent;   /* it has hung up */
	bool deaf;     /* it hears nothing, and has no room for it */
};
extern struct peer peer;

/* A region as new. */
void peer_begin_region(void);
/* The same, and a connection: a socket, or pipes, of which one may be full for ever. */
void peer_begin(struct input *input);
void peer_end(void);

/* On the connection. */
void peer_say(const void *bytes, size_t len);
void peer_hear(void); /* what has come */
void peer_hang_up(void);

/* The message in a log with that number, from 0. Zeros before one mean nothing. */
bool peer_message(const struct peer_log *log, u32 number, struct ivp_message *message);

/* Into the region. */
void peer_store(u64 offset, const void *bytes, size_t len);
void peer_store64(u64 offset, u64 value);
void peer_store32(u64 offset, u32 value);

/* Anything, anywhere. */
void peer_poke(struct input *input);

/* A process of the side of the region's may say of ends that nobody holds that they are closed. */
void peer_expect_sweep(void);

/* The first lane whose half has changed, by another than the peer. */
bool peer_changed_half(u32 *lane, bool server);

/* Nothing has changed but by the peer, and in that end of a lane: its half and the ring that it sends on. all: both rings. */
void peer_require_untouched(u32 lane, bool server, bool all);
/* Not even there. */
void peer_require_all_untouched(void);
/* Nor in any but: ends that were taken, a listener's slot, or words that a client knocks at. gone: the lane with both rings, if any. */
void peer_require_rest_untouched(bool server, u32 gone);

#endif
