// SPDX-License-Identifier: MIT
/* Both ways at once: one thread of an end sends while another receives. */
#include <pthread.h>
#include <stdlib.h>

#include "driver.h"
#include "pair.h"

#define TOTAL (3 * 1024 * 1024)

static struct pair pair;
static struct ivp_error err;

static int setup_local(void **state)
{
	(void)state;
	driver_reset();
	memset(&err, 0, sizeof(err));
	pair_connect(&pair, false);
	return 0;
}

static int setup_remote(void **state)
{
	(void)state;
	driver_reset();
	memset(&err, 0, sizeof(err));
	pair_connect(&pair, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&pair);
	return 0;
}

/* ---- everything at once ---- */

/* One direction of one end. The bytes of a direction are those of a generator that begins at its seed. */
struct flow {
	struct ivp_lane *lane;
	u64 seed;
	pthread_t thread;
	int ret;
	size_t bytes;
	struct ivp_error err;
};

static void fill(u8 *bytes, size_t len, u64 *seed)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (u8)unit_random(seed);
}

static int put_all(struct flow *flow, const u8 *bytes, size_t len)
{
	while (len) {
		ptrdiff_t put = ivp_lane_write(flow->lane, bytes, len, &flow->err);

		if (put == -EAGAIN)
			put = ivp_lane_wait(flow->lane, IVP_WAIT_ROOM, -1, &flow->err);
		if (put < 0)
			return (int)put;
		bytes += put;
		len -= (size_t)put;
	}
	return 0;
}

static void *send_all(void *arg)
{
	struct flow *flow = arg;
	u64 sizes = flow->seed + 1;
	u8 *bytes = malloc(100000);

	while (flow->bytes < TOTAL && !flow->ret) {
		size_t len = unit_random(&sizes) % (unit_random(&sizes) % 8 ? 3000 : 100000) + 1;

		if (len > TOTAL - flow->bytes)
			len = TOTAL - flow->bytes;
		fill(bytes, len, &flow->seed);
		flow->ret = put_all(flow, bytes, len);
		flow->bytes += len;
	}
	free(bytes);
	while (!flow->ret && (flow->ret = ivp_lane_end(flow->lane, &flow->err)) == -EAGAIN)
		flow->ret = ivp_lane_wait(flow->lane, IVP_WAIT_ROOM, -1, &flow->err);
	if (!flow->ret)
		flow->ret = ivp_lane_confirm(flow->lane, -1, &flow->err);
	return NULL;
}

static void *receive_all(void *arg)
{
	struct flow *flow = arg;
	u64 sizes = flow->seed + 2;
	u8 *bytes = malloc(65536), *wanted = malloc(65536);
	ptrdiff_t got = 1;

	while (got > 0 || got == -EAGAIN) {
		got = ivp_lane_read(flow->lane, bytes, unit_random(&sizes) % 65536 + 1, &flow->err);
		if (got == -EAGAIN && ivp_lane_wait(flow->lane, IVP_WAIT_DATA, -1, &flow->err))
			break;
		if (got <= 0)
			continue;
		fill(wanted, (size_t)got, &flow->seed);
		if (memcmp(bytes, wanted, (size_t)got))
			break;
		flow->bytes += (size_t)got;
	}
	flow->ret = (int)got;
	if (!got)
		ivp_lane_verdict(flow->lane, IVP_VERDICT_OK);
	free(bytes);
	free(wanted);
	return NULL;
}

static void check_flow(struct flow *flow)
{
	pthread_join(flow->thread, NULL);
	if (flow->ret)
		fail_msg("%d: %s", flow->ret, flow->err.text);
	assert_int_equal(flow->bytes, TOTAL);
}

static void all_at_once(void)
{
	struct flow flows[] = {
		{.lane = pair.client, .seed = 1000},
		{.lane = pair.server, .seed = 2000},
		{.lane = pair.server, .seed = 1000},
		{.lane = pair.client, .seed = 2000},
	};

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&flows[i].thread, NULL, i < 2 ? send_all : receive_all, &flows[i]), 0);
	for (int i = 0; i < 4; i++)
		check_flow(&flows[i]);
}

static void both_ways_at_once(void **state)
{
	(void)state;
	all_at_once();
}

static void both_ways_at_once_in_one_guest(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_region *here, *there;
	struct knock knock;

	(void)state;
	here = place_open_node(&pair.place);
	there = place_open_node(&pair.place);
	ivp_lane_close(pair.client);
	ivp_lane_close(pair.server);
	ivp_listener_close(pair.listener);
	assert_int_equal(ivp_listen(&pair.listener, here, &options, &err), 0);
	knock_begin(&knock, there, &options);
	if (ivp_accept(&pair.server, pair.listener, &err) || knock_end(&knock))
		fail_msg("%s %s", err.text, knock.err.text);
	pair.client = knock.lane;
	all_at_once();
	ivp_lane_close(pair.client);
	ivp_lane_close(pair.server);
	ivp_listener_close(pair.listener);
	pair.client = pair.server = NULL;
	pair.listener = NULL;
	ivp_region_close(here);
	ivp_region_close(there);
}

/* ---- one direction ends ---- */

static void send_text(struct ivp_lane *lane, const char *text)
{
	assert_int_equal(ivp_lane_write(lane, text, strlen(text), &err), strlen(text));
}

static void receive_text(struct ivp_lane *lane, const char *text)
{
	char bytes[64];

	assert_int_equal(ivp_lane_wait(lane, IVP_WAIT_DATA, -1, &err), 0);
	assert_int_equal(ivp_lane_read(lane, bytes, sizeof(bytes), &err), strlen(text));
	assert_memory_equal(bytes, text, strlen(text));
}

