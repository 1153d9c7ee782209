// SPDX-License-Identifier: MIT
/* A stream in numbers: what passes at a clock of the test's own. */
#include "../../user/rate.c"
#include "check.h"

#define MS 1000000LL

/* How long `bytes` take in pieces, when nothing but the limit holds them up. */
static int64_t takes(uint64_t per_second, uint64_t bytes, size_t piece)
{
	struct ivp_rate rate = {.per_second = per_second};
	int64_t now = 5000 * SECOND, began = now;

	while (bytes) {
		size_t len = ivp_rate_piece(&rate, piece < bytes ? piece : (size_t)bytes);

		bytes -= len;
		now += ivp_rate_pause(&rate, len, now);
	}
	return now - began;
}

static bool about(int64_t ns, int64_t wanted)
{
	return ns >= wanted - SLACK - MS && ns <= wanted + MS;
}

static bool bursts_are_short(void)
{
	struct ivp_rate rate = {.per_second = 1000};
	int64_t now = 5000 * SECOND, pause;

	ivp_rate_pause(&rate, 100, now);
	/* An hour of silence, and then everything at once: a tenth of a second's worth is free. */
	now += 3600 * SECOND;
	pause = ivp_rate_pause(&rate, 1000, now);
	return pause == SECOND - SLACK;
}

int main(void)
{
	struct ivp_rate none = {0}, slow = {.per_second = 1}, fast = {.per_second = UINT64_MAX};

	check(ivp_rate_pause(&none, 1 << 30, 0) == 0 && ivp_rate_piece(&none, 65536) == 65536, "no limit");
	check(about(takes(1000000, 3000000, 65536), 3 * SECOND), "3 MB at 1 MB/s take 3 s");
	check(about(takes(10000, 10000, 65536), SECOND), "a slow one as well, in small pieces");
	check(about(takes(1 << 30, 1ULL << 31, 65536), 2 * SECOND), "a fast one, in large ones");
	check(about(takes(1000000, 2000000, 1), 2 * SECOND), "and byte by byte");
	check(ivp_rate_piece(&slow, 65536) == 1 && ivp_rate_piece(&slow, 1) == 1, "a piece has at least one byte");
	check(ivp_rate_piece(&fast, 65536) == 65536, "and no more than there are");
	check(bursts_are_short(), "silence is not saved up");
	check(ivp_rate_pause(&slow, UINT64_MAX, 0) <= 3601 * SECOND, "the longest pause is finite");
	check(ivp_rate_pause(&fast, UINT64_MAX, 100 * SECOND) >= 0, "the largest numbers do not run over");
	return check_done();
}
