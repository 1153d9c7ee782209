/* SPDX-License-Identifier: MIT */
/* bench_place: where a guest's bytes can be put, and taken from, without anybody at the other end: a file, a device, mapped memory. */
#ifndef IVP_BENCH_PLACE_H
#define IVP_BENCH_PLACE_H

#include "ivpipe.h"

struct ivp_copier;

struct ivp_bench_place {
	int fd;
	char *map;                         /* NULL: by pread() and pwrite() */
	uint64_t size;                     /* bytes that are gone through, over and over */
	const struct ivp_copier *in, *out; /* of a map; NULL: memcpy() */
};

/* Bytes a second of so many at a time, for about `budget` ns; written ones are brought to the device's end. The last piece of a
 * sample is looked at afterwards. piece <= size. */
int ivp_bench_place_stream(const struct ivp_bench_place *place, size_t piece, bool in, int64_t budget, double *rate,
			   struct ivp_error *err);

#endif
