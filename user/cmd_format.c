// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static void show(const struct ivp_cli *cli, const struct ivp_region_info *made)
{
	char path[sizeof(made->path)], size[IVP_SIZE_TEXT], ring[IVP_SIZE_TEXT];

	ivp_log_clean(path, sizeof(path), made->path, '?');
	if (cli->quiet)
		return;
	printf("%s: %s, %" PRIu32 " sides, %" PRIu32 " lanes with 2 rings of %s, format id %016" PRIx64 "\n", path,
	       ivp_options_size_text(size, made->size), made->sides, made->lanes,
	       ivp_options_size_text(ring, made->ring_size), made->format_id);
}

/* The region is named each time: laying out whatever `auto` or the environment stands for would be a surprise. */
int ivp_cmd_format(struct ivp_cli *cli)
{
	const struct ivp_format_options options = {
		.size = cli->size,
		.lanes = (uint32_t)cli->lanes,
		.sides = (uint32_t)cli->sides,
		.create = cli->create,
		.force = cli->force,
	};
	struct ivp_region_info made;
	struct ivp_error err = {0};

	if (!cli->argument || !strcmp(cli->argument, "auto")) {
		ivp_log_error("format: name the region: ivpipe format [--create --size 64M] PATH");
		return IVP_FAIL_USAGE;
	}
	if (ivp_format(cli->argument, &options, &made, &err))
		return ivp_cli_failed(cli, &err);
	show(cli, &made);
	return 0;
}
