// SPDX-License-Identifier: MIT
/* One command on each end. The client has a lane for each sample, and says in orders what it will do. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bench_order.h"
#include "bench_pair.h"
#include "bench_way.h"
#include "error.h"
#include "log.h"
#include "wait.h"

#define PATIENCE_MS IVP_BENCH_PATIENCE_MS
#define MESSAGE     IVP_BENCH_MESSAGE
#define NO_DIGEST   "bench, no digest"

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

/* ---- the server ---- */

/* Until its end. 1: and it was the last. */
static int serve_lane(struct ivp_lane *lane, char *memory, struct ivp_error *err)
{
	struct ivp_bench_job job = {.lane = lane, .memory = memory, .port = &ivp_bench_port_lane};
	int ret, last = 0;

	if (!strcmp(ivp_lane_file(lane), NO_DIGEST))
		ivp_lane_no_digest(lane);
	do {
		ivp_bench_job_limit(&job, PATIENCE_MS);
		ret = ivp_bench_order_obey(&job, err);
		last |= ret == IVP_BENCH_LAST;
	} while (ret > 0);
	if (ret == IVP_BENCH_ENDED)
		ivp_lane_verdict(lane, IVP_VERDICT_OK);
	return ret ? ret : last;
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

static int measure(struct ivp_bench *bench, const struct ivp_bench_cell *cell, double values[2], struct ivp_error *err)
{
	const struct ivp_bench_peer *peer = bench->arg;
	struct ivp_bench_job job = {.piece = cell->size ? cell->size : MESSAGE, .port = &ivp_bench_port_lane};
	cpu_set_t before;
	int ret;

	if (peer->others && peer->others->has(cell))
		return peer->others->measure(bench, cell, values, err);
	ret = ivp_bench_job_memory(&job, err);
	if (!ret)
		ret = connect_lane(peer, &job, !strcmp(cell->way, "ivpipe-digest"), err);
	if (!ret) {
		part(&job, false, &before);
		ret = cell->kind == IVP_BENCH_COPY
			      ? copies(&job, !strcmp(cell->direction, "in"), ivp_bench_budget(bench), values, err)
			      : ivp_bench_order_measure(&job, bench, cell, values, err);
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
	struct ivp_bench_job job = {.deadline = ivp_deadline(PATIENCE_MS), .port = &ivp_bench_port_lane};
	int ret = connect_lane(peer, &job, false, err);

	if (!ret)
		ret = ivp_bench_order_last(&job, err);
	if (!ret)
		ret = finish(&job, err);
	ivp_lane_close(job.lane);
	return ret;
}

/* In both directions, where there are two. */
bool ivp_bench_add_both(struct ivp_bench *bench, enum ivp_bench_kind kind, const char *way, const char *title,
			uint64_t size, bool base)
{
	static const char *const directions[] = {"out", "in"};
	struct ivp_bench_cell cell = {
		.kind = kind, .way = way, .title = title, .direction = "", .size = size, .base = base};
	bool fits = true;

	if (kind == IVP_BENCH_TRIP || kind == IVP_BENCH_WAKE || kind == IVP_BENCH_IDLE)
		return ivp_bench_add(bench, &cell);
	for (int i = 0; fits && i < 2; i++) {
		cell.direction = directions[i];
		fits = ivp_bench_add(bench, &cell);
	}
	return fits;
}

/* What is held against ours is in the same table, its base in front. */
static bool add(struct ivp_bench *bench, const struct ivp_bench_peer *peer, enum ivp_bench_kind kind, uint64_t size)
{
	return (!peer->others || peer->others->add(bench, kind, size, true)) &&
	       ivp_bench_add_both(bench, kind, IVP_BENCH_OURS, "ivpipe, no digest", size, false) &&
	       (kind != IVP_BENCH_STREAM || ivp_bench_add_both(bench, kind, "ivpipe-digest", "ivpipe", size, false)) &&
	       (!peer->others || peer->others->add(bench, kind, size, false));
}

int ivp_bench_client(struct ivp_bench *bench, struct ivp_bench_peer *peer, struct ivp_error *err)
{
	bool fits = true;

	for (size_t i = 0; fits && i < bench->size_count; i++)
		fits = add(bench, peer, IVP_BENCH_STREAM, bench->sizes[i]);
	for (size_t i = 0; fits && i < bench->size_count; i++)
		if (bench->sizes[i] <= peer->piece)
			fits = ivp_bench_add_both(bench, IVP_BENCH_COPY, "memcpy", "memcpy", bench->sizes[i], false);
	if (!fits || !add(bench, peer, IVP_BENCH_TRIP, MESSAGE) || !add(bench, peer, IVP_BENCH_RATE, MESSAGE) ||
	    !add(bench, peer, IVP_BENCH_WAKE, MESSAGE) || !add(bench, peer, IVP_BENCH_IDLE, 0))
		return ivp_fail(err, IVP_FAIL_USAGE, -E2BIG, "too many sizes");
	bench->mode = "client";
	bench->measure = measure;
	bench->arg = peer;
	return ivp_bench_run(bench, err);
}
