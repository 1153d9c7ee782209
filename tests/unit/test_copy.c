// SPDX-License-Identifier: MIT
#include "copy.h"
#include "unit.h"

#define FAR 700 /* beyond every loop's step, several times */

static const struct ivp_copier *all;
static size_t count;

static u8 filler(size_t i)
{
	return (u8)(i * 7 + 1);
}

/* Bytes in front and behind are others'. */
static void moves_exactly(const struct ivp_copier *copier, size_t at, size_t source_at, size_t len)
{
	u8 to[FAR + 64], from[FAR + 64];

	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = filler(i);
	memset(to, 0xee, sizeof(to));
	copier->copy(to + at, from + source_at, len);
	for (size_t i = 0; i < sizeof(to); i++)
		if (to[i] != (i >= at && i < at + len ? filler(i - at + source_at) : 0xee))
			fail_msg("%s: byte %zu of %zu from %zu to %zu", copier->name, i, len, source_at, at);
}

static void every_way_moves_every_length(void **state)
{
	(void)state;
	for (size_t way = 0; way < count; way++) {
		if (all[way].there && !all[way].there())
			continue;
		for (size_t len = 0; len <= FAR; len++) {
			moves_exactly(&all[way], 0, 0, len);
			moves_exactly(&all[way], 1, 9, len);
		}
		for (size_t at = 0; at < 64; at++)
			moves_exactly(&all[way], at, 63 - at, 200 + at);
	}
}

static void the_first_is_there_everywhere(void **state)
{
	(void)state;
	assert_true(count >= 2);
	assert_string_equal(all[0].name, "memcpy");
	assert_null(all[0].there);
	assert_false(all[0].combined);
}

/* ---- choosing ---- */

static unsigned int asked;

static void slow(void *to, const void *from, size_t len)
{
	for (int i = 0; i < 10; i++) {
		memcpy(to, from, len);
		__asm__ __volatile__("" ::: "memory");
	}
}

static void quick(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
}

static void counted(void *to, const void *from, size_t len)
{
	asked++;
	memcpy(to, from, len);
}

static bool never(void)
{
	return false;
}

static const char *chosen(const struct ivp_copier *copiers, size_t number, bool combined)
{
	static u8 to[16384], from[16384];

	return ivp_copy_choose(copiers, number, combined, to, from, sizeof(to))->name;
}

/* Whoever loses the processor in the midst of a try has no time left for the others: then it is the next time. */
static void become(const struct ivp_copier *copiers, const char *name, bool combined)
{
	for (int i = 0; i < 1000; i++)
		if (!strcmp(chosen(copiers, 2, combined), name))
			return;
	fail_msg("%s is never taken", name);
}

static void a_way_that_is_much_faster_is_taken(void **state)
{
	const struct ivp_copier copiers[] = {{.name = "slow", .copy = slow}, {.name = "quick", .copy = quick}};

	(void)state;
	become(copiers, "quick", false);
}

static void the_first_stays_unless_beaten(void **state)
{
	const struct ivp_copier copiers[] = {{.name = "quick", .copy = quick}, {.name = "slow", .copy = slow}};

	(void)state;
	assert_string_equal(chosen(copiers, 2, false), "quick");
	assert_string_equal(chosen(copiers, 1, false), "quick");
}

static void what_is_not_there_is_not_tried(void **state)
{
	const struct ivp_copier copiers[] = {{.name = "slow", .copy = slow},
					     {.name = "counted", .copy = counted, .there = never}};

	(void)state;
	asked = 0;
	assert_string_equal(chosen(copiers, 2, false), "slow");
	assert_int_equal(asked, 0);
}

static void streaming_is_for_memory_that_is_combined(void **state)
{
	const struct ivp_copier copiers[] = {{.name = "slow", .copy = slow},
					     {.name = "counted", .copy = counted, .combined = true}};

	(void)state;
	asked = 0;
	assert_string_equal(chosen(copiers, 2, false), "slow");
	assert_int_equal(asked, 0);
	become(copiers, "counted", true);
	assert_true(asked > 0);
}

/* What is saved by it cannot be seen by one process: it need only be about as fast as the first. */
static void a_way_that_takes_whole_lines_over_is_taken_at_the_same_speed(void **state)
{
	const struct ivp_copier same[] = {{.name = "first", .copy = quick},
					  {.name = "whole", .copy = quick, .whole = true}};
	const struct ivp_copier worse[] = {{.name = "first", .copy = quick},
					   {.name = "whole", .copy = slow, .whole = true}};

	(void)state;
	become(same, "whole", false);
	assert_string_equal(chosen(worse, 2, false), "first");
}

/* Another one that was much faster stays. */
static void a_way_that_takes_whole_lines_over_does_not_replace_a_faster_one(void **state)
{
	const struct ivp_copier copiers[] = {{.name = "slow", .copy = slow},
					     {.name = "quick", .copy = quick},
					     {.name = "whole", .copy = slow, .whole = true}};

	(void)state;
	for (int i = 0; i < 1000; i++)
		if (!strcmp(chosen(copiers, 3, false), "quick"))
			return;
	fail_msg("quick is never taken");
}

static void few_bytes_are_left_to_the_library(void **state)
{
	const struct ivp_copier copier = {.name = "counted", .copy = counted, .few = 100};
	u8 to[100], from[100] = {1, 2, 3};

	(void)state;
	asked = 0;
	ivp_copy_by(&copier, to, from, 99);
	assert_int_equal(asked, 0);
	assert_memory_equal(to, from, 99);
	ivp_copy_by(&copier, to, from, 100);
	assert_int_equal(asked, 1);
	assert_memory_equal(to, from, 100);
}

/* Memory so slow that one way takes all the time there is. */
static void slower(void *to, const void *from, size_t len)
{
	for (int i = 0; i < 5000; i++)
		slow(to, from, len);
}

static void slow_memory_is_not_tried_for_long(void **state)
{
	const struct ivp_copier copiers[] = {{.name = "slower", .copy = slower}, {.name = "counted", .copy = counted}};
	static u8 to[1 << 16], from[1 << 16];

	(void)state;
	asked = 0;
	assert_string_equal(ivp_copy_choose(copiers, 2, false, to, from, sizeof(to))->name, "slower");
	assert_int_equal(asked, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_moves_every_length),
		cmocka_unit_test(the_first_is_there_everywhere),
		cmocka_unit_test(a_way_that_is_much_faster_is_taken),
		cmocka_unit_test(the_first_stays_unless_beaten),
		cmocka_unit_test(what_is_not_there_is_not_tried),
		cmocka_unit_test(streaming_is_for_memory_that_is_combined),
		cmocka_unit_test(a_way_that_takes_whole_lines_over_is_taken_at_the_same_speed),
		cmocka_unit_test(a_way_that_takes_whole_lines_over_does_not_replace_a_faster_one),
		cmocka_unit_test(few_bytes_are_left_to_the_library),
		cmocka_unit_test(slow_memory_is_not_tried_for_long),
	};

	all = ivp_copiers(&count);
	return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
