/* SPDX-License-Identifier: MIT */
/* bench_devices: what a guest that is made to be measured has besides its memory, as far as QEMU and the guest's kernel can. */
#ifndef IVP_BENCH_DEVICES_H
#define IVP_BENCH_DEVICES_H

#include "bench_base.h"
#include "cpio.h"
#include "modules.h"

#define IVP_BENCH_DEVICES_WORDS 32

struct ivp_bench_devices {
	const char *why[IVP_BENCH_BASES]; /* NULL: it is there */
	char text[IVP_BENCH_BASES][160];  /* where why points, or a constant */
	struct ivp_modules modules;
	char bar[64], node[64], serial[64], disk[64], p9[64], file[64], ways[64]; /* paths, "": none */
	int listeners[2]; /* for the serial line, and TCP; -1: none */
	int port;
	char *words[IVP_BENCH_DEVICES_WORDS]; /* for QEMU */
	size_t word_count;
};

/* In a directory that is there: files, sockets, and words for QEMU. What cannot be has its reason; only what should never be is a
 * failure. */
int ivp_bench_devices_make(struct ivp_bench_devices *devices, const char *directory, const char *qemu,
			   const char *image, struct ivp_error *err);
/* The drivers, and what to do with them. */
int ivp_bench_devices_pack(const struct ivp_bench_devices *devices, struct ivp_cpio *cpio, struct ivp_error *err);
/* Everything but the directory. */
void ivp_bench_devices_remove(struct ivp_bench_devices *devices);

/* bench_wire.c: the host's end: whoever comes, one after the other, for as long as this process lives. */
void __attribute__((noreturn)) ivp_bench_wire_serve(int listener);

#endif
