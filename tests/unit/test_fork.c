// SPDX-License-Identifier: MIT
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "locks.h"
#include "pair.h"

static struct pair pair;
static struct ivp_error err;

static int setup(void **state)
{
	(void)state;
	pair_connect(&pair, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&pair);
	return 0;
}

/* A child with all that is open here, which does that, says so, and lives on until it is killed. */
static void fork_off(struct child *child, void (*act)(void))
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (!child->pid) {
		act();
		word_say(fds[1]);
		for (;;)
			pause();
	}
	close(fds[1]);
	child->fd = fds[0];
	word_hear(child->fd);
}

static bool mapped(u8 __shm *at)
{
	unsigned char resident;

	return at && !mincore(ivp_plain(at), 1, &resident);
}

static bool any_is_mapped(void)
{
	u64 ring = pair.client->tx.size;

	return mapped(pair.here->map) || mapped(pair.there->map) || mapped(pair.client->tx_mirror) ||
	       mapped(pair.client->tx_mirror + ring) || mapped(pair.server->rx_mirror + ring);
}

static void a_child_has_none_of_the_memory(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	assert_true(any_is_mapped());
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(any_is_mapped());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void close_all(void)
{
	ivp_lane_close(pair.client);
	ivp_lane_close(pair.server);
	ivp_listener_close(pair.listener);
	ivp_region_close(pair.there);
	ivp_region_close(pair.here);
}

static void send_and_receive(struct ivp_lane *from, struct ivp_lane *to)
{
	char bytes[16];

	assert_int_equal(ivp_lane_write(from, "precious", 8, &err), 8);
	assert_int_equal(ivp_lane_read(to, bytes, sizeof(bytes), &err), 8);
	assert_memory_equal(bytes, "precious", 8);
}

static void a_child_that_closes_ends_no_stream(void **state)
{
	struct child child;
	char byte;

	(void)state;
	send_and_receive(pair.client, pair.server);
	fork_off(&child, close_all);
	send_and_receive(pair.client, pair.server);
	send_and_receive(pair.server, pair.client);
	assert_true(ivp_locks_held(pair.client->fd, IVP_LOCK_SERVER(pair.client->index), 1));
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	assert_int_equal(ivp_lane_read(pair.server, &byte, 1, &err), 0);
	child_kill(&child);
}

/* The parent's end of the lane is free when the parent lets go of it, though the child lives. */
static void a_child_that_closed_holds_no_lock(void **state)
{
	struct child child;
	u32 index = pair.client->index;

	(void)state;
	fork_off(&child, close_all);
	ivp_lane_close(pair.client);
	pair.client = NULL;
	assert_false(ivp_locks_held(pair.server->fd, IVP_LOCK_CLIENT(index), 1));
	child_kill(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_child_has_none_of_the_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(a_child_that_closes_ends_no_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(a_child_that_closed_holds_no_lock, setup, teardown),
	};

	return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
