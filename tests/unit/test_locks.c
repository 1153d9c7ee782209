// SPDX-License-Identifier: MIT
#include <unistd.h>

#include "locks.h"
#include "pair.h"

#define BYTE 42

struct two {
	struct place place;
	int one, other;
};

static int setup(void **state)
{
	struct two *two = calloc(1, sizeof(*two));

	place_make(&two->place, 4096);
	two->one = ivp_locks_open(two->place.file, true);
	two->other = ivp_locks_open(two->place.file, true);
	assert_true(two->one >= 0 && two->other >= 0);
	*state = two;
	return 0;
}

static int teardown(void **state)
{
	struct two *two = *state;

	close(two->one);
	close(two->other);
	place_remove(&two->place);
	free(two);
	return 0;
}

static void a_missing_file_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(ivp_locks_open("/dev/shm/ivpipe-unit-none", true), -ENOENT);
}

static void two_open_files_exclude_each_other(void **state)
{
	struct two *two = *state;

	assert_int_equal(ivp_locks_take_write(two->one, BYTE), 0);
	assert_int_equal(ivp_locks_take_write(two->other, BYTE), -EAGAIN);
	assert_int_equal(ivp_locks_take_read(two->other, BYTE), -EAGAIN);
	assert_int_equal(ivp_locks_take_write(two->other, BYTE + 1), 0);
}

static void readers_keep_a_writer_out(void **state)
{
	struct two *two = *state;

	assert_int_equal(ivp_locks_take_read(two->one, BYTE), 0);
	assert_int_equal(ivp_locks_take_read(two->other, BYTE), 0);
	assert_int_equal(ivp_locks_take_write(two->other, BYTE), -EAGAIN);
}

static void a_writer_becomes_a_reader(void **state)
{
	struct two *two = *state;

	assert_int_equal(ivp_locks_take_write(two->one, BYTE), 0);
	assert_int_equal(ivp_locks_take_read(two->one, BYTE), 0);
	assert_int_equal(ivp_locks_take_read(two->other, BYTE), 0);
}

static void only_others_locks_are_seen(void **state)
{
	struct two *two = *state;

	assert_int_equal(ivp_locks_take_write(two->one, BYTE), 0);
	assert_false(ivp_locks_held(two->one, BYTE, 1));
	assert_true(ivp_locks_held(two->other, BYTE, 1));
	assert_true(ivp_locks_held(two->other, 0, 1000));
	assert_false(ivp_locks_held(two->other, BYTE + 1, 1000));
}

static void a_dropped_lock_is_free(void **state)
{
	struct two *two = *state;

	assert_int_equal(ivp_locks_take_write(two->one, BYTE), 0);
	ivp_locks_drop(two->one, BYTE);
	assert_int_equal(ivp_locks_take_write(two->other, BYTE), 0);
}

static void a_closed_file_holds_nothing(void **state)
{
	struct two *two = *state;

	assert_int_equal(ivp_locks_take_write(two->one, BYTE), 0);
	close(two->one);
	assert_int_equal(ivp_locks_take_write(two->other, BYTE), 0);
	two->one = dup(two->other);
}

static void hold(int fd, void *arg)
{
	int lock = ivp_locks_open(arg, true);

	if (ivp_locks_take_write(lock, BYTE))
		_exit(1);
	word_say(fd);
	pause();
}

static void a_killed_process_holds_nothing(void **state)
{
	struct two *two = *state;
	struct child child;

	child_start(&child, hold, two->place.file);
	word_hear(child.fd);
	assert_int_equal(ivp_locks_take_write(two->one, BYTE), -EAGAIN);
	child_kill(&child);
	assert_int_equal(ivp_locks_take_write(two->one, BYTE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_file_is_an_error),
		cmocka_unit_test_setup_teardown(two_open_files_exclude_each_other, setup, teardown),
		cmocka_unit_test_setup_teardown(readers_keep_a_writer_out, setup, teardown),
		cmocka_unit_test_setup_teardown(a_writer_becomes_a_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(only_others_locks_are_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dropped_lock_is_free, setup, teardown),
		cmocka_unit_test_setup_teardown(a_closed_file_holds_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_killed_process_holds_nothing, setup, teardown),
	};

	return cmocka_run_group_tests_name("locks", tests, NULL, NULL);
}
