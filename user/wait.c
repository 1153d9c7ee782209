// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "wait.h"

/* About 5 us: less than a sleep costs, and little enough where both ends share a CPU. */
#define SPINS 200

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

bool ivp_doze_spin(struct ivp_doze *doze)
{
	if (doze->looks >= SPINS)
		return false;
	doze->looks++;
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#endif
	return true;
}

void ivp_doze(struct ivp_doze *doze)
{
	u32 longest = doze->longest_us ? doze->longest_us : 5000;
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

/* Not FUTEX_PRIVATE: the word lies in a file, and the other end is another process. */
static long futex(const u32 __shm *word, int op, u32 value, const struct timespec *timeout)
{
	return syscall(SYS_futex, ivp_plain(word), op, value, timeout, NULL, 0);
}

void ivp_word_sleep(const u32 __shm *word, u32 seen, int64_t ms)
{
	struct timespec timeout = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	futex(word, FUTEX_WAIT, seen, &timeout);
}

void ivp_word_wake(const u32 __shm *word)
{
	futex(word, FUTEX_WAKE, INT_MAX, NULL);
}
