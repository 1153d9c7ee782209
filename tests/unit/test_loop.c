// SPDX-License-Identifier: MIT
/* Descriptors to wait for: what makes them readable and what does not, and a server of many lanes in one loop. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "beat.h"
#include "driver.h"
#include "pair.h"

static struct place place;
static struct ivp_region *here, *there;
static struct ivp_listener *listener;
static struct ivp_lane *server, *client;
static struct ivp_error err;
static char spec[80];
static struct ivp_lane_options options;

static int setup(void **state)
{
	(void)state;
	driver_reset();
	memset(&err, 0, sizeof(err));
	place_make(&place, PLACE_SIZE);
	options = pair_options();
	return 0;
}

/* Each is a way of waiting: a futex; looking again and again; the driver; a control connection. */
static int setup_local(void **state)
{
	setup(state);
	here = place_open(&place, 0);
	there = place_open(&place, 1);
	return 0;
}

static int setup_remote(void **state)
{
	setup(state);
	here = place_open(&place, 0);
	there = place_open_device(&place);
	return 0;
}

static int setup_node(void **state)
{
	setup(state);
	/* Laid out by whoever has the file. */
	ivp_region_close(place_open(&place, 0));
	here = place_open_node(&place);
	there = place_open_node(&place);
	return 0;
}

static int setup_control(void **state)
{
	setup_remote(state);
	snprintf(spec, sizeof(spec), "unix:%s/control", place.dir);
	options.control = spec;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ivp_lane_close(client);
	ivp_lane_close(server);
	ivp_listener_close(listener);
	ivp_region_close(there);
	ivp_region_close(here);
	client = server = NULL;
	listener = NULL;
	place_remove(&place);
	return 0;
}

static void listen_now(void)
{
	struct ivp_lane_options own = options;

	own.wait_ms = 0;
	if (ivp_listen(&listener, here, &own, &err))
		fail_msg("%s", err.text);
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, timeout_ms) == 1;
}

/* By its descriptor alone: a knock that is not seen is a test that ends after 20 s. */
static void meet(void)
{
	struct knock knock;
	int ret;

	if (!listener)
		listen_now();
	assert_int_equal(ivp_listener_arm(listener, &err), 0);
	knock_begin(&knock, there, &options);
	do {
		assert_true(readable(ivp_listener_fd(listener, &err), 20000));
		ret = ivp_accept(&server, listener, &err);
		if (ret)
			ivp_listener_arm(listener, &err);
	} while (ret == -ETIMEDOUT);
	if (ret || knock_end(&knock))
		fail_msg("%s %s", err.text, knock.err.text);
	client = knock.lane;
}

static void send_text(struct ivp_lane *lane, const char *text)
{
	assert_int_equal(ivp_lane_write(lane, text, strlen(text), &err), strlen(text));
}

/* ---- one lane ---- */

static void data_makes_it_readable(void **state)
{
	char byte;
	int fd;

	(void)state;
	meet();
	fd = ivp_lane_fd(client, &err);
	assert_true(fd >= 0);
	assert_int_equal(ivp_lane_fd(client, &err), fd);
	assert_int_equal(ivp_lane_arm(client, IVP_WAIT_DATA, &err), 0);
	assert_false(readable(fd, 0));
	send_text(server, "x");
	assert_true(readable(fd, 20000));
	assert_int_equal(ivp_lane_arm(client, IVP_WAIT_DATA, &err), 1);
	assert_true(readable(fd, 0));
	assert_int_equal(ivp_lane_read(client, &byte, 1, &err), 1);
	assert_int_equal(ivp_lane_arm(client, IVP_WAIT_DATA, &err), 0);
	assert_false(readable(fd, 0));
}

static void room_makes_it_readable(void **state)
{
	static char bytes[65536];
	ptrdiff_t ret;
	int fd;

	(void)state;
	meet();
	fd = ivp_lane_fd(client, &err);
	assert_int_equal(ivp_lane_arm(client, IVP_WAIT_ROOM, &err), 1);
	while ((ret = ivp_lane_write(client, bytes, sizeof(bytes), &err)) > 0)
		;
	assert_int_equal(ret, -EAGAIN);
	assert_int_equal(ivp_lane_arm(client, IVP_WAIT_ROOM, &err), 0);
	assert_false(readable(fd, 0));
	while (ivp_lane_read(server, bytes, sizeof(bytes), &err) > 0)
		;
	assert_true(readable(fd, 20000));
	assert_int_equal(ivp_lane_arm(client, IVP_WAIT_ROOM, &err), 1);
}

