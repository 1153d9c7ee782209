/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* span: the one place where a bound is checked. */
#ifndef IVP_SPAN_H
#define IVP_SPAN_H

#include "deps.h"

/* Do `len` bytes from `offset` lie within `size` bytes? For any values at all: nothing is added, so nothing overflows. */
static inline bool ivp_span_fits(u64 offset, u64 len, u64 size)
{
	return offset <= size && len <= size - offset;
}

/* Do they lie within the `inner_len` bytes that begin at `inner`? The caller vouches that inner + inner_len is no overflow. */
static inline bool ivp_span_within(u64 offset, u64 len, u64 inner, u64 inner_len)
{
	return offset >= inner && ivp_span_fits(offset - inner, len, inner_len);
}

static inline bool ivp_power_of_two(u64 value)
{
	return value && !(value & (value - 1));
}

/* Up to the next multiple of `step`, a power of two; the caller vouches that value + step is no overflow. */
static inline u64 ivp_round_up(u64 value, u64 step)
{
	return (value + step - 1) & ~(step - 1);
}

#endif
