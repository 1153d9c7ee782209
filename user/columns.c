// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli.h"
#include "columns.h"

static const struct ivp_found *found_of(const struct ivp_place *place)
{
	return &place->survey->found[place->number];
}

static const struct ivp_look *look_of(const struct ivp_place *place)
{
	return &place->survey->second[place->number];
}

/* One more word of a list. */
static void add(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(char *text, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	if (used && used + 1 < IVP_COLUMN_TEXT)
		text[used++] = ',';
	va_start(args, format);
	vsnprintf(text + used, IVP_COLUMN_TEXT - used, format, args);
	va_end(args);
}

static void put(char *text, const char *word)
{
	snprintf(text, IVP_COLUMN_TEXT, "%s", word);
}

static void path_text(const struct ivp_place *place, bool raw, char *text)
{
	(void)raw;
	put(text, found_of(place)->path);
}

static void path_json(const struct ivp_place *place, struct ivp_json *json)
{
	ivp_json_string(json, "path", found_of(place)->path);
}

static const char *kind(const struct ivp_place *place)
{
	enum ivp_backing backing = found_of(place)->backing;

	return backing == IVP_BACKING_FILE ? "file" : backing == IVP_BACKING_NODE ? "device" : "sysfs";
}

static void kind_text(const struct ivp_place *place, bool raw, char *text)
{
	(void)raw;
	put(text, kind(place));
}

static void kind_json(const struct ivp_place *place, struct ivp_json *json)
{
	ivp_json_string(json, "kind", kind(place));
}

static void size_text(const struct ivp_place *place, bool raw, char *text)
{
	char human[IVP_SIZE_TEXT];

	if (raw)
		snprintf(text, IVP_COLUMN_TEXT, "%" PRIu64, found_of(place)->size);
	else
		put(text, ivp_options_size_text(human, found_of(place)->size));
}

static void size_json(const struct ivp_place *place, struct ivp_json *json)
{
	ivp_json_number(json, "size", found_of(place)->size);
}

static void slot_text(const struct ivp_place *place, bool raw, char *text)
{
	(void)raw;
	put(text, found_of(place)->slot);
}

static void slot_json(const struct ivp_place *place, struct ivp_json *json)
{
	ivp_json_string(json, "slot", found_of(place)->slot);
}

static void driver_text(const struct ivp_place *place, bool raw, char *text)
{
	(void)raw;
	put(text, found_of(place)->driver);
}

static void driver_json(const struct ivp_place *place, struct ivp_json *json)
{
	ivp_json_string(json, "driver", found_of(place)->driver);
}

static void cache_text(const struct ivp_place *place, bool raw, char *text)
{
	(void)raw;
	put(text, found_of(place)->cache);
}

static void cache_json(const struct ivp_place *place, struct ivp_json *json)
{
	ivp_json_string(json, "cache", found_of(place)->cache);
}

static void reason_text(const struct ivp_place *place, bool raw, char *text)
{
	(void)raw;
	put(text, found_of(place)->cache_reason);
}

static void reason_json(const struct ivp_place *place, struct ivp_json *json)
{
	ivp_json_string(json, "cache_reason", found_of(place)->cache_reason);
}

static void state_text(const struct ivp_place *place, bool raw, char *text)
{
	const struct ivp_found *found = found_of(place);

	(void)raw;
	if (!found->path[0])
		put(text, "not ours");
	else if (!found->readable)
		put(text, access(found->path, F_OK) ? "not there" : "no access");
	else
		put(text, found->formatted ? "formatted" : "not formatted");
}

static void state_json(const struct ivp_place *place, struct ivp_json *json)
{
	ivp_json_bool(json, "readable", found_of(place)->readable);
	ivp_json_bool(json, "formatted", found_of(place)->formatted);
}

static void auto_text(const struct ivp_place *place, bool raw, char *text)
{
	(void)raw;
	put(text, found_of(place)->automatic ? "yes" : "no");
}

static void auto_json(const struct ivp_place *place, struct ivp_json *json)
{
	ivp_json_bool(json, "automatic", found_of(place)->automatic);
}

static uint32_t busy(const struct ivp_look *look)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < look->info.lanes; i++)
		count += ivp_look_in_use(&look->lanes[i].client) || ivp_look_in_use(&look->lanes[i].server);
	return count;
}

static void lanes_text(const struct ivp_place *place, bool raw, char *text)
{
	const struct ivp_look *look = look_of(place);

	(void)raw;
	if (look->lanes)
		snprintf(text, IVP_COLUMN_TEXT, "%" PRIu32 "/%" PRIu32, busy(look), look->info.lanes);
}

