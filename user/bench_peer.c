// SPDX-License-Identifier: MIT
/*
 * One command on each end. The client has a lane for each sample, and says in orders what it will do; the server does its part,
 * and believes nothing: whatever an order says has a bound, and everything a deadline.
 *
 * An order, and the answer to it: four little-endian numbers of 8 bytes: MAGIC, an op, the size of a write, bytes.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bench_pair.h"
#include "bench_way.h"
#include "error.h"
#include "log.h"
#include "wait.h"

#define MAGIC       0x31687362706976ULL /* "vipbsh1" */
#define PATIENCE_MS 30000
#define MESSAGE     64
#define TURNS_MAX   20000
#define BYTES_MAX   (4ULL << 30)
#define NO_DIGEST   "bench, no digest"

enum op {
	OP_TAKE = 1, /* the client writes so many bytes, and then the server says so */
	OP_GIVE,     /* the server writes */
	OP_ECHO,     /* each 64 bytes come back */
	OP_LAST,     /* the client has all it wanted; answered */
	OP_DONE,     /* an answer */
};

struct order {
	uint64_t op, piece, bytes;
};

/* Two processes of one kernel are kept apart, as those of --self are: the scheduler likes to put them on one processor. */
static void part(const struct ivp_bench_job *job, bool second, cpu_set_t *before)
{
	if (sched_getaffinity(0, sizeof(*before), before))
		CPU_ZERO(before);
	else if (ivp_lane_peer_local(job->lane))
		ivp_bench_pin(second);
}

static void part_no_more(const cpu_set_t *before)
{
	if (CPU_COUNT(before))
		sched_setaffinity(0, sizeof(*before), before);
}

/* ---- orders ---- */

static int say(struct ivp_bench_job *job, const struct order *order, struct ivp_error *err)
{
	uint64_t words[4] = {htole64(MAGIC), htole64(order->op), htole64(order->piece), htole64(order->bytes)};
	struct ivp_bench_job one = {.lane = job->lane, .deadline = job->deadline, .piece = sizeof(words)};

	one.memory = (char *)words;
	return ivp_bench_lane_write(&one, sizeof(words), err);
}

/* 1: one was read; 0: the peer ended instead. */
static int hear(struct ivp_bench_job *job, struct order *order, struct ivp_error *err)
{
	uint64_t words[4];
	size_t have = 0;

	while (have < sizeof(words)) {
		int64_t left = job->deadline - ivp_now();
		ptrdiff_t got = ivp_lane_read_some(job->lane, (char *)words + have, sizeof(words) - have,
						   left > 0 ? left : 0, err);

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

static int hear_done(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	struct order order;
	int ret = hear(job, &order, err);

	if (ret < 0)
		return ret;
	if (!ret || order.op != OP_DONE || order.bytes != bytes)
		return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "the peer gave another answer than was asked for");
	return 0;
}

/* ---- the server ---- */

static int check(const struct order *order, struct ivp_error *err)
{
	bool holds = order->op >= OP_TAKE && order->op <= OP_LAST && order->piece && order->bytes &&
		     order->piece <= IVP_BENCH_PIECE_MAX && order->bytes <= BYTES_MAX + IVP_BENCH_PIECE_MAX;

	if (holds && order->op == OP_ECHO)
		holds = order->piece == MESSAGE && order->bytes <= TURNS_MAX * MESSAGE && !(order->bytes % MESSAGE);
	return holds ? 0 : ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "the client ordered what cannot be");
}

static int obey(struct ivp_bench_job *job, const struct order *order, struct ivp_error *err)
{
	const struct order done = {OP_DONE, order->piece, order->bytes};
	int ret = 0;

	switch ((enum op)order->op) {
	case OP_GIVE:
		return ivp_bench_lane_write(job, order->bytes, err);
	case OP_ECHO:
		for (uint64_t at = 0; !ret && at < order->bytes; at += MESSAGE) {
			ret = ivp_bench_lane_read(job, MESSAGE, err);
			if (!ret)
				ret = ivp_bench_lane_write(job, MESSAGE, err);
		}
		return ret;
	case OP_TAKE:
		ret = ivp_bench_lane_read(job, order->bytes, err);
		return ret ? ret : say(job, &done, err);
	default:
		return say(job, &done, err);
	}
}

/* Until its end. 1: and it was the last. */
static int serve_lane(struct ivp_lane *lane, char *memory, struct ivp_error *err)
{
	struct ivp_bench_job job = {.lane = lane, .memory = memory};
	struct order order = {0};
	int ret = 0;

	if (!strcmp(ivp_lane_file(lane), NO_DIGEST))
		ivp_lane_no_digest(lane);
	while (!ret) {
		ivp_bench_job_limit(&job, PATIENCE_MS);
		ret = hear(&job, &order, err);
		if (!ret)
			ivp_lane_verdict(lane, IVP_VERDICT_OK);
		if (ret <= 0)
			break;
		ret = check(&order, err);
		job.piece = order.piece;
		if (!ret)
			ret = obey(&job, &order, err);
	}
	return ret ? ret : order.op == OP_LAST;
}

