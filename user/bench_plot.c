// SPDX-License-Identifier: MIT
/* Pictures of figures, drawn by gnuplot. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "cli.h"
#include "error.h"

static const char *terminal_of(const char *path)
{
	size_t len = strlen(path);

	if (len > 4 && !strcmp(path + len - 4, ".svg"))
		return "svg size 1200,600";
	if (len > 4 && !strcmp(path + len - 4, ".png"))
		return "png size 1200,600";
	return NULL;
}

static bool is_installed(const char *program)
{
	const char *place = getenv("PATH");
	bool found = false;

	while (place && !found) {
		size_t len = strcspn(place, ":");
		char *path;

		if (asprintf(&path, "%.*s/%s", (int)len, len ? place : ".", program) < 0)
			return false;
		found = !access(path, X_OK);
		free(path);
		place = place[len] ? place + len + 1 : NULL;
	}
	return found;
}

int ivp_bench_plot_check(const char *path, struct ivp_error *err)
{
	if (!terminal_of(path))
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "--plot %s: give a name that ends in .svg or .png", path);
	if (!is_installed("gnuplot"))
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOENT,
				"--plot: gnuplot is not installed: apt install gnuplot-nox, or take --json");
	return 0;
}

/* Under which most samples are. */
static enum ivp_bench_label fullest(const struct ivp_bench *bench)
{
	size_t counts[IVP_BENCH_LABELS] = {0};
	int best = 0;

	for (size_t i = 0; i < bench->sample_count; i++)
		counts[bench->samples[i].label]++;
	for (int i = 1; i < IVP_BENCH_LABELS; i++)
		if (counts[i] > counts[best])
			best = i;
	return best;
}

/* Inside of '': a quote is two. */
static void put_quoted(FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text; text++)
		fprintf(out, *text == '\'' ? "''" : "%c", *text);
	fputc('\'', out);
}

static bool same_line(const struct ivp_bench_cell *a, const struct ivp_bench_cell *b)
{
	return a->kind == b->kind && !strcmp(a->way, b->way) && !strcmp(a->direction, b->direction);
}

static bool is_first(const struct ivp_bench *bench, size_t cell)
{
	for (size_t i = 0; i < cell; i++)
		if (same_line(&bench->cells[i], &bench->cells[cell]))
			return false;
	return true;
}

/* Of one axis, with some room: of a single point gnuplot would make a range of its own, and say so. */
struct range {
	double least, most;
};

static void widen(struct range *range, double least, double most)
{
	if (!range->most || least < range->least)
		range->least = least;
	if (most > range->most)
		range->most = most;
}

static void put_range(FILE *out, char axis, const struct range *range)
{
	fprintf(out, "set %crange [%g:%g]\n", axis, range->least / 1.5, range->most * 1.5);
}

/* One line of the left half: sizes, medians and spreads. False: there is no figure of it. */
static bool put_line(FILE *out, const struct ivp_bench *bench, size_t first, enum ivp_bench_label label,
		     struct range ranges[2])
{
	struct ivp_bench_figure figure;
	bool any = false;

	for (size_t i = first; i < bench->cell_count; i++) {
		if (!same_line(&bench->cells[first], &bench->cells[i]))
			continue;
		ivp_bench_figure(bench, i, label, 0, &figure);
		if (!figure.count)
			continue;
		if (!any)
			fprintf(out, "$line%zu << EOD\n", first);
		any = true;
		widen(&ranges[0], (double)bench->cells[i].size, (double)bench->cells[i].size);
		widen(&ranges[1], figure.least / 1e9, figure.most / 1e9);
		fprintf(out, "%llu %g %g %g\n", (unsigned long long)bench->cells[i].size, figure.median / 1e9,
			figure.least / 1e9, figure.most / 1e9);
	}
	if (any)
		fputs("EOD\n", out);
	return any;
}

static void plot_streams(FILE *out, const struct ivp_bench *bench, enum ivp_bench_label label)
{
	bool drawn[IVP_BENCH_CELLS] = {false}, any = false;
	struct range ranges[2] = {{0}};

	for (size_t i = 0; i < bench->cell_count; i++)
		if (bench->cells[i].kind == IVP_BENCH_STREAM && is_first(bench, i))
			any |= drawn[i] = put_line(out, bench, i, label, ranges);
	if (!any)
		return;
	put_range(out, 'x', &ranges[0]);
	put_range(out, 'y', &ranges[1]);
	fprintf(out,
		"set title 'stream by size of a write, processors %s'\nset xlabel 'bytes'\nset ylabel 'GB/s'\n"
		"set logscale xy\nset format x '10^{%%T}'\nset key outside below\nset grid\n",
		ivp_bench_labels[label]);
	fputs("plot", out);
	for (size_t i = 0; i < bench->cell_count; i++) {
		if (!drawn[i])
			continue;
		fprintf(out, "%s $line%zu using 1:2:3:4 with yerrorlines title ", any ? "" : ",", i);
		any = false;
		fputc('\'', out);
		fprintf(out, "%s %s'", bench->cells[i].title, bench->cells[i].direction);
	}
	fputc('\n', out);
}

static void plot_times(FILE *out, const struct ivp_bench *bench, enum ivp_bench_label label)
{
	struct ivp_bench_figure figure;
	struct range range = {0};

	fputs("$times << EOD\n", out);
	for (size_t i = 0; i < bench->cell_count; i++) {
		const struct ivp_bench_cell *cell = &bench->cells[i];

		ivp_bench_figure(bench, i, label, 0, &figure);
		if ((cell->kind != IVP_BENCH_TRIP && cell->kind != IVP_BENCH_WAKE) || !figure.count)
			continue;
		widen(&range, figure.least / 1e3, figure.most / 1e3);
		fprintf(out, "\"%s: %s\" %g %g %g\n", ivp_bench_words[cell->kind].name, cell->way, figure.median / 1e3,
			figure.least / 1e3, figure.most / 1e3);
	}
	fputs("EOD\n", out);
	if (!range.most)
		return;
	put_range(out, 'y', &range);
	fputs("set title 'round trip, and until a sleeper is up, p50'\nunset logscale x\nset logscale y\n"
	      "unset xlabel\nset format x\nset ylabel 'us'\nset xrange [-0.6:*]\n"
	      "set xtics rotate by 40 right noenhanced\nset style fill solid 0.4\n"
	      "plot $times using 0:2:3:4:(0.6):xtic(1) with boxerrorbars notitle\n",
	      out);
}

int ivp_bench_plot(const struct ivp_bench *bench, const char *path, struct ivp_error *err)
{
	enum ivp_bench_label label = fullest(bench);
	FILE *out = popen("gnuplot >&2", "w");
	int status;

	if (!out)
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "gnuplot: %s", strerror(errno));
	fprintf(out, "set terminal %s\nset output ", terminal_of(path));
	put_quoted(out, path);
	fputs("\nset multiplot layout 1,2\n", out);
	plot_streams(out, bench, label);
	plot_times(out, bench, label);
	fputs("unset multiplot\nunset output\n", out);
	status = pclose(out);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	return ivp_fail(err, IVP_FAIL_GENERAL, -EIO, "gnuplot could not draw %s", path);
}
