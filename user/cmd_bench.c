// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "bench_vm.h"
#include "bench_way.h"
#include "cli.h"
#include "error.h"
#include "region.h"
#include "wait.h"

#define SERVICE   "bench"
#define OWN_SIZE  (64ULL << 20)
#define LEAST_OWN (4ULL << 20)

/* "4K,64K,1M" */
static int parse_sizes(struct ivp_bench *bench, const char *text, struct ivp_error *err)
{
	char word[32];
	size_t len;

	for (;; text += len + 1) {
		uint64_t size;

		len = strcspn(text, ",");
		snprintf(word, sizeof(word), "%.*s", len < sizeof(word) ? (int)len : 0, text);
		if (ivp_options_size(word, &size) || !size || size > IVP_BENCH_PIECE_MAX)
			return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL,
					"--sizes: give sizes of at most 16M with commas, such as 4K,64K,1M");
		if (bench->size_count == IVP_BENCH_SIZES)
			return ivp_fail(err, IVP_FAIL_USAGE, -E2BIG, "--sizes: at most %d", IVP_BENCH_SIZES);
		bench->sizes[bench->size_count++] = size;
		if (!text[len])
			return 0;
	}
}

static int check_vm(const struct ivp_cli *cli, struct ivp_error *err)
{
	if (!cli->vm)
		return cli->kernel || cli->accel
			       ? ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "--kernel and --accel are for --vm")
			       : 0;
	if (cli->self || cli->listen || cli->control || cli->service)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL,
				"--vm has both ends: leave out --self, --listen, --service and --control");
	if (cli->accel && strcmp(cli->accel, "kvm") && strcmp(cli->accel, "tcg"))
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "--accel: kvm or tcg");
	return 0;
}

static int check(const struct ivp_cli *cli, struct ivp_bench *bench, struct ivp_error *err)
{
	if (check_vm(cli, err))
		return err->number;
	if (cli->self && cli->listen)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "--self has both ends: leave out --listen");
	if (cli->listen && (cli->plot || cli->json || cli->sizes || cli->rounds || cli->quick))
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL,
				"--listen: what is measured, and shown, is the other end's");
	if (cli->keep && !cli->listen)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "--keep is for the end with --listen");
	bench->quick = cli->quick;
	bench->rounds = cli->rounds ? cli->rounds : cli->quick ? 3 : 5;
	bench->seed = cli->seed;
	bench->processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
	bench->cancel = &ivp_cli_signal;
	if (parse_sizes(bench, cli->sizes ? cli->sizes : cli->quick ? "4K,64K" : "4K,64K,1M", err))
		return err->number;
	return cli->plot ? ivp_bench_plot_check(cli->plot, err) : 0;
}

static void progress(const struct ivp_bench *bench, size_t done, size_t all)
{
	(void)bench;
	fprintf(stderr, "\rbench: sample %zu of %zu ", done + 1, all);
}

static int report(const struct ivp_cli *cli, const struct ivp_bench *bench, struct ivp_error *err)
{
	/* A guest's host shows it. */
	if (bench->others && !cli->vm)
		ivp_bench_record_write(bench, stdout);
	else if (cli->json)
		ivp_bench_show_json(bench);
	else
		ivp_bench_show(bench);
	return cli->plot ? ivp_bench_plot(bench, cli->plot, err) : 0;
}

/* ---- both ends ---- */

/* A region of our own, in memory, that goes when we do. */
static int make_own(char **path, struct ivp_error *err)
{
	struct ivp_format_options options = {.size = OWN_SIZE, .create = true};
	struct ivp_region_info made;
	uint64_t number;
	int ret = ivp_random_id(&number, err);

	if (ret)
		return ret;
	if (asprintf(path, "/dev/shm/ivpipe-bench.%016" PRIx64, number) < 0) {
		*path = NULL;
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	}
	ret = ivp_format(*path, &options, &made, err);
	if (ret != -ENOSPC)
		return ret;
	options.size = LEAST_OWN;
	return ivp_format(*path, &options, &made, err);
}

