// SPDX-License-Identifier: MIT
#include "unit.h"
#include "wait.h"

static void a_negative_wait_is_for_ever(void **state)
{
	(void)state;
	assert_int_equal(ivp_deadline(-1), INT64_MAX);
	assert_int_equal(ivp_deadline(INT64_MIN), INT64_MAX);
}

static void a_huge_wait_does_not_overflow(void **state)
{
	(void)state;
	assert_int_equal(ivp_deadline(INT64_MAX), INT64_MAX);
	assert_true(ivp_deadline(INT64_MAX - 1) > 0);
}

static void a_deadline_lies_ahead(void **state)
{
	int64_t before = ivp_now(), deadline = ivp_deadline(1000);

	(void)state;
	assert_in_range(deadline, before + 1000, ivp_now() + 1000);
}

static void spinning_comes_first_and_ends(void **state)
{
	struct ivp_doze doze = {0};
	int spins = 0;

	(void)state;
	while (ivp_doze_spin(&doze))
		spins++;
	assert_in_range(spins, 1, 10000);
	assert_false(ivp_doze_spin(&doze));
	ivp_doze(&doze);
	assert_false(ivp_doze_spin(&doze));
}

static u32 spins(struct ivp_doze doze)
{
	u32 count = 0;

	while (ivp_doze_spin(&doze))
		count++;
	return count;
}

static void extra_looks_come_before_the_others(void **state)
{
	(void)state;
	assert_int_equal(spins((struct ivp_doze){.extra = 7}), spins((struct ivp_doze){0}) + 7);
	/* Who has slept goes on where he was, and those are all that are left. */
	assert_int_equal(spins((struct ivp_doze){.looks = ~0u, .extra = 7}), 7);
}

static void a_rest_comes_once_and_is_no_look(void **state)
{
	struct ivp_doze doze = {.rest = 100};

	(void)state;
	assert_true(ivp_doze_spin(&doze));
	assert_int_equal(doze.rest, 0);
	assert_int_equal(spins((struct ivp_doze){.rest = 100}), spins((struct ivp_doze){0}));
}

static void a_rest_is_short_and_measured_once(void **state)
{
	u32 pauses = ivp_rest();

	(void)state;
	assert_in_range(pauses, 0, 1024);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ivp_rest(), pauses);
}

static void a_long_wait_keeps_looking(void **state)
{
	struct ivp_doze doze = {.looks = ~0u - 2, .longest_us = 1};

	(void)state;
	for (int i = 0; i < 8; i++)
		ivp_doze(&doze);
}

static void naps_get_longer_up_to_a_bound(void **state)
{
	struct ivp_doze doze = {0}, worn = {.looks = ~0u};
	u32 last = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		u32 nap = ivp_doze_nap(&doze);

		assert_in_range(nap, last ? last : 1, 256);
		assert_true(nap > last || nap == 256);
		last = nap;
	}
	assert_int_equal(last, 256);
	assert_int_equal(ivp_doze_nap(&worn), 256);
	assert_false(ivp_doze_spin(&doze));
}

static void the_weary_spin_less(void **state)
{
	struct ivp_doze doze = {0}, weary = ivp_doze_weary();
	int full = 0, few = 0;

	(void)state;
	while (ivp_doze_spin(&doze))
		full++;
	while (ivp_doze_spin(&weary))
		few++;
	assert_in_range(few, 1, full / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_negative_wait_is_for_ever),
		cmocka_unit_test(a_huge_wait_does_not_overflow),
		cmocka_unit_test(extra_looks_come_before_the_others),
		cmocka_unit_test(a_deadline_lies_ahead),
		cmocka_unit_test(spinning_comes_first_and_ends),
		cmocka_unit_test(a_rest_comes_once_and_is_no_look),
		cmocka_unit_test(a_rest_is_short_and_measured_once),
		cmocka_unit_test(a_long_wait_keeps_looking),
		cmocka_unit_test(naps_get_longer_up_to_a_bound),
		cmocka_unit_test(the_weary_spin_less),
	};

	return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
