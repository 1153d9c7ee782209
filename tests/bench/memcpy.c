// SPDX-License-Identifier: MIT
/*
 * memcpy: the limit. One thread copies a private buffer of 64 KiB into a mapped file and out of it again, through a window of
 * the given size, until so many bytes have passed.
 *
 *   memcpy FILE WINDOW BYTES        prints seconds, and for the CPU, too
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PIECE 65536

static double clock_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static char in[PIECE], out[PIECE];
	uint64_t window, bytes, at = 0;
	double began, used;
	char *map;
	int fd;

	if (argc != 4)
		return 2;
	window = strtoull(argv[2], NULL, 10) / PIECE * PIECE;
	bytes = strtoull(argv[3], NULL, 10);
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	map = fd < 0 ? MAP_FAILED : mmap(NULL, window, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (!window || map == MAP_FAILED) {
		perror(argv[1]);
		return 1;
	}
	memset(in, 1, sizeof(in));
	began = clock_of(CLOCK_MONOTONIC);
	used = clock_of(CLOCK_THREAD_CPUTIME_ID);
	for (uint64_t done = 0; done < bytes; done += PIECE) {
		memcpy(map + at, in, PIECE);
		__asm__ __volatile__("" ::: "memory");
		memcpy(out, map + at, PIECE);
		__asm__ __volatile__("" ::"r"(out) : "memory");
		at = (at + PIECE) % window;
	}
	printf("%.6f %.6f\n", clock_of(CLOCK_MONOTONIC) - began, clock_of(CLOCK_THREAD_CPUTIME_ID) - used);
	return 0;
}
