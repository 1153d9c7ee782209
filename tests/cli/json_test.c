// SPDX-License-Identifier: MIT
/* What a JSON document may not contain, and what a terminal should not. */
#include <stdlib.h>
#include <string.h>

#include "../../user/json.c"
#include "check.h"

/* The document {"s": value}, as it is written. */
static bool writes(const char *value, const char *expected)
{
	char *text = NULL, wanted[256];
	size_t size;
	struct ivp_json json = {.out = open_memstream(&text, &size)};
	bool same;

	ivp_json_object(&json, NULL);
	ivp_json_string(&json, "s", value);
	ivp_json_end(&json);
	fclose(json.out);
	snprintf(wanted, sizeof(wanted), "{\n  \"s\": \"%s\"\n}\n", expected);
	same = !strcmp(text, wanted);
	if (!same)
		printf("# %s# instead of %s", text, wanted);
	free(text);
	return same;
}

static bool cleans(const char *text, size_t size, const char *expected)
{
	char to[64];

	memset(to, 'x', sizeof(to));
	ivp_log_clean(to, size, text, '?');
	return !strcmp(to, expected) && to[size] == 'x';
}

static void structure(void)
{
	char *text = NULL;
	size_t size;
	struct ivp_json json = {.out = open_memstream(&text, &size)};

	ivp_json_object(&json, NULL);
	ivp_json_list(&json, "empty");
	ivp_json_end(&json);
	ivp_json_number(&json, "n", UINT64_MAX);
	ivp_json_real(&json, "r", 0.25);
	ivp_json_real(&json, "e", 55e9);
	ivp_json_list(&json, "l");
	ivp_json_bool(&json, NULL, true);
	ivp_json_hex(&json, NULL, 0xabc);
	ivp_json_end(&json);
	ivp_json_end(&json);
	fclose(json.out);
	check(!strcmp(text, "{\n  \"empty\": [],\n  \"n\": 18446744073709551615,\n  \"r\": 0.25,\n  \"e\": 5.5e+10,\n  "
			    "\"l\": [\n    true,\n"
			    "    \"0000000000000abc\"\n  ]\n}\n"),
	      "objects, lists, numbers");
	free(text);
}

int main(void)
{
	structure();
	check(writes("plain /dev/shm", "plain /dev/shm"), "plain text");
	check(writes("a\"b\\c", "a\\\"b\\\\c"), "quote and backslash");
	check(writes("\x01\n\t\x1f\x7f", "\\u0001\\u000a\\u0009\\u001f\\u007f"), "control characters");
	check(writes("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "UTF-8");
	check(writes("\xff\xfe", "\\ufffd\\ufffd"), "bytes of no character");
	check(writes("\xc3", "\\ufffd"), "a character that ends too soon");
	check(writes("\xe2\x82", "\\ufffd\\ufffd"), "a longer one that does");
	check(writes("\xc0\xaf", "\\ufffd\\ufffd"), "a slash in too many bytes");
	check(writes("\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"), "a surrogate");
	check(writes("\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"), "beyond the last character");
	check(writes("\xf5\x80\x80\x80\xfc\x8b\x88\x88", "\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd"),
	      "first bytes that no character has");
	check(cleans("a\x1b[31m\nb", 32, "a?[31m?b"), "a line has no controls");
	check(cleans("\xc2\x9b"
		     "1m",
		     32, "?1m"),
	      "nor the eight-bit ones");
	check(cleans("\xc3\xa4\xff", 32, "\xc3\xa4?"), "but characters");
	check(cleans("abcdef", 4, "abc"), "it is cut to fit");
	check(cleans("ab\xc3\xa4", 4, "ab"), "between characters");
	check(cleans("", 1, ""), "down to nothing");
	return check_done();
}
