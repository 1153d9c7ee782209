// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "pair.h"

static struct ivp_control *here, *there;
static struct ivp_ends ends, other_ends;
static struct ivp_error err;

static void open_both(void)
{
	assert_int_equal(ivp_control_new(&here, &ends, &err), 0);
	assert_int_equal(ivp_control_new(&there, &other_ends, &err), 0);
}

static int setup(void **state)
{
	int pair[2];

	(void)state;
	memset(&err, 0, sizeof(err));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ends = (struct ivp_ends){.in = pair[0], .out = pair[0], .socket = true};
	other_ends = (struct ivp_ends){.in = pair[1], .out = pair[1], .socket = true};
	open_both();
	return 0;
}

/* What exec: of a shell pipeline may be given: two pipes that block. */
static int setup_pipes(void **state)
{
	int to[2], from[2];

	(void)state;
	memset(&err, 0, sizeof(err));
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	ends = (struct ivp_ends){.in = from[0], .out = to[1], .borrowed = true};
	other_ends = (struct ivp_ends){.in = to[0], .out = from[1], .borrowed = true};
	open_both();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ivp_control_close(here);
	ivp_control_close(there);
	here = there = NULL;
	return 0;
}

static int teardown_pipes(void **state)
{
	teardown(state);
	close(ends.in);
	close(ends.out);
	close(other_ends.in);
	close(other_ends.out);
	return 0;
}

static struct ivp_message some_message(u32 type)
{
	struct ivp_message message;

	for (size_t i = 0; i < sizeof(message); i++)
		((u8 *)&message)[i] = (u8)(i * 7);
	message.type = type;
	return message;
}

static void put(const void *bytes, size_t len)
{
	assert_int_equal(write(ends.out, bytes, len), len);
}

/* ---- messages ---- */

static void a_message_arrives(void **state)
{
	struct ivp_message message = some_message(3);
	struct ivp_control_inbox inbox = {0};

	(void)state;
	assert_int_equal(ivp_control_take(there, &inbox), -EAGAIN);
	assert_int_equal(ivp_control_send(here, &message, 0), 0);
	assert_int_equal(ivp_control_take(there, &inbox), 0);
	assert_memory_equal(&inbox.message, &message, sizeof(message));
	assert_false(inbox.greeted);
}

static void two_messages_are_two(void **state)
{
	struct ivp_message one = some_message(1), other = some_message(2);
	struct ivp_control_inbox inbox = {0};

	(void)state;
	assert_int_equal(ivp_control_send(here, &one, 0), 0);
	assert_int_equal(ivp_control_send(here, &other, 0), 0);
	assert_int_equal(ivp_control_take(there, &inbox), 0);
	assert_memory_equal(&inbox.message, &one, sizeof(one));
	memset(&inbox, 0, sizeof(inbox));
	assert_int_equal(ivp_control_take(there, &inbox), 0);
	assert_memory_equal(&inbox.message, &other, sizeof(other));
}

static void kicks_before_a_message_are_passed_over(void **state)
{
	struct ivp_message message = some_message(4);
	struct ivp_control_inbox inbox = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		ivp_control_kick(here);
	assert_int_equal(ivp_control_take(there, &inbox), -EAGAIN);
	assert_true(inbox.greeted);
	ivp_control_kick(here);
	assert_int_equal(ivp_control_send(here, &message, 0), 0);
	assert_int_equal(ivp_control_take(there, &inbox), 0);
	assert_memory_equal(&inbox.message, &message, sizeof(message));
}

static void a_message_may_come_in_crumbs(void **state)
{
	struct ivp_message message = some_message(1);
	struct ivp_control_inbox inbox = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(message) - 1; i++) {
		put((u8 *)&message + i, 1);
		assert_int_equal(ivp_control_take(there, &inbox), -EAGAIN);
	}
	put((u8 *)&message + sizeof(message) - 1, 1);
	assert_int_equal(ivp_control_take(there, &inbox), 0);
	assert_memory_equal(&inbox.message, &message, sizeof(message));
}

static void an_end_in_the_middle_is_an_end(void **state)
{
	struct ivp_message message = some_message(1);
	struct ivp_control_inbox inbox = {0};

	(void)state;
	put(&message, 100);
	assert_int_equal(ivp_control_take(there, &inbox), -EAGAIN);
	ivp_control_close(here);
	here = NULL;
	assert_int_equal(ivp_control_take(there, &inbox), -EPIPE);
	assert_true(ivp_control_ended(there));
}

