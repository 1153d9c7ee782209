/* SPDX-License-Identifier: MIT */
/* bench_pair: two processes that measure something together, each on a processor of its own, and a third that waits for them. */
#ifndef IVP_BENCH_PAIR_H
#define IVP_BENCH_PAIR_H

#include <signal.h>

#include "ivpipe.h"

/* What the two and their parent see of each other. */
struct ivp_bench_pair {
	uint32_t turns[2]; /* at how many meetings each of them has been */
	uint64_t number;   /* from the first to the second: how many bytes, or turns */
	int64_t stamps[2]; /* ns of CLOCK_MONOTONIC */
	double values[2];  /* the result */
	struct ivp_error errors[2];
};

/* 0, or a negative errno with *err filled: then the other one is ended, too. */
typedef int ivp_bench_end(void *arg, struct ivp_bench_pair *pair, bool second, struct ivp_error *err);

/* Two children call `end`, and only they: whatever it opens is gone when this returns. No other thread may run. values: of the
 * pair; -ETIMEDOUT: they were ended after limit_ms; -EINTR: because of *cancel. */
int ivp_bench_pair_run(ivp_bench_end *end, void *arg, int64_t limit_ms, const volatile sig_atomic_t *cancel,
		       double values[2], struct ivp_error *err);

/* For both ends: wait until the other one is here, too. Ends no earlier than that, for the parent has the deadline. */
void ivp_bench_pair_meet(struct ivp_bench_pair *pair, bool second);

/* On which processor of those that are allowed: the first or the second, if there are two. */
void ivp_bench_pin(bool second);

int64_t ivp_bench_now(void); /* ns of CLOCK_MONOTONIC */

#endif
