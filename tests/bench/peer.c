// SPDX-License-Identifier: MIT
/* peer: measures two ends, as peer.h says. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "bench_pair.h"
#include "peer.h"

#define LIMIT_MS   20000
#define WARM_BYTES (1 << 20)
#define WARM_TURNS 100
#define TURNS_MAX  20000

enum kind { STREAM, MESSAGES, TRIP, KINDS };
static const char *const kinds[KINDS] = {"stream", "messages", "trip"};

struct task {
	enum kind kind;
	double ns;
	struct peer_end end;
};

void peer_die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
	exit(1);
}

void peer_relax(uint32_t *looks)
{
	if (++*looks % PEER_LOOKS == 0)
		sched_yield();
}

/* Seconds from the first byte written to the last one read. */
static double pass(struct ivp_bench_pair *pair, struct peer_end *end, uint64_t bytes)
{
	int64_t began, last;

	ivp_bench_pair_meet(pair, end->second);
	began = ivp_bench_now();
	if (end->second)
		peer.read(end, bytes);
	else
		peer.write(end, bytes);
	pair->stamps[end->second] = ivp_bench_now();
	ivp_bench_pair_meet(pair, end->second);
	last = pair->stamps[0] > pair->stamps[1] ? pair->stamps[0] : pair->stamps[1];
	return last > began ? (double)(last - began) / 1e9 : 1e-9;
}

/* Twice as much until it takes an eighth of the time: the last of these says how much there is to do. */
static void flow(const struct task *task, struct ivp_bench_pair *pair, struct peer_end *end)
{
	uint64_t pieces = end->piece < WARM_BYTES / 256 ? 256 : 4;
	/* Not counted: somebody may have to start, or to connect. */
	double seconds = pass(pair, end, pieces * end->piece);

	for (bool more = true; more; ivp_bench_pair_meet(pair, end->second)) {
		seconds = pass(pair, end, pieces * end->piece);
		if (!end->second)
			pair->number = seconds * 8e9 < task->ns;
		ivp_bench_pair_meet(pair, end->second);
		more = pair->number;
		pieces <<= more;
	}
	if (!end->second)
		pair->number = (uint64_t)((double)pieces * task->ns / 1e9 / seconds) + 1;
	ivp_bench_pair_meet(pair, end->second);
	pieces = pair->number;
	seconds = pass(pair, end, pieces * end->piece);
	if (!end->second)
		pair->values[0] = (double)pieces * (task->kind == STREAM ? (double)end->piece : 1) / seconds;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median, in ns. */
static double trips(struct peer_end *end, uint64_t turns)
{
	static double numbers[TURNS_MAX];
	int64_t then = ivp_bench_now(), now;

	for (uint64_t i = 0; i < turns; i++, then = now) {
		(end->second ? peer.read : peer.write)(end, end->piece);
		(end->second ? peer.write : peer.read)(end, end->piece);
		now = ivp_bench_now();
		numbers[i] = (double)(now - then);
	}
	qsort(numbers, turns, sizeof(*numbers), compare);
	return numbers[turns / 2];
}

static void there_and_back(const struct task *task, struct ivp_bench_pair *pair, struct peer_end *end)
{
	double ns = trips(end, WARM_TURNS), turns = task->ns / (ns + 1);

	if (!end->second)
		pair->number = turns < WARM_TURNS ? WARM_TURNS : turns > TURNS_MAX ? TURNS_MAX : (uint64_t)turns;
	ivp_bench_pair_meet(pair, end->second);
	ns = trips(end, pair->number);
	if (!end->second)
		pair->values[0] = ns;
}

static int run(void *arg, struct ivp_bench_pair *pair, bool second, struct ivp_error *err)
{
	struct task *task = arg;
	struct peer_end *end = &task->end;

	(void)err;
	end->second = second;
	end->memory = aligned_alloc(4096, (end->piece + 4095) & ~(size_t)4095);
	if (!end->memory)
		peer_die("memory", "there is none");
	memset(end->memory, 1, end->piece);
	if (peer.open)
		peer.open(end);
	ivp_bench_pair_meet(pair, second);
	/* For whoever looks where time goes: here it is what is measured. */
	prctl(PR_SET_NAME, second ? "receiver" : "sender");
	if (task->kind == TRIP)
		there_and_back(task, pair, end);
	else
		flow(task, pair, end);
	prctl(PR_SET_NAME, program_invocation_short_name);
	/* Who ends first would be gone for the other. */
	ivp_bench_pair_meet(pair, second);
	return 0;
}

static void parse(struct task *task, int argc, char **argv)
{
	while (argc >= 5 && task->kind < KINDS && strcmp(argv[1], kinds[task->kind]))
		task->kind++;
	if (argc < 5 || task->kind == KINDS || strtoull(argv[2], NULL, 10) < 1)
		peer_die("usage", "peer_NAME stream|messages|trip PIECE MS PLACE [WAY]");
	task->end.stream = task->kind == STREAM;
	task->end.piece = strtoull(argv[2], NULL, 10);
	task->ns = strtod(argv[3], NULL) * 1e6;
	task->end.place = argv[4];
	task->end.way = argv[5];
}

int main(int argc, char **argv)
{
	struct task task = {0};
	struct ivp_error err = {0};
	double values[2];
	int ret;

	parse(&task, argc, argv);
	task.end.window =
		mmap(NULL, peer.window + 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (task.end.window == MAP_FAILED)
		peer_die("memory", "there is none");
	if (peer.prepare)
		peer.prepare(&task.end);
	ret = ivp_bench_pair_run(run, &task, LIMIT_MS, NULL, values, &err);
	if (peer.clean)
		peer.clean(&task.end);
	if (ret)
		peer_die(argv[1], err.text);
	printf("%.9g\n", values[0]);
	return 0;
}
