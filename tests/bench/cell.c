// SPDX-License-Identifier: MIT
/*
 * cell: one figure of `ivpipe bench --self`, by the code that measures it there.
 *
 *   cell KIND WAY SIZE REGION        prints one number
 *
 * KIND: stream, round_trip, messages, wake, idle. Of bench's cells the one is measured that is asked for; and each end has the name
 * sender or receiver while it does what is measured, for whoever looks where time goes. The linker puts the functions that begin
 * with __wrap_ in the place of those that user/bench_self.c calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "bench.h"
#include "bench_way.h"

static const char *kind, *name;
static double value;

int __wrap_ivp_bench_run(struct ivp_bench *bench, struct ivp_error *err);
int __real_ivp_bench_job_begin(struct ivp_bench_job *job, const struct ivp_bench_way *way,
			       struct ivp_bench_channel *channel, const struct ivp_bench_address *address,
			       struct ivp_error *err);
int __wrap_ivp_bench_job_begin(struct ivp_bench_job *job, const struct ivp_bench_way *way,
			       struct ivp_bench_channel *channel, const struct ivp_bench_address *address,
			       struct ivp_error *err);
void __real_ivp_bench_job_end(struct ivp_bench_job *job);
void __wrap_ivp_bench_job_end(struct ivp_bench_job *job);

static void die(const char *what, const char *why)
{
	fprintf(stderr, "cell: %s: %s\n", what, why);
	exit(1);
}

int __wrap_ivp_bench_run(struct ivp_bench *bench, struct ivp_error *err)
{
	for (size_t i = 0; i < bench->cell_count; i++) {
		const struct ivp_bench_cell *cell = &bench->cells[i];
		double values[2] = {0};
		int ret;

		if (strcmp(ivp_bench_words[cell->kind].name, kind) || strcmp(cell->way, name) ||
		    (cell->size && cell->size != bench->sizes[0]))
			continue;
		ret = bench->measure(bench, cell, values, err);
		value = values[0];
		return ret;
	}
	die(name, "bench measures nothing of that kind, way and size");
	return 0;
}

int __wrap_ivp_bench_job_begin(struct ivp_bench_job *job, const struct ivp_bench_way *way,
			       struct ivp_bench_channel *channel, const struct ivp_bench_address *address,
			       struct ivp_error *err)
{
	int ret = __real_ivp_bench_job_begin(job, way, channel, address, err);

	prctl(PR_SET_NAME, job->second ? "receiver" : "sender");
	return ret;
}

void __wrap_ivp_bench_job_end(struct ivp_bench_job *job)
{
	prctl(PR_SET_NAME, program_invocation_short_name);
	__real_ivp_bench_job_end(job);
}

static void describe(const char *path, struct ivp_region_info *info, struct ivp_error *err)
{
	struct ivp_open_options options = {.side = IVP_SIDE_AUTO};
	struct ivp_region *region;

	if (ivp_region_open(&region, path, &options, err))
		die(path, err->text);
	ivp_region_describe(region, info);
	/* Its threads end here: those who measure are forked. */
	ivp_region_close(region);
}

int main(int argc, char **argv)
{
	struct ivp_bench *bench = calloc(1, sizeof(*bench));
	struct ivp_bench_self self = {.service = "cell"};
	struct ivp_error err = {0};

	if (argc != 5 || !bench)
		die("usage", "cell KIND WAY SIZE REGION");
	kind = argv[1];
	name = argv[2];
	bench->sizes[bench->size_count++] = strtoull(argv[3], NULL, 10);
	self.region = argv[4];
	describe(self.region, &bench->info, &err);
	if (ivp_bench_self(bench, &self, &err))
		die(name, err.text);
	printf("%.9g\n", value);
	ivp_bench_free(bench);
	free(bench);
	return 0;
}
