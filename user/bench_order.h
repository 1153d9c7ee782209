/* SPDX-License-Identifier: MIT */
/*
 * bench_order: what one end asks the other to do, over a lane or a descriptor, and what a sample is made of then. The other end
 * does its part, and believes nothing: whatever an order says has a bound, and everything a deadline.
 */
#ifndef IVP_BENCH_ORDER_H
#define IVP_BENCH_ORDER_H

#include "bench.h"
#include "bench_way.h"

#define IVP_BENCH_PATIENCE_MS 30000
#define IVP_BENCH_MESSAGE     64

/* How a job's bytes go. */
struct ivp_bench_port {
	int (*write)(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err);
	int (*read)(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err);
	/* At least one byte; 0: the other end has ended. */
	ptrdiff_t (*some)(struct ivp_bench_job *job, void *to, size_t len, struct ivp_error *err);
	/* Its last piece lies in the job's memory as it was sent, and is looked at. */
	bool whole;
};

/* bench_order.c, bench_wire.c: the job's lane; its descriptors, which do not block. */
extern const struct ivp_bench_port ivp_bench_port_lane, ivp_bench_port_wire;

/* What an order may end with; or a negative errno. */
enum ivp_bench_obeyed {
	IVP_BENCH_ENDED,  /* the other end, and there was none */
	IVP_BENCH_OBEYED, /* and there may be more */
	IVP_BENCH_LAST,   /* that was all */
};
/* The next one, until the job's deadline. */
int ivp_bench_order_obey(struct ivp_bench_job *job, struct ivp_error *err);

/* One sample of a cell of any kind but COPY; the job has its port and memory. */
int ivp_bench_order_measure(struct ivp_bench_job *job, const struct ivp_bench *bench, const struct ivp_bench_cell *cell,
			    double values[2], struct ivp_error *err);
/* Say that it was all, and hear that it was understood. */
int ivp_bench_order_last(struct ivp_bench_job *job, struct ivp_error *err);

/* How long a sample is to take, ns. */
static inline int64_t ivp_bench_budget(const struct ivp_bench *bench)
{
	return bench->quick ? 10000000 : 100000000;
}

/* How much to move first, twice: memory is touched for the first time in the first, and the second says how much can be done. */
static inline uint64_t ivp_bench_warm_bytes(size_t piece)
{
	return piece < 256 ? piece * 4096 : (1 << 20) / piece * piece + piece;
}

/* What can be done in that time, if `bytes` took so many seconds: whole pieces, and a bound. */
uint64_t ivp_bench_enough(uint64_t bytes, double seconds, int64_t budget, size_t piece);

/* bench_wire.c: bytes that are nobody else's, and whether these are they. */
void ivp_bench_pattern_put(char *memory, size_t len, uint64_t seed);
bool ivp_bench_pattern_holds(const char *memory, size_t len, uint64_t seed);

#endif
