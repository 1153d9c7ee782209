// SPDX-License-Identifier: MIT
/*
 * What was measured, as text: a guest writes it, and its host shows it. Lines, each with a word and what belongs to it:
 *
 *   region SIZE RING CACHE PATH     processors N     left WAY WHY
 *   cell KIND BASE SIZE DIRECTION WAY TITLE          DIRECTION: - if there is none
 *   sample CELL ROUND BEFORE AFTER LABEL VALUE VALUE
 *   end
 *
 * Whatever a guest's kernel does to these lines: the reader takes what holds, and nothing else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "error.h"

/* As long as it may be: all samples of all cells. */
#define TEXT_MAX (64 << 20)

void ivp_bench_record_write(const struct ivp_bench *bench, FILE *out)
{
	fprintf(out, "region %" PRIu64 " %" PRIu64 " %s %s\n", bench->info.size, bench->info.ring_size,
		bench->info.cache, bench->info.path);
	fprintf(out, "processors %d\n", bench->processors);
	for (size_t i = 0; i < bench->left_count; i++)
		fprintf(out, "left %s %s\n", bench->left[i].way, bench->left[i].why);
	for (size_t i = 0; i < bench->cell_count; i++) {
		const struct ivp_bench_cell *cell = &bench->cells[i];

		fprintf(out, "cell %d %d %" PRIu64 " %s %s %s\n", cell->kind, cell->base, cell->size,
			cell->direction[0] ? cell->direction : "-", cell->way, cell->title);
	}
	for (size_t i = 0; i < bench->sample_count; i++) {
		const struct ivp_bench_sample *sample = &bench->samples[i];

		fprintf(out, "sample %zu %u %u %u %d %.9g %.9g\n", sample->cell, sample->round, sample->before,
			sample->after, sample->label, sample->values[0], sample->values[1]);
	}
	fputs("end\n", out);
}

/* The first word, which is cut off; "" if there is none. */
static char *word(char **rest)
{
	char *at = *rest, *end = at + strcspn(at, " ");

	*rest = *end ? end + 1 : end;
	*end = '\0';
	return at;
}

static bool region(struct ivp_bench *bench, char *rest)
{
	struct ivp_region_info *info = &bench->info;

	info->size = strtoull(word(&rest), NULL, 10);
	info->ring_size = strtoull(word(&rest), NULL, 10);
	snprintf(info->cache, sizeof(info->cache), "%s", word(&rest));
	snprintf(info->path, sizeof(info->path), "%s", rest);
	return info->size && info->path[0];
}

static bool left(struct ivp_bench *bench, char *rest)
{
	struct ivp_bench_left *one = &bench->left[bench->left_count];

	if (bench->left_count == IVP_BENCH_LEFT)
		return false;
	one->way = word(&rest);
	snprintf(one->why, sizeof(one->why), "%s", rest);
	bench->left_count++;
	return one->way[0] && one->why[0];
}

static bool cell(struct ivp_bench *bench, char *rest)
{
	struct ivp_bench_cell one = {0};
	unsigned long kind = strtoul(word(&rest), NULL, 10);

	one.kind = (enum ivp_bench_kind)kind;
	one.base = strcmp(word(&rest), "0");
	one.size = strtoull(word(&rest), NULL, 10);
	one.direction = word(&rest);
	if (!strcmp(one.direction, "-"))
		one.direction = "";
	one.way = word(&rest);
	one.title = rest;
	return kind < IVP_BENCH_KINDS && one.way[0] && one.title[0] && !bench->samples && ivp_bench_add(bench, &one);
}

static bool sample(struct ivp_bench *bench, char *rest)
{
	struct ivp_bench_sample one = {0};
	size_t most = bench->rounds * bench->cell_count;
	unsigned int label;

	if (!bench->samples)
		bench->samples = calloc(most ? most : 1, sizeof(*bench->samples));
	if (!bench->samples || bench->sample_count == most ||
	    sscanf(rest, "%zu %" SCNu32 " %" SCNu32 " %" SCNu32 " %u %lf %lf", &one.cell, &one.round, &one.before,
		   &one.after, &label, &one.values[0], &one.values[1]) != 7)
		return false;
	one.label = (enum ivp_bench_label)label;
	bench->samples[bench->sample_count++] = one;
	return one.cell < bench->cell_count && label < IVP_BENCH_LABELS && isfinite(one.values[0]) &&
	       isfinite(one.values[1]);
}

/* Nothing that a terminal would obey. */
static bool is_plain(const char *line)
{
	for (; *line; line++)
		if (*line < ' ' || *line > '~')
			return false;
	return true;
}

static bool take(struct ivp_bench *bench, char *line)
{
	char *rest = line;
	const char *what = word(&rest);

	if (!strcmp(what, "region"))
		return region(bench, rest);
	if (!strcmp(what, "processors"))
		return (bench->processors = atoi(rest)) > 0;
	if (!strcmp(what, "left"))
		return left(bench, rest);
	if (!strcmp(what, "cell"))
		return cell(bench, rest);
	return !strcmp(what, "sample") && sample(bench, rest);
}

static char *read_whole(FILE *in)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	char bytes[4096];
	size_t got, all = 0;

	if (!out)
		return NULL;
	while (all < TEXT_MAX && (got = fread(bytes, 1, sizeof(bytes), in)) > 0)
		all += fwrite(bytes, 1, got, out);
	return fclose(out) ? NULL : text;
}

int ivp_bench_record_read(struct ivp_bench *bench, FILE *in, struct ivp_error *err)
{
	char *line, *next = bench->text = read_whole(in);
	bool holds = true;

	if (!bench->text)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	while (holds && (line = strsep(&next, "\n")) && strcmp(line, "end"))
		holds = is_plain(line) && take(bench, line);
	if (holds && line && bench->sample_count)
		return 0;
	return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "the guest's report is damaged");
}
