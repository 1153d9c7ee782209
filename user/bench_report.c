// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "bench_probe.h"
#include "cli.h"

/* For people: in which unit, and how many of ours it has. */
static const struct shown {
	const char *unit;
	double factor;
} shown[IVP_BENCH_KINDS] = {
	[IVP_BENCH_STREAM] = {"GB/s", 1e9}, [IVP_BENCH_COPY] = {"GB/s", 1e9}, [IVP_BENCH_TRIP] = {"us", 1e3},
	[IVP_BENCH_RATE] = {"M/s", 1e6},    [IVP_BENCH_WAKE] = {"us", 1e3},   [IVP_BENCH_IDLE] = {"%", 1},
};

static int precision(double value)
{
	return value >= 100 ? 1 : value >= 10 ? 2 : 3;
}

static void put_number(const struct ivp_bench_cell *cell, double value)
{
	value /= shown[cell->kind].factor;
	printf(" %8.*f", precision(value), value);
}

/* Times what it is held against, under the same label; 0: that is not there. */
static double ratio_of(const struct ivp_bench *bench, size_t cell, enum ivp_bench_label label, double median)
{
	size_t base = ivp_bench_base(bench, cell);
	struct ivp_bench_figure figure = {0};

	if (base < bench->cell_count)
		ivp_bench_figure(bench, base, label, 0, &figure);
	return figure.count && figure.median > 0 ? median / figure.median : 0;
}

/* How many times as good ours is, whichever way that is to be read; 0: that is not there. */
static double ours_of(const struct ivp_bench *bench, size_t cell, enum ivp_bench_label label, double median)
{
	size_t ours = bench->others ? ivp_bench_ours(bench, cell) : bench->cell_count;
	struct ivp_bench_figure figure = {0};

	if (ours < bench->cell_count)
		ivp_bench_figure(bench, ours, label, 0, &figure);
	if (!figure.count || median <= 0 || figure.median <= 0)
		return 0;
	return ivp_bench_words[bench->cells[cell].kind].less_is_better ? median / figure.median
								       : figure.median / median;
}

static void show_ratio(double ratio)
{
	if (ratio > 0)
		printf(" %8.*f", ratio < 0.1 ? 4 : 2, ratio);
	else
		printf(" %8s", "-");
}

static void show_row(const struct ivp_bench *bench, size_t number, enum ivp_bench_label label)
{
	const struct ivp_bench_cell *cell = &bench->cells[number];
	struct ivp_bench_figure figure;
	char name[64];

	ivp_bench_figure(bench, number, label, 0, &figure);
	if (!figure.count)
		return;
	snprintf(name, sizeof(name), "%s%s%s", cell->title, cell->direction[0] ? ", " : "", cell->direction);
	printf("  %-38s", name);
	put_number(cell, figure.median);
	put_number(cell, figure.least);
	put_number(cell, figure.most);
	printf(" %4zu", figure.count);
	show_ratio(ratio_of(bench, number, label, figure.median));
	if (bench->others)
		show_ratio(ours_of(bench, number, label, figure.median));
	if (ivp_bench_words[cell->kind].values[1]) {
		ivp_bench_figure(bench, number, label, 1, &figure);
		put_number(cell, figure.median);
	}
	putchar('\n');
}

static bool together(const struct ivp_bench_cell *a, const struct ivp_bench_cell *b)
{
	return a->kind == b->kind && a->size == b->size;
}

static bool has_any(const struct ivp_bench *bench, size_t from, size_t to, enum ivp_bench_label label)
{
	for (size_t i = 0; i < bench->sample_count; i++)
		if (bench->samples[i].cell >= from && bench->samples[i].cell < to && bench->samples[i].label == label)
			return true;
	return false;
}

static void show_table(const struct ivp_bench *bench, size_t from, size_t to, enum ivp_bench_label label)
{
	const struct ivp_bench_cell *cell = &bench->cells[from];
	const struct ivp_bench_words *words = &ivp_bench_words[cell->kind];
	char size[IVP_SIZE_TEXT];

	if (!has_any(bench, from, to, label))
		return;
	printf("\n%s", words->title);
	if (cell->kind == IVP_BENCH_STREAM || cell->kind == IVP_BENCH_COPY)
		printf(", %s at a time", ivp_options_size_text(size, cell->size));
	printf(", %s, processors %s\n", shown[cell->kind].unit, ivp_bench_labels[label]);
	printf("  %-38s %8s %8s %8s %4s %8s", words->values[1] ? words->values[0] : "", "median", "least", "most", "n",
	       "x");
	if (bench->others)
		printf(" %8s", "ours");
	printf(words->values[1] ? " %8s\n" : "\n", words->values[1]);
	for (size_t i = from; i < to; i++)
		show_row(bench, i, label);
}

static void show_head(const struct ivp_bench *bench)
{
	const struct ivp_region_info *info = &bench->info;
	char path[sizeof(info->path)], size[IVP_SIZE_TEXT], ring[IVP_SIZE_TEXT];
	size_t counts[IVP_BENCH_LABELS] = {0};

	for (size_t i = 0; i < bench->sample_count; i++)
		counts[bench->samples[i].label]++;
	ivp_log_clean(path, sizeof(path), info->path, '?');
	printf("%s: %s, %s, rings of %s\n", path, ivp_options_size_text(size, info->size), info->cache,
	       ivp_options_size_text(ring, info->ring_size));
	printf("%d processor%s, %" PRIu64 " rounds, seed %" PRIu64 "; samples:", bench->processors,
	       bench->processors == 1 ? "" : "s", bench->rounds, bench->seed);
	for (int i = 0; i < IVP_BENCH_LABELS; i++)
		if (counts[i])
			printf(" %zu %s", counts[i], ivp_bench_labels[i]);
	putchar('\n');
	for (size_t i = 0; i < bench->left_count; i++)
		printf("left out: %s: %s\n", bench->left[i].way, bench->left[i].why);
}

