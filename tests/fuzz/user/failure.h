/* SPDX-License-Identifier: MIT */
/* failure: what a caller is told: a number that its manual has, and one sentence that says why. */
#ifndef FAILURE_H
#define FAILURE_H

#include "fuzz.h"
#include "ivpipe.h"

static inline void failure_require(int ret, const struct ivp_error *err, const int *numbers, size_t count)
{
	size_t i = 0;

	while (i < count && ret != -numbers[i])
		i++;
	require(i < count);
	require(err->number == ret && err->kind != IVP_FAIL_NONE);
	require(err->text[0] && memchr(err->text, 0, sizeof(err->text)));
}

#endif
