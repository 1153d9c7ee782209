// SPDX-License-Identifier: MIT
/*
 * pingpong: how far apart the first two processors are, as a cache line sees it: nanoseconds for there and back. A virtual
 * machine's may move between cores that share a cache and cores that do not, which doubles or halves every other figure.
 *
 * Prints 0 where there is only one.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define BATCHES 200
#define ROUNDS  100

static _Alignas(128) atomic_uint ball;
static int cpus[2], found;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void *pong(void *arg)
{
	(void)arg;
	pin(cpus[1]);
	for (unsigned int i = 0; i < BATCHES * ROUNDS; i++) {
		while (atomic_load_explicit(&ball, memory_order_acquire) != 2 * i + 1)
			;
		atomic_store_explicit(&ball, 2 * i + 2, memory_order_release);
	}
	return NULL;
}

int main(void)
{
	double best = 1e18;
	pthread_t other;
	cpu_set_t set;

	sched_getaffinity(0, sizeof(set), &set);
	for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus[found++] = cpu;
	if (found < 2) {
		puts("0");
		return 0;
	}
	pin(cpus[0]);
	if (pthread_create(&other, NULL, pong, NULL))
		return 1;
	for (unsigned int batch = 0; batch < BATCHES; batch++) {
		double began = now();

		for (unsigned int i = batch * ROUNDS; i < (batch + 1) * ROUNDS; i++) {
			atomic_store_explicit(&ball, 2 * i + 1, memory_order_release);
			while (atomic_load_explicit(&ball, memory_order_acquire) != 2 * i + 2)
				;
		}
		/* The least: others' work may come between. */
		if (now() - began < best)
			best = now() - began;
	}
	pthread_join(other, NULL);
	printf("%.0f\n", best / ROUNDS);
	return 0;
}
