/* SPDX-License-Identifier: MIT */
/*
 * bench_probe: how far apart the first two processors are, as a cache line sees it. A virtual machine's may move between cores
 * that share a cache and cores that do not, which doubles or halves every other figure.
 */
#ifndef IVP_BENCH_PROBE_H
#define IVP_BENCH_PROBE_H

#include <stdint.h>

/* From here on, in ns, they are far apart. */
#define IVP_BENCH_FAR_NS 250

/* ns for a line to go there and back: the least of some batches, as others' work may come between. 0: there is one processor only,
 * or none of the batches came to its end in time. Takes some ms, and a thread that has ended when this returns. */
uint32_t ivp_bench_probe(void);

#endif
