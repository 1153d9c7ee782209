// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <time.h>

#include "wait.h"

/* About 5 us: less than a sleep costs, and little enough where both ends share a CPU. */
#define SPINS 200

#define SPINS_FEW 4

#define NAP_DOUBLINGS 8

/* In nanoseconds; and in pauses the longest, and what the clock is held against, the best of some tries. */
#define REST_NS     700
#define REST_MOST   1024
#define REST_SAMPLE 64
#define REST_TRIES  3

int64_t ivp_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t ivp_deadline(int64_t ms)
{
	int64_t now = ivp_now();

	return ms < 0 || ms > INT64_MAX - now ? INT64_MAX : now + ms;
}

struct ivp_doze ivp_doze_weary(void)
{
	return (struct ivp_doze){.looks = SPINS - SPINS_FEW};
}

static inline void pauses(u32 count)
{
	for (; count; count--)
#if defined(__x86_64__)
		__builtin_ia32_pause();
#elif defined(__aarch64__)
		__asm__ __volatile__("yield");
#else
		__asm__ __volatile__("");
#endif
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* An emulator may need microseconds for one: then there is no rest. */
static u32 measure_rest(void)
{
	int64_t least = INT64_MAX, count = REST_SAMPLE;

	for (u32 i = 0; i < REST_TRIES; i++) {
		int64_t begin = now_ns(), took;

		pauses(REST_SAMPLE);
		took = now_ns() - begin;
		if (took < least)
			least = took;
	}
	/* Not by a clock that stood still. */
	if (least > 0)
		count = (int64_t)REST_NS * REST_SAMPLE / least;
	return count < REST_MOST ? (u32)count : REST_MOST;
}

u32 ivp_rest(void)
{
	static _Atomic(u32) known; /* one more, so that none is known, too */

	if (!known)
		known = 1 + measure_rest();
	return known - 1;
}

bool ivp_doze_spin(struct ivp_doze *doze)
{
	if (doze->extra)
		doze->extra--;
	else if (doze->looks < SPINS)
		doze->looks++;
	else
		return false;
	pauses(1 + doze->rest);
	doze->rest = 0;
	return true;
}

u32 ivp_doze_longest(const struct ivp_doze *doze)
{
	return doze->longest_us ? doze->longest_us : 5000;
}

void ivp_doze(struct ivp_doze *doze)
{
	u32 longest = ivp_doze_longest(doze);
	u32 doublings, us;
	struct timespec sleep = {0};

	if (ivp_doze_spin(doze))
		return;
	/* 16 sleeps of 20 us, then 16 of 40 us, ...: a pause in the traffic costs little latency, a long one little CPU. */
	doublings = (doze->looks - SPINS) / 16;
	us = doublings > 16 ? longest : 20u << doublings;
	doze->looks++;
	sleep.tv_nsec = 1000L * (us < longest ? us : longest);
	nanosleep(&sleep, NULL);
}

u32 ivp_doze_nap(struct ivp_doze *doze)
{
	u32 naps = doze->looks > SPINS ? doze->looks - SPINS : 0;

	if (naps >= NAP_DOUBLINGS)
		return 1u << NAP_DOUBLINGS;
	doze->looks = SPINS + naps + 1;
	return 1u << naps;
}