static void a_verdict_makes_it_readable(void **state)
{
	(void)state;
	meet();
	assert_int_equal(ivp_lane_end(client, &err), 0);
	assert_int_equal(ivp_lane_arm(client, IVP_WAIT_RESULT, &err), 0);
	ivp_lane_verdict(server, IVP_VERDICT_OK);
	assert_true(readable(ivp_lane_fd(client, &err), 20000));
	assert_int_equal(ivp_lane_confirm(client, 0, &err), 0);
}

static void what_is_not_waited_for_does_not(void **state)
{
	(void)state;
	meet();
	assert_int_equal(ivp_lane_arm(client, IVP_WAIT_RESULT, &err), 0);
	send_text(server, "x");
	assert_false(readable(ivp_lane_fd(client, &err), 50));
	assert_int_equal(ivp_lane_arm(client, IVP_WAIT_RESULT | IVP_WAIT_DATA, &err), 1);
}

static void an_end_makes_it_readable(void **state)
{
	(void)state;
	meet();
	assert_int_equal(ivp_lane_arm(client, IVP_WAIT_DATA, &err), 0);
	ivp_lane_close(server);
	server = NULL;
	assert_true(readable(ivp_lane_fd(client, &err), 20000));
	assert_int_equal(ivp_lane_arm(client, IVP_WAIT_DATA, &err), 1);
	assert_int_equal(ivp_lane_wait(client, IVP_WAIT_DATA, 0, &err), -EPIPE);
}

static void giving_up_makes_it_readable(void **state)
{
	(void)state;
	meet();
	assert_int_equal(ivp_lane_arm(client, IVP_WAIT_DATA, &err), 0);
	ivp_lane_abort(client, IVP_VERDICT_READ);
	assert_true(readable(ivp_lane_fd(client, &err), 20000));
}

/* Between any two looks: a change that is lost is a poll that ends after 20 s. */
static void nothing_is_lost(void **state)
{
	char byte;
	int fd;

	(void)state;
	meet();
	fd = ivp_lane_fd(client, &err);
	for (int i = 0; i < 500; i++) {
		if (i % 3)
			send_text(server, "x");
		while (ivp_lane_arm(client, IVP_WAIT_DATA, &err) > 0)
			assert_int_equal(ivp_lane_read(client, &byte, 1, &err), 1);
		send_text(server, "y");
		assert_true(readable(fd, 20000));
	}
}

/* Who only wants to know whether we live makes no work. */
static void a_knock_without_a_hello_does_not(void **state)
{
	struct ivp_slot *slot = ivp_region_slot(here, 0, 0);
	u32 beat;

	(void)state;
	listen_now();
	assert_int_equal(ivp_listener_arm(listener, &err), 0);
	ivp_beat_remove(here->beat, &slot->beat);
	/* A watch that has fired looks at nothing more. */
	for (int i = 0; i < 3; i++) {
		beat = ivp_load32(&slot->beat);
		ivp_store32_release(&slot->accept, ivp_load32(&slot->accept) + 1);
		await(ivp_load32(&slot->beat) == beat + 1);
	}
	assert_false(readable(ivp_listener_fd(listener, &err), 0));
}

static void an_armed_lane_can_be_closed(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		meet();
		assert_int_equal(ivp_lane_arm(client, IVP_WAIT_DATA, &err), 0);
		assert_int_equal(ivp_lane_arm(server, IVP_WAIT_DATA, &err), 0);
		ivp_lane_close(client);
		ivp_lane_close(server);
		client = server = NULL;
	}
	assert_int_equal(ivp_listener_arm(listener, &err), 0);
}

/* ---- a server ---- */

#define CLIENTS 6
#define ROUNDS  200

