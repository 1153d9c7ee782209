// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bench_probe.h"
#include "error.h"

const struct ivp_bench_words ivp_bench_words[IVP_BENCH_KINDS] = {
	[IVP_BENCH_STREAM] = {"stream", "stream", "bytes/s", {"rate", NULL}, false},
	[IVP_BENCH_COPY] =
		{"copy", "this end's copies into the region and out of it", "bytes/s", {"rate", NULL}, false},
	[IVP_BENCH_TRIP] = {"round_trip", "round trip of 64 bytes", "ns", {"p50", "p99"}, true},
	[IVP_BENCH_RATE] = {"messages", "messages of 64 bytes", "messages/s", {"rate", NULL}, false},
	[IVP_BENCH_WAKE] = {"wake", "until a sleeper is up", "ns", {"p50", "p99"}, true},
	[IVP_BENCH_IDLE] =
		{"idle", "processor time of a lane that carries nothing", "percent", {"client", "server"}, true},
};

const char *const ivp_bench_labels[IVP_BENCH_LABELS] = {"near", "far", "mixed", "unknown"};

bool ivp_bench_add(struct ivp_bench *bench, const struct ivp_bench_cell *cell)
{
	if (bench->cell_count == IVP_BENCH_CELLS)
		return false;
	bench->cells[bench->cell_count++] = *cell;
	return true;
}

/* splitmix64: the same numbers everywhere. */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void shuffle(size_t *order, size_t count, uint64_t *state)
{
	for (size_t i = count; i > 1; i--) {
		size_t other = draw(state) % i, kept = order[i - 1];

		order[i - 1] = order[other];
		order[other] = kept;
	}
}

static enum ivp_bench_label label_of(uint32_t before, uint32_t after)
{
	if (!before || !after)
		return IVP_BENCH_UNKNOWN;
	if ((before < IVP_BENCH_FAR_NS) != (after < IVP_BENCH_FAR_NS))
		return IVP_BENCH_MIXED;
	return before < IVP_BENCH_FAR_NS ? IVP_BENCH_NEAR : IVP_BENCH_FAR;
}

static int take(struct ivp_bench *bench, size_t cell, uint32_t round, struct ivp_error *err)
{
	struct ivp_bench_sample *sample = &bench->samples[bench->sample_count];
	int ret;

	if (bench->cancel && *bench->cancel)
		return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
	*sample = (struct ivp_bench_sample){.cell = cell, .round = round, .before = ivp_bench_probe()};
	ret = bench->measure(bench, &bench->cells[cell], sample->values, err);
	if (ret)
		return ret;
	sample->after = ivp_bench_probe();
	sample->label = label_of(sample->before, sample->after);
	bench->sample_count++;
	return 0;
}

int ivp_bench_run(struct ivp_bench *bench, struct ivp_error *err)
{
	size_t order[IVP_BENCH_CELLS];
	uint64_t state = bench->seed;
	int ret = 0;

	bench->samples = calloc(bench->rounds * bench->cell_count, sizeof(*bench->samples));
	if (!bench->samples)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	for (size_t i = 0; i < bench->cell_count; i++)
		order[i] = i;
	for (uint32_t round = 1; !ret && round <= bench->rounds; round++) {
		shuffle(order, bench->cell_count, &state);
		for (size_t i = 0; !ret && i < bench->cell_count; i++) {
			if (bench->progress)
				bench->progress(bench, bench->sample_count, bench->rounds * bench->cell_count);
			ret = take(bench, order[i], round, err);
		}
	}
	return ret;
}

void ivp_bench_free(struct ivp_bench *bench)
{
	free(bench->samples);
	free(bench->text);
	bench->samples = NULL;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void ivp_bench_sort(double *numbers, size_t count)
{
	qsort(numbers, count, sizeof(*numbers), compare);
}

/* Between two of them what lies between. */
double ivp_bench_quantile(const double *sorted, size_t count, double part)
{
	double at = part * (double)(count - 1);
	size_t below = (size_t)at;

	if (below + 1 >= count)
		return sorted[count - 1];
	return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

void ivp_bench_figure(const struct ivp_bench *bench, size_t cell, enum ivp_bench_label label, int value,
		      struct ivp_bench_figure *figure)
{
	double numbers[IVP_BENCH_ROUNDS];
	size_t count = 0;

	*figure = (struct ivp_bench_figure){0};
	for (size_t i = 0; i < bench->sample_count && count < IVP_BENCH_ROUNDS; i++)
		if (bench->samples[i].cell == cell && bench->samples[i].label == label)
			numbers[count++] = bench->samples[i].values[value];
	if (!count)
		return;
	ivp_bench_sort(numbers, count);
	*figure = (struct ivp_bench_figure){
		.count = count,
		.median = ivp_bench_quantile(numbers, count, 0.5),
		.least = numbers[0],
		.most = numbers[count - 1],
		.low = ivp_bench_quantile(numbers, count, 0.25),
		.high = ivp_bench_quantile(numbers, count, 0.75),
	};
}

size_t ivp_bench_base(const struct ivp_bench *bench, size_t cell)
{
	const struct ivp_bench_cell *mine = &bench->cells[cell];
	size_t i;

	for (i = 0; i < bench->cell_count; i++) {
		const struct ivp_bench_cell *other = &bench->cells[i];

		if (other->base && other->kind == mine->kind && other->size == mine->size &&
		    !strcmp(other->direction, mine->direction))
			break;
	}
	return i;
}

size_t ivp_bench_ours(const struct ivp_bench *bench, size_t cell)
{
	const struct ivp_bench_cell *mine = &bench->cells[cell];
	size_t i;

	for (i = 0; i < bench->cell_count; i++) {
		const struct ivp_bench_cell *other = &bench->cells[i];

		if (!strcmp(other->way, IVP_BENCH_OURS) && other->kind == mine->kind && other->size == mine->size &&
		    !strcmp(other->direction, mine->direction))
			break;
	}
	return i;
}
