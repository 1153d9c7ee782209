/* SPDX-License-Identifier: MIT */
/* pair: both ends of a ring, and what of it a liar owns: positions, headers, payload. */
#ifndef PAIR_H
#define PAIR_H

#include "fuzz.h"
#include "ring.h"

/* One end, and what is known of it. */
struct end {
	struct ivp_ring ring;
	u64 *told; /* where it announces */
	u64 pos, theirs, announced;
	bool broken;
};

/* What the liar writes in the middle of a call, before that many loads more. NULL: nothing. */
struct lie {
	u64 *at;
	u64 value;
	u32 loads;
};

struct pair {
	struct end tx, rx;
	u8 *data; /* between pages that nobody may touch */
	u64 size, epoch;
	bool mirrored;
	bool lied;
	struct lie lie;
};
extern struct pair pair;

/* An empty ring: of one page, two, or so many that a piece is no longer a quarter of it. What is sent may be held. */
void pair_begin(struct input *input);

/* Now. */
void pair_lie(u64 *at, u64 value);

/* Payload of the largest record. */
u64 pair_most(void);

/* What must hold after each call on an end; and of what it was given to read or write. */
void pair_require_end(struct end *end, int ret);
void pair_require_span(const u8 *span, u64 len);

#endif
