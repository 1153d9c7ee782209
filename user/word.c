// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "linux/ivshmem.h"
#include "word.h"

/* The driver is to look so much more often than it wakes us for nothing: what comes after a pause is late by this part of the
 * pause. */
#define LOOKS_A_NAP 8

enum ivp_way ivp_word_way(const struct ivp_region *region, bool local)
{
	return region->way == IVP_WAY_FUTEX && !local ? IVP_WAY_POLL : region->way;
}

/* Not FUTEX_PRIVATE: the word lies in a file, and the other end is another process. */
static long futex(const u32 __shm *word, int op, u32 value, const struct timespec *timeout)
{
	return syscall(SYS_futex, ivp_plain(word), op, value, timeout, NULL, 0);
}

static u64 offset_of(const struct ivp_region *region, const u32 __shm *word)
{
	return (u64)((const u8 __shm *)word - region->map);
}

static void driver_sleep(struct ivp_region *region, const u32 __shm *word, u32 seen, u32 poll_us, int64_t ms)
{
	struct ivshmem_wait wait = {
		.argsz = sizeof(wait),
		.offset = offset_of(region, word),
		.expected = seen,
		.poll_us = poll_us,
		.timeout_ns = ms * 1000000,
	};
	struct ivp_doze doze = {.looks = ~0u / 2};

	if (!ioctl(region->fd, IVSHMEM_IOC_WAIT, &wait) || errno == ETIMEDOUT || errno == EINTR)
		return;
	/* What is mapped raises SIGBUS from now on; but nobody need touch it to know. */
	if (errno == ENODEV)
		region->lost = 1;
	else
		ivp_doze(&doze);
}

void ivp_word_sleep(struct ivp_region *region, const u32 __shm *word, u32 seen, struct ivp_doze *doze, int64_t ms)
{
	struct timespec timeout = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	u32 poll_us = IVSHMEM_POLL_NEVER, nap;

	if (region->way == IVP_WAY_FUTEX) {
		futex(word, FUTEX_WAIT, seen, &timeout);
		return;
	}
	if (doze) {
		nap = ivp_doze_nap(doze);
		poll_us = nap * 1000 / LOOKS_A_NAP;
		if (poll_us > ivp_doze_longest(doze))
			poll_us = ivp_doze_longest(doze);
		if (ms > nap)
			ms = nap;
	}
	driver_sleep(region, word, seen, poll_us, ms);
}

void ivp_word_wake(const struct ivp_region *region, const u32 __shm *word)
{
	struct ivshmem_wake wake = {.argsz = sizeof(wake), .offset = offset_of(region, word)};

	if (region->way == IVP_WAY_FUTEX)
		futex(word, FUTEX_WAKE, INT_MAX, NULL);
	else if (region->way == IVP_WAY_DRIVER)
		ioctl(region->fd, IVSHMEM_IOC_WAKE, &wake);
}

void ivp_word_ring(const struct ivp_region *region, u32 bell)
{
	struct ivshmem_ring ring = {.argsz = sizeof(ring), .peer = (bell - 1) >> 8, .vector = (bell - 1) & 0xff};

	/* A peer that names another's number has us interrupt that one, which looks, finds nothing, and sleeps on. */
	if (region->bell && bell && bell <= IVP_BELL_MAX)
		ioctl(region->fd, IVSHMEM_IOC_RING, &ring);
}
