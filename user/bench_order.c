// SPDX-License-Identifier: MIT
/*
 * An order, and the answer to it: four little-endian numbers of 8 bytes: MAGIC, an op, the size of a write, bytes. For IDLE these
 * are milliseconds: how long to let be first, and how long to watch; and the answer has nanoseconds of processor time.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_order.h"
#include "bench_pair.h"
#include "error.h"
#include "wait.h"

#define MAGIC     0x32687362706976ULL /* "vipbsh2" */
#define MESSAGE   IVP_BENCH_MESSAGE
#define TURNS_MAX 20000
#define BYTES_MAX (4ULL << 30)
#define IDLE_MAX  5000

enum op {
	OP_TAKE = 1, /* the client writes so many bytes, and then the server says so */
	OP_GIVE,     /* the server writes */
	OP_ECHO,     /* each 64 bytes come back */
	OP_LAST,     /* the client has all it wanted; answered */
	OP_DONE,     /* an answer */
	OP_IDLE,     /* nothing comes, and then the server says what that took */
};

struct order {
	uint64_t op, piece, bytes;
};

/* ---- said and heard ---- */

static int say(struct ivp_bench_job *job, const struct order *order, struct ivp_error *err)
{
	uint64_t words[4] = {htole64(MAGIC), htole64(order->op), htole64(order->piece), htole64(order->bytes)};
	struct ivp_bench_job one = *job;

	one.piece = sizeof(words);
	one.memory = (char *)words;
	return job->port->write(&one, sizeof(words), err);
}

/* 1: one was read; 0: the peer ended instead. */
static int hear(struct ivp_bench_job *job, struct order *order, struct ivp_error *err)
{
	uint64_t words[4];
	size_t have = 0;

	while (have < sizeof(words)) {
		ptrdiff_t got = job->port->some(job, (char *)words + have, sizeof(words) - have, err);

		if (got < 0 || (!got && !have))
			return (int)got;
		if (!got)
			return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "the peer ended in the middle of an order");
		have += (size_t)got;
	}
	*order = (struct order){le64toh(words[1]), le64toh(words[2]), le64toh(words[3])};
	if (le64toh(words[0]) == MAGIC)
		return 1;
	return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "the peer is no ivpipe bench, or one of another version");
}

static int hear_answer(struct ivp_bench_job *job, uint64_t *bytes, struct ivp_error *err)
{
	struct order order;
	int ret = hear(job, &order, err);

	if (ret < 0)
		return ret;
	if (!ret || order.op != OP_DONE)
		return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "the peer gave another answer than was asked for");
	*bytes = order.bytes;
	return 0;
}

static int hear_done(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	uint64_t got;
	int ret = hear_answer(job, &got, err);

	if (!ret && got != bytes)
		ret = ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "the peer gave another answer than was asked for");
	return ret;
}

static void mark(struct ivp_bench_job *job, uint64_t bytes)
{
	if (job->port->whole)
		ivp_bench_pattern_put(job->memory, job->piece, bytes);
}

static int check_mark(const struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	if (!job->port->whole || ivp_bench_pattern_holds(job->memory, job->piece, bytes))
		return 0;
	return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "other bytes came than were sent");
}

/* ---- a lane that carries nothing ---- */

static double cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Nothing comes, or it is over early. */
static int wait_in_vain(const struct ivp_bench_job *job, uint64_t ms, struct ivp_error *err)
{
	int ret = ivp_lane_wait(job->lane, IVP_WAIT_DATA, (int64_t)ms, err);

	return ret == -ETIMEDOUT ? 0 : ret;
}

/* Percent of a processor. */
static int idle(const struct ivp_bench_job *job, const struct order *order, double *percent, double *ns,
		struct ivp_error *err)
{
	int ret = wait_in_vain(job, order->piece, err);
	double began = (double)ivp_bench_now(), used = cpu_ns();

	if (!ret)
		ret = wait_in_vain(job, order->bytes, err);
	*ns = cpu_ns() - used;
	*percent = *ns / ((double)ivp_bench_now() - began + 1) * 100;
	return ret;
}

