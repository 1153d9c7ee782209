// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "error.h"
#include "latest.h"
#include "pump.h"
#include "worker.h"

struct input {
	int fd;
	const char *name;  /* for messages */
	const char *shown; /* to the receiver; NULL: none */
	int64_t size;
	bool own_file; /* a regular one, opened by us */
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int fail(struct ivp_error *err, const char *name)
{
	enum ivp_failure kind = errno == EACCES || errno == EPERM ? IVP_FAIL_PERMISSION : IVP_FAIL_GENERAL;

	return ivp_fail(err, kind, -errno, "%s: %s", name, strerror(errno));
}

/* The size is what it is now; what is read in the end is what counts. */
static int measure(struct input *input, struct ivp_error *err)
{
	struct stat st;

	if (fstat(input->fd, &st))
		return fail(err, input->name);
	if (S_ISDIR(st.st_mode))
		return ivp_fail(err, IVP_FAIL_USAGE, -EISDIR, "%s: is a directory: tar c %s | ivpipe send", input->name,
				input->name);
	input->size = -1;
	if (S_ISBLK(st.st_mode)) {
		off_t at = lseek(input->fd, 0, SEEK_CUR), end = lseek(input->fd, 0, SEEK_END);

		if (at >= 0 && end >= at && lseek(input->fd, at, SEEK_SET) == at)
			input->size = end - at;
	} else if (S_ISREG(st.st_mode)) {
		off_t at = lseek(input->fd, 0, SEEK_CUR);

		input->size = at < 0 || at > st.st_size ? 0 : st.st_size - at;
		input->own_file = input->fd != STDIN_FILENO;
	}
	return 0;
}

/* Before anything is connected: nobody is to wait for a file that cannot be read. */
static int open_input(struct input *input, const struct ivp_cli *cli, struct ivp_error *err)
{
	const char *path = cli->argument;
	bool standard = !path || !strcmp(path, "-");

	*input = (struct input){.fd = STDIN_FILENO, .name = standard ? "standard input" : path, .shown = cli->name};
	if (!standard) {
		input->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (input->fd < 0)
			return fail(err, path);
		if (!cli->name)
			input->shown = base_name(path);
	}
	return measure(input, err);
}

static int connect_lane(struct ivp_cli *cli, const struct input *input, struct ivp_region *region,
			struct ivp_lane **lane, struct ivp_error *err)
{
	struct ivp_lane_options options;

	ivp_cli_lane_options(cli, &options);
	options.file = input->shown;
	options.size = cli->latest ? -1 : input->size;
	return ivp_connect(lane, region, &options, err);
}

static void describe(const struct ivp_cli *cli, const struct ivp_region *region, const struct ivp_lane *lane)
{
	struct ivp_region_info info;

	ivp_region_describe(region, &info);
	ivp_log_detail("%s: connected through %s (%s), side %u, lane %u, receiver %s, bytes go in by %s",
		       cli->verb_name, info.path, info.cache, info.side, ivp_lane_index(lane),
		       ivp_lane_peer_local(lane) ? "on this machine" : "on another machine",
		       ivp_lane_copier(lane, false));
}

static int send_stream(struct ivp_cli *cli, const struct input *input, struct ivp_lane *lane, struct ivp_error *err)
{
	struct pump pump = {
		.lane = lane,
		.fd = input->fd,
		.own_file = input->own_file,
		.digest = !cli->no_checksum,
		.name = input->name,
		.cancel = &ivp_cli_signal,
		.progress = ivp_progress_update,
		.rate.per_second = cli->rate,
	};
	int ret;

	ivp_progress_stream(cli->latest ? -1 : input->size);
	ret = cli->latest ? ivp_latest_send(&pump, cli->latest, err) : ivp_pump_send(&pump, err);
	ivp_progress_end();
	return ret;
}

/* 1: the region went away before anybody was found in it. */
static int send_once(struct ivp_cli *cli, const struct input *input, struct ivp_error *err)
{
	struct ivp_region *region;
	struct ivp_lane *lane;
	int ret = ivp_cli_open(cli, 0, &region, err);

	if (ret)
		return ret;
	ivp_progress_wait("a receiver");
	ret = ivp_worker_enclose(cli, err);
	if (!ret)
		ret = connect_lane(cli, input, region, &lane, err);
	if (!ret) {
		describe(cli, region, lane);
		ret = ivp_worker_enclose_more(cli, err);
		if (!ret)
			ret = send_stream(cli, input, lane, err);
		ivp_lane_close(lane);
	} else if (ivp_cli_again(cli, err)) {
		ret = 1;
	}
	ivp_region_close(region);
	if (ret > 0)
		ivp_worker_again(cli);
	return ret;
}

int ivp_cmd_send(struct ivp_cli *cli)
{
	struct ivp_error err = {0};
	struct input input;
	int ret = open_input(&input, cli, &err);

	if (ret)
		return ivp_cli_failed(cli, &err);
	ivp_progress_start(cli);
	do
		ret = send_once(cli, &input, &err);
	while (ret > 0);
	ivp_progress_stop();
	return ret ? ivp_cli_failed(cli, &err) : 0;
}
