// SPDX-License-Identifier: MIT
/* Both ends on this machine: two processes for each sample, which open everything anew. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "bench_pair.h"
#include "bench_way.h"
#include "error.h"
#include "wait.h"

#define LIMIT_MS    60000
#define MESSAGE     64
#define TURNS_MAX   20000
#define BYTES_MAX   (4ULL << 30)
#define WARM_BYTES  (1 << 20)
#define WARM_PIECES 4096
#define WARM_TURNS  100

/* How long a sample takes, about; sleeps of a waking cell; how long a lane is let be, and watched. */
struct effort {
	int64_t ns;
	uint32_t wakes;
	int64_t settle_ms, idle_ms;
};
static const struct effort thorough = {100000000, 50, 1000, 1000}, quick = {10000000, 10, 100, 400};

/* Of one sample, for both processes. */
struct run {
	const struct ivp_bench_cell *cell;
	const struct ivp_bench_way *way;
	const struct effort *effort;
	struct ivp_bench_address address;
	struct ivp_bench_channel channel;
};

static uint64_t between(double value, uint64_t least, uint64_t most)
{
	return value < (double)least ? least : value > (double)most ? most : (uint64_t)value;
}

/* ---- streams and messages ---- */

/* Seconds from the first byte written to the last one read, and not before both are through. */
static int pass(const struct run *run, struct ivp_bench_pair *pair, struct ivp_bench_job *job, uint64_t bytes,
		double *seconds, struct ivp_error *err)
{
	int64_t began, last;
	int ret;

	ivp_bench_pair_meet(pair, job->second);
	began = ivp_bench_now();
	ret = job->second ? run->way->read(job, bytes, err) : run->way->write(job, bytes, err);
	pair->stamps[job->second] = ivp_bench_now();
	if (ret)
		return ret;
	ivp_bench_pair_meet(pair, job->second);
	last = pair->stamps[0] > pair->stamps[1] ? pair->stamps[0] : pair->stamps[1];
	*seconds = last > began ? (double)(last - began) / 1e9 : 1e-9;
	return 0;
}

/* Twice a little: memory is touched for the first time in the first, and the second says how much can be done in the time. */
static int end_stream(const struct run *run, struct ivp_bench_pair *pair, struct ivp_bench_job *job,
		      struct ivp_error *err)
{
	uint64_t piece = job->piece, bytes = between((double)piece * WARM_PIECES, 2 * piece, WARM_BYTES + 2 * piece);
	double seconds = 1;
	int ret = 0;

	bytes -= bytes % piece;
	for (int i = 0; !ret && i < 2; i++)
		ret = pass(run, pair, job, bytes, &seconds, err);
	if (ret)
		return ret;
	if (!job->second)
		pair->number = between((double)bytes * (double)run->effort->ns / 1e9 / seconds, piece, BYTES_MAX);
	ivp_bench_pair_meet(pair, job->second);
	bytes = (pair->number + piece - 1) / piece * piece;
	ret = pass(run, pair, job, bytes, &seconds, err);
	if (!job->second)
		pair->values[0] = (double)(run->cell->kind == IVP_BENCH_RATE ? bytes / piece : bytes) / seconds;
	return ret;
}

/* ---- there and back ---- */

static void summarize(double *numbers, size_t count, double values[2])
{
	ivp_bench_sort(numbers, count);
	values[0] = ivp_bench_quantile(numbers, count, 0.5);
	values[1] = ivp_bench_quantile(numbers, count, 0.99);
}

/* numbers NULL: the second end, or nobody wants to know. */
static int trips(const struct run *run, struct ivp_bench_job *job, uint64_t turns, double *numbers,
		 struct ivp_error *err)
{
	const struct ivp_bench_way *way = run->way;
	int64_t then = ivp_bench_now(), now;
	int ret = 0;

	for (uint64_t i = 0; !ret && i < turns; i++) {
		ret = job->second ? way->read(job, MESSAGE, err) : way->write(job, MESSAGE, err);
		if (!ret)
			ret = job->second ? way->write(job, MESSAGE, err) : way->read(job, MESSAGE, err);
		if (job->second)
			continue;
		now = ivp_bench_now();
		numbers[i] = (double)(now - then);
		then = now;
	}
	return ret;
}

static int end_trip(const struct run *run, struct ivp_bench_pair *pair, struct ivp_bench_job *job,
		    struct ivp_error *err)
{
	double *numbers = job->second ? NULL : calloc(TURNS_MAX, sizeof(*numbers));
	int ret;

	if (!job->second && !numbers)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	ret = trips(run, job, WARM_TURNS, numbers, err);
	if (!ret && !job->second) {
		summarize(numbers, WARM_TURNS, pair->values);
		pair->number = between((double)run->effort->ns / (pair->values[0] + 1), WARM_TURNS, TURNS_MAX);
	}
	if (!ret) {
		ivp_bench_pair_meet(pair, job->second);
		ret = trips(run, job, pair->number, numbers, err);
	}
	if (!ret && !job->second)
		summarize(numbers, pair->number, pair->values);
	free(numbers);
	return ret;
}

/* ---- sleepers ---- */

