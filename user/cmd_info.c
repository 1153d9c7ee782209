// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "cli.h"
#include "json.h"
#include "look.h"
#include "worker.h"

/* Everything at two moments. */
struct picture {
	struct ivp_look first, second;
};

static int take_both(struct ivp_region *region, struct picture *picture, struct ivp_error *err)
{
	static const struct timespec pause = {.tv_nsec = IVP_LOOK_MS * 1000 * 1000};
	int ret = ivp_look_take(&picture->first, region, err);

	if (!ret) {
		nanosleep(&pause, NULL);
		ret = ivp_look_take(&picture->second, region, err);
	}
	if (ret && ret != -ENOMEM)
		err->kind = IVP_FAIL_NO_REGION;
	return ret;
}

static bool is_shown(const struct ivp_cli *cli, const struct ivp_lane_info *lane)
{
	return cli->verbose || ivp_look_in_use(&lane->client) || ivp_look_in_use(&lane->server);
}

static void end_json(struct ivp_json *json, const char *key, const struct ivp_end_info *end, const char *alive)
{
	ivp_json_object(json, key);
	ivp_json_string(json, "state", ivp_state_name(end->state));
	ivp_json_string(json, "alive", alive);
	ivp_json_hex(json, "epoch", end->epoch);
	ivp_json_number(json, "sent", end->sent);
	ivp_json_number(json, "received", end->received);
	ivp_json_end(json);
}

static void lanes_json(const struct ivp_cli *cli, struct ivp_json *json, const struct picture *picture)
{
	ivp_json_list(json, "lanes");
	for (uint32_t i = 0; i < picture->second.info.lanes; i++) {
		const struct ivp_lane_info *before = &picture->first.lanes[i], *now = &picture->second.lanes[i];

		if (!is_shown(cli, now))
			continue;
		ivp_json_object(json, NULL);
		ivp_json_number(json, "lane", now->index);
		ivp_json_number(json, "side", now->side);
		end_json(json, "client", &now->client, ivp_look_end(&before->client, &now->client));
		end_json(json, "server", &now->server, ivp_look_end(&before->server, &now->server));
		ivp_json_end(json);
	}
	ivp_json_end(json);
}

static void listeners_json(struct ivp_json *json, const struct picture *picture)
{
	ivp_json_list(json, "listeners");
	for (uint32_t i = 0; i < picture->second.slots; i++) {
		const struct ivp_listener_info *now = &picture->second.listeners[i];

		if (!now->id)
			continue;
		ivp_json_object(json, NULL);
		ivp_json_number(json, "side", now->side);
		ivp_json_number(json, "slot", now->slot);
		ivp_json_hex(json, "id", now->id);
		ivp_json_string(json, "service", now->service);
		ivp_json_string(json, "alive", ivp_look_listener(&picture->first.listeners[i], now));
		ivp_json_end(json);
	}
	ivp_json_end(json);
}

static void show_json(const struct ivp_cli *cli, const struct picture *picture)
{
	const struct ivp_region_info *info = &picture->second.info;
	struct ivp_json json = {.out = stdout};

	ivp_json_object(&json, NULL);
	ivp_json_string(&json, "path", info->path);
	ivp_json_number(&json, "size", info->size);
	ivp_json_string(&json, "cache", info->cache);
	ivp_json_number(&json, "layout_version", info->version);
	ivp_json_hex(&json, "format_id", info->format_id);
	ivp_json_number(&json, "sides", info->sides);
	ivp_json_number(&json, "lane_count", info->lanes);
	ivp_json_number(&json, "ring_size", info->ring_size);
	listeners_json(&json, picture);
	lanes_json(cli, &json, picture);
	ivp_json_end(&json);
}

static void show_end(const char *name, const struct ivp_end_info *end, const char *alive)
{
	printf("         %-8s  %-8s  %-9s  %12" PRIu64 "  %12" PRIu64 "\n", name, ivp_state_name(end->state), alive,
	       end->sent, end->received);
}

static void show_lanes(const struct ivp_cli *cli, const struct picture *picture)
{
	bool any = false;

	for (uint32_t i = 0; i < picture->second.info.lanes; i++) {
		const struct ivp_lane_info *before = &picture->first.lanes[i], *now = &picture->second.lanes[i];

		if (!is_shown(cli, now))
			continue;
		if (!any)
			printf("\nLANE     END       STATE     ALIVE              SENT      RECEIVED\n");
		any = true;
		printf("%-4" PRIu32 "     side %" PRIu32 "'s\n", now->index, now->side);
		show_end("client", &now->client, ivp_look_end(&before->client, &now->client));
		show_end("server", &now->server, ivp_look_end(&before->server, &now->server));
	}
	if (!any)
		printf("\nno lane is busy\n");
}

static void show_listeners(const struct picture *picture)
{
	bool any = false;

	for (uint32_t i = 0; i < picture->second.slots; i++) {
		const struct ivp_listener_info *now = &picture->second.listeners[i];

		if (!now->id)
			continue;
		if (!any)
			printf("\n%-31s  %-4s  %-4s  %s\n", "SERVICE", "SIDE", "SLOT", "ALIVE");
		any = true;
		printf("%-31s  %-4" PRIu32 "  %-4" PRIu32 "  %s\n", now->service, now->side, now->slot,
		       ivp_look_listener(&picture->first.listeners[i], now));
	}
	if (!any)
		printf("\nnobody listens\n");
}

static void show(const struct ivp_cli *cli, const struct picture *picture)
{
	const struct ivp_region_info *info = &picture->second.info;
	char path[sizeof(info->path)], size[IVP_SIZE_TEXT], ring[IVP_SIZE_TEXT];

	ivp_log_clean(path, sizeof(path), info->path, '?');
	printf("region     %s\n", path);
	printf("size       %" PRIu64 " bytes (%s)\n", info->size, ivp_options_size_text(size, info->size));
	printf("cache      %s\n", info->cache);
	printf("layout     version %" PRIu32 ", format id %016" PRIx64 "\n", info->version, info->format_id);
	printf("geometry   %" PRIu32 " sides, %" PRIu32 " lanes with 2 rings of %s\n", info->sides, info->lanes,
	       ivp_options_size_text(ring, info->ring_size));
	show_listeners(picture);
	show_lanes(cli, picture);
}

int ivp_cmd_info(struct ivp_cli *cli)
{
	struct picture picture = {0};
	struct ivp_error err = {0};
	struct ivp_region *region;
	int ret;

	if (cli->argument)
		cli->region = cli->argument;
	if (ivp_cli_open(cli, IVP_OPEN_READ_ONLY, &region, &err))
		return ivp_cli_failed(cli, &err);
	ret = ivp_worker_enclose(cli, &err);
	if (!ret)
		ret = take_both(region, &picture, &err);
	ivp_region_close(region);
	if (!ret && cli->json)
		show_json(cli, &picture);
	else if (!ret)
		show(cli, &picture);
	ivp_look_drop(&picture.first);
	ivp_look_drop(&picture.second);
	return ret ? ivp_cli_failed(cli, &err) : 0;
}
