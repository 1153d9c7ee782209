/* SPDX-License-Identifier: MIT */
/* wait: the clock, and sleeping until somebody else's word may have changed. */
#ifndef IVP_WAIT_H
#define IVP_WAIT_H

#include "deps.h"

/* CLOCK_MONOTONIC in milliseconds. */
int64_t ivp_now(void);

/* now + ms, or the end of time for a negative ms. */
int64_t ivp_deadline(int64_t ms);

/* How patiently somebody waits: spins a little, then sleeps for longer and longer. Zero at the beginning of each wait. */
struct ivp_doze {
	u32 looks;
	u32 longest_us; /* bound of one sleep; 0: 5000 */
};

/* Wait a little where nobody will wake us: bounded, backing-off polling. */
void ivp_doze(struct ivp_doze *doze);

/* True for the first looks, in which spinning is cheaper than a system call; counts them. */
bool ivp_doze_spin(struct ivp_doze *doze);

/* Sleep on a word in a file that both map on this kernel, unless it is not `seen` any more, for ms at the longest. */
void ivp_word_sleep(const u32 __shm *word, u32 seen, int64_t ms);
void ivp_word_wake(const u32 __shm *word);

#endif