void ivp_bench_show(const struct ivp_bench *bench)
{
	size_t to;

	show_head(bench);
	for (size_t from = 0; from < bench->cell_count; from = to) {
		for (to = from; to < bench->cell_count; to++)
			if (!together(&bench->cells[from], &bench->cells[to]))
				break;
		for (int label = 0; label < IVP_BENCH_LABELS; label++)
			show_table(bench, from, to, label);
	}
	printf("\nnear: a cache line goes there and back in less than %d ns; mixed: the processors moved meanwhile\n"
	       "x: times the first row of the same table\n",
	       IVP_BENCH_FAR_NS);
	if (bench->others)
		puts("ours: how many times as good as this \"ivpipe, no digest\" is");
}

/* ---- for programs ---- */

static void cell_json(struct ivp_json *json, const struct ivp_bench_cell *cell)
{
	ivp_json_string(json, "kind", ivp_bench_words[cell->kind].name);
	ivp_json_string(json, "way", cell->way);
	if (cell->direction[0])
		ivp_json_string(json, "direction", cell->direction);
	if (cell->size)
		ivp_json_number(json, "size", cell->size);
}

static void figure_json(struct ivp_json *json, const struct ivp_bench *bench, size_t cell, enum ivp_bench_label label)
{
	const struct ivp_bench_words *words = &ivp_bench_words[bench->cells[cell].kind];
	struct ivp_bench_figure figure;
	double ratio;

	ivp_bench_figure(bench, cell, label, 0, &figure);
	if (!figure.count)
		return;
	ratio = ratio_of(bench, cell, label, figure.median);
	ivp_json_object(json, NULL);
	cell_json(json, &bench->cells[cell]);
	ivp_json_string(json, "label", ivp_bench_labels[label]);
	ivp_json_string(json, "unit", words->unit);
	ivp_json_number(json, "count", figure.count);
	if (ratio > 0)
		ivp_json_real(json, "ratio", ratio);
	ratio = ours_of(bench, cell, label, figure.median);
	if (ratio > 0)
		ivp_json_real(json, "ours", ratio);
	for (int i = 0; i < 2 && words->values[i]; i++) {
		ivp_bench_figure(bench, cell, label, i, &figure);
		ivp_json_object(json, words->values[i]);
		ivp_json_real(json, "median", figure.median);
		ivp_json_real(json, "least", figure.least);
		ivp_json_real(json, "most", figure.most);
		ivp_json_real(json, "lower_quartile", figure.low);
		ivp_json_real(json, "upper_quartile", figure.high);
		ivp_json_end(json);
	}
	ivp_json_end(json);
}

static void sample_json(struct ivp_json *json, const struct ivp_bench *bench, const struct ivp_bench_sample *sample)
{
	const struct ivp_bench_words *words = &ivp_bench_words[bench->cells[sample->cell].kind];

	ivp_json_object(json, NULL);
	ivp_json_number(json, "round", sample->round);
	cell_json(json, &bench->cells[sample->cell]);
	ivp_json_string(json, "label", ivp_bench_labels[sample->label]);
	ivp_json_number(json, "distance_before_ns", sample->before);
	ivp_json_number(json, "distance_after_ns", sample->after);
	for (int i = 0; i < 2 && words->values[i]; i++)
		ivp_json_real(json, words->values[i], sample->values[i]);
	ivp_json_end(json);
}

static void region_json(struct ivp_json *json, const struct ivp_region_info *info)
{
	ivp_json_object(json, "region");
	ivp_json_string(json, "path", info->path);
	ivp_json_string(json, "cache", info->cache);
	ivp_json_number(json, "size", info->size);
	ivp_json_number(json, "ring_size", info->ring_size);
	ivp_json_end(json);
}

static void left_json(struct ivp_json *json, const struct ivp_bench_left *left)
{
	ivp_json_object(json, NULL);
	ivp_json_string(json, "way", left->way);
	ivp_json_string(json, "why", left->why);
	ivp_json_end(json);
}

void ivp_bench_show_json(const struct ivp_bench *bench)
{
	struct ivp_json json = {.out = stdout};

	ivp_json_object(&json, NULL);
	ivp_json_string(&json, "mode", bench->mode);
	ivp_json_bool(&json, "quick", bench->quick);
	ivp_json_number(&json, "rounds", bench->rounds);
	ivp_json_number(&json, "seed", bench->seed);
	ivp_json_number(&json, "processors", (uint64_t)bench->processors);
	ivp_json_number(&json, "far_from_ns", IVP_BENCH_FAR_NS);
	region_json(&json, &bench->info);
	if (bench->others) {
		ivp_json_list(&json, "left_out");
		for (size_t i = 0; i < bench->left_count; i++)
			left_json(&json, &bench->left[i]);
		ivp_json_end(&json);
	}
	ivp_json_list(&json, "figures");
	for (size_t i = 0; i < bench->cell_count; i++)
		for (int label = 0; label < IVP_BENCH_LABELS; label++)
			figure_json(&json, bench, i, label);
	ivp_json_end(&json);
	ivp_json_list(&json, "samples");
	for (size_t i = 0; i < bench->sample_count; i++)
		sample_json(&json, bench, &bench->samples[i]);
	ivp_json_end(&json);
	ivp_json_end(&json);
}