/* It is let be for a while longer: who asked watches, too, and began later. */
static int obey_idle(struct ivp_bench_job *job, const struct order *order, struct ivp_error *err)
{
	struct order done = {.op = OP_DONE, .piece = order->piece};
	double percent, ns;
	int ret = idle(job, order, &percent, &ns, err);

	done.bytes = (uint64_t)ns;
	if (!ret)
		ret = wait_in_vain(job, order->piece, err);
	return ret ? ret : say(job, &done, err);
}

static int measure_idle(struct ivp_bench_job *job, bool quick, double values[2], struct ivp_error *err)
{
	struct order order = {OP_IDLE, quick ? 100 : 500, quick ? 400 : 1000};
	uint64_t theirs;
	double ns;
	int ret = say(job, &order, err);

	if (!ret)
		ret = idle(job, &order, &values[0], &ns, err);
	if (!ret)
		ret = hear_answer(job, &theirs, err);
	if (!ret)
		values[1] = (double)theirs / ((double)order.bytes * 1e6) * 100;
	return ret;
}

/* ---- the server ---- */

static int check(const struct ivp_bench_job *job, const struct order *order, struct ivp_error *err)
{
	bool holds = order->op >= OP_TAKE && order->op <= OP_IDLE && order->op != OP_DONE && order->piece &&
		     order->bytes && order->piece <= IVP_BENCH_PIECE_MAX &&
		     order->bytes <= BYTES_MAX + IVP_BENCH_PIECE_MAX;

	if (holds && order->op == OP_ECHO)
		holds = order->piece == MESSAGE && order->bytes <= TURNS_MAX * MESSAGE && !(order->bytes % MESSAGE);
	if (holds && order->op == OP_IDLE)
		holds = job->lane && order->piece <= IDLE_MAX && order->bytes <= IDLE_MAX;
	return holds ? 0 : ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "the client ordered what cannot be");
}

static int echo_all(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	int ret = 0;

	for (uint64_t at = 0; !ret && at < bytes; at += MESSAGE) {
		ret = job->port->read(job, MESSAGE, err);
		if (!ret)
			ret = job->port->write(job, MESSAGE, err);
	}
	return ret;
}

static int obey(struct ivp_bench_job *job, const struct order *order, struct ivp_error *err)
{
	const struct order done = {OP_DONE, order->piece, order->bytes};
	int ret;

	switch ((enum op)order->op) {
	case OP_GIVE:
		mark(job, order->bytes);
		return job->port->write(job, order->bytes, err);
	case OP_ECHO:
		return echo_all(job, order->bytes, err);
	case OP_IDLE:
		return obey_idle(job, order, err);
	case OP_TAKE:
		ret = job->port->read(job, order->bytes, err);
		if (!ret)
			ret = check_mark(job, order->bytes, err);
		return ret ? ret : say(job, &done, err);
	default:
		return say(job, &done, err);
	}
}

int ivp_bench_order_obey(struct ivp_bench_job *job, struct ivp_error *err)
{
	struct order order = {0};
	int ret = hear(job, &order, err);

	if (ret <= 0)
		return ret;
	ret = check(job, &order, err);
	job->piece = order.piece;
	if (!ret)
		ret = obey(job, &order, err);
	return ret ? ret : order.op == OP_LAST ? IVP_BENCH_LAST : IVP_BENCH_OBEYED;
}

/* ---- the client ---- */

static int order_stream(struct ivp_bench_job *job, bool in, uint64_t bytes, double *seconds, struct ivp_error *err)
{
	struct order order = {in ? OP_GIVE : OP_TAKE, job->piece, bytes};
	int64_t began, ended;
	int ret;

	mark(job, in ? 0 : bytes);
	began = ivp_bench_now();
	ivp_bench_job_limit(job, IVP_BENCH_PATIENCE_MS);
	ret = say(job, &order, err);
	if (!ret)
		ret = in ? job->port->read(job, bytes, err) : job->port->write(job, bytes, err);
	if (!ret && !in)
		ret = hear_done(job, bytes, err);
	ended = ivp_bench_now();
	*seconds = ended > began ? (double)(ended - began) / 1e9 : 1e-9;
	return ret || !in ? ret : check_mark(job, bytes, err);
}

uint64_t ivp_bench_enough(uint64_t bytes, double seconds, int64_t budget, size_t piece)
{
	double wanted = (double)bytes / seconds * (double)budget / 1e9;

	bytes = wanted > (double)BYTES_MAX ? BYTES_MAX : (uint64_t)wanted;
	return (bytes / piece + 1) * piece;
}

