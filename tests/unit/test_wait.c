// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

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

static void a_word_that_changed_is_not_slept_on(void **state)
{
	u32 word = 1;

	(void)state;
	/* For ever, if it did. */
	ivp_word_sleep(&word, 0, INT32_MAX);
}

static void a_sleep_ends_by_itself(void **state)
{
	u32 word = 1;

	(void)state;
	ivp_word_sleep(&word, 1, 1);
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

static void a_long_wait_keeps_looking(void **state)
{
	struct ivp_doze doze = {.looks = ~0u - 2, .longest_us = 1};

	(void)state;
	for (int i = 0; i < 8; i++)
		ivp_doze(&doze);
}

/* The word through two mappings, as two processes have it. */
struct sleeper {
	u32 *theirs, *ours;
	atomic_bool woken;
};

static void *sleep_on(void *arg)
{
	struct sleeper *sleeper = arg;

	while (ivp_load32_acquire(sleeper->theirs) == 0)
		ivp_word_sleep(sleeper->theirs, 0, INT32_MAX);
	atomic_store(&sleeper->woken, true);
	return NULL;
}

static void a_wake_through_another_mapping_arrives(void **state)
{
	int fd = memfd_create("word", MFD_CLOEXEC);
	struct sleeper sleeper = {0};
	u32 page[1024] = {0};
	pthread_t thread;

	(void)state;
	assert_int_equal(write(fd, page, sizeof(page)), sizeof(page));
	sleeper.theirs = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	sleeper.ours = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_int_equal(pthread_create(&thread, NULL, sleep_on, &sleeper), 0);
	ivp_store32_release(sleeper.ours, 1);
	/* Returns only if the sleeper wakes, whether it was asleep already or not. */
	ivp_word_wake(sleeper.ours);
	pthread_join(thread, NULL);
	assert_true(atomic_load(&sleeper.woken));
	munmap(sleeper.theirs, 4096);
	munmap(sleeper.ours, 4096);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_negative_wait_is_for_ever), cmocka_unit_test(a_huge_wait_does_not_overflow),
		cmocka_unit_test(a_deadline_lies_ahead),       cmocka_unit_test(a_word_that_changed_is_not_slept_on),
		cmocka_unit_test(a_sleep_ends_by_itself),      cmocka_unit_test(spinning_comes_first_and_ends),
		cmocka_unit_test(a_long_wait_keeps_looking),   cmocka_unit_test(a_wake_through_another_mapping_arrives),
	};

	return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