static void lanes_json(const struct ivp_place *place, struct ivp_json *json)
{
	const struct ivp_look *look = look_of(place);

	if (!look->lanes)
		return;
	ivp_json_number(json, "lanes", look->info.lanes);
	ivp_json_number(json, "busy", busy(look));
}

static uint32_t listeners(const struct ivp_look *look)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < look->slots; i++)
		count += look->listeners[i].id != 0;
	return count;
}

static void listeners_text(const struct ivp_place *place, bool raw, char *text)
{
	(void)raw;
	if (look_of(place)->lanes)
		snprintf(text, IVP_COLUMN_TEXT, "%" PRIu32, listeners(look_of(place)));
}

static void listeners_json(const struct ivp_place *place, struct ivp_json *json)
{
	if (look_of(place)->lanes)
		ivp_json_number(json, "listeners", listeners(look_of(place)));
}

/* Ends of lanes, and listeners, by where they live. */
static const char *const lives[] = {"here", "elsewhere", "dead"};
#define LIVES (sizeof(lives) / sizeof(lives[0]))

static void count_one(uint64_t counts[LIVES], const char *life)
{
	for (size_t i = 0; i < LIVES; i++)
		counts[i] += !strcmp(lives[i], life);
}

/* One that was given up between the two looks is nowhere, although its beat moved. */
static void count_end(uint64_t counts[LIVES], const struct ivp_end_info *before, const struct ivp_end_info *now)
{
	if (ivp_look_in_use(now))
		count_one(counts, ivp_look_end(before, now));
}

static void count_lives(const struct ivp_place *place, uint64_t counts[LIVES])
{
	const struct ivp_look *first = &place->survey->first[place->number], *second = look_of(place);

	memset(counts, 0, LIVES * sizeof(*counts));
	for (uint32_t i = 0; i < second->info.lanes; i++) {
		count_end(counts, &first->lanes[i].client, &second->lanes[i].client);
		count_end(counts, &first->lanes[i].server, &second->lanes[i].server);
	}
	for (uint32_t i = 0; i < second->slots; i++)
		if (second->listeners[i].id)
			count_one(counts, ivp_look_listener(&first->listeners[i], &second->listeners[i]));
}

static void alive_text(const struct ivp_place *place, bool raw, char *text)
{
	uint64_t counts[LIVES];

	(void)raw;
	count_lives(place, counts);
	for (size_t i = 0; i < LIVES; i++)
		if (counts[i])
			add(text, "%s", lives[i]);
}

static void alive_json(const struct ivp_place *place, struct ivp_json *json)
{
	uint64_t counts[LIVES];

	if (!look_of(place)->lanes)
		return;
	count_lives(place, counts);
	ivp_json_object(json, "alive");
	for (size_t i = 0; i < LIVES; i++)
		ivp_json_number(json, lives[i], counts[i]);
	ivp_json_end(json);
}

/* Those that are no machine's, which stand elsewhere. */
static void users_text(const struct ivp_place *place, bool raw, char *text)
{
	const struct ivp_holders *holders = &place->survey->holders;

	(void)raw;
	for (size_t i = 0; i < holders->count; i++)
		if (holders->list[i].file == place->number &&
		    !ivp_survey_is_machine(place->survey, place->number, holders->list[i].pid))
			add(text, "%s(%d)", holders->list[i].name, holders->list[i].pid);
	if (!holders->all && found_of(place)->path[0])
		add(text, "?");
}

static void users_json(const struct ivp_place *place, struct ivp_json *json)
{
	const struct ivp_holders *holders = &place->survey->holders;

	ivp_json_list(json, "users");
	for (size_t i = 0; i < holders->count; i++) {
		if (holders->list[i].file != place->number)
			continue;
		ivp_json_object(json, NULL);
		ivp_json_number(json, "pid", (uint64_t)holders->list[i].pid);
		ivp_json_string(json, "name", holders->list[i].name);
		ivp_json_end(json);
	}
	ivp_json_end(json);
	ivp_json_bool(json, "users_complete", holders->all);
}

static void vm_text(const struct ivp_place *place, bool raw, char *text)
{
	const struct ivp_survey *survey = place->survey;

	(void)raw;
	for (size_t i = 0; i < survey->qemu_count; i++)
		if (survey->places[i] == place->number)
			add(text, "%s(%d)", survey->qemus[i].name, survey->qemus[i].pid);
}

static void share_text(const struct ivp_place *place, bool raw, char *text)
{
	const struct ivp_survey *survey = place->survey;

	(void)raw;
	for (size_t i = 0; i < survey->qemu_count; i++)
		if (survey->places[i] == place->number)
			add(text, "%s", survey->qemus[i].share ? "on" : "off");
}

