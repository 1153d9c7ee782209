// SPDX-License-Identifier: MIT
/*
 * lanes: many streams at once through one region, each with two processes.
 *
 *   lanes stream|trip COUNT TOTAL REGION [pin]      prints bytes/s of all together, or ns of a lane's turn there and back
 *
 * TOTAL: bytes or turns of all together. pin: the writer of each on another processor than its reader, by turns; else wherever
 * the kernel puts them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_pair.h"
#include "bench_way.h"
#include "wait.h"

#define LANES_MAX   256
#define PIECE       65536
#define MESSAGE     64
#define PATIENCE_MS 50000

static struct task {
	bool trip, pin;
	int count;
	uint64_t each;
	const char *region;
	const struct ivp_bench_way *way;
	int ready, gate, exit;
	int64_t *ends; /* when each was through */
} task;

/* One end of many says so, too, as the others wait for it. */
static void die(const char *what, const char *why)
{
	fprintf(stderr, "lanes: %s: %s\n", what, why);
	if (task.ready > 0 && write(task.ready, "!", 1) != 1)
		_exit(2);
	exit(1);
}

/* A side listens on its part of the lanes alone, so they take turns; both ends of a lane are on one side, as on one machine. */
static void connect_lane(struct ivp_bench_job *job, int lane, const char *name)
{
	struct ivp_lane_options options = {.service = name, .size = -1, .wait_ms = PATIENCE_MS};
	struct ivp_open_options open = {.flags = IVP_OPEN_SIGBUS, .side = lane & 1};
	struct ivp_listener *listener;
	struct ivp_error err = {0};
	int ret = ivp_region_open(&job->region, task.region, &open, &err);

	if (!ret && !job->second)
		ret = ivp_connect(&job->lane, job->region, &options, &err);
	if (!ret && job->second)
		ret = ivp_listen(&listener, job->region, &options, &err);
	if (!ret && job->second) {
		ret = ivp_accept(&job->lane, listener, &err);
		ivp_listener_close(listener);
	}
	if (ret || ivp_bench_job_memory(job, &err))
		die(name, err.text);
	ivp_lane_no_digest(job->lane);
	ivp_bench_job_limit(job, PATIENCE_MS);
}

static int trips(struct ivp_bench_job *job, struct ivp_error *err)
{
	const struct ivp_bench_way *way = task.way;
	int ret = 0;

	for (uint64_t i = 0; !ret && i < task.each; i++) {
		ret = (job->second ? way->read : way->write)(job, MESSAGE, err);
		if (!ret)
			ret = (job->second ? way->write : way->read)(job, MESSAGE, err);
	}
	return ret;
}

/* All begin when the gate is closed, and end when the exit is. */
static void be_end(int lane, bool second)
{
	struct ivp_bench_job job = {.second = second, .piece = task.trip ? MESSAGE : PIECE};
	struct ivp_error err = {0};
	char name[16];
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(name, sizeof(name), "lane%d", lane);
	if (task.pin)
		ivp_bench_pin(second ^ (lane & 1));
	connect_lane(&job, lane, name);
	if (write(task.ready, "", 1) != 1 || read(task.gate, name, 1))
		die("start", strerror(errno));
	/* For whoever looks where time goes. */
	prctl(PR_SET_NAME, second ? "receiver" : "sender");
	if (task.trip)
		ret = trips(&job, &err);
	else
		ret = (second ? task.way->read : task.way->write)(&job, task.each, &err);
	task.ends[2 * lane + second] = ivp_bench_now();
	prctl(PR_SET_NAME, program_invocation_short_name);
	if (ret)
		die("stream", err.text);
	/* Who ends first would be gone for the other. */
	if (write(task.ready, "", 1) != 1 || read(task.exit, name, 1))
		die("end", strerror(errno));
	_exit(0);
}

static void await_ends(int fd, int count)
{
	char byte;

	while (count--)
		if (read(fd, &byte, 1) != 1 || byte)
			exit(1);
}

/* One after the other, for a side has but 16 places for listeners. */
static void start_all(int ready, int gate, int way_out)
{
	for (int i = 0; i < 2 * task.count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork", strerror(errno));
		if (!pid) {
			close(gate);
			close(way_out);
			be_end(i / 2, i % 2);
		}
		if (i % 2)
			await_ends(ready, 2);
	}
}

static double result(int64_t began)
{
	int64_t last = began + 1;

	for (int i = 0; i < 2 * task.count; i++)
		last = task.ends[i] > last ? task.ends[i] : last;
	if (task.trip)
		return (double)(last - began) / (double)task.each;
	return (double)task.each * task.count / ((double)(last - began) / 1e9);
}

static void parse(int argc, char **argv)
{
	if (argc < 5)
		die("usage", "lanes stream|trip COUNT TOTAL REGION [pin]");
	task.trip = !strcmp(argv[1], "trip");
	task.count = atoi(argv[2]);
	if (task.count < 1 || task.count > LANES_MAX)
		die(argv[2], "from 1 to 256 lanes");
	task.each = strtoull(argv[3], NULL, 10) / (uint64_t)task.count + 1;
	task.region = argv[4];
	task.pin = argc > 5;
	task.way = ivp_bench_way("ivpipe");
}

int main(int argc, char **argv)
{
	int ready[2], gate[2], way_out[2], status;
	int64_t began;

	parse(argc, argv);
	task.ends = mmap(NULL, 2 * LANES_MAX * sizeof(*task.ends), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	if (task.ends == MAP_FAILED || pipe(ready) || pipe(gate) || pipe(way_out))
		die("start", strerror(errno));
	task.ready = ready[1];
	task.gate = gate[0];
	task.exit = way_out[0];
	start_all(ready[0], gate[1], way_out[1]);
	began = ivp_bench_now();
	close(gate[1]);
	await_ends(ready[0], 2 * task.count);
	printf("%.9g\n", result(began));
	fflush(stdout);
	close(way_out[1]);
	while (wait(&status) > 0)
		if (status)
			die("an end", "it failed");
	return 0;
}
