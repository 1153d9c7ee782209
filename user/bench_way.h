/* SPDX-License-Identifier: MIT */
/*
 * bench_way: how one process gives another bytes, from private memory to private memory: by a lane, and by what else there is.
 * Whoever measures says how many bytes, and in pieces of which size.
 */
#ifndef IVP_BENCH_WAY_H
#define IVP_BENCH_WAY_H

#include "ivpipe.h"

/* Of one write; what a sample moves. */
#define IVP_BENCH_PIECE_MAX (16 << 20)

struct ivp_bench_line;
struct ivp_bench_port;

/* What is there before the two ends are: descriptors of each, and memory that they share. */
struct ivp_bench_channel {
	int in[2], out[2]; /* -1: none */
	char *window;
	size_t window_size, mapped;
	struct ivp_bench_line *line;
};

/* One end. */
struct ivp_bench_job {
	bool second;
	size_t piece;
	int64_t deadline; /* of ivp_now(), for lanes; what waits elsewhere is ended from outside */
	int64_t patience; /* what was left of it when it was last asked for, ms */
	uint32_t calls;
	char *memory; /* private, of a piece */
	int in, out;
	char *window;
	size_t window_size;
	struct ivp_bench_line *line;
	uint32_t given, taken; /* turns of the line */
	struct ivp_region *region;
	struct ivp_lane *lane;
	const struct ivp_bench_port *port; /* for orders, or NULL */
};

struct ivp_bench_way {
	const char *name, *title;
	int (*write)(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err);
	int (*read)(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err);
	int (*prepare)(struct ivp_bench_channel *channel);
	bool lane, digest;
};

/* By name; NULL: there is none. */
const struct ivp_bench_way *ivp_bench_way(const char *name);

/* window: how many bytes of memory are gone through, where a way has it from its user; 0: 1 MiB. */
int ivp_bench_channel_open(struct ivp_bench_channel *channel, const struct ivp_bench_way *way, size_t window,
			   size_t piece, struct ivp_error *err);
void ivp_bench_channel_close(struct ivp_bench_channel *channel);

/* In the process that is this end. The second one listens. cancel is ivp_open_options's. */
struct ivp_bench_address {
	const char *region, *service;
};
int ivp_bench_job_begin(struct ivp_bench_job *job, const struct ivp_bench_way *way, struct ivp_bench_channel *channel,
			const struct ivp_bench_address *address, struct ivp_error *err);
void ivp_bench_job_end(struct ivp_bench_job *job);

/* Its lanes have so long from now on, however many calls it takes. */
void ivp_bench_job_limit(struct ivp_bench_job *job, int64_t ms);

/* piece bytes of private memory that was touched. 0 or -ENOMEM. */
int ivp_bench_job_memory(struct ivp_bench_job *job, struct ivp_error *err);

/* The length of the next write or read. */
static inline size_t ivp_bench_next(const struct ivp_bench_job *job, uint64_t left)
{
	return left < job->piece ? (size_t)left : job->piece;
}

/* bench_fd.c: its part of the table. */
int ivp_bench_fd_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err);
int ivp_bench_fd_splice(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err);
int ivp_bench_fd_read(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err);
int ivp_bench_fd_pipe(struct ivp_bench_channel *channel);
int ivp_bench_fd_large(struct ivp_bench_channel *channel);
int ivp_bench_fd_unix(struct ivp_bench_channel *channel);
int ivp_bench_fd_tcp(struct ivp_bench_channel *channel);

/* The ways of lanes, for who has connected one. */
int ivp_bench_lane_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err);
int ivp_bench_lane_read(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err);

#endif