int ivp_bench_serve(struct ivp_listener *listener, int64_t wait_ms, struct ivp_error *err)
{
	struct ivp_bench_job job = {.piece = IVP_BENCH_PIECE_MAX};
	int ret = ivp_bench_job_memory(&job, err);
	cpu_set_t before;

	while (!ret) {
		ret = ivp_accept_within(&job.lane, listener, wait_ms, err);
		if (ret)
			break;
		ivp_log_detail("bench: lane %" PRIu32 " connected", ivp_lane_index(job.lane));
		part(&job, true, &before);
		ret = serve_lane(job.lane, job.memory, err);
		part_no_more(&before);
		ivp_lane_close(job.lane);
		wait_ms = PATIENCE_MS;
	}
	free(job.memory);
	return ret < 0 ? ret : 0;
}

/* ---- the client ---- */

/* Say that this is all, and hear that it was understood: what is closed before would be gone for the server. */
static int finish(struct ivp_bench_job *job, struct ivp_error *err)
{
	int ret = ivp_lane_end(job->lane, err);

	return ret ? ret : ivp_lane_confirm(job->lane, PATIENCE_MS, err);
}

static int order_stream(struct ivp_bench_job *job, bool in, uint64_t bytes, double *seconds, struct ivp_error *err)
{
	struct order order = {in ? OP_GIVE : OP_TAKE, job->piece, bytes};
	int64_t began = ivp_bench_now(), ended;
	int ret;

	ivp_bench_job_limit(job, PATIENCE_MS);
	ret = say(job, &order, err);
	if (!ret)
		ret = in ? ivp_bench_lane_read(job, bytes, err) : ivp_bench_lane_write(job, bytes, err);
	if (!ret && !in)
		ret = hear_done(job, bytes, err);
	ended = ivp_bench_now();
	*seconds = ended > began ? (double)(ended - began) / 1e9 : 1e-9;
	return ret;
}

/* Twice a little before: see bench_self.c. */
static int stream(struct ivp_bench_job *job, bool in, int64_t budget, double *rate, struct ivp_error *err)
{
	uint64_t bytes = job->piece < 256 ? job->piece * 4096 : (1 << 20) / job->piece * job->piece + job->piece;
	double seconds, wanted;
	int ret = order_stream(job, in, bytes, &seconds, err);

	if (!ret)
		ret = order_stream(job, in, bytes, &seconds, err);
	if (ret)
		return ret;
	wanted = (double)bytes / seconds * (double)budget / 1e9;
	bytes = wanted > (double)BYTES_MAX ? BYTES_MAX : (uint64_t)wanted;
	bytes = (bytes / job->piece + 1) * job->piece;
	ret = order_stream(job, in, bytes, &seconds, err);
	*rate = (double)bytes / seconds;
	return ret;
}

static int echo(struct ivp_bench_job *job, uint64_t turns, double *numbers, struct ivp_error *err)
{
	struct order order = {OP_ECHO, MESSAGE, turns * MESSAGE};
	int ret;

	ivp_bench_job_limit(job, PATIENCE_MS);
	ret = say(job, &order, err);
	for (uint64_t i = 0; !ret && i < turns; i++) {
		int64_t began = ivp_bench_now();

		ret = ivp_bench_lane_write(job, MESSAGE, err);
		if (!ret)
			ret = ivp_bench_lane_read(job, MESSAGE, err);
		numbers[i] = (double)(ivp_bench_now() - began);
	}
	if (!ret)
		ivp_bench_sort(numbers, turns);
	return ret;
}

static int trip(struct ivp_bench_job *job, int64_t budget, double values[2], struct ivp_error *err)
{
	double *numbers = calloc(TURNS_MAX, sizeof(*numbers)), wanted;
	uint64_t turns = 100;
	int ret;

	if (!numbers)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	ret = echo(job, turns, numbers, err);
	if (!ret) {
		wanted = (double)budget / (ivp_bench_quantile(numbers, turns, 0.5) + 1);
		turns = wanted < 100 ? 100 : wanted > TURNS_MAX ? TURNS_MAX : (uint64_t)wanted;
		ret = echo(job, turns, numbers, err);
	}
	if (!ret) {
		values[0] = ivp_bench_quantile(numbers, turns, 0.5);
		values[1] = ivp_bench_quantile(numbers, turns, 0.99);
	}
	free(numbers);
	return ret;
}