/* The second one sleeps by then: waiting looks for some microseconds before. Both read the same clock. */
static int end_wake(const struct run *run, struct ivp_bench_pair *pair, struct ivp_bench_job *job,
		    struct ivp_error *err)
{
	static const struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};
	double numbers[64];
	int ret = 0;

	for (uint32_t i = 0; !ret && i < run->effort->wakes; i++) {
		ivp_bench_pair_meet(pair, job->second);
		if (!job->second)
			nanosleep(&pause, NULL);
		pair->stamps[job->second] = ivp_bench_now();
		ret = job->second ? run->way->read(job, MESSAGE, err) : run->way->write(job, MESSAGE, err);
		if (job->second)
			pair->stamps[1] = ivp_bench_now();
		if (ret)
			break;
		ivp_bench_pair_meet(pair, job->second);
		numbers[i] = (double)(pair->stamps[1] - pair->stamps[0]);
		if (numbers[i] < 1)
			numbers[i] = 1;
	}
	if (!ret && !job->second)
		summarize(numbers, run->effort->wakes, pair->values);
	return ret;
}

static double cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Nothing comes: that is what is waited for. */
static int wait_in_vain(const struct ivp_bench_job *job, int64_t ms, struct ivp_error *err)
{
	int ret = ivp_lane_wait(job->lane, IVP_WAIT_DATA, ms, err);

	return ret == -ETIMEDOUT ? 0
	       : ret             ? ret
				 : ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "data where nobody sent any");
}

static int end_idle(const struct run *run, struct ivp_bench_pair *pair, struct ivp_bench_job *job,
		    struct ivp_error *err)
{
	int ret = wait_in_vain(job, run->effort->settle_ms, err);
	double began = (double)ivp_bench_now(), used = cpu_ns();

	if (!ret)
		ret = wait_in_vain(job, run->effort->idle_ms, err);
	used = cpu_ns() - used;
	pair->values[job->second] = used / ((double)ivp_bench_now() - began) * 100;
	return ret;
}

/* ---- a sample ---- */

static int end(void *arg, struct ivp_bench_pair *pair, bool second, struct ivp_error *err)
{
	static int (*const ends[IVP_BENCH_KINDS])(const struct run *, struct ivp_bench_pair *, struct ivp_bench_job *,
						  struct ivp_error *) = {
		[IVP_BENCH_STREAM] = end_stream, [IVP_BENCH_RATE] = end_stream, [IVP_BENCH_TRIP] = end_trip,
		[IVP_BENCH_WAKE] = end_wake,     [IVP_BENCH_IDLE] = end_idle,
	};
	struct run *run = arg;
	struct ivp_bench_job job = {.second = second, .piece = run->cell->size ? run->cell->size : MESSAGE};
	int ret = ivp_bench_job_begin(&job, run->way, &run->channel, &run->address, err);

	ivp_bench_job_limit(&job, LIMIT_MS);
	if (!ret) {
		ivp_bench_pair_meet(pair, second);
		ret = ends[run->cell->kind](run, pair, &job, err);
	}
	/* Who closes first would be gone for the other. */
	if (!ret)
		ivp_bench_pair_meet(pair, second);
	ivp_bench_job_end(&job);
	return ret;
}

static int measure(struct ivp_bench *bench, const struct ivp_bench_cell *cell, double values[2], struct ivp_error *err)
{
	const struct ivp_bench_self *self = bench->arg;
	struct run run = {
		.cell = cell,
		.way = ivp_bench_way(cell->way),
		.effort = bench->quick ? &quick : &thorough,
		.address = {self->region, self->service},
	};
	/* One that copies alone goes through as much memory as a ring has. */
	size_t window = strcmp(cell->way, "memcpy") ? 0 : bench->info.ring_size;
	int ret = ivp_bench_channel_open(&run.channel, run.way, window, cell->size, err);

	if (ret)
		return ret;
	ret = ivp_bench_pair_run(end, &run, LIMIT_MS, bench->cancel, values, err);
	ivp_bench_channel_close(&run.channel);
	return ret;
}

static bool add(struct ivp_bench *bench, enum ivp_bench_kind kind, uint64_t size, const char *const *names)
{
	bool fits = true;

	for (int i = 0; fits && names[i]; i++) {
		struct ivp_bench_cell cell = {.kind = kind, .way = names[i], .direction = "", .size = size, .base = !i};

		cell.title = ivp_bench_way(names[i])->title;
		fits = ivp_bench_add(bench, &cell);
	}
	return fits;
}

int ivp_bench_self(struct ivp_bench *bench, struct ivp_bench_self *self, struct ivp_error *err)
{
	static const char *const streams[] = {"dual",          "memcpy", "ivpipe", "ivpipe-held",
					      "ivpipe-digest", "pipe",   "unix",   "pipe-large",
					      "vmsplice",      "tcp",    NULL};
	static const char *const trips[] = {"line", "ivpipe", "pipe", "unix", NULL};
	static const char *const rates[] = {
		"pipe", "ivpipe-messages", "ivpipe-messages-held", "ivpipe-messages-many", "unix", NULL};
	static const char *const wakes[] = {"futex", "ivpipe", "pipe", NULL};
	static const char *const idles[] = {"ivpipe", NULL};
	bool fits = true;

	for (size_t i = 0; fits && i < bench->size_count; i++)
		fits = add(bench, IVP_BENCH_STREAM, bench->sizes[i], streams);
	if (!fits || !add(bench, IVP_BENCH_TRIP, MESSAGE, trips) || !add(bench, IVP_BENCH_RATE, MESSAGE, rates) ||
	    !add(bench, IVP_BENCH_WAKE, MESSAGE, wakes) || !add(bench, IVP_BENCH_IDLE, 0, idles))
		return ivp_fail(err, IVP_FAIL_USAGE, -E2BIG, "too many sizes");
	bench->mode = "self";
	bench->measure = measure;
	bench->arg = self;
	return ivp_bench_run(bench, err);
}
