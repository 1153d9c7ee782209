// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer of the driver's file, guided by coverage of the module: programs of random calls with nasty numbers, of which
 * those that reach something new are kept and changed further, while devices are taken away and given back.
 *
 *   fuzz SECONDS SEED BOX      as root; BOX: a file to map, for the last programs of each worker, should the kernel die
 *
 * Prints TAP, and a table of how often each call succeeded and failed. The same seed makes the same numbers; which program
 * is kept depends also on who was faster.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define BOX_SIZE (1u << 20)
#define BATCH    32
#define LAST     4096 /* bytes of the box for a program */
#define LASTS    32   /* programs of a worker in the box */
#define HANG_MS  120000

/* What a process of its own runs before the next one is forked: forking costs more than a program does. */
struct batch {
	u32 count;
	struct program programs[BATCH];
	bool is_new[BATCH];
};

struct report *report;
static struct timespec end;
static char *box;
static unsigned int tests, failures;

void bail(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static void *shared(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		bail("mmap");
	return at;
}

bool out_of_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec);
}

static void run_program(const struct program *p)
{
	calls_begin();
	for (u32 i = 0; i < p->count; i++) {
		u32 kind = p->calls[i].kind;
		long ret = -1;
		bool returned = calls_run(&p->calls[i], &ret);

		atomic_fetch_add(&report->calls, 1);
		if (!returned)
			atomic_fetch_add(&report->signals, 1);
		atomic_fetch_add(returned && ret >= 0 ? &report->succeeded[kind] : &report->failed[kind], 1);
	}
	calls_end();
	atomic_fetch_add(&report->programs, 1);
}

static void tell_box(u32 worker, u64 number, const struct program *p)
{
	char *text = box + (worker * LASTS + number % LASTS) * LAST;
	int n = snprintf(text, LAST, "worker %u program %llu\n", worker, (unsigned long long)number);

	programs_print(p, text + n, LAST - (size_t)n);
}

__attribute__((noreturn)) static void run_batch(struct batch *b, u32 worker, u64 number)
{
	calls_prepare();
	coverage_begin();
	for (u32 i = 0; i < b->count && !out_of_time(); i++) {
		tell_box(worker, number + i, &b->programs[i]);
		run_program(&b->programs[i]);
		b->is_new[i] = coverage_collect();
	}
	_exit(0);
}

static void fork_batch(struct batch *b, u32 worker, u64 number)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		bail("fork");
	if (!pid)
		run_batch(b, worker, number);
	struct pollfd fd = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};

	if (fd.fd < 0)
		bail("pidfd_open");
	if (poll(&fd, 1, HANG_MS) != 1) {
		atomic_fetch_add(&report->hung, 1);
		kill(pid, SIGKILL);
	}
	close(fd.fd);
	if (waitpid(pid, &status, 0) != pid)
		bail("waitpid");
	if (status)
		atomic_fetch_add(&report->died, 1);
}

static void run_and_keep(struct batch *b, u32 worker, u64 number)
{
	memset(b->is_new, 0, sizeof(b->is_new));
	fork_batch(b, worker, number);
	for (u32 i = 0; i < b->count; i++)
		if (b->is_new[i])
			programs_keep(&b->programs[i]);
}

/* First of all, and alone: what the workers begin with. */
static void tour(void)
{
	struct batch *b = shared(sizeof(*b));

	coverage_open();
	for (u32 number = 0;; number += b->count) {
		b->count = 0;
		while (b->count < BATCH && programs_tour(&b->programs[b->count], number + b->count))
			b->count++;
		if (!b->count)
			return;
		run_and_keep(b, 0, number);
	}
}

static void work(u32 worker)
{
	struct batch *b = shared(sizeof(*b));

	coverage_open();
	b->count = BATCH;
	for (u64 number = 0; !out_of_time(); number += BATCH) {
		for (u32 i = 0; i < BATCH; i++)
			programs_next(&b->programs[i]);
		run_and_keep(b, worker, number);
	}
	atomic_fetch_add(&report->kept, programs_kept());
}

static pid_t start(u32 number, u64 seed)
{
	pid_t pid = fork();

	if (pid < 0)
		bail("fork");
	if (pid)
		return pid;
	values_seed(seed + number);
	if (number < WORKERS)
		work(number);
	else
		rebind_run();
	_exit(0);
}

static void check(bool good, const char *what)
{
	tests++;
	failures += !good;
	printf("%sok %u - %s\n", good ? "" : "not ", tests, what);
}

static void print_table(void)
{
	for (u32 i = 0; i < kinds_count; i++)
		printf("# %-14s %9lu succeeded %9lu failed\n", kinds[i].name, report->succeeded[i], report->failed[i]);
}

/* What the driver has a function for. */
static bool all_succeeded(void)
{
	static const char names[] =
		" open close mmap load store read write lseek info wait wake watch ring eventfd poll ";
	char name[32];

	for (u32 i = 0; i < kinds_count; i++) {
		snprintf(name, sizeof(name), " %s ", kinds[i].name);
		if (strstr(names, name) && !report->succeeded[i])
			return false;
	}
	return true;
}

static void judge(bool ended, bool all_bound)
{
	unsigned long places = 0;
	char text[256];

	for (u32 i = 0; i < PLACES; i++)
		places += !!report->places[i];
	print_table();
	printf("# total: %lu programs, %lu calls, %lu signals, %lu programs kept, %lu cycles, %lu refused, %lu "
	       "places\n",
	       report->programs, report->calls, report->signals, report->kept, report->cycles, report->binds_refused,
	       places);
	check(ended, "workers and rebinder came to their end");
	check(!report->hung && !report->died, "no program hung, and none was killed");
	snprintf(text, sizeof(text), "programs ran, and reached places of the module: %lu", places);
	check(report->calls && report->kept && places > 100, text);
	check(all_succeeded(), "each operation of the driver has succeeded");
	check(report->cycles, "devices went and came back");
	check(all_bound, "in the end all devices are bound");
	printf("1..%u\n", tests);
}

int main(int argc, char **argv)
{
	pid_t pids[WORKERS + 1];
	bool ended = true;
	int fd, status;

	if (argc != 4) {
		fprintf(stderr, "usage: fuzz SECONDS SEED BOX\n");
		return 2;
	}
	report = shared(sizeof(*report));
	fd = open(argv[3], O_RDWR | O_CLOEXEC);
	box = mmap(NULL, BOX_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || box == MAP_FAILED)
		bail(argv[3]);
	rebind_start();
	printf("# seed %s\n", argv[2]);
	fflush(stdout);
	end.tv_sec = LONG_MAX;
	tour();
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += strtol(argv[1], NULL, 0);
	for (u32 i = 0; i < WORKERS + 1; i++)
		pids[i] = start(i, strtoull(argv[2], NULL, 0) * 8);
	for (u32 i = 0; i < WORKERS + 1; i++)
		ended = waitpid(pids[i], &status, 0) == pids[i] && !status && ended;
	judge(ended, rebind_all());
	return failures ? 1 : 0;
}