static void mapped_text(const struct ivp_place *place, bool raw, char *text)
{
	const struct ivp_survey *survey = place->survey;

	(void)raw;
	for (size_t i = 0; i < survey->qemu_count; i++)
		if (survey->places[i] == place->number)
			add(text, "%s", ivp_survey_mapped(survey, i));
}

static void machines_json(const struct ivp_place *place, struct ivp_json *json)
{
	const struct ivp_survey *survey = place->survey;

	ivp_json_list(json, "machines");
	for (size_t i = 0; i < survey->qemu_count; i++) {
		if (survey->places[i] != place->number)
			continue;
		ivp_json_object(json, NULL);
		ivp_json_number(json, "pid", (uint64_t)survey->qemus[i].pid);
		ivp_json_string(json, "name", survey->qemus[i].name);
		ivp_json_number(json, "size", survey->qemus[i].size);
		ivp_json_bool(json, "share", survey->qemus[i].share);
		ivp_json_string(json, "mapped", ivp_survey_mapped(survey, i));
		ivp_json_end(json);
	}
	ivp_json_end(json);
}

static void mode_text(const struct ivp_place *place, bool raw, char *text)
{
	(void)raw;
	snprintf(text, IVP_COLUMN_TEXT, "%04o", found_of(place)->mode);
}

static void mode_json(const struct ivp_place *place, struct ivp_json *json)
{
	char text[IVP_COLUMN_TEXT];

	mode_text(place, false, text);
	ivp_json_string(json, "mode", text);
}

static void owner_text(const struct ivp_place *place, bool raw, char *text)
{
	char user[32], group[32];

	(void)raw;
	snprintf(text, IVP_COLUMN_TEXT, "%s:%s",
		 ivp_tree_name(place->survey->root, "passwd", found_of(place)->uid, user),
		 ivp_tree_name(place->survey->root, "group", found_of(place)->gid, group));
}

static void owner_json(const struct ivp_place *place, struct ivp_json *json)
{
	ivp_json_number(json, "uid", found_of(place)->uid);
	ivp_json_number(json, "gid", found_of(place)->gid);
}

const struct ivp_column ivp_columns[] = {
	{"PATH", 0, IVP_COLUMN_ALWAYS, path_text, path_json},
	{"KIND", 0, IVP_COLUMN_ALWAYS, kind_text, kind_json},
	{"SIZE", IVP_TABLE_RIGHT, IVP_COLUMN_ALWAYS, size_text, size_json},
	{"SLOT", 0, IVP_COLUMN_FILLED, slot_text, slot_json},
	{"DRIVER", 0, IVP_COLUMN_FILLED, driver_text, driver_json},
	{"CACHE", 0, IVP_COLUMN_ALWAYS, cache_text, cache_json},
	{"REASON", 0, IVP_COLUMN_ASKED, reason_text, reason_json},
	{"STATE", 0, IVP_COLUMN_ALWAYS, state_text, state_json},
	{"AUTO", 0, IVP_COLUMN_ALWAYS, auto_text, auto_json},
	{"LANES", IVP_TABLE_RIGHT, IVP_COLUMN_ALWAYS, lanes_text, lanes_json},
	{"LISTENERS", IVP_TABLE_RIGHT, IVP_COLUMN_ALWAYS, listeners_text, listeners_json},
	{"ALIVE", 0, IVP_COLUMN_ALWAYS, alive_text, alive_json},
	{"VM", 0, IVP_COLUMN_FILLED, vm_text, machines_json},
	{"SHARE", 0, IVP_COLUMN_FILLED, share_text, machines_json},
	{"MAPPED", 0, IVP_COLUMN_ASKED, mapped_text, machines_json},
	{"USERS", IVP_TABLE_CUT, IVP_COLUMN_ALWAYS, users_text, users_json},
	{"MODE", 0, IVP_COLUMN_ASKED, mode_text, mode_json},
	{"OWNER", 0, IVP_COLUMN_ASKED, owner_text, owner_json},
};
const size_t ivp_column_count = sizeof(ivp_columns) / sizeof(ivp_columns[0]);
_Static_assert(sizeof(ivp_columns) / sizeof(ivp_columns[0]) <= IVP_TABLE_COLUMNS, "a table has room for all");

const struct ivp_column *ivp_columns_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ivp_column_count; i++)
		if (strlen(ivp_columns[i].name) == len && !strncasecmp(ivp_columns[i].name, name, len))
			return &ivp_columns[i];
	return NULL;
}
