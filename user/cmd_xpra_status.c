// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "area.h"
#include "json.h"
#include "meeting.h"

static const char *state_of(const struct ivp_xpra_status *status)
{
	if (!status->sane)
		return "nonsense";
	if (status->used)
		return status->room ? "in use" : "full";
	return status->start || status->end ? "empty" : "unused";
}

static void show_json(const char *path, const struct ivp_xpra_status *status)
{
	const char *problem = ivp_meeting_size_problem(status->size);
	struct ivp_json json = {.out = stdout};

	ivp_json_object(&json, NULL);
	ivp_json_string(&json, "path", path);
	ivp_json_number(&json, "size", status->size);
	ivp_json_string(&json, "state", state_of(status));
	ivp_json_number(&json, "start", status->start);
	ivp_json_number(&json, "end", status->end);
	if (status->sane) {
		ivp_json_number(&json, "used", status->used);
		ivp_json_number(&json, "room", status->room);
	}
	if (problem)
		ivp_json_string(&json, "problem", problem);
	ivp_json_end(&json);
}

static void show(const char *path, const struct ivp_xpra_status *status)
{
	const char *problem = ivp_meeting_size_problem(status->size);
	char clean[256], size[IVP_SIZE_TEXT];

	ivp_log_clean(clean, sizeof(clean), path, '?');
	printf("region     %s\n", clean);
	printf("size       %" PRIu64 " bytes (%s)%s%s\n", status->size, ivp_options_size_text(size, status->size),
	       problem ? ": " : "", problem ? problem : "");
	printf("reader     at %" PRIu32 "\n", status->start);
	printf("writer     at %" PRIu32 "\n", status->end);
	printf("ring       %s", state_of(status));
	if (!status->sane)
		printf(": ivpipe xpra prepare -r %s", clean);
	else if (status->used)
		printf(": %" PRIu64 " bytes to be read, room for %" PRIu64, status->used, status->room);
	putchar('\n');
}

static int look(struct ivp_cli *cli, unsigned int flags, struct ivp_xpra_area **area, struct ivp_xpra_status *status)
{
	struct ivp_error err = {0};
	int ret;

	if (cli->argument)
		cli->region = cli->argument;
	ret = ivp_meeting_open(cli, cli->region, flags, area, &err);
	if (ret)
		return ivp_cli_failed(cli, &err);
	ret = ivp_xpra_look(*area, status, &err);
	if (!ret)
		return 0;
	ivp_xpra_close(*area);
	err.kind = IVP_FAIL_NO_REGION;
	return ivp_cli_failed(cli, &err);
}

int ivp_cmd_xpra_status(struct ivp_cli *cli)
{
	struct ivp_xpra_status status;
	struct ivp_xpra_area *area;
	int code = look(cli, IVP_XPRA_READ_ONLY, &area, &status);

	if (code)
		return code;
	if (cli->json)
		show_json(area->region->address.path, &status);
	else
		show(area->region->address.path, &status);
	ivp_xpra_close(area);
	return 0;
}

int ivp_cmd_xpra_prepare(struct ivp_cli *cli)
{
	struct ivp_error err = {0};
	struct ivp_xpra_status status;
	struct ivp_xpra_area *area;
	int code = look(cli, 0, &area, &status);

	if (code)
		return code;
	if (ivp_xpra_prepare(area, &err)) {
		err.kind = IVP_FAIL_NO_REGION;
		code = ivp_cli_failed(cli, &err);
	} else {
		ivp_log_notice("xpra prepare: %s: reader %" PRIu32 ", writer %" PRIu32 ": both are zero now",
			       area->region->address.path, status.start, status.end);
	}
	ivp_xpra_close(area);
	return code;
}