static void *converse(void *arg)
{
	struct ivp_region *region = arg;
	struct ivp_lane *lane;
	struct ivp_error own;
	u64 seed = (u64)(uintptr_t)&lane;
	u8 sent[3000], got[3000];
	bool good = true;

	if (ivp_connect(&lane, region, &options, &own))
		return own.text[0] ? "no connection" : NULL;
	for (int i = 0; i < ROUNDS && good; i++) {
		size_t len = unit_random(&seed) % sizeof(sent) + 1;

		memset(sent, (int)unit_random(&seed), len);
		good = !ivp_lane_send_message(lane, sent, len, -1, &own) &&
		       ivp_lane_recv_message(lane, got, sizeof(got), -1, &own) == (ptrdiff_t)len &&
		       !memcmp(sent, got, len);
	}
	if (good && (ivp_lane_end(lane, &own) || ivp_lane_confirm(lane, -1, &own)))
		good = false;
	ivp_lane_close(lane);
	return good ? NULL : "no answer, or another";
}

/* Every message back to who sent it. False when it is over. */
static bool answer(struct ivp_lane *lane)
{
	while (ivp_lane_arm(lane, IVP_WAIT_DATA, &err) > 0) {
		u8 bytes[3000];
		ptrdiff_t got = ivp_lane_recv_message(lane, bytes, sizeof(bytes), 0, &err);

		if (got < 0 || (got && ivp_lane_send_message(lane, bytes, (size_t)got, -1, &err)))
			fail_msg("%s", err.text);
		if (!got) {
			ivp_lane_verdict(lane, IVP_VERDICT_OK);
			return false;
		}
	}
	return true;
}

/* A client may be so quick that there is nothing to wait for between its first word and its last. */
static bool accept_into(int loop)
{
	struct epoll_event watched = {.events = EPOLLIN};
	struct ivp_lane *lane;
	bool over = false;

	if (!ivp_accept(&lane, listener, &err)) {
		watched.data.ptr = lane;
		assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, ivp_lane_fd(lane, &err), &watched), 0);
		over = !answer(lane);
		if (over)
			ivp_lane_close(lane);
	}
	ivp_listener_arm(listener, &err);
	return over;
}

static void serve(int loop, int count)
{
	while (count) {
		struct epoll_event event;
		struct ivp_lane *lane;

		assert_int_equal(epoll_wait(loop, &event, 1, 20000), 1);
		lane = event.data.ptr;
		if (!lane) {
			count -= accept_into(loop);
		} else if (!answer(lane)) {
			ivp_lane_close(lane);
			count--;
		}
	}
}

static void one_loop_serves_many(void **state)
{
	struct epoll_event watched = {.events = EPOLLIN};
	int loop = epoll_create1(EPOLL_CLOEXEC);
	pthread_t threads[CLIENTS];
	void *failure;

	(void)state;
	listen_now();
	assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, ivp_listener_fd(listener, &err), &watched), 0);
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, converse, there), 0);
	assert_true(ivp_listener_arm(listener, &err) >= 0);
	serve(loop, CLIENTS);
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(threads[i], &failure);
		if (failure)
			fail_msg("%s", (const char *)failure);
	}
	close(loop);
}

static void a_connection_that_announces_nobody_has_none(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	snprintf(spec, sizeof(spec), "fd:%d", pair[0]);
	options.control = spec;
	listen_now();
	assert_int_equal(ivp_listener_fd(listener, &err), -EOPNOTSUPP);
	assert_int_equal(ivp_listener_arm(listener, &err), -EOPNOTSUPP);
	close(pair[0]);
	close(pair[1]);
}

#define AS(how, test)                                                                                                  \
	{                                                                                                              \
#test "_" #how, test, setup_##how, teardown, NULL                                                      \
	}
#define EVERY(test) AS(local, test), AS(remote, test), AS(node, test), AS(control, test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY(data_makes_it_readable),
		EVERY(room_makes_it_readable),
		EVERY(a_verdict_makes_it_readable),
		EVERY(what_is_not_waited_for_does_not),
		EVERY(an_end_makes_it_readable),
		EVERY(giving_up_makes_it_readable),
		EVERY(nothing_is_lost),
		AS(local, a_knock_without_a_hello_does_not),
		EVERY(an_armed_lane_can_be_closed),
		EVERY(one_loop_serves_many),
		AS(local, a_connection_that_announces_nobody_has_none),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
