/* SPDX-License-Identifier: MIT */
/* rate: how long to pause so that no more than so many bytes pass in a second. Works on numbers alone. */
#ifndef IVP_RATE_H
#define IVP_RATE_H

#include <stddef.h>
#include <stdint.h>

struct ivp_rate {
	uint64_t per_second; /* bytes; 0: no limit */
	int64_t due;         /* in ns: when what has passed so far was to have passed */
};

/* The most to move at once: a tenth of a second's, so that a slow stream does not come in lumps; at least one byte. */
size_t ivp_rate_piece(const struct ivp_rate *rate, size_t len);

/* `bytes` have passed at `now` (ns): how long to pause, in ns. Time in which less passed is not made up for, but for a tenth of a
 * second of it. */
int64_t ivp_rate_pause(struct ivp_rate *rate, uint64_t bytes, int64_t now);

#endif
