/* SPDX-License-Identifier: MIT */
/* unit: what every test program includes: cmocka, with the headers that it wants first, and the core's types. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "deps.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof(*(array)))

/* The sequence is always the same, so that a failure comes again. Never 0. */
static inline u64 unit_random(u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* One of the numbers at which sums and shifts go wrong, or any. */
static inline u64 unit_nasty(u64 *seed)
{
	u64 at = 1ULL << unit_random(seed) % 64;

	switch (unit_random(seed) % 6) {
	case 0:
		return at;
	case 1:
		return at - 1;
	case 2:
		return at + unit_random(seed) % 4096;
	case 3:
		return 0 - unit_random(seed) % 4096;
	case 4:
		return unit_random(seed) % 65536;
	default:
		return unit_random(seed);
	}
}

#endif
