// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "handshake.h"
#include "json.h"

/* What can be said about one region by looking once. */
struct use {
	bool known;
	uint32_t lanes, busy, listeners;
};

static const char *kind(enum ivp_backing backing)
{
	return backing == IVP_BACKING_FILE ? "file" : backing == IVP_BACKING_NODE ? "device" : "sysfs";
}

static bool is_busy(const struct ivp_end_info *end)
{
	return end->local || !ivp_state_over(end->state);
}

/* Read-only, so that looking changes nothing for those who use it. */
static void look(const struct ivp_found *found, struct use *use)
{
	const struct ivp_open_options options = {.flags = IVP_OPEN_READ_ONLY | IVP_OPEN_SIGBUS, .side = IVP_SIDE_AUTO};
	struct ivp_listener_info listener;
	struct ivp_region_info info;
	struct ivp_lane_info lane;
	struct ivp_region *region;

	memset(use, 0, sizeof(*use));
	if (!found->formatted || !found->path[0] || ivp_region_open(&region, found->path, &options, NULL))
		return;
	ivp_region_describe(region, &info);
	use->known = true;
	use->lanes = info.lanes;
	for (uint32_t i = 0; !ivp_region_lane(region, i, &lane); i++)
		use->busy += is_busy(&lane.client) || is_busy(&lane.server);
	for (uint32_t side = 0; side < info.sides; side++)
		for (uint32_t slot = 0; !ivp_region_listener(region, side, slot, &listener); slot++)
			use->listeners += listener.id != 0;
	ivp_region_close(region);
}

static void show_json(struct ivp_json *json, const struct ivp_found *found, const struct use *use)
{
	char mode[16];

	snprintf(mode, sizeof(mode), "%04o", found->mode);
	ivp_json_object(json, NULL);
	ivp_json_string(json, "path", found->path);
	ivp_json_string(json, "kind", kind(found->backing));
	ivp_json_number(json, "size", found->size);
	ivp_json_string(json, "slot", found->slot);
	ivp_json_string(json, "driver", found->driver);
	ivp_json_string(json, "cache", found->cache);
	ivp_json_string(json, "cache_reason", found->cache_reason);
	ivp_json_bool(json, "readable", found->readable);
	ivp_json_bool(json, "formatted", found->formatted);
	ivp_json_bool(json, "automatic", found->automatic);
	if (use->known) {
		ivp_json_number(json, "lanes", use->lanes);
		ivp_json_number(json, "busy", use->busy);
		ivp_json_number(json, "listeners", use->listeners);
	}
	ivp_json_string(json, "mode", mode);
	ivp_json_number(json, "uid", found->uid);
	ivp_json_number(json, "gid", found->gid);
	ivp_json_end(json);
}

static const char *or_dash(const char *text)
{
	return *text ? text : "-";
}

static const char *state(const struct ivp_found *found)
{
	if (!found->path[0])
		return "not ours";
	if (!found->readable)
		return "no access";
	return found->formatted ? "formatted" : "not formatted";
}

static void show_row(const struct ivp_found *found, const struct use *use, int width)
{
	char path[sizeof(found->path)], size[IVP_SIZE_TEXT], lanes[32] = "-", listeners[16] = "-";

	ivp_log_clean(path, sizeof(path), or_dash(found->path), '?');
	if (use->known) {
		snprintf(lanes, sizeof(lanes), "%" PRIu32 "/%" PRIu32, use->busy, use->lanes);
		snprintf(listeners, sizeof(listeners), "%" PRIu32, use->listeners);
	}
	printf("%-*s  %-6s  %9s  %-12s  %-8s  %-15s  %-13s  %-4s  %7s  %s\n", width, path, kind(found->backing),
	       ivp_options_size_text(size, found->size), or_dash(found->slot), or_dash(found->driver),
	       or_dash(found->cache), state(found), found->automatic ? "yes" : "no", lanes, listeners);
}

static void show_all(const struct ivp_cli *cli, const struct ivp_found *found, size_t count)
{
	struct ivp_json json = {.out = stdout};
	int width = 4;

	for (size_t i = 0; i < count; i++)
		if ((int)strlen(found[i].path) > width)
			width = (int)strlen(found[i].path);
	if (cli->json) {
		ivp_json_object(&json, NULL);
		ivp_json_list(&json, "regions");
	} else if (count) {
		printf("%-*s  %-6s  %9s  %-12s  %-8s  %-15s  %-13s  %-4s  %7s  %s\n", width, "PATH", "KIND", "SIZE",
		       "SLOT", "DRIVER", "CACHE", "STATE", "AUTO", "LANES", "LISTENERS");
	}
	for (size_t i = 0; i < count; i++) {
		struct use use;

		look(&found[i], &use);
		if (cli->json)
			show_json(&json, &found[i], &use);
		else
			show_row(&found[i], &use, width);
	}
	if (cli->json) {
		ivp_json_end(&json);
		ivp_json_end(&json);
	}
}

int ivp_cmd_list(struct ivp_cli *cli)
{
	struct ivp_found *found = NULL;
	struct ivp_error err = {0};
	size_t count = 0;

	if (ivp_find(&found, &count, &err))
		return ivp_cli_failed(cli, &err);
	show_all(cli, found, count);
	free(found);
	if (count)
		return 0;
	ivp_log_notice("list: no ivshmem device, and no region in /dev/shm: to make one: "
		       "ivpipe format --create --size 64M /dev/shm/NAME");
	return IVP_FAIL_NO_REGION;
}
