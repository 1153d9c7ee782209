/* SPDX-License-Identifier: MIT */
/* fire: streams under a liar: what those who make them and who counts them share. */
#ifndef IVP_FIRE_H
#define IVP_FIRE_H

#include <stdbool.h>
#include <stdint.h>

#define FIRE_PAIRS      8
#define FIRE_SUPERBLOCK 256

/* How an end of a stream ended. Wrong is a receiver that was told that all is well, and has other bytes. */
enum ending { RIGHT, TIMEOUT, REFUSED, PROTOCOL, DAMAGED, GONE, REGION, OTHER, WRONG, ENDINGS };

/* Of one pair, which alone writes it. */
struct tally {
	uint64_t received[ENDINGS], sent[ENDINGS];
	uint64_t believed;  /* senders that were told "received", of receivers that were not well */
	uint64_t streams;   /* atomically: so many are over */
	long anonymous_kib; /* of its memory, at the end of the last order */
};

struct fire {
	const char *region, *device; /* the same memory, as a guest has it */
	uint64_t seed;
	int64_t patience_ms;                 /* of each wait; twice as long for somebody to come */
	uint8_t superblock[FIRE_SUPERBLOCK]; /* as it was laid out; put back before each stream */
	struct tally tallies[FIRE_PAIRS];
	bool failed; /* the parent's */
};

/* Streams of these numbers, one after the other. */
struct order {
	uint64_t first, count;
};

/* A process's life: takes orders from the socket, answers each with a byte, ends when there are no more. */
void fire_pair(struct fire *fire, unsigned int number, int orders);

/* For the parent: all processes; orders for each of them; until these are done, or somebody died or hangs; and their end, at which
 * they say what they leaked. */
void fire_start(struct fire *fire);
void fire_order(uint64_t first, uint64_t count);
void fire_await(struct fire *fire);
void fire_end(struct fire *fire);

void fire_fail(struct fire *fire, const char *what, unsigned int pair);
int64_t fire_now(void);

#endif
