// SPDX-License-Identifier: MIT
/*
 * peer_ivpipe: lanes, and whatever else user/bench_way.c has: dual (both copy through the same memory and never ask each other
 * anything: what no stream can beat), ivpipe (without a digest), ivpipe-held (told a lot at a time), ivpipe-digest, ivpipe-view
 * (read where it lies), ivpipe-messages, ivpipe-messages-held,
 * ivpipe-messages-many (256 with a call), pipe, pipe-large (of 1 MiB), vmsplice, unix, tcp, line.
 */
#include <stdlib.h>

#include "bench_way.h"
#include "peer.h"
#include "wait.h"

#define PATIENCE_MS 60000

static const struct ivp_bench_way *way;
static struct ivp_bench_channel channel;
static struct ivp_error err;

static void prepare(struct peer_end *end)
{
	way = ivp_bench_way(end->way ? end->way : "ivpipe");
	if (!way)
		peer_die(end->way, "no such way");
	if (ivp_bench_channel_open(&channel, way, 0, end->piece, &err))
		peer_die(way->name, err.text);
}

static void open_end(struct peer_end *end)
{
	struct ivp_bench_address address = {end->place, "peer"};
	struct ivp_bench_job *job = calloc(1, sizeof(*job));

	if (!job)
		peer_die("memory", "there is none");
	job->second = end->second;
	job->piece = end->piece;
	if (ivp_bench_job_begin(job, way, &channel, &address, &err))
		peer_die(way->name, err.text);
	ivp_bench_job_limit(job, PATIENCE_MS);
	end->own = job;
}

static void write_bytes(struct peer_end *end, uint64_t bytes)
{
	if (way->write(end->own, bytes, &err))
		peer_die(way->name, err.text);
}

static void read_bytes(struct peer_end *end, uint64_t bytes)
{
	if (way->read(end->own, bytes, &err))
		peer_die(way->name, err.text);
}

const struct peer peer = {.prepare = prepare, .open = open_end, .write = write_bytes, .read = read_bytes};