static int stream(struct ivp_bench_job *job, bool in, int64_t budget, double *rate, struct ivp_error *err)
{
	uint64_t bytes = ivp_bench_warm_bytes(job->piece);
	double seconds;
	int ret = order_stream(job, in, bytes, &seconds, err);

	if (!ret)
		ret = order_stream(job, in, bytes, &seconds, err);
	if (ret)
		return ret;
	bytes = ivp_bench_enough(bytes, seconds, budget, job->piece);
	ret = order_stream(job, in, bytes, &seconds, err);
	*rate = (double)bytes / seconds;
	return ret;
}

/* pause: before each, so that the other end sleeps; NULL: none. */
static int echo(struct ivp_bench_job *job, uint64_t turns, const struct timespec *pause, double *numbers,
		struct ivp_error *err)
{
	struct order order = {OP_ECHO, MESSAGE, turns * MESSAGE};
	int ret;

	ivp_bench_job_limit(job, IVP_BENCH_PATIENCE_MS);
	ret = say(job, &order, err);
	for (uint64_t i = 0; !ret && i < turns; i++) {
		int64_t began;

		if (pause)
			nanosleep(pause, NULL);
		began = ivp_bench_now();
		ret = job->port->write(job, MESSAGE, err);
		if (!ret)
			ret = job->port->read(job, MESSAGE, err);
		numbers[i] = (double)(ivp_bench_now() - began);
	}
	if (!ret)
		ivp_bench_sort(numbers, turns);
	return ret;
}

/* As many as there is time for. */
static int trips(struct ivp_bench_job *job, int64_t budget, double *numbers, uint64_t *turns, struct ivp_error *err)
{
	int ret = echo(job, 100, NULL, numbers, err);
	double wanted;

	if (ret)
		return ret;
	wanted = (double)budget / (ivp_bench_quantile(numbers, 100, 0.5) + 1);
	*turns = wanted < 100 ? 100 : wanted > TURNS_MAX ? TURNS_MAX : (uint64_t)wanted;
	return echo(job, *turns, NULL, numbers, err);
}

static int trip(struct ivp_bench_job *job, const struct ivp_bench *bench, bool asleep, double values[2],
		struct ivp_error *err)
{
	static const struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};
	double *numbers = calloc(TURNS_MAX, sizeof(*numbers));
	uint64_t turns = bench->quick ? 10 : 50;
	int ret;

	if (!numbers)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	ret = asleep ? echo(job, turns, &pause, numbers, err)
		     : trips(job, ivp_bench_budget(bench), numbers, &turns, err);
	if (!ret) {
		values[0] = ivp_bench_quantile(numbers, turns, 0.5);
		values[1] = ivp_bench_quantile(numbers, turns, 0.99);
	}
	free(numbers);
	return ret;
}

int ivp_bench_order_measure(struct ivp_bench_job *job, const struct ivp_bench *bench, const struct ivp_bench_cell *cell,
			    double values[2], struct ivp_error *err)
{
	int ret;

	ivp_bench_job_limit(job, IVP_BENCH_PATIENCE_MS);
	if (cell->kind == IVP_BENCH_TRIP || cell->kind == IVP_BENCH_WAKE)
		return trip(job, bench, cell->kind == IVP_BENCH_WAKE, values, err);
	if (cell->kind == IVP_BENCH_IDLE)
		return measure_idle(job, bench->quick, values, err);
	ret = stream(job, !strcmp(cell->direction, "in"), ivp_bench_budget(bench), values, err);
	if (cell->kind == IVP_BENCH_RATE)
		values[0] /= (double)cell->size;
	return ret;
}

int ivp_bench_order_last(struct ivp_bench_job *job, struct ivp_error *err)
{
	struct order last = {OP_LAST, 1, 1};
	int ret = say(job, &last, err);

	return ret ? ret : hear_done(job, last.bytes, err);
}

/* ---- by a lane ---- */

static ptrdiff_t lane_some(struct ivp_bench_job *job, void *to, size_t len, struct ivp_error *err)
{
	int64_t left = job->deadline - ivp_now();

	return ivp_lane_read_some(job->lane, to, len, left > 0 ? left : 0, err);
}

const struct ivp_bench_port ivp_bench_port_lane = {ivp_bench_lane_write, ivp_bench_lane_read, lane_some, false};
