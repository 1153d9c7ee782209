// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "cli.h"
#include "error.h"
#include "latest.h"
#include "pump.h"
#include "wait.h"
#include "worker.h"

/* What becomes of the loop after a stream, or an attempt at one. */
enum next {
	NEXT_DONE,   /* the one stream came, or nothing can come any more: err says which */
	NEXT_STREAM, /* the same listener goes on */
	NEXT_REGION, /* the region is to be opened again */
};

static enum ivp_verdict verdict_of(int ret)
{
	return ret == -ENOSPC || ret == -EDQUOT ? IVP_VERDICT_NO_SPACE : IVP_VERDICT_WRITE;
}

static void describe(const struct ivp_cli *cli, const struct ivp_lane *lane)
{
	const char *file = ivp_lane_file(lane);
	char size[IVP_SIZE_TEXT] = "of unknown size";

	if (ivp_lane_size(lane) >= 0)
		ivp_options_size_text(size, (uint64_t)ivp_lane_size(lane));
	ivp_log_detail("%s: stream %s%s%s, lane %u, sender %s, bytes come out by %s", cli->verb_name, file,
		       *file ? ", " : "", size, ivp_lane_index(lane),
		       ivp_lane_peer_local(lane) ? "on this machine" : "on another machine",
		       ivp_lane_copier(lane, true));
}

static int pump_into(const struct ivp_cli *cli, struct ivp_lane *lane, struct ivp_output *output, struct ivp_error *err)
{
	struct pump pump = {
		.lane = lane,
		.fd = output->fd,
		.digest = !cli->no_checksum,
		.name = output->name,
		.cancel = &ivp_cli_signal,
		.progress = ivp_progress_update,
		.rate.per_second = cli->rate,
		.sparse = cli->sparse && output->fresh,
	};
	int ret;

	ivp_progress_stream(ivp_lane_size(lane));
	ret = cli->latest ? ivp_latest_recv(&pump, err) : ivp_pump_recv(&pump, err);
	ivp_progress_end();
	if (pump.closed && output->standard) {
		ivp_lane_close(lane);
		ivp_progress_stop();
		ivp_cli_broken_pipe();
	}
	return ret;
}

/* "Received" is said only when the file stands where it belongs. */
static int take_stream(struct ivp_cli *cli, struct ivp_lane *lane, struct ivp_error *err)
{
	struct ivp_output output;
	int ret = ivp_worker_open_output(cli, &output, ivp_lane_file(lane), err);

	if (ret) {
		ivp_lane_abort(lane, verdict_of(ret));
		return ret;
	}
	ret = pump_into(cli, lane, &output, err);
	if (!ret) {
		ret = ivp_worker_commit_output(cli, &output, err);
		if (ret)
			ivp_lane_abort(lane, verdict_of(ret));
		else
			ivp_lane_verdict(lane, IVP_VERDICT_OK);
	}
	ivp_worker_close_output(cli, &output);
	return ret;
}

/* With --keep what concerns one sender is one line, and the next one is welcome. */
static enum next judge(struct ivp_cli *cli, int ret, struct ivp_error *err)
{
	if (!cli->keep || ivp_cli_signal)
		return NEXT_DONE;
	if (ret)
		ivp_cli_failed(cli, err);
	cli->deadline = ivp_deadline(cli->wait_ms);
	return NEXT_STREAM;
}

/* The one stream that is wanted has begun: whoever else connects is to look elsewhere, and we need nothing more of that kind. A
 * listener in the memory stays, and says that it is busy. */
static int end_listening(struct ivp_cli *cli, struct ivp_listener **listener, struct ivp_error *err)
{
	if (cli->keep || !cli->control)
		return 0;
	ivp_listener_close(*listener);
	*listener = NULL;
	return ivp_worker_enclose_more(cli, err);
}

static enum next serve_one(struct ivp_cli *cli, struct ivp_listener **listener, int *ret, struct ivp_error *err)
{
	struct ivp_lane *lane;

	ivp_progress_wait("a sender");
	*ret = ivp_accept(&lane, *listener, err);
	if (!*ret) {
		describe(cli, lane);
		*ret = end_listening(cli, listener, err);
		if (!*ret)
			*ret = take_stream(cli, lane, err);
		ivp_lane_close(lane);
		return judge(cli, *ret, err);
	}
	if (ivp_cli_again(cli, err))
		return NEXT_REGION;
	return err->kind == IVP_FAIL_REFUSED ? judge(cli, *ret, err) : NEXT_DONE;
}

static enum next serve_region(struct ivp_cli *cli, struct ivp_region *region, int *ret, struct ivp_error *err)
{
	struct ivp_lane_options options;
	struct ivp_listener *listener;
	struct ivp_region_info info;
	enum next next = NEXT_STREAM;

	ivp_cli_lane_options(cli, &options);
	*ret = ivp_listen(&listener, region, &options, err);
	if (*ret)
		return ivp_cli_again(cli, err) ? NEXT_REGION : NEXT_DONE;
	ivp_region_describe(region, &info);
	ivp_log_detail("%s: listening for %s on %s (%s), side %u", cli->verb_name,
		       cli->service ? cli->service : "default", info.path, info.cache, info.side);
	while (next == NEXT_STREAM)
		next = serve_one(cli, &listener, ret, err);
	ivp_listener_close(listener);
	return next;
}

static int serve(struct ivp_cli *cli, struct ivp_error *err)
{
	enum next next = NEXT_REGION;
	int ret = 0;

	while (next == NEXT_REGION) {
		struct ivp_region *region;
		struct ivp_region_info info;

		ret = ivp_cli_open(cli, 0, &region, err);
		if (ret)
			return ret;
		ivp_region_describe(region, &info);
		ret = ivp_output_check(cli->output, info.path, err);
		if (!ret)
			ret = ivp_worker_enclose(cli, err);
		next = ret ? NEXT_DONE : serve_region(cli, region, &ret, err);
		ivp_region_close(region);
		if (next == NEXT_REGION)
			ivp_worker_again(cli);
	}
	return ret;
}

int ivp_cmd_recv(struct ivp_cli *cli)
{
	struct ivp_error err = {0};
	int ret = ivp_output_check(cli->output, NULL, &err);

	if (ret)
		return ivp_cli_failed(cli, &err);
	ivp_progress_start(cli);
	ret = serve(cli, &err);
	ivp_progress_stop();
	return ret ? ivp_cli_failed(cli, &err) : 0;
}
