// SPDX-License-Identifier: MIT
/* Sizes and times, as people write them. */
#include "../../user/options_quantity.c"
#include "check.h"

static bool size_is(const char *text, uint64_t expected)
{
	uint64_t bytes;

	return !ivp_options_size(text, &bytes) && bytes == expected;
}

static bool time_is(const char *text, int64_t expected)
{
	int64_t ms;

	return !ivp_options_duration(text, &ms) && ms == expected;
}

static bool no_size(const char *text)
{
	uint64_t bytes;

	return ivp_options_size(text, &bytes) < 0;
}

static bool no_time(const char *text)
{
	int64_t ms;

	return ivp_options_duration(text, &ms) < 0;
}

static bool shown(uint64_t bytes, const char *expected)
{
	char text[IVP_SIZE_TEXT];

	return !strcmp(ivp_options_size_text(text, bytes), expected);
}

int main(void)
{
	check(size_is("0", 0) && size_is("1", 1) && size_is("4096", 4096) && size_is("7B", 7), "bytes");
	check(size_is("1K", 1024) && size_is("64M", 64 << 20) && size_is("2G", 2ULL << 30) && size_is("1T", 1ULL << 40),
	      "powers of two");
	check(size_is("1KiB", 1024) && size_is("64MiB", 64 << 20), "written out");
	check(size_is("1KB", 1000) && size_is("64MB", 64000000) && size_is("1kB", 1000), "powers of ten");
	check(size_is("9223372036854775807", INT64_MAX) && no_size("9223372036854775808"), "the largest");
	check(no_size("8388608T") && no_size("99999999999999999999"), "overflows");
	check(no_size("") && no_size("M") && no_size("-1") && no_size("+1") && no_size(" 1") && no_size("1.5G") &&
		      no_size("64MiBs") && no_size("64Mi") && no_size("1Q") && no_size("0x10"),
	      "no sizes");
	check(time_is("0", 0) && time_is("3", 3000) && time_is("3s", 3000) && time_is("500ms", 500) &&
		      time_is("2m", 120000) && time_is("1h", 3600000) && time_is("1.5s", 1500) &&
		      time_is("forever", -1),
	      "times");
	check(no_time("") && no_time("s") && no_time("-1") && no_time("1x") && no_time("1.2.3") && no_time(".") &&
		      no_time("1e3") && no_time("nan") && no_time("inf") && no_time("0x1") && no_time("1 s") &&
		      no_time("9999999999999999h"),
	      "no times");
	check(shown(0, "0 bytes") && shown(1023, "1023 bytes") && shown(1024, "1 KiB") && shown(64 << 20, "64 MiB") &&
		      shown(3ULL << 29, "1.5 GiB") && shown(UINT64_MAX, "16 EiB"),
	      "sizes for people");
	return check_done();
}
