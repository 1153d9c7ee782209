// SPDX-License-Identifier: MIT
/*
 * ways: how long it takes one process to give another BYTES, from private memory to private memory, by one way of several.
 *
 *   ways WAY BYTES PIECE [REGION]       prints seconds, from the first write to the last read
 *
 * The ways are those of user/bench_way.c: dual (both copy through the same memory and never ask each other anything: what no
 * stream can beat), ivpipe (without a digest), ivpipe-held (told a lot at a time), ivpipe-digest, ivpipe-view (read where it
 * lies), pipe, pipe-large (of 1 MiB), vmsplice, unix, tcp. The two are pinned to the first two processors there are, if there
 * are two.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench_pair.h"
#include "bench_way.h"
#include "wait.h"

#define PATIENCE_MS 60000

struct task {
	const struct ivp_bench_way *way;
	uint64_t bytes;
	size_t piece;
	struct ivp_bench_address address;
	struct ivp_bench_channel channel;
};

static int end(void *arg, struct ivp_bench_pair *pair, bool second, struct ivp_error *err)
{
	struct task *task = arg;
	struct ivp_bench_job job = {.second = second, .piece = task->piece};
	int ret = ivp_bench_job_begin(&job, task->way, &task->channel, &task->address, err);
	int64_t began, last;

	if (ret)
		return ret;
	job.deadline = ivp_deadline(PATIENCE_MS);
	ivp_bench_pair_meet(pair, second);
	began = ivp_bench_now();
	ret = second ? task->way->read(&job, task->bytes, err) : task->way->write(&job, task->bytes, err);
	pair->stamps[second] = ivp_bench_now();
	if (ret)
		return ret;
	/* Two that do not wait for each other end at their own times. */
	ivp_bench_pair_meet(pair, second);
	last = pair->stamps[0] > pair->stamps[1] ? pair->stamps[0] : pair->stamps[1];
	if (!second)
		pair->values[0] = (double)(last - began) / 1e9;
	ivp_bench_job_end(&job);
	return 0;
}

int main(int argc, char **argv)
{
	struct task task = {0};
	struct ivp_error err = {0};
	double values[2];
	int ret;

	if (argc >= 4)
		task.way = ivp_bench_way(argv[1]);
	if (!task.way || (task.way->lane && argc < 5)) {
		fprintf(stderr, "usage: ways WAY BYTES PIECE [REGION]\n");
		return 2;
	}
	task.bytes = strtoull(argv[2], NULL, 10);
	task.piece = strtoull(argv[3], NULL, 10);
	task.address = (struct ivp_bench_address){argv[4], "ways"};
	ret = ivp_bench_channel_open(&task.channel, task.way, 0, task.piece, &err);
	if (!ret)
		ret = ivp_bench_pair_run(end, &task, PATIENCE_MS, NULL, values, &err);
	if (ret) {
		fprintf(stderr, "ways: %s\n", err.text);
		return 1;
	}
	printf("%.9f\n", values[0]);
	return 0;
}
