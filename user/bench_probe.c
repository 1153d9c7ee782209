// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "bench_pair.h"
#include "bench_probe.h"

#define BATCHES  50
#define ROUNDS   100
#define LOOKS    1024 /* between two looks at the clock */
#define LIMIT_NS 200000000

struct court {
	_Alignas(128) uint32_t ball;
	_Alignas(128) uint32_t over;
};

/* False: it is over. */
static bool await(struct court *court, uint32_t wanted, int64_t deadline)
{
	while (!__atomic_load_n(&court->over, __ATOMIC_RELAXED)) {
		for (int looks = 0; looks < LOOKS; looks++)
			if (__atomic_load_n(&court->ball, __ATOMIC_ACQUIRE) == wanted)
				return true;
		if (ivp_bench_now() > deadline)
			return false;
	}
	return false;
}

static void *pong(void *arg)
{
	int64_t deadline = ivp_bench_now() + 2 * LIMIT_NS;
	struct court *court = arg;

	ivp_bench_pin(true);
	for (uint32_t i = 0; i < BATCHES * ROUNDS && await(court, 2 * i + 1, deadline); i++)
		__atomic_store_n(&court->ball, 2 * i + 2, __ATOMIC_RELEASE);
	return NULL;
}

/* False: not in time. */
static bool batch(struct court *court, uint32_t number, int64_t deadline)
{
	for (uint32_t i = number * ROUNDS; i < (number + 1) * ROUNDS; i++) {
		__atomic_store_n(&court->ball, 2 * i + 1, __ATOMIC_RELEASE);
		if (!await(court, 2 * i + 2, deadline))
			return false;
	}
	return true;
}

static uint32_t play(struct court *court)
{
	int64_t deadline = ivp_bench_now() + LIMIT_NS, best = INT64_MAX;

	for (uint32_t i = 0; i < BATCHES; i++) {
		int64_t began = ivp_bench_now();

		if (!batch(court, i, deadline))
			break;
		if (ivp_bench_now() - began < best)
			best = ivp_bench_now() - began;
	}
	__atomic_store_n(&court->over, 1, __ATOMIC_RELAXED);
	return best == INT64_MAX ? 0 : (uint32_t)(best / ROUNDS);
}

uint32_t ivp_bench_probe(void)
{
	struct court court = {0};
	pthread_t other;
	cpu_set_t all;
	uint32_t ns;

	if (sched_getaffinity(0, sizeof(all), &all) || CPU_COUNT(&all) < 2)
		return 0;
	/* The thread has what we have, and is to choose among all. */
	if (pthread_create(&other, NULL, pong, &court))
		return 0;
	ivp_bench_pin(false);
	ns = play(&court);
	pthread_join(other, NULL);
	sched_setaffinity(0, sizeof(all), &all);
	return ns;
}
