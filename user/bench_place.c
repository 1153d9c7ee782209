// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_order.h"
#include "bench_pair.h"
#include "bench_place.h"
#include "copy.h"
#include "error.h"

static void move_mapped(const struct ivp_copier *copier, void *to, const void *from, size_t len)
{
	if (copier)
		ivp_copy_by(copier, to, from, len);
	else
		memcpy(to, from, len);
	__asm__ __volatile__("" ::: "memory");
}

static int move(const struct ivp_bench_place *place, struct ivp_bench_job *job, bool in, uint64_t at,
		struct ivp_error *err)
{
	size_t len = job->piece;
	ssize_t moved;

	if (place->map) {
		char *there = place->map + at;

		move_mapped(in ? place->in : place->out, in ? job->memory : there, in ? there : job->memory, len);
		return 0;
	}
	moved = in ? pread(place->fd, job->memory, len, (off_t)at) : pwrite(place->fd, job->memory, len, (off_t)at);
	if (moved == (ssize_t)len)
		return 0;
	return ivp_fail(err, IVP_FAIL_GENERAL, moved < 0 ? -errno : -EIO, "%s: %s", in ? "read" : "write",
			moved < 0 ? strerror(errno) : "not all of it");
}

/* Where there is nothing to be brought further there is no such call. */
static int settle(const struct ivp_bench_place *place, struct ivp_error *err)
{
	if (place->map || !fdatasync(place->fd) || errno == EINVAL)
		return 0;
	return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "fdatasync: %s", strerror(errno));
}

/* From the beginning, over and over. */
static int pass(const struct ivp_bench_place *place, struct ivp_bench_job *job, bool in, uint64_t bytes,
		double *seconds, struct ivp_error *err)
{
	uint64_t whole = place->size / job->piece * job->piece;
	int64_t began = ivp_bench_now(), ended;
	int ret = 0;

	for (uint64_t done = 0; !ret && done < bytes; done += job->piece)
		ret = move(place, job, in, done % whole, err);
	if (!ret && !in)
		ret = settle(place, err);
	ended = ivp_bench_now();
	*seconds = ended > began ? (double)(ended - began) / 1e9 : 1e-9;
	return ret;
}

/* The last piece of a sample: its bytes are there before it is read; or have come there when it was written. */
static int last_piece(const struct ivp_bench_place *place, struct ivp_bench_job *job, bool in, uint64_t bytes,
		      struct ivp_error *err)
{
	uint64_t whole = place->size / job->piece * job->piece, at = (bytes - job->piece) % whole;
	int ret;

	if (in)
		ivp_bench_pattern_put(job->memory, job->piece, bytes);
	else
		memset(job->memory, 0, job->piece);
	ret = move(place, job, !in, at, err);
	if (in)
		memset(job->memory, 0, job->piece);
	return ret;
}

static int checked_pass(const struct ivp_bench_place *place, struct ivp_bench_job *job, bool in, uint64_t bytes,
			double *seconds, struct ivp_error *err)
{
	int ret = 0;

	if (in)
		ret = last_piece(place, job, in, bytes, err);
	else
		ivp_bench_pattern_put(job->memory, job->piece, bytes);
	if (!ret)
		ret = pass(place, job, in, bytes, seconds, err);
	if (!ret && !in)
		ret = last_piece(place, job, in, bytes, err);
	if (!ret && !ivp_bench_pattern_holds(job->memory, job->piece, bytes))
		ret = ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "other bytes came than were sent");
	return ret;
}

/* Less to begin with than a stream has: some places are slow. */
int ivp_bench_place_stream(const struct ivp_bench_place *place, size_t piece, bool in, int64_t budget, double *rate,
			   struct ivp_error *err)
{
	struct ivp_bench_job job = {.piece = piece};
	uint64_t bytes = piece * (piece < 65536 ? 65536 / piece : 2);
	double seconds = 1;
	int ret = ivp_bench_job_memory(&job, err);

	for (int i = 0; !ret && i < 2; i++)
		ret = pass(place, &job, in, bytes, &seconds, err);
	if (!ret) {
		bytes = ivp_bench_enough(bytes, seconds, budget, piece);
		ret = checked_pass(place, &job, in, bytes, &seconds, err);
	}
	*rate = ret ? 0 : (double)bytes / seconds;
	free(job.memory);
	return ret;
}
