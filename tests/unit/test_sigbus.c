// SPDX-License-Identifier: MIT
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pair.h"
#include "sigbus.h"

static struct pair pair;
static struct ivp_error err;

/* cmocka puts a handler of its own into the place of the library's before each part of a test: this undoes it. */
static void guard(void)
{
	static struct sigaction ours;

	if (ours.sa_flags)
		assert_int_equal(sigaction(SIGBUS, &ours, NULL), 0);
	else
		assert_int_equal(sigaction(SIGBUS, NULL, &ours), 0);
}

static struct ivp_region *open_guarded(int side)
{
	struct ivp_open_options options = {.flags = IVP_OPEN_SIGBUS, .side = side};
	struct ivp_region *region;

	if (ivp_region_open(&region, pair.place.file, &options, &err))
		fail_msg("%s", err.text);
	return region;
}

static int setup(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct knock knock;

	(void)state;
	memset(&pair, 0, sizeof(pair));
	place_make(&pair.place, PLACE_SIZE);
	pair.here = open_guarded(0);
	pair.there = open_guarded(1);
	guard();
	assert_int_equal(ivp_listen(&pair.listener, pair.here, &options, &err), 0);
	knock_begin(&knock, pair.there, &options);
	assert_int_equal(ivp_accept(&pair.server, pair.listener, &err), 0);
	assert_int_equal(knock_end(&knock), 0);
	pair.client = knock.lane;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guard();
	pair_close(&pair);
	return 0;
}

static void is_lost(ptrdiff_t ret)
{
	assert_int_equal(ret, -ESTALE);
	assert_int_equal(err.kind, IVP_FAIL_PEER_GONE);
	assert_int_equal(err.number, -ESTALE);
}

static void shrink_to(off_t size)
{
	guard();
	assert_int_equal(truncate(pair.place.file, size), 0);
}

static void shrink(void)
{
	shrink_to(0);
}

static void a_wait_in_a_file_that_shrank_fails(void **state)
{
	(void)state;
	shrink();
	is_lost(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err));
	is_lost(ivp_lane_wait(pair.client, IVP_WAIT_RESULT, -1, &err));
	assert_non_null(strstr(err.text, "truncated"));
}

static void a_write_into_a_file_that_shrank_fails(void **state)
{
	(void)state;
	shrink();
	is_lost(ivp_lane_write(pair.client, "x", 1, &err));
	is_lost(ivp_lane_end(pair.client, &err));
}

static void a_commit_into_a_file_that_shrank_fails(void **state)
{
	size_t len = 100;
	void *span;

	(void)state;
	assert_int_equal(ivp_lane_reserve(pair.client, &span, &len, &err), 0);
	shrink();
	memset(span, 1, len);
	is_lost(ivp_lane_commit(pair.client, len, &err));
}

/* Zeroes that came in the place of the data are no data. */
static void a_read_from_a_file_that_shrank_fails(void **state)
{
	char bytes[16];

	(void)state;
	assert_int_equal(ivp_lane_write(pair.client, "precious", 8, &err), 8);
	assert_int_equal(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err), 0);
	shrink();
	is_lost(ivp_lane_read(pair.server, bytes, sizeof(bytes), &err));
}

static void a_consume_from_a_file_that_shrank_fails(void **state)
{
	const volatile char *bytes;
	const void *span;
	size_t len;

	(void)state;
	assert_int_equal(ivp_lane_write(pair.client, "precious", 8, &err), 8);
	assert_int_equal(ivp_lane_peek(pair.server, &span, &len, &err), 0);
	shrink();
	bytes = span;
	assert_int_equal(bytes[0], 0);
	is_lost(ivp_lane_consume(pair.server, len, &err));
}

static void an_end_in_a_file_that_shrank_is_no_end(void **state)
{
	char bytes[16];

	(void)state;
	assert_int_equal(ivp_lane_write(pair.client, "x", 1, &err), 1);
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	assert_int_equal(ivp_lane_read(pair.server, bytes, sizeof(bytes), &err), 1);
	assert_int_equal(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err), 0);
	shrink();
	is_lost(ivp_lane_read(pair.server, bytes, sizeof(bytes), &err));
}

static void accept_and_connect_in_a_file_that_shrank_fail(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_lane *lane;

	(void)state;
	shrink();
	is_lost(ivp_accept(&lane, pair.listener, &err));
	is_lost(ivp_connect(&lane, pair.there, &options, &err));
}

