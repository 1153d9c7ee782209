// SPDX-License-Identifier: MIT
/* options_quantity: sizes and times, as people write and read them. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* The digits, and where they end. A fraction is for durations alone. */
static int number(const char *text, const char **end, double *value)
{
	size_t digits = strspn(text, "0123456789.");
	char *stop;

	if (!digits || text[0] == '.')
		return -EINVAL;
	*value = strtod(text, &stop);
	*end = text + digits;
	return stop == *end ? 0 : -EINVAL;
}

int ivp_options_duration(const char *text, int64_t *ms)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = {{"", 1e3}, {"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}};
	const char *unit;
	double value;

	if (!strcmp(text, "forever")) {
		*ms = -1;
		return 0;
	}
	if (number(text, &unit, &value))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(unit, units[i].name))
			continue;
		if (value * units[i].ms > 1e15)
			return -ERANGE;
		*ms = (int64_t)(value * units[i].ms + 0.5);
		return 0;
	}
	return -EINVAL;
}

static int unit_factor(const char *unit, uint64_t *factor)
{
	static const char letters[] = "KMGT";
	const char *letter = unit[0] ? strchr(letters, toupper((unsigned char)unit[0])) : NULL;
	uint64_t base = 1024;

	*factor = 1;
	if (!strcmp(unit, "") || !strcmp(unit, "B"))
		return 0;
	if (!letter)
		return -EINVAL;
	if (!strcmp(unit + 1, "B"))
		base = 1000;
	else if (unit[1] && strcmp(unit + 1, "iB"))
		return -EINVAL;
	for (int power = (int)(letter - letters); power >= 0; power--)
		*factor *= base;
	return 0;
}

int ivp_options_size(const char *text, uint64_t *bytes)
{
	uint64_t value, factor;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	if (unit_factor(end, &factor))
		return -EINVAL;
	if (__builtin_mul_overflow(value, factor, bytes) || *bytes > INT64_MAX)
		return -ERANGE;
	return 0;
}

const char *ivp_options_size_text(char text[IVP_SIZE_TEXT], uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	int unit = 0;

	for (; value >= 1024 && unit < 6; unit++)
		value /= 1024;
	snprintf(text, IVP_SIZE_TEXT, value < 100 && value != (double)(int)value ? "%.1f %s" : "%.0f %s", value,
		 units[unit]);
	return text;
}