/* Into room of the ring that we send on, which is nobody's as long as it is not committed; and out of it again. */
static int copies(struct ivp_bench_job *job, bool in, int64_t budget, double *rate, struct ivp_error *err)
{
	int64_t began = ivp_bench_now(), now;
	size_t len = job->piece;
	uint64_t bytes = 0;
	void *room;
	int ret = ivp_lane_reserve(job->lane, &room, &len, err);

	if (ret)
		return ret;
	if (len > job->piece)
		len = job->piece;
	do {
		for (size_t done = 0; done < 65536; done += len, bytes += len) {
			memcpy(in ? job->memory : room, in ? room : job->memory, len);
			__asm__ __volatile__("" ::: "memory");
		}
		now = ivp_bench_now();
	} while (now - began < budget);
	*rate = (double)bytes * 1e9 / (double)(now - began);
	return 0;
}

static int connect_lane(const struct ivp_bench_peer *peer, struct ivp_bench_job *job, bool digest,
			struct ivp_error *err)
{
	struct ivp_lane_options options = peer->options;
	int ret;

	options.file = digest ? "bench" : NO_DIGEST;
	ret = ivp_connect(&job->lane, peer->region, &options, err);
	if (!ret && !digest)
		ivp_lane_no_digest(job->lane);
	return ret;
}

static int measure_on(struct ivp_bench_job *job, const struct ivp_bench *bench, const struct ivp_bench_cell *cell,
		      double values[2], struct ivp_error *err)
{
	int64_t budget = bench->quick ? 10000000 : 100000000;
	bool in = !strcmp(cell->direction, "in");
	int ret;

	if (cell->kind == IVP_BENCH_TRIP)
		return trip(job, budget, values, err);
	if (cell->kind == IVP_BENCH_COPY)
		return copies(job, in, budget, values, err);
	ret = stream(job, in, budget, values, err);
	if (cell->kind == IVP_BENCH_RATE)
		values[0] /= (double)cell->size;
	return ret;
}

static int measure(struct ivp_bench *bench, const struct ivp_bench_cell *cell, double values[2], struct ivp_error *err)
{
	struct ivp_bench_job job = {.piece = cell->size};
	int ret = ivp_bench_job_memory(&job, err);
	cpu_set_t before;

	if (!ret)
		ret = connect_lane(bench->arg, &job, !strcmp(cell->way, "ivpipe-digest"), err);
	if (!ret) {
		part(&job, false, &before);
		ret = measure_on(&job, bench, cell, values, err);
		if (!ret)
			ret = finish(&job, err);
		part_no_more(&before);
	}
	ivp_lane_close(job.lane);
	free(job.memory);
	return ret;
}

int ivp_bench_client_end(struct ivp_bench_peer *peer, struct ivp_error *err)
{
	struct ivp_bench_job job = {.deadline = ivp_deadline(PATIENCE_MS)};
	struct order last = {OP_LAST, 1, 1};
	int ret = connect_lane(peer, &job, false, err);

	if (!ret)
		ret = say(&job, &last, err);
	if (!ret)
		ret = hear_done(&job, last.bytes, err);
	if (!ret)
		ret = finish(&job, err);
	ivp_lane_close(job.lane);
	return ret;
}

static bool add(struct ivp_bench *bench, enum ivp_bench_kind kind, const char *way, const char *title, uint64_t size)
{
	static const char *const directions[] = {"out", "in"};
	struct ivp_bench_cell cell = {.kind = kind, .way = way, .title = title, .direction = "", .size = size};
	bool fits = true;

	if (kind == IVP_BENCH_TRIP)
		return ivp_bench_add(bench, &cell);
	for (int i = 0; fits && i < 2; i++) {
		cell.direction = directions[i];
		fits = ivp_bench_add(bench, &cell);
	}
	return fits;
}

int ivp_bench_client(struct ivp_bench *bench, struct ivp_bench_peer *peer, struct ivp_error *err)
{
	bool fits = true;

	for (size_t i = 0; fits && i < bench->size_count; i++) {
		uint64_t size = bench->sizes[i];

		fits = add(bench, IVP_BENCH_STREAM, "ivpipe", "ivpipe, no digest", size) &&
		       add(bench, IVP_BENCH_STREAM, "ivpipe-digest", "ivpipe", size);
	}
	for (size_t i = 0; fits && i < bench->size_count; i++)
		if (bench->sizes[i] <= peer->piece)
			fits = add(bench, IVP_BENCH_COPY, "memcpy", "memcpy", bench->sizes[i]);
	if (!fits || !add(bench, IVP_BENCH_TRIP, "ivpipe", "ivpipe, no digest", MESSAGE) ||
	    !add(bench, IVP_BENCH_RATE, "ivpipe", "ivpipe, no digest", MESSAGE))
		return ivp_fail(err, IVP_FAIL_USAGE, -E2BIG, "too many sizes");
	bench->mode = "client";
	bench->measure = measure;
	bench->arg = peer;
	return ivp_bench_run(bench, err);
}
