// SPDX-License-Identifier: MIT
/* forward: ports of one side lead to targets of the other, each connection by a lane of its own. */
#include "cli.h"
#include "forward.h"
#include "worker.h"

static struct ivp_forward forward;

/* 1: the region went away: another one may come in its place. */
static int serve_region(struct ivp_cli *cli, struct ivp_error *err)
{
	struct ivp_region_info info;
	struct ivp_region *region;
	int ret = ivp_cli_open(cli, 0, &region, err);

	if (ret)
		return ret;
	ivp_region_describe(region, &info);
	ivp_log_detail("%s: %s: at most %u connections that begin on a side", cli->verb_name, info.path,
		       info.lanes / info.sides);
	ret = ivp_worker_enclose_forward(cli, region, err);
	if (!ret)
		ret = ivp_forward_lanes(&forward, region, err);
	ivp_region_close(region);
	if (ret && ivp_cli_again(cli, err)) {
		ivp_worker_again(cli);
		return 1;
	}
	return ret;
}

static int work(struct ivp_cli *cli)
{
	struct ivp_error err = {0};
	int ret;

	/* Whoever forwards waits for a region that comes back as long as it takes. */
	do
		ret = serve_region(cli, &err);
	while (ret > 0);
	return ivp_cli_failed(cli, &err);
}

int ivp_cmd_forward(struct ivp_cli *cli)
{
	int code;

	forward.cli = cli;
	code = ivp_forward_parse(&forward);
	if (!code && !cli->listen)
		code = ivp_forward_open(&forward);
	return code ? code : ivp_forward_ports(&forward, work);
}