/* Only the control part is left: what is behind it faults. */
static void a_file_that_lost_its_rings_fails(void **state)
{
	(void)state;
	shrink_to(IVP_SUPERBLOCK_BYTES);
	is_lost(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err));
}

static void another_region_is_not_touched(void **state)
{
	struct pair other;

	(void)state;
	pair_connect(&other, false);
	shrink();
	is_lost(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err));
	assert_int_equal(ivp_lane_write(other.client, "x", 1, &err), 1);
	assert_int_equal(ivp_lane_wait(other.server, IVP_WAIT_DATA, -1, &err), 0);
	pair_close(&other);
}

/* ---- faults that are not ours: in a process of their own, since the handler stays ---- */

static void fault(void)
{
	int fd = memfd_create("fault", MFD_CLOEXEC);
	volatile char *at;

	if (ftruncate(fd, 4096))
		_exit(1);
	at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ftruncate(fd, 0))
		_exit(1);
	at[0] = 1;
}

static void theirs(int number)
{
	_exit(number == SIGBUS ? 42 : 1);
}

static void with_an_earlier_handler(int fd, void *arg)
{
	struct sigaction action = {.sa_handler = theirs};

	(void)fd;
	(void)arg;
	sigaction(SIGBUS, &action, NULL);
	if (ivp_sigbus_install())
		_exit(1);
	fault();
}

static void theirs_info(int number, siginfo_t *info, void *context)
{
	_exit(number == SIGBUS && info->si_addr && context ? 43 : 1);
}

static void with_an_earlier_info_handler(int fd, void *arg)
{
	struct sigaction action = {.sa_sigaction = theirs_info, .sa_flags = SA_SIGINFO};

	(void)fd;
	(void)arg;
	sigaction(SIGBUS, &action, NULL);
	if (ivp_sigbus_install())
		_exit(1);
	fault();
}

static void without_an_earlier_handler(int fd, void *arg)
{
	(void)fd;
	(void)arg;
	signal(SIGBUS, SIG_DFL);
	if (ivp_sigbus_install())
		_exit(1);
	fault();
}

static void anothers_fault_goes_to_the_earlier_handler(void **state)
{
	struct child child;
	int status;

	(void)state;
	child_start(&child, with_an_earlier_handler, NULL);
	status = child_wait(&child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	child_start(&child, with_an_earlier_info_handler, NULL);
	status = child_wait(&child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 43);
}

static void anothers_fault_without_a_handler_kills(void **state)
{
	struct child child;
	int status;

	(void)state;
	child_start(&child, without_an_earlier_handler, NULL);
	status = child_wait(&child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

static void a_table_that_is_full_says_so(void **state)
{
	static char dummy[2048];
	volatile sig_atomic_t lost;
	int taken = 0;

	(void)state;
	while (taken < 2048 && !ivp_sigbus_watch(&dummy[taken], 1, &lost))
		taken++;
	assert_in_range(taken, 1, 1024);
	assert_int_equal(ivp_sigbus_watch(&dummy[2047], 1, &lost), -ENOSPC);
	for (int i = 0; i < taken; i++)
		ivp_sigbus_forget(&dummy[i]);
	assert_int_equal(ivp_sigbus_watch(dummy, 1, &lost), 0);
	ivp_sigbus_forget(dummy);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* These first: once a region was opened with the handler, it is there. */
		cmocka_unit_test(anothers_fault_goes_to_the_earlier_handler),
		cmocka_unit_test(anothers_fault_without_a_handler_kills),
		TEST(a_wait_in_a_file_that_shrank_fails),
		TEST(a_write_into_a_file_that_shrank_fails),
		TEST(a_commit_into_a_file_that_shrank_fails),
		TEST(a_read_from_a_file_that_shrank_fails),
		TEST(a_consume_from_a_file_that_shrank_fails),
		TEST(an_end_in_a_file_that_shrank_is_no_end),
		TEST(accept_and_connect_in_a_file_that_shrank_fail),
		TEST(a_file_that_lost_its_rings_fails),
		TEST(another_region_is_not_touched),
		cmocka_unit_test(a_table_that_is_full_says_so),
	};

	return cmocka_run_group_tests_name("sigbus", tests, NULL, NULL);
}
