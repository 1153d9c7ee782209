/* SPDX-License-Identifier: MIT */
/* wait: the clock, and the patience of who looks again and again. */
#ifndef IVP_WAIT_H
#define IVP_WAIT_H

#include "deps.h"

/* CLOCK_MONOTONIC in milliseconds. */
int64_t ivp_now(void);

/* now + ms, or the end of time for a negative ms. */
int64_t ivp_deadline(int64_t ms);

/* How long a call may wait in all, in however many waits. Its time begins with the first sleep: no clock is asked before there is something
 * to wait for, which costs as much as 2 KiB moved. Zero but for ms at the beginning. */
struct ivp_patience {
	int64_t ms; /* as the caller gave it: 0 not at all, negative for ever */
	int64_t end;
	bool begun;
};

/* When it is over, of ivp_now(). */
static inline int64_t ivp_patience_end(struct ivp_patience *patience)
{
	if (!patience->begun)
		patience->end = ivp_deadline(patience->ms);
	patience->begun = true;
	return patience->end;
}

/* How patiently somebody waits: spins a little, then sleeps for longer and longer. Zero at the beginning of each wait. */
struct ivp_doze {
	u32 looks;
	u32 longest_us; /* longest that a change may go unseen; 0: 5000 */
	u32 extra;      /* looks before the first ones, for who loses more by a sleep than it takes */
	u32 rest;       /* pauses before the second look; see ivp_rest() */
};

/* About 25 us: a sleep of 20 us that nobody ends early takes 80, in which a ring is emptied, or filled. */
#define IVP_DOZE_UNWOKEN 1000

u32 ivp_doze_longest(const struct ivp_doze *doze);

/* Wait a little where nobody will wake us: bounded, backing-off polling. */
void ivp_doze(struct ivp_doze *doze);

/* To begin a wait with, where spinning is for nothing: a few looks of it are left. */
struct ivp_doze ivp_doze_weary(void);

/*
 * How many pauses are a rest, for whoever receives small records and finds that it has all there are: 0 to 1024, which take 700 ns by the
 * clock, asked once in a process. A sender at work goes on meanwhile, and keeps the cache line that tells its position: each look in vain
 * takes that from it. What comes in that time is seen later, by the rest at most, and then there is more of it.
 */
u32 ivp_rest(void);

/* True for the first looks, in which spinning is cheaper than a system call; counts them. */
bool ivp_doze_spin(struct ivp_doze *doze);

/* Milliseconds to sleep where the driver looks for us meanwhile: 1, then 2, 4 and so on up to 256. */
u32 ivp_doze_nap(struct ivp_doze *doze);

#endif