static int describe(struct ivp_cli *cli, struct ivp_bench *bench, struct ivp_error *err)
{
	struct ivp_region *region;
	int ret = ivp_cli_open(cli, 0, &region, err);

	if (ret)
		return ret;
	ivp_region_describe(region, &bench->info);
	/* Its threads end here: those who measure are forked. */
	ivp_region_close(region);
	return 0;
}

static int run_self(struct ivp_cli *cli, struct ivp_bench *bench, struct ivp_error *err)
{
	struct ivp_bench_self self;
	char service[IVP_SERVICE_MAX], *own = NULL;
	int ret = cli->region ? 0 : make_own(&own, err);

	if (own)
		cli->region = own;
	if (!ret)
		ret = describe(cli, bench, err);
	if (!ret) {
		snprintf(service, sizeof(service), SERVICE "-%d", (int)getpid());
		self = (struct ivp_bench_self){bench->info.path, service};
		ret = ivp_bench_self(bench, &self, err);
	}
	if (own)
		unlink(own);
	free(own);
	return ret;
}

/* ---- one of them ---- */

static int listen_to(struct ivp_cli *cli, struct ivp_region *region, struct ivp_error *err)
{
	struct ivp_lane_options options;
	struct ivp_listener *listener;
	int64_t wait_ms = cli->wait_ms;
	int ret;

	ivp_cli_lane_options(cli, &options);
	ret = ivp_listen(&listener, region, &options, err);
	if (ret)
		return ret;
	ivp_log_detail("bench: listening for %s", cli->service);
	do {
		ret = ivp_bench_serve(listener, wait_ms, err);
		if (ret && ret != -EINTR && cli->keep)
			ivp_cli_failed(cli, err);
		/* Without an end of its own it waits for the next one. */
	} while (cli->keep && ret != -EINTR && ret != -ESTALE && (ret != -ETIMEDOUT || wait_ms < 0));
	ivp_listener_close(listener);
	return ret;
}

/* The static helper makes no guests, and is none. */
static void set_others(struct ivp_bench *bench, struct ivp_bench_peer *peer)
{
#ifndef IVP_STATIC
	if (ivp_bench_guest_load())
		peer->others = ivp_bench_base_begin(bench, ivp_bench_guest_load());
#else
	(void)bench;
	(void)peer;
#endif
}

static int run_client(struct ivp_cli *cli, struct ivp_bench *bench, struct ivp_region *region, struct ivp_error *err)
{
	struct ivp_bench_peer peer = {.region = region};
	int ret;

	set_others(bench, &peer);
	ivp_cli_lane_options(cli, &peer.options);
	/* What a record has room for, but for its header. */
	peer.piece = bench->info.ring_size / 4 < IVP_PIECE_MAX ? bench->info.ring_size / 4 : IVP_PIECE_MAX;
	ret = ivp_bench_client(bench, &peer, err);
	return ret ? ret : ivp_bench_client_end(&peer, err);
}

static int run_end(struct ivp_cli *cli, struct ivp_bench *bench, struct ivp_error *err)
{
	struct ivp_region *region;
	int ret = ivp_cli_open(cli, 0, &region, err);

	if (ret)
		return ret;
	ivp_region_describe(region, &bench->info);
	if (!cli->service)
		cli->service = SERVICE;
	ret = cli->listen ? listen_to(cli, region, err) : run_client(cli, bench, region, err);
	ivp_region_close(region);
	return ret;
}

int ivp_cmd_bench(struct ivp_cli *cli)
{
	struct ivp_error err = {0};
	struct ivp_bench *bench = calloc(1, sizeof(*bench));
	int ret;

	if (!bench) {
		ivp_log_error("bench: no memory");
		return IVP_FAIL_GENERAL;
	}
	ret = check(cli, bench, &err);
	if (!ret && !cli->quiet && isatty(STDERR_FILENO))
		bench->progress = progress;
	if (!ret)
		ret = cli->vm     ? ivp_bench_vm(cli, bench, &err)
		      : cli->self ? run_self(cli, bench, &err)
				  : run_end(cli, bench, &err);
	if (bench->sample_count && bench->progress)
		fputs("\r\033[K", stderr);
	if (!ret && !cli->listen)
		ret = report(cli, bench, &err);
	ivp_bench_free(bench);
	free(bench);
	return ret ? ivp_cli_failed(cli, &err) : 0;
}
