// SPDX-License-Identifier: MIT
#include "rate.h"

#define SECOND 1000000000LL
#define SLACK  (SECOND / 10)

size_t ivp_rate_piece(const struct ivp_rate *rate, size_t len)
{
	uint64_t piece = rate->per_second / 10;

	if (!rate->per_second || piece >= len)
		return len;
	return piece ? (size_t)piece : 1;
}

int64_t ivp_rate_pause(struct ivp_rate *rate, uint64_t bytes, int64_t now)
{
	double takes;

	if (!rate->per_second)
		return 0;
	if (rate->due < now - SLACK)
		rate->due = now - SLACK;
	takes = (double)bytes / (double)rate->per_second * SECOND;
	rate->due += takes < 3600.0 * SECOND ? (int64_t)takes : 3600 * SECOND;
	return rate->due > now ? rate->due - now : 0;
}