static void receive_end(struct ivp_lane *lane)
{
	char byte;

	assert_int_equal(ivp_lane_wait(lane, IVP_WAIT_DATA, -1, &err), 0);
	assert_int_equal(ivp_lane_read(lane, &byte, 1, &err), 0);
}

static void a_half_close_leaves_the_other_half(void **state)
{
	(void)state;
	send_text(pair.client, "question");
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	receive_text(pair.server, "question");
	receive_end(pair.server);
	ivp_lane_verdict(pair.server, IVP_VERDICT_OK);
	assert_int_equal(ivp_lane_confirm(pair.client, -1, &err), 0);
	for (int i = 0; i < 100; i++) {
		send_text(pair.server, "answer");
		receive_text(pair.client, "answer");
		assert_int_equal(ivp_lane_check(pair.client, IVP_WAIT_DATA, &err), 0);
		assert_int_equal(ivp_lane_check(pair.server, IVP_WAIT_ROOM, &err), 0);
	}
	assert_int_equal(ivp_lane_end(pair.server, &err), 0);
	receive_end(pair.client);
	ivp_lane_verdict(pair.client, IVP_VERDICT_OK);
	assert_int_equal(ivp_lane_confirm(pair.server, -1, &err), 0);
}

/* As a socket of which one side has shut reading. */
static void who_wants_no_more_may_go_on_sending(void **state)
{
	(void)state;
	ivp_lane_verdict(pair.server, IVP_VERDICT_CLOSED);
	assert_int_equal(ivp_lane_check(pair.client, IVP_WAIT_ROOM, &err), -EPIPE);
	assert_int_equal(err.kind, IVP_FAIL_PEER_GONE);
	assert_int_equal(ivp_lane_wait(pair.client, IVP_WAIT_ROOM, -1, &err), -EPIPE);
	send_text(pair.server, "still");
	receive_text(pair.client, "still");
	assert_int_equal(ivp_lane_check(pair.client, IVP_WAIT_DATA, &err), 0);
	assert_int_equal(ivp_lane_wait(pair.client, IVP_WAIT_DATA, 1, &err), -ETIMEDOUT);
}

static void *wait_for_data(void *arg)
{
	struct flow *flow = arg;

	flow->ret = ivp_lane_wait(flow->lane, IVP_WAIT_DATA, -1, &flow->err);
	return NULL;
}

static void *wait_for_result(void *arg)
{
	struct flow *flow = arg;

	flow->ret = ivp_lane_wait(flow->lane, IVP_WAIT_RESULT, -1, &flow->err);
	return NULL;
}

static void an_end_that_gives_up_ends_its_other_thread(void **state)
{
	struct flow flow = {.lane = pair.client};

	(void)state;
	assert_int_equal(pthread_create(&flow.thread, NULL, wait_for_data, &flow), 0);
	ivp_lane_abort(pair.client, IVP_VERDICT_READ);
	pthread_join(flow.thread, NULL);
	assert_int_equal(flow.ret, -ECANCELED);
	assert_int_equal(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err), -EPIPE);
	assert_non_null(strstr(err.text, ivp_reason_text(IVP_REASON_READ)));
}

/* ---- two of one end asleep ---- */

/* For ever, if a kick reached one of them alone. */
static void a_kick_wakes_both(void **state)
{
	struct flow data = {.lane = pair.client}, result = {.lane = pair.client};

	(void)state;
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	assert_int_equal(pthread_create(&data.thread, NULL, wait_for_data, &data), 0);
	assert_int_equal(pthread_create(&result.thread, NULL, wait_for_result, &result), 0);
	await(ivp_load32(&pair.server->theirs->want));
	receive_end(pair.server);
	send_text(pair.server, "x");
	ivp_lane_verdict(pair.server, IVP_VERDICT_OK);
	pthread_join(data.thread, NULL);
	pthread_join(result.thread, NULL);
	assert_int_equal(data.ret, 0);
	assert_int_equal(result.ret, 0);
	assert_int_equal(ivp_load32(&pair.server->theirs->want), 0);
}

static void one_awake_of_two_leaves_the_other_asleep(void **state)
{
	struct flow data = {.lane = pair.client};

	(void)state;
	assert_int_equal(pthread_create(&data.thread, NULL, wait_for_data, &data), 0);
	await(ivp_load32(&pair.server->theirs->want));
	for (int i = 0; i < 20; i++)
		assert_int_equal(ivp_lane_wait(pair.client, IVP_WAIT_RESULT, 2, &err), -ETIMEDOUT);
	await(ivp_load32(&pair.server->theirs->want));
	send_text(pair.server, "x");
	pthread_join(data.thread, NULL);
	assert_int_equal(data.ret, 0);
}

#define TEST(test, setup) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_ways_at_once, setup_local),
		{"both_ways_at_once_behind_a_device", both_ways_at_once, setup_remote, teardown, NULL},
		TEST(both_ways_at_once_in_one_guest, setup_local),
		TEST(a_half_close_leaves_the_other_half, setup_local),
		TEST(who_wants_no_more_may_go_on_sending, setup_local),
		TEST(an_end_that_gives_up_ends_its_other_thread, setup_local),
		TEST(a_kick_wakes_both, setup_local),
		TEST(one_awake_of_two_leaves_the_other_asleep, setup_local),
	};

	return cmocka_run_group_tests_name("duplex", tests, NULL, NULL);
}
