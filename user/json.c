// SPDX-License-Identifier: MIT
#include <assert.h>
#include <inttypes.h>

#include "json.h"
#include "log.h"

/* Comma, newline, indentation and key: whatever comes before a value. */
static void lead(struct ivp_json *json, const char *key)
{
	if (json->depth) {
		fprintf(json->out, "%s\n%*s", json->filled[json->depth - 1] ? "," : "", 2 * json->depth, "");
		json->filled[json->depth - 1] = true;
	}
	if (key)
		fprintf(json->out, "\"%s\": ", key);
}

static void open_level(struct ivp_json *json, const char *key, char opening, char closing)
{
	assert(json->depth < IVP_JSON_DEPTH);
	lead(json, key);
	fputc(opening, json->out);
	json->filled[json->depth] = false;
	json->closing[json->depth] = closing;
	json->depth++;
}

void ivp_json_object(struct ivp_json *json, const char *key)
{
	open_level(json, key, '{', '}');
}

void ivp_json_list(struct ivp_json *json, const char *key)
{
	open_level(json, key, '[', ']');
}

void ivp_json_end(struct ivp_json *json)
{
	assert(json->depth > 0);
	json->depth--;
	if (json->filled[json->depth])
		fprintf(json->out, "\n%*s", 2 * json->depth, "");
	fputc(json->closing[json->depth], json->out);
	if (!json->depth)
		fputc('\n', json->out);
}

static void put_character(FILE *out, const char *text, size_t len)
{
	unsigned char first = (unsigned char)text[0];

	if (!len)
		fputs("\\ufffd", out);
	else if (first == '"' || first == '\\')
		fprintf(out, "\\%c", first);
	else if (first < 0x20 || first == 0x7f)
		fprintf(out, "\\u%04x", first);
	else
		fwrite(text, 1, len, out);
}

void ivp_json_string(struct ivp_json *json, const char *key, const char *value)
{
	lead(json, key);
	fputc('"', json->out);
	while (*value) {
		size_t len = ivp_log_character(value);

		put_character(json->out, value, len);
		value += len ? len : 1;
	}
	fputc('"', json->out);
}

void ivp_json_number(struct ivp_json *json, const char *key, uint64_t value)
{
	lead(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void ivp_json_real(struct ivp_json *json, const char *key, double value)
{
	lead(json, key);
	fprintf(json->out, "%.6g", value);
}

void ivp_json_bool(struct ivp_json *json, const char *key, bool value)
{
	lead(json, key);
	fputs(value ? "true" : "false", json->out);
}

void ivp_json_hex(struct ivp_json *json, const char *key, uint64_t value)
{
	lead(json, key);
	fprintf(json->out, "\"%016" PRIx64 "\"", value);
}
