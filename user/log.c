// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define LINE_MAX_BYTES 1024

static enum ivp_log_level level = IVP_LOG_NORMAL;

void ivp_log_level(enum ivp_log_level wanted)
{
	level = wanted;
}

/* The smallest code point that may take so many bytes: a longer form of a smaller one is a disguise. */
static bool is_shortest(uint32_t point, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	return point >= least[len] && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
}

size_t ivp_log_character(const char *text)
{
	const unsigned char *byte = (const unsigned char *)text;
	size_t len = byte[0] < 0x80   ? 1
		     : byte[0] < 0xc2 ? 0
		     : byte[0] < 0xe0 ? 2
		     : byte[0] < 0xf0 ? 3
		     : byte[0] < 0xf5 ? 4
				      : 0;
	uint32_t point;

	if (len < 2)
		return len;
	point = byte[0] & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (byte[i] & 0x3f);
	}
	return is_shortest(point, len) ? len : 0;
}

/* C0, DEL and C1, which terminals obey. */
static bool is_control(const char *text, size_t len)
{
	unsigned char first = (unsigned char)text[0], second = (unsigned char)text[len > 1];

	return len == 1 ? first < 0x20 || first == 0x7f : first == 0xc2 && second < 0xa0;
}

void ivp_log_clean(char *to, size_t size, const char *text, char instead)
{
	size_t used = 0;

	while (*text) {
		size_t len = ivp_log_character(text);
		bool good = len && !is_control(text, len);
		size_t takes = good ? len : 1;

		if (used + takes >= size)
			break;
		if (good)
			memcpy(to + used, text, len);
		else
			to[used] = instead;
		used += takes;
		text += len ? len : 1;
	}
	to[used] = '\0';
}

/* One write(2), so that lines of several processes stay whole. A standard error that takes none is nobody's to tell. */
static void say(const char *format, va_list args)
{
	char raw[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 16] = "ivpipe: ";
	size_t len = strlen(line);

	vsnprintf(raw, sizeof(raw), format, args);
	ivp_log_clean(line + len, sizeof(line) - len - 1, raw, '?');
	len = strlen(line);
	line[len++] = '\n';
	while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR)
		;
}

void ivp_log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

void ivp_log_notice(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (level >= IVP_LOG_NORMAL)
		say(format, args);
	va_end(args);
}

void ivp_log_detail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (level >= IVP_LOG_VERBOSE)
		say(format, args);
	va_end(args);
}
