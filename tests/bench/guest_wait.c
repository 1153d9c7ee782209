// SPDX-License-Identifier: MIT
/*
 * What waiting on a word, and mapping the memory, costs in a guest; scripts/bench --guest runs it and makes tables of it.
 *
 *   guest_wait NODE latency TURNS    one process wakes another: a line for each turn, ns until it is up, by WAKE and WAIT without
 *                                    looks, the same with looks, and by a futex
 *   guest_wait NODE echo wait|spin FROM TO    "ready"; copies word 0 to word 32 as it counts from FROM up to TO; both words are
 *                                      FROM before
 *   guest_wait NODE idle SECONDS       "ready"; waits for a word that does not change
 *   guest_wait NODE touch              ns for a page of the mapping, touched in order: where it may take entries of 2 MiB, where
 *                                      they do not fit and faults take many pages, and where each takes one, for its neighbour
 *                                      is another mapping
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/ivshmem.h>

#define PAGE 4096L
#define MIB  (1L << 20)
#define HUGE (2 * MIB)

static int fd;
static uint32_t *words;

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- one process wakes another ---- */

enum way { WORD_NEVER, WORD_LOOKS, FUTEX, WAYS };

static void sleep_on(enum way way, uint32_t *word, uint32_t seen)
{
	struct ivshmem_wait w = {.argsz = sizeof(w),
				 .offset = (char *)word - (char *)words,
				 .expected = seen,
				 .poll_us = way == WORD_NEVER ? IVSHMEM_POLL_NEVER : 0,
				 .timeout_ns = -1};

	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == seen) {
		if (way == FUTEX)
			syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
		else if (ioctl(fd, IVSHMEM_IOC_WAIT, &w))
			fail("WAIT");
	}
}

static void wake(enum way way, uint32_t *word)
{
	struct ivshmem_wake w = {.argsz = sizeof(w), .offset = (char *)word - (char *)words};

	__atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
	if (way == FUTEX)
		syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	else if (ioctl(fd, IVSHMEM_IOC_WAKE, &w))
		fail("WAKE");
}

/* When the other was up, by its own clock, which is ours. */
struct stamps {
	int64_t up;
	uint32_t turn;
};

static uint32_t *word_of(enum way way, uint32_t *plain)
{
	return way == FUTEX ? plain : words + 32 * way;
}

/* Sleeps in each way by turns, and tells when it was up. */
static void sleeper(struct stamps *stamps, uint32_t *plain, uint32_t turns)
{
	for (uint32_t i = 0; i < turns * WAYS; i++) {
		sleep_on(i % WAYS, word_of(i % WAYS, plain), i / WAYS);
		stamps->up = now();
		__atomic_store_n(&stamps->turn, i + 1, __ATOMIC_SEQ_CST);
	}
}

static int64_t one(enum way way, uint32_t *word, const struct stamps *stamps, uint32_t turn)
{
	int64_t began = now();

	/* Until it sleeps, and its processor too: to set a timer takes long under TCG. */
	while (now() < began + 3000000)
		;
	began = now();
	wake(way, word);
	while (__atomic_load_n(&stamps->turn, __ATOMIC_SEQ_CST) != turn)
		;
	return stamps->up - began;
}

static int latency(uint32_t turns)
{
	uint32_t *plain = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct stamps *stamps = (void *)(plain + 64);
	int64_t ns[WAYS];
	pid_t pid;

	memset(words, 0, PAGE);
	pid = fork();
	if (!pid) {
		sleeper(stamps, plain, turns);
		_exit(0);
	}
	for (uint32_t i = 0; i < turns * WAYS; i++) {
		ns[i % WAYS] = one(i % WAYS, word_of(i % WAYS, plain), stamps, i + 1);
		if (i % WAYS == WAYS - 1)
			printf("%lld %lld %lld\n", (long long)ns[0], (long long)ns[1], (long long)ns[2]);
	}
	waitpid(pid, NULL, 0);
	return 0;
}

/* ---- another machine wakes ---- */

static int echo(bool spins, uint32_t from, uint32_t to)
{
	puts("ready");
	fflush(stdout);
	while (from != to) {
		if (!spins)
			sleep_on(WORD_LOOKS, words, from);
		while (__atomic_load_n(words, __ATOMIC_ACQUIRE) == from)
			;
		__atomic_store_n(words + 32, ++from, __ATOMIC_RELEASE);
	}
	return 0;
}

static int idle(int64_t seconds)
{
	struct ivshmem_wait w = {.argsz = sizeof(w), .expected = words[0], .timeout_ns = seconds * 1000000000};

	puts("ready");
	fflush(stdout);
	return ioctl(fd, IVSHMEM_IOC_WAIT, &w) == 0;
}

/* ---- the mapping ---- */

enum how { LARGE, MANY, ONE };

static double touch(size_t size, enum how how)
{
	char *room = mmap(NULL, size + 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	volatile char *p = (char *)(((uintptr_t)room + HUGE - 1) & -HUGE) + (how == LARGE ? 0 : PAGE);
	int64_t began;
	size_t pos;
	char sum = 0;

	if (room == MAP_FAILED || mmap((char *)p, size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) != p)
		fail("mmap");
	for (pos = 0; how == ONE && pos < size; pos += 2 * PAGE)
		if (mprotect((char *)p + pos, PAGE, PROT_READ | PROT_WRITE))
			fail("mprotect");
	began = now();
	for (pos = 0; pos < size; pos += PAGE)
		sum += p[pos];
	began = now() - began;
	munmap(room, size + 2 * HUGE);
	return (double)began / ((double)size / PAGE) + (sum & 0);
}

static int touch_all(size_t size)
{
	size_t part = size < 64 * MIB ? size : 64 * MIB;

	/* Once for the host, to whom the memory may be new. */
	touch(size, MANY);
	for (int i = 0; i < 5; i++)
		printf("%zu %.0f %.0f %.0f %.0f\n", size, touch(size, LARGE), touch(size, MANY), touch(part, MANY),
		       touch(part, ONE));
	return 0;
}

int main(int argc, char **argv)
{
	struct ivshmem_info info = {.argsz = sizeof(info)};

	if (argc < 3)
		return 2;
	fd = open(argv[1], O_RDWR);
	if (fd < 0 || ioctl(fd, IVSHMEM_IOC_INFO, &info))
		fail(argv[1]);
	words = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (words == MAP_FAILED)
		fail("mmap");
	if (argc == 4 && !strcmp(argv[2], "latency"))
		return latency(atoi(argv[3]));
	if (argc == 6 && !strcmp(argv[2], "echo"))
		return echo(!strcmp(argv[3], "spin"), strtoul(argv[4], NULL, 0), strtoul(argv[5], NULL, 0));
	if (argc == 4 && !strcmp(argv[2], "idle"))
		return idle(atoi(argv[3]));
	if (argc == 3 && !strcmp(argv[2], "touch"))
		return touch_all(info.size);
	return 2;
}
