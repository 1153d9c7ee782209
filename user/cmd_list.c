// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "columns.h"
#include "screen.h"
#include "wait.h"

/* What is shown, and how. A column that is named twice is there twice. */
struct view {
	const struct ivp_cli *cli;
	const struct ivp_column *columns[IVP_TABLE_COLUMNS];
	size_t count;
	bool chosen; /* by the user */
	struct ivp_table_style style;
};

static int no_such_column(const struct ivp_cli *cli, const char *name, size_t len)
{
	char names[256] = "";

	for (size_t i = 0; i < ivp_column_count; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? "," : "",
			 ivp_columns[i].name);
	ivp_log_error("%s: --output %.*s: no such column: choose of %s", cli->verb_name, (int)len, name, names);
	return IVP_FAIL_USAGE;
}

static int choose(struct view *view, const char *list)
{
	for (;; list++) {
		size_t len = strcspn(list, ",");
		const struct ivp_column *column = ivp_columns_find(list, len);

		if (!column)
			return no_such_column(view->cli, list, len);
		if (view->count == IVP_TABLE_COLUMNS) {
			ivp_log_error("%s: --output: more than %d columns", view->cli->verb_name, IVP_TABLE_COLUMNS);
			return IVP_FAIL_USAGE;
		}
		view->columns[view->count++] = column;
		list += len;
		if (!*list)
			return 0;
	}
}

static int begin(struct view *view, const struct ivp_cli *cli)
{
	*view = (struct view){.cli = cli, .chosen = cli->output};
	view->style = (struct ivp_table_style){.no_headings = cli->no_headings, .raw = cli->raw};
	if (cli->raw && cli->json) {
		ivp_log_error("%s: --json and --raw: one of them", cli->verb_name);
		return IVP_FAIL_USAGE;
	}
	if (cli->output)
		return choose(view, cli->output);
	for (size_t i = 0; i < ivp_column_count; i++)
		view->columns[view->count++] = &ivp_columns[i];
	return 0;
}

static bool is_filled(const struct ivp_survey *survey, const struct ivp_column *column)
{
	char text[IVP_COLUMN_TEXT] = "";

	for (size_t i = 0; i < survey->count && !text[0]; i++)
		column->text(&(struct ivp_place){survey, i}, false, text);
	return text[0];
}

static bool is_shown(const struct view *view, const struct ivp_survey *survey, const struct ivp_column *column)
{
	return view->chosen || column->shown == IVP_COLUMN_ALWAYS ||
	       (column->shown == IVP_COLUMN_FILLED && is_filled(survey, column));
}

static void put_cell(struct ivp_table *table, const struct ivp_column *column, const struct ivp_place *place, bool raw)
{
	char text[IVP_COLUMN_TEXT] = "";

	column->text(place, raw, text);
	ivp_table_cell(table, text);
}

static int show_regions(const struct view *view, const struct ivp_survey *survey, FILE *out)
{
	struct ivp_table table = {0};
	bool shown[IVP_TABLE_COLUMNS];
	int ret;

	for (size_t i = 0; i < view->count; i++) {
		shown[i] = is_shown(view, survey, view->columns[i]);
		if (shown[i])
			ivp_table_column(&table, view->columns[i]->name, view->columns[i]->flags);
	}
	for (size_t place = 0; place < survey->count; place++)
		for (size_t i = 0; i < view->count; i++)
			if (shown[i])
				put_cell(&table, view->columns[i], &(struct ivp_place){survey, place}, view->style.raw);
	ret = ivp_table_print(&table, &view->style, out);
	ivp_table_free(&table);
	return ret;
}

static void rate_cell(struct ivp_table *table, bool raw, bool known, uint64_t rate)
{
	char text[64] = "?", human[IVP_SIZE_TEXT];

	if (known && raw)
		snprintf(text, sizeof(text), "%" PRIu64, rate);
	else if (known)
		snprintf(text, sizeof(text), "%s/s", ivp_options_size_text(human, rate));
	ivp_table_cell(table, text);
}

/* One lane at two moments. */
struct pair {
	const struct ivp_lane_info *before, *now;
	int64_t ms;
};

