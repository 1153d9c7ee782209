// SPDX-License-Identifier: MIT
/*
 * What users type (sizes, times, where to write) and what a peer calls its file. What is taken has to mean what it says, and nothing
 * of a peer's may steer a terminal or lead to another directory.
 */
#define _GNU_SOURCE
#include <math.h>

/* For what is static in it. */
#include "output.c"
#include "fuzz.h"

/* ---- sizes and times ---- */

static bool size_unit(const char *unit, u64 *factor)
{
	static const char letters[] = "KkMmGgTt";
	const char *letter = strchr(letters, *unit);
	bool decimal = *unit && !strcmp(unit + 1, "B");

	*factor = 1;
	if (!*unit || !strcmp(unit, "B"))
		return true;
	if (!letter || !(decimal || !unit[1] || !strcmp(unit + 1, "iB")))
		return false;
	for (ptrdiff_t power = (letter - letters) / 2; power >= 0; power--)
		*factor *= decimal ? 1000 : 1024;
	return true;
}

/* In 128 bits, which stop short of their own end. */
static bool size_means(const char *text, unsigned __int128 *bytes)
{
	unsigned __int128 sum = 0;
	u64 factor;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		if (sum < (unsigned __int128)1 << 70)
			sum = sum * 10 + (u32)(*text - '0');
	if (!size_unit(text, &factor))
		return false;
	*bytes = sum * factor;
	return *bytes <= INT64_MAX;
}

static void size(const char *text)
{
	unsigned __int128 expected;
	bool good = size_means(text, &expected);
	char shown[IVP_SIZE_TEXT];
	u64 bytes = 0;
	int ret = ivp_options_size(text, &bytes);

	require(ret == 0 || ret == -EINVAL || ret == -ERANGE);
	require(good == !ret);
	require(!good || bytes == expected);
	ivp_options_size_text(shown, bytes);
	require(memchr(shown, 0, sizeof(shown)) && shown[0] >= '0' && shown[0] <= '9');
}

/* Digits, and one point among or behind them. */
static bool time_means(const char *text, long double *ms)
{
	static const char *const names[] = {"", "ms", "s", "m", "h"};
	static const long double units[] = {1000, 1, 1000, 60000, 3600000};
	long double value = 0, place = 1;
	bool point = false;

	if (*text < '0' || *text > '9')
		return false;
	for (; (*text >= '0' && *text <= '9') || *text == '.'; text++) {
		if (*text == '.' && point)
			return false;
		point = point || *text == '.';
		if (*text == '.')
			continue;
		if (!point)
			value = value * 10 + (*text - '0');
		else
			value += (*text - '0') * (place /= 10);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i])) {
			*ms = value * units[i];
			return true;
		}
	return false;
}

static void duration(const char *text)
{
	long double expected;
	bool good = time_means(text, &expected);
	int64_t ms = -2;
	int ret = ivp_options_duration(text, &ms);

	require(ret == 0 || ret == -EINVAL || ret == -ERANGE);
	if (!strcmp(text, "forever")) {
		require(!ret && ms == -1);
		return;
	}
	require(good == (ret != -EINVAL));
	/* The nearest millisecond, but for what a double cannot tell apart. */
	if (!ret)
		require(ms >= 0 && fabsl((long double)ms - expected) <= 0.5L + expected * 1e-15L + 1e-9L);
	else if (good)
		require(expected > 0.999e15L);
}

/* ---- names ---- */

/* The table of well-formed bytes in the Unicode Standard; 0 for no character. */
static size_t character(const u8 *at)
{
	static const struct {
		u8 first, last, second_least, second_most, len;
	} rows[] = {
		{0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (*at < rows[i].first || *at > rows[i].last)
			continue;
		if (rows[i].len > 1 && (at[1] < rows[i].second_least || at[1] > rows[i].second_most))
			return 0;
		for (size_t n = 2; n < rows[i].len; n++)
			if (at[n] < 0x80 || at[n] > 0xbf)
				return 0;
		return rows[i].len;
	}
	return 0;
}

/* Characters alone, and none that a terminal obeys. */
static bool is_clean(const char *text)
{
	const u8 *at = (const u8 *)text;

	while (*at) {
		size_t len = character(at);

		if (!len || *at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0))
			return false;
		at += len;
	}
	return true;
}

static void clean(const char *text, size_t size)
{
	char *to = malloc(size), *again = malloc(size);

	require(to && again);
	ivp_log_clean(to, size, text, '?');
	require(strlen(to) < size && strlen(to) <= strlen(text) && is_clean(to));
	/* What is good stays as it is, as far as there is room. */
	ivp_log_clean(again, size, to, '!');
	require(!strcmp(to, again));
	require(!is_clean(text) || !strncmp(to, text, strlen(to)));
	require(!is_clean(text) || strlen(text) >= size || !strcmp(to, text));
	for (; *text; text++)
		require(ivp_log_character(text) == character((const u8 *)text));
	free(to);
	free(again);
}

/* Whatever the sender calls it, it lies where the user said. */
static void name(const char *sender)
{
	char own[NAME_MAX + 1], path[PATH_MAX];

	own_name(own, sizeof(own), sender);
	require(strlen(own) < sizeof(own) && is_clean(own) && own[0] != '.' && !strchr(own, '/'));
	require(!expand(path, "/directory/%n", own, NULL));
	require(!strncmp(path, "/directory/", 11) && !strcmp(path + 11, own));
}

/* %n is the name, %% a percent sign, and any other an error. A long name: where there is no room is found out soon. */
static void pattern(const char *spec)
{
	static char name[NAME_MAX + 1], path[PATH_MAX];
	char *expected = malloc(strlen(spec) * sizeof(name) + 1), *to = expected;
	bool good = true, takes = false;

	require(expected);
	memset(name, 'n', NAME_MAX);
	for (const char *at = spec; good && *at; at++) {
		if (*at != '%' || *++at == '%') {
			*to++ = *at;
			continue;
		}
		good = *at == 'n';
		takes = true;
		to = stpcpy(to, name);
	}
	*to = '\0';
	good = good && strlen(expected) < PATH_MAX;
	require(!expand(path, spec, name, NULL) == good);
	require(!good || (!strcmp(path, expected) && takes_name(spec) == takes));
	free(expected);
}

static void look(struct input *input)
{
	u32 which = input_below(input, 5);
	size_t room = which == 2 ? 1 + input_below(input, 64) : 1;
	char *text = input_text(input);

	switch (which) {
	case 0:
		size(text);
		break;
	case 1:
		duration(text);
		break;
	case 2:
		clean(text, room);
		break;
	case 3:
		name(text);
		break;
	default:
		pattern(text);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct input input = {bytes, len};

	do
		look(&input);
	while (input.left);
	return 0;
}
