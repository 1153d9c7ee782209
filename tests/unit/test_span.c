// SPDX-License-Identifier: MIT
#include "span.h"
#include "unit.h"

#define TOP (~0ULL)

static void sums_that_overflow_do_not_fit(void **state)
{
	(void)state;
	assert_false(ivp_span_fits(TOP - 7, 8, 4096));
	assert_false(ivp_span_fits(TOP - 7, 16, 4096));
	assert_false(ivp_span_fits(8, TOP, 4096));
	assert_false(ivp_span_fits(8, TOP - 7, 4096));
	assert_false(ivp_span_fits(1ULL << 63, 1ULL << 63, 4096));
	assert_false(ivp_span_fits(TOP, TOP, TOP));
}

static void one_byte_too_many_does_not_fit(void **state)
{
	(void)state;
	assert_false(ivp_span_fits(4096, 1, 4096));
	assert_false(ivp_span_fits(4097, 0, 4096));
	assert_false(ivp_span_fits(0, 4097, 4096));
	assert_false(ivp_span_fits(1, 4096, 4096));
	assert_false(ivp_span_fits(0, 1, 0));
}

static void what_ends_at_the_end_fits(void **state)
{
	(void)state;
	assert_true(ivp_span_fits(0, 4096, 4096));
	assert_true(ivp_span_fits(4095, 1, 4096));
	assert_true(ivp_span_fits(4096, 0, 4096));
	assert_true(ivp_span_fits(0, 0, 0));
	assert_true(ivp_span_fits(0, TOP, TOP));
	assert_true(ivp_span_fits(TOP, 0, TOP));
}

static void a_window_is_closed_at_both_ends(void **state)
{
	(void)state;
	assert_false(ivp_span_within(8191, 16, 8192, 4096));
	assert_false(ivp_span_within(8192 + 4096 - 15, 16, 8192, 4096));
	assert_false(ivp_span_within(0, 16, 8192, 4096));
	assert_false(ivp_span_within(TOP - 7, 16, 8192, 4096));
	assert_false(ivp_span_within(8192, 4097, 8192, 4096));
	assert_true(ivp_span_within(8192, 4096, 8192, 4096));
	assert_true(ivp_span_within(8192 + 4096 - 16, 16, 8192, 4096));
}

/* Against sums that are wide enough to be right. */
static void any_numbers_agree_with_wide_sums(void **state)
{
	u64 seed = 1;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		u64 offset = unit_nasty(&seed), len = unit_nasty(&seed), size = unit_nasty(&seed);

		assert_int_equal(ivp_span_fits(offset, len, size), (unsigned __int128)offset + len <= size);
	}
}

static void powers_of_two_are_told_from_the_rest(void **state)
{
	(void)state;
	assert_false(ivp_power_of_two(0));
	assert_false(ivp_power_of_two(TOP));
	for (int bit = 0; bit < 64; bit++) {
		assert_true(ivp_power_of_two(1ULL << bit));
		assert_int_equal(ivp_power_of_two(1ULL << bit | 1), bit == 0);
	}
}

static void rounding_up_reaches_the_next_multiple(void **state)
{
	(void)state;
	assert_int_equal(ivp_round_up(0, 8), 0);
	assert_int_equal(ivp_round_up(1, 8), 8);
	assert_int_equal(ivp_round_up(8, 8), 8);
	assert_int_equal(ivp_round_up(9, 8), 16);
	assert_int_equal(ivp_round_up(65537, 65536), 131072);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_that_overflow_do_not_fit),
		cmocka_unit_test(one_byte_too_many_does_not_fit),
		cmocka_unit_test(what_ends_at_the_end_fits),
		cmocka_unit_test(a_window_is_closed_at_both_ends),
		cmocka_unit_test(any_numbers_agree_with_wide_sums),
		cmocka_unit_test(powers_of_two_are_told_from_the_rest),
		cmocka_unit_test(rounding_up_reaches_the_next_multiple),
	};

	return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