/* False: the lane is not in use. */
static bool take_pair(const struct ivp_survey *survey, size_t place, uint32_t lane, struct pair *pair)
{
	const struct ivp_look *first = &survey->first[place], *second = &survey->second[place];

	*pair = (struct pair){&first->lanes[lane], &second->lanes[lane], second->when - first->when};
	return ivp_look_in_use(&pair->now->client) || ivp_look_in_use(&pair->now->server);
}

static void end_cell(struct ivp_table *table, const struct ivp_end_info *before, const struct ivp_end_info *now)
{
	char text[64];

	snprintf(text, sizeof(text), "%s/%s", ivp_state_name(now->state), ivp_look_end(before, now));
	ivp_table_cell(table, text);
}

static void put_lane(struct ivp_table *table, const struct pair *pair, const char *path, bool raw)
{
	char number[16];
	uint64_t rate;
	bool known;

	snprintf(number, sizeof(number), "%" PRIu32, pair->now->index);
	ivp_table_cell(table, path);
	ivp_table_cell(table, number);
	end_cell(table, &pair->before->client, &pair->now->client);
	end_cell(table, &pair->before->server, &pair->now->server);
	known = ivp_look_rate(&pair->before->client, &pair->now->client, pair->ms, &rate);
	rate_cell(table, raw, known, rate);
	known = ivp_look_rate(&pair->before->server, &pair->now->server, pair->ms, &rate);
	rate_cell(table, raw, known, rate);
}

static int show_lanes(const struct view *view, const struct ivp_survey *survey, FILE *out)
{
	struct ivp_table table = {0};
	struct pair pair;
	int ret;

	ivp_table_column(&table, "PATH", 0);
	ivp_table_column(&table, "LANE", IVP_TABLE_RIGHT);
	ivp_table_column(&table, "CLIENT", 0);
	ivp_table_column(&table, "SERVER", 0);
	ivp_table_column(&table, "TO-SERVER", IVP_TABLE_RIGHT);
	ivp_table_column(&table, "TO-CLIENT", IVP_TABLE_RIGHT);
	for (size_t place = 0; place < survey->count; place++)
		for (uint32_t i = 0; i < survey->second[place].info.lanes; i++)
			if (take_pair(survey, place, i, &pair))
				put_lane(&table, &pair, survey->found[place].path, view->style.raw);
	ret = ivp_table_print(&table, &view->style, out);
	ivp_table_free(&table);
	return ret;
}

static void rate_json(struct ivp_json *json, const char *key, const struct ivp_end_info *before,
		      const struct ivp_end_info *now, int64_t ms)
{
	uint64_t rate;

	if (ivp_look_rate(before, now, ms, &rate))
		ivp_json_number(json, key, rate);
}

static void streams_json(struct ivp_json *json, const struct ivp_survey *survey, size_t place)
{
	struct pair pair;

	ivp_json_list(json, "streams");
	for (uint32_t i = 0; i < survey->second[place].info.lanes; i++) {
		if (!take_pair(survey, place, i, &pair))
			continue;
		ivp_json_object(json, NULL);
		ivp_json_number(json, "lane", i);
		ivp_json_string(json, "client", ivp_state_name(pair.now->client.state));
		ivp_json_string(json, "client_alive", ivp_look_end(&pair.before->client, &pair.now->client));
		ivp_json_string(json, "server", ivp_state_name(pair.now->server.state));
		ivp_json_string(json, "server_alive", ivp_look_end(&pair.before->server, &pair.now->server));
		rate_json(json, "to_server", &pair.before->client, &pair.now->client, pair.ms);
		rate_json(json, "to_client", &pair.before->server, &pair.now->server, pair.ms);
		ivp_json_end(json);
	}
	ivp_json_end(json);
}

/* Members that columns share are said once. */
static bool is_said(const struct view *view, size_t column)
{
	for (size_t i = 0; i < column; i++)
		if (view->columns[i]->json == view->columns[column]->json)
			return true;
	return false;
}

static void show_json(const struct view *view, const struct ivp_survey *survey, FILE *out)
{
	struct ivp_json json = {.out = out};

	ivp_json_object(&json, NULL);
	ivp_json_list(&json, "regions");
	for (size_t place = 0; place < survey->count; place++) {
		ivp_json_object(&json, NULL);
		for (size_t i = 0; i < view->count; i++)
			if (!is_said(view, i))
				view->columns[i]->json(&(struct ivp_place){survey, place}, &json);
		if (view->cli->watch_ms)
			streams_json(&json, survey, place);
		ivp_json_end(&json);
	}
	ivp_json_end(&json);
	ivp_json_end(&json);
}

