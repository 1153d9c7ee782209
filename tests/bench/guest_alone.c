// SPDX-License-Identifier: MIT
/*
 * guest_alone: what a guest does by itself, for tests/bench/guest; it prints seconds.
 *
 *   guest_alone copies                               the names of the ways to copy, as the library has them
 *   guest_alone copy FILE NAME out|in WINDOW BYTES   by one of them, into mapped memory or out of it, 64 KiB at a time
 *   guest_alone digest BYTES                         of private memory, 64 KiB at a time
 *   guest_alone file PATH out|in PIECE WINDOW BYTES [direct]     write() or read(), to the device's end if it has a cache
 *   guest_alone source PATH BYTES                    a file, as the helper sends it: by read() or mapped, into private memory
 *   guest_alone run COMMAND...                       from its start to its end, which has to be a good one
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_pair.h"
#include "copy.h"
#include "digest.h"
#include "sigbus.h"
#include "source.h"

#define PIECE 65536

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "guest_alone: %s: %m\n", what);
	exit(1);
}

static char *memory(size_t size)
{
	char *bytes = aligned_alloc(4096, size);

	if (!bytes)
		die("memory");
	memset(bytes, 1, size);
	return bytes;
}

static void say(int64_t began)
{
	printf("%.9f\n", (double)(ivp_bench_now() - began) / 1e9);
}

static const struct ivp_copier *copier_of(const char *name)
{
	size_t count;
	const struct ivp_copier *all = ivp_copiers(&count);

	for (size_t i = 0; i < count; i++) {
		if (all[i].there && !all[i].there())
			continue;
		if (!name)
			puts(all[i].name);
		else if (!strcmp(all[i].name, name))
			return &all[i];
	}
	return NULL;
}

static int copy(const char *path, const char *name, bool in, size_t window, uint64_t bytes)
{
	const struct ivp_copier *copier = copier_of(name);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	char *map = fd < 0 ? MAP_FAILED : mmap(NULL, window, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *private = memory(PIECE);
	int64_t began = 0;

	if (!copier || map == MAP_FAILED)
		die(path);
	/* Once through all of it first: its pages are not mapped, and the code not translated. */
	for (uint64_t done = 0; done < window + bytes; done += PIECE) {
		char *at = map + done % window;

		if (done == window)
			began = ivp_bench_now();
		copier->copy(in ? private : at, in ? at : private, PIECE);
		__asm__ __volatile__("" ::: "memory");
	}
	say(began);
	return 0;
}

static int digest(uint64_t bytes)
{
	struct ivp_digest_stream stream;
	char *private = memory(PIECE);
	int64_t began = 0;

	ivp_digest_start(&stream);
	for (uint64_t done = 0; done < bytes + PIECE; done += PIECE) {
		if (done == PIECE)
			began = ivp_bench_now();
		ivp_digest_add(&stream, private, PIECE);
	}
	say(began);
	return 0;
}

static int file(const char *path, bool in, size_t piece, uint64_t window, uint64_t bytes, bool direct)
{
	char *private = memory(piece);
	int fd = open(path, (in ? O_RDONLY : O_WRONLY) | O_CLOEXEC | (direct ? O_DIRECT : 0));
	int64_t began = ivp_bench_now();

	if (fd < 0)
		die(path);
	for (uint64_t done = 0; done < bytes; done += piece) {
		off_t at = (off_t)(done % window);
		ssize_t moved = in ? pread(fd, private, piece, at) : pwrite(fd, private, piece, at);

		if (moved != (ssize_t)piece)
			die(path);
	}
	/* Where there is nothing to be brought further there is no such call. */
	if (!in && fdatasync(fd) && errno != EINVAL)
		die(path);
	say(began);
	return 0;
}

static int source(const char *path, uint64_t bytes)
{
	char *private = memory(2 * PIECE);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct ivp_source source;
	int64_t began = ivp_bench_now();
	size_t count;
	const struct ivp_copier *all = ivp_copiers(&count);

	if (fd < 0 || ivp_sigbus_install())
		die(path);
	ivp_source_begin(&source, fd, ivp_copy_choose(all, count, false, private, private + PIECE, PIECE));
	for (uint64_t done = 0; done < bytes; done += PIECE)
		if (ivp_source_read(&source, private, PIECE) != PIECE)
			die(path);
	ivp_source_end(&source);
	say(began);
	return 0;
}

static int run(char **argv)
{
	int64_t began = ivp_bench_now();
	pid_t pid = fork();
	int status;

	if (!pid) {
		execvp(argv[0], argv);
		die(argv[0]);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die(argv[0]);
	if (!status)
		say(began);
	return status ? 1 : 0;
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	bool in = argc > 4 && (!strcmp(argv[3], "in") || !strcmp(argv[4], "in"));

	if (argc == 2 && !strcmp(verb, "copies"))
		return copier_of(NULL) ? 1 : 0;
	if (argc == 7 && !strcmp(verb, "copy"))
		return copy(argv[2], argv[3], in, number(argv[5]), number(argv[6]));
	if (argc == 3 && !strcmp(verb, "digest"))
		return digest(number(argv[2]));
	if (argc >= 7 && !strcmp(verb, "file"))
		return file(argv[2], in, number(argv[4]), number(argv[5]), number(argv[6]), argc > 7);
	if (argc == 4 && !strcmp(verb, "source"))
		return source(argv[2], number(argv[3]));
	if (argc > 2 && !strcmp(verb, "run"))
		return run(argv + 2);
	fprintf(stderr, "guest_alone: see the head of its source\n");
	return 2;
}