/* And no signal. */
static void sending_to_nobody_is_an_error(void **state)
{
	struct ivp_message message = some_message(1);

	(void)state;
	if (ends.socket) {
		ivp_control_close(there);
		there = NULL;
	} else {
		close(other_ends.in);
		other_ends.in = dup(other_ends.out);
	}
	assert_int_equal(ivp_control_send(here, &message, INT64_MAX), -EPIPE);
	ivp_control_kick(here);
}

static void who_takes_nothing_is_given_up_at_the_deadline(void **state)
{
	struct ivp_message message = some_message(1);
	int ret;

	(void)state;
	do
		ret = ivp_control_send(here, &message, 0);
	while (!ret);
	assert_int_equal(ret, -ETIMEDOUT);
	/* One kick more or less does not matter, but must not block. */
	ivp_control_kick(here);
}

/* ---- kicks ---- */

struct sleeper {
	pthread_t thread;
	volatile bool up;
};

static void *sleep_once(void *arg)
{
	struct sleeper *sleeper = arg;

	ivp_control_sleep(there, INT32_MAX);
	__atomic_store_n(&sleeper->up, true, __ATOMIC_RELEASE);
	return NULL;
}

static void a_kick_ends_a_sleep(void **state)
{
	struct sleeper sleeper = {0};

	(void)state;
	assert_int_equal(pthread_create(&sleeper.thread, NULL, sleep_once, &sleeper), 0);
	ivp_control_kick(here);
	pthread_join(sleeper.thread, NULL);
	/* And is used up. */
	ivp_control_sleep(there, 1);
	assert_false(ivp_control_ended(there));
}

static void a_kick_ends_the_sleep_of_all(void **state)
{
	struct sleeper sleepers[3] = {0};

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&sleepers[i].thread, NULL, sleep_once, &sleepers[i]), 0);
	/* Who is not asleep yet when it comes needs another one. */
	for (int i = 0; i < 3; i++) {
		while (!__atomic_load_n(&sleepers[i].up, __ATOMIC_ACQUIRE)) {
			struct ivp_doze doze = {.looks = ~0u / 2};

			ivp_control_kick(here);
			ivp_doze(&doze);
		}
		pthread_join(sleepers[i].thread, NULL);
	}
}

/* The one that watched goes, and another takes its place: a lost watch would be a sleep for ever. */
static void who_leaves_is_relieved(void **state)
{
	struct sleeper sleeper = {0};

	(void)state;
	assert_int_equal(pthread_create(&sleeper.thread, NULL, sleep_once, &sleeper), 0);
	for (int i = 0; i < 10; i++)
		ivp_control_sleep(there, 1);
	while (!__atomic_load_n(&sleeper.up, __ATOMIC_ACQUIRE)) {
		struct ivp_doze doze = {.looks = ~0u / 2};

		ivp_control_kick(here);
		ivp_doze(&doze);
	}
	pthread_join(sleeper.thread, NULL);
}

static void an_end_ends_a_sleep(void **state)
{
	struct sleeper sleeper = {0};

	(void)state;
	assert_int_equal(pthread_create(&sleeper.thread, NULL, sleep_once, &sleeper), 0);
	ivp_control_close(here);
	here = NULL;
	pthread_join(sleeper.thread, NULL);
	assert_true(ivp_control_ended(there));
}

static void a_sleep_ends_by_itself(void **state)
{
	(void)state;
	ivp_control_sleep(there, 1);
	ivp_control_sleep(there, 0);
	ivp_control_sleep(there, -1);
	assert_false(ivp_control_ended(there));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define PIPES(test)                                                                                                    \
	{                                                                                                              \
#test "_over_pipes", test, setup_pipes, teardown_pipes, NULL                                           \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_arrives),
		PIPES(a_message_arrives),
		TEST(two_messages_are_two),
		PIPES(two_messages_are_two),
		TEST(kicks_before_a_message_are_passed_over),
		PIPES(kicks_before_a_message_are_passed_over),
		TEST(a_message_may_come_in_crumbs),
		TEST(an_end_in_the_middle_is_an_end),
		TEST(sending_to_nobody_is_an_error),
		PIPES(sending_to_nobody_is_an_error),
		TEST(who_takes_nothing_is_given_up_at_the_deadline),
		PIPES(who_takes_nothing_is_given_up_at_the_deadline),
		TEST(a_kick_ends_a_sleep),
		PIPES(a_kick_ends_a_sleep),
		TEST(a_kick_ends_the_sleep_of_all),
		TEST(who_leaves_is_relieved),
		TEST(an_end_ends_a_sleep),
		TEST(a_sleep_ends_by_itself),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
