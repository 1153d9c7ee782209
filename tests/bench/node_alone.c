// SPDX-License-Identifier: MIT
/*
 * node_alone: what a guest does with the node, or with a file that is held against it, for tests/bench/node.
 *
 *   node_alone copy PATH read|write PIECE WINDOW BYTES    seconds, of calls that go round in a window; all of it is there before
 *   node_alone map PATH BYTES HOW read|write ROUNDS       a line for each: ns of mmap(), of a touch of each page, of munmap(). HOW:
 *       large       where entries of 2 MiB fit
 *       many        where they do not: one page beside
 *       one         each page is a mapping of its own, so that a fault can take no more
 *       populate    as large, but mmap() makes the entries, MAP_POPULATE
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096L
#define HUGE (2L << 20)

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "node_alone: %s: %m\n", what);
	exit(1);
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void copy(int fd, bool in, size_t piece, uint64_t window, uint64_t bytes)
{
	char *private = aligned_alloc(PAGE, piece < PAGE ? PAGE : piece);
	int64_t began = 0;

	if (!private)
		die("memory");
	memset(private, 1, piece);
	/* Once through all of it first. */
	for (uint64_t done = 0; done < window + bytes; done += piece) {
		off_t at = (off_t)(done % window);

		if (done == window)
			began = now();
		if ((in ? pread(fd, private, piece, at) : pwrite(fd, private, piece, at)) != (ssize_t)piece)
			die("copy");
	}
	printf("%.9f\n", (double)(now() - began) / 1e9);
}

static void touch(volatile char *p, size_t size, bool writes)
{
	for (size_t pos = 0; pos < size; pos += PAGE)
		if (writes)
			p[pos] = 1;
		else
			(void)p[pos];
}

static void map(int fd, size_t size, const char *how, bool writes)
{
	bool large = !strcmp(how, "large") || !strcmp(how, "populate"), populate = !strcmp(how, "populate");
	char *room = mmap(NULL, size + 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *p = (char *)(((uintptr_t)room + HUGE - 1) & -HUGE) + (large ? 0 : PAGE);
	int64_t times[4];

	if (room == MAP_FAILED)
		die("room");
	times[0] = now();
	if (mmap(p, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | (populate ? MAP_POPULATE : 0), fd, 0) != p)
		die("mmap");
	times[1] = now();
	/* Neighbours that differ stay apart. */
	for (size_t pos = 0; !strcmp(how, "one") && pos < size; pos += 2 * PAGE)
		if (mprotect(p + pos, PAGE, writes ? PROT_WRITE : PROT_READ))
			die("mprotect");
	times[2] = now();
	touch(p, size, writes);
	times[3] = now();
	munmap(p, size);
	printf("%lld %lld %lld\n", (long long)(times[1] - times[0]), (long long)(times[3] - times[2]),
	       (long long)(now() - times[3]));
	munmap(room, size + 2 * HUGE);
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
	int fd = argc > 2 ? open(argv[2], O_RDWR | O_CLOEXEC) : 2;

	if (fd < 0)
		die(argv[2]);
	if (argc == 7 && !strcmp(argv[1], "copy")) {
		copy(fd, !strcmp(argv[3], "read"), number(argv[4]), number(argv[5]), number(argv[6]));
	} else if (argc == 7 && !strcmp(argv[1], "map")) {
		for (uint64_t rounds = number(argv[6]); rounds; rounds--)
			map(fd, number(argv[3]), argv[4], !strcmp(argv[5], "write"));
	} else {
		fprintf(stderr, "node_alone: see the head of its source\n");
		return 2;
	}
	return 0;
}
