// SPDX-License-Identifier: MIT
/* What samples say together, with a probe and measurements that are given. */
#include <string.h>

#include "../../user/bench_stats.c"
#include "check.h"

static uint32_t distances[64];
static size_t probed, measured;
static int failing;

uint32_t ivp_bench_probe(void)
{
	return distances[probed++ % 64];
}

/* 4, 1, 3, 2, ... */
static int measure(struct ivp_bench *bench, const struct ivp_bench_cell *cell, double values[2], struct ivp_error *err)
{
	static const double given[] = {4, 1, 3, 2};

	(void)bench;
	(void)cell;
	(void)err;
	values[0] = given[measured % 4];
	values[1] = 10 * values[0];
	measured++;
	return failing && measured == 3 ? -EIO : 0;
}

static void begin(struct ivp_bench *bench, size_t cells, uint64_t rounds, uint64_t seed)
{
	static const struct ivp_bench_cell cell = {.kind = IVP_BENCH_TRIP, .way = "", .title = "", .direction = ""};

	*bench = (struct ivp_bench){.rounds = rounds, .seed = seed, .measure = measure};
	for (size_t i = 0; i < cells; i++)
		ivp_bench_add(bench, &cell);
	probed = measured = 0;
}

static bool runs(struct ivp_bench *bench, size_t samples)
{
	return !ivp_bench_run(bench, NULL) && bench->sample_count == samples;
}

static void labels(void)
{
	static const uint32_t given[] = {100, 249, 250, 900, 100, 900, 0, 100};
	struct ivp_bench_figure figure;
	struct ivp_bench bench;

	memcpy(distances, given, sizeof(given));
	begin(&bench, 1, 4, 0);
	check(runs(&bench, 4) && bench.samples[0].label == IVP_BENCH_NEAR && bench.samples[1].label == IVP_BENCH_FAR &&
		      bench.samples[2].label == IVP_BENCH_MIXED && bench.samples[3].label == IVP_BENCH_UNKNOWN,
	      "a label for each pair of distances");
	ivp_bench_figure(&bench, 0, IVP_BENCH_FAR, 1, &figure);
	check(figure.count == 1 && figure.median == 10 && figure.least == 10 && figure.high == 10,
	      "each has its figure");
	ivp_bench_free(&bench);
}

static void figures(void)
{
	struct ivp_bench_figure figure;
	struct ivp_bench bench;

	for (size_t i = 0; i < 64; i++)
		distances[i] = 100;
	begin(&bench, 1, 4, 0);
	check(runs(&bench, 4), "four samples");
	ivp_bench_figure(&bench, 0, IVP_BENCH_NEAR, 0, &figure);
	check(figure.count == 4 && figure.median == 2.5 && figure.least == 1 && figure.most == 4 &&
		      figure.low == 1.75 && figure.high == 3.25,
	      "median, spread and quartiles");
	ivp_bench_figure(&bench, 0, IVP_BENCH_FAR, 0, &figure);
	check(!figure.count, "none of those that were far");
	ivp_bench_free(&bench);
	failing = 1;
	begin(&bench, 1, 4, 0);
	check(ivp_bench_run(&bench, NULL) == -EIO && bench.sample_count == 2, "one that fails is the last");
	failing = 0;
	ivp_bench_free(&bench);
}

static bool same_order(const struct ivp_bench *a, const struct ivp_bench *b)
{
	for (size_t i = 0; i < a->sample_count; i++)
		if (a->samples[i].cell != b->samples[i].cell)
			return false;
	return true;
}

static void order(void)
{
	struct ivp_bench first, second, other;
	size_t seen[20] = {0};
	bool each = true;

	begin(&first, 20, 3, 1);
	check(runs(&first, 60), "sixty samples");
	begin(&second, 20, 3, 1);
	check(runs(&second, 60) && same_order(&first, &second), "a seed is an order");
	begin(&other, 20, 3, 2);
	check(runs(&other, 60) && !same_order(&first, &other), "another seed is another");
	for (size_t i = 0; i < first.sample_count; i++)
		seen[first.samples[i].cell]++;
	for (size_t i = 0; i < 20; i++)
		each &= seen[i] == 3;
	check(each, "each cell has a sample of each round");
	ivp_bench_free(&first);
	ivp_bench_free(&second);
	ivp_bench_free(&other);
}

int main(void)
{
	labels();
	figures();
	order();
	return check_done();
}
