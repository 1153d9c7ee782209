/* SPDX-License-Identifier: MIT */
/*
 * bench_base: what else goes between a guest and its host, for a guest that was made to be measured. The host has put into its first
 * root which drivers to load, and a text:
 *
 *   way NAME [ARGUMENT]     there is such a device; for TCP, its port
 *   left NAME WHY           there is none
 *   load FILE               in this order
 */
#ifndef IVP_BENCH_BASE_H
#define IVP_BENCH_BASE_H

#include "bench.h"

#define IVP_BENCH_BASE_TEXT    "/ways"
#define IVP_BENCH_BASE_MODULES "/modules"
/* Of the second and the third device, bytes: as much as a ring has at most. */
#define IVP_BENCH_BASE_MEMORY (1 << 20)

enum ivp_bench_base {
	IVP_BENCH_BASE_BAR, /* a second device, whose memory belongs to nobody */
	IVP_BENCH_BASE_NODE,
	IVP_BENCH_BASE_SERIAL,
	IVP_BENCH_BASE_BLK,
	IVP_BENCH_BASE_9P,
	IVP_BENCH_BASE_TCP,
	IVP_BENCH_BASES,
};
extern const char *const ivp_bench_base_names[IVP_BENCH_BASES];

/* bench_devices.c: which there are; -1: none of that name. */
int ivp_bench_base_number(const char *name);

/* bench_load.c: in the guest's first process: load, and set everything up. */
struct ivp_bench_load {
	bool there[IVP_BENCH_BASES];
	char place[IVP_BENCH_BASES][128]; /* a path, or a port */
	char why[IVP_BENCH_BASES][160];   /* it is not there */
	char failed[160];                 /* the last module that could not be loaded */
};
void ivp_bench_load(struct ivp_bench_load *load);

/* bench_base.c: their cells and samples; bench gets those that are left out. Call once. */
const struct ivp_bench_others *ivp_bench_base_begin(struct ivp_bench *bench, const struct ivp_bench_load *load);

#endif