static int show(const struct view *view, const struct ivp_survey *survey, FILE *out)
{
	int ret = 0;

	if (view->cli->json) {
		show_json(view, survey, out);
		return 0;
	}
	if (!view->cli->watch_ms)
		return show_regions(view, survey, out);
	ret = show_regions(view, survey, out);
	fputs(survey->count ? "\n" : "no ivshmem device, and no region in /dev/shm\n\n", out);
	return ret ? ret : show_lanes(view, survey, out);
}

static int fail(const struct ivp_cli *cli, int number)
{
	ivp_log_error("%s: %s", cli->verb_name, strerror(-number));
	return IVP_FAIL_GENERAL;
}

/* Something to stream through: what a virtual machine somewhere else calls its file is no region of ours. */
static bool has_any(const struct ivp_survey *survey)
{
	for (size_t i = 0; i < survey->count; i++)
		if (survey->found[i].slot[0] || !access(survey->found[i].path, F_OK))
			return true;
	return false;
}

static int list_once(const struct view *view)
{
	struct ivp_survey survey;
	struct ivp_error err = {0};
	int code = ivp_survey_make(&survey, "", NULL, false, &ivp_cli_signal, &err) ? ivp_cli_failed(view->cli, &err)
										    : show(view, &survey, stdout);

	if (code == -ENOMEM)
		code = fail(view->cli, code);
	if (!code && !has_any(&survey)) {
		ivp_log_notice("list: no ivshmem device, and no region in /dev/shm: to make one: "
			       "ivpipe format --create --size 64M /dev/shm/NAME");
		code = IVP_FAIL_NO_REGION;
	}
	ivp_survey_free(&survey);
	return code;
}

/* As one text, so that a terminal gets all of it at once. */
static int draw(struct view *view, const struct ivp_survey *survey, struct ivp_screen *screen)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int ret = out ? 0 : -errno;

	view->style.width = ivp_screen_width();
	if (out)
		ret = show(view, survey, out);
	if (out && fclose(out) && !ret)
		ret = -errno;
	if (!ret)
		ret = ivp_screen_show(screen, text);
	free(text);
	return ret;
}

/* 0: the user has seen enough. */
static int watch_on(struct view *view, struct ivp_survey *earlier, struct ivp_screen *screen, struct ivp_error *err)
{
	enum ivp_screen_event event = IVP_SCREEN_TIME;
	struct ivp_survey now;
	int ret = ivp_survey_make(earlier, "", NULL, true, &ivp_cli_signal, err);

	while (!ret && event == IVP_SCREEN_TIME) {
		int64_t deadline = ivp_deadline(view->cli->watch_ms);

		ret = draw(view, earlier, screen);
		event = ret ? event : ivp_screen_wait(screen, deadline);
		if (event == IVP_SCREEN_GONE)
			return -EPIPE;
		if (ret || event == IVP_SCREEN_QUIT)
			return ret;
		ret = ivp_survey_make(&now, "", earlier, false, &ivp_cli_signal, err);
		ivp_survey_free(earlier);
		*earlier = now;
	}
	return ret;
}

static int watch(struct view *view)
{
	struct ivp_survey survey = {0};
	struct ivp_error err = {0};
	struct ivp_screen screen;
	int ret;

	ivp_screen_begin(&screen);
	ret = watch_on(view, &survey, &screen, &err);
	ivp_screen_end(&screen);
	ivp_survey_free(&survey);
	if (ret == -EPIPE)
		ivp_cli_broken_pipe();
	if (ret)
		return err.text[0] ? ivp_cli_failed(view->cli, &err) : fail(view->cli, ret);
	return ivp_cli_signal ? IVP_FAIL_GENERAL : 0;
}

int ivp_cmd_list(struct ivp_cli *cli)
{
	struct view view;
	int code = begin(&view, cli);

	if (code)
		return code;
	if (cli->watch_ms)
		return watch(&view);
	view.style.width = ivp_screen_width();
	return list_once(&view);
}
