// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <pthread.h>

#include "driver.h"
#include "pair.h"
#include "word.h"

static struct place place;
static struct ivp_region *here, *there, *other; /* the file; whatever the test is about; another of that kind */
static struct ivp_lane *lane, *peer;            /* of `there`; of whom it waits for */
static struct ivp_error err;

static int setup(void **state)
{
	(void)state;
	driver_reset();
	place_make(&place, PLACE_SIZE);
	here = place_open(&place, 0);
	memset(&err, 0, sizeof(err));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ivp_lane_close(lane);
	ivp_lane_close(peer);
	ivp_region_close(other);
	ivp_region_close(there);
	ivp_region_close(here);
	lane = peer = NULL;
	there = other = NULL;
	place_remove(&place);
	return 0;
}

/* ---- which way ---- */

static void on_a_file_a_futex_wakes_who_is_on_this_kernel(void **state)
{
	(void)state;
	assert_int_equal(ivp_word_way(here, true), IVP_WAY_FUTEX);
	assert_int_equal(ivp_word_way(here, false), IVP_WAY_POLL);
}

static void on_a_node_the_driver_wakes_everybody(void **state)
{
	(void)state;
	there = place_open_node(&place);
	assert_int_equal(ivp_word_way(there, true), IVP_WAY_DRIVER);
	assert_int_equal(ivp_word_way(there, false), IVP_WAY_DRIVER);
	/* Or it would not let us sleep. */
	assert_int_equal(fcntl(there->fd, F_GETFL) & O_NONBLOCK, 0);
}

static void without_a_driver_that_waits_everybody_polls(void **state)
{
	(void)state;
	driver_features(IVSHMEM_FEATURE_MMAP);
	there = place_open_node(&place);
	assert_int_equal(ivp_word_way(there, true), IVP_WAY_POLL);
	assert_int_equal(ivp_word_way(there, false), IVP_WAY_POLL);
	ivp_region_close(there);
	there = place_open_device(&place);
	assert_int_equal(ivp_word_way(there, true), IVP_WAY_POLL);
	assert_int_equal(ivp_word_way(there, false), IVP_WAY_POLL);
}

/* ---- a node that comes and goes ---- */

static void come_back(void *arg, const char *text)
{
	assert_ptr_equal(arg, &place);
	assert_non_null(strstr(text, "the device has gone"));
	driver_answer(0);
}

static void a_node_whose_device_is_going_is_waited_for(void **state)
{
	struct ivp_open_options options = {.side = IVP_SIDE_AUTO, .notice = come_back, .notice_arg = &place};

	(void)state;
	driver_answer(ENODEV);
	assert_int_equal(ivp_region_open(&there, place.node, &options, &err), -ENOENT);
	assert_int_equal(err.kind, IVP_FAIL_NO_REGION);
	options.wait_ms = 20000;
	assert_int_equal(ivp_region_open(&there, place.node, &options, &err), 0);
}

static void a_node_of_another_driver_is_not_waited_for(void **state)
{
	struct ivp_open_options options = {.side = IVP_SIDE_AUTO, .wait_ms = -1};

	(void)state;
	driver_answer(ENOTTY);
	assert_int_equal(ivp_region_open(&there, place.node, &options, &err), -ENODEV);
	assert_int_equal(err.kind, IVP_FAIL_NO_REGION);
}

/* ---- a word ---- */

static u32 *word_of(struct ivp_region *region)
{
	return &ivp_region_half(region, 0, true)->word;
}

static void a_word_that_changed_is_not_slept_on(void **state)
{
	(void)state;
	/* For ever, if it did. */
	ivp_word_sleep(here, word_of(here), 1, NULL, INT32_MAX);
	there = place_open_node(&place);
	ivp_word_sleep(there, word_of(there), 1, NULL, INT32_MAX);
	assert_int_equal(driver_waits, 1);
}

static void a_sleep_ends_by_itself(void **state)
{
	(void)state;
	ivp_word_sleep(here, word_of(here), 0, NULL, 1);
	there = place_open_node(&place);
	ivp_word_sleep(there, word_of(there), 0, NULL, 1);
	assert_int_equal(driver_waits, 1);
}

/* Each has its own mapping, as two processes have. */
struct sleeper {
	struct ivp_region *region;
	pthread_t thread;
};

static void *sleep_on(void *arg)
{
	struct sleeper *sleeper = arg;

	while (ivp_load32_acquire(word_of(sleeper->region)) == 0)
		ivp_word_sleep(sleeper->region, word_of(sleeper->region), 0, NULL, INT32_MAX);
	return NULL;
}

/* Returns only if the sleeper wakes, whether it was asleep already or not. */
static void wake_a_sleeper(struct ivp_region *region, struct ivp_region *waker)
{
	struct sleeper sleeper = {.region = region};

	assert_int_equal(pthread_create(&sleeper.thread, NULL, sleep_on, &sleeper), 0);
	ivp_store32_release(word_of(waker), 1);
	ivp_word_wake(waker, word_of(waker));
	pthread_join(sleeper.thread, NULL);
}

static void a_wake_through_another_mapping_arrives(void **state)
{
	(void)state;
	other = place_open(&place, 1);
	wake_a_sleeper(here, other);
	assert_int_equal(driver_waits + driver_wakes, 0);
}

static void a_wake_through_the_driver_arrives(void **state)
{
	(void)state;
	there = place_open_node(&place);
	other = place_open_node(&place);
	wake_a_sleeper(there, other);
	assert_int_equal(driver_wakes, 1);
	assert_true(driver_last_wake().offset == (u64)((u8 *)word_of(there) - (u8 *)there->map));
}

/* Nobody says so when another machine changes a word: the driver is to look, and soon. */
static void a_change_that_nobody_tells_is_looked_for(void **state)
{
	struct ivp_doze doze = {0};
	u32 last = 0;

	(void)state;
	there = place_open_node(&place);
	for (int i = 0; i < 12; i++) {
		ivp_word_sleep(there, word_of(there), 1, &doze, 1000);
		assert_in_range(driver_last_wait().poll_us, last ? last : 1, i ? 5000 : 200);
		assert_in_range(driver_last_wait().timeout_ns, 1, 256000000);
		last = driver_last_wait().poll_us;
	}
	assert_int_equal(last, 5000);
	assert_int_equal(driver_last_wait().timeout_ns, 256000000);
	doze = (struct ivp_doze){.looks = ~0u / 2, .longest_us = 20000};
	ivp_word_sleep(there, word_of(there), 1, &doze, 3);
	assert_int_equal(driver_last_wait().poll_us, 20000);
	assert_int_equal(driver_last_wait().timeout_ns, 3000000);
}

static void a_device_that_has_gone_is_a_region_lost(void **state)
{
	(void)state;
	there = place_open_node(&place);
	driver_answer(ENODEV);
	ivp_word_sleep(there, word_of(there), 0, NULL, INT32_MAX);
	assert_int_equal(ivp_region_check(there, &err), -ESTALE);
	assert_int_equal(err.kind, IVP_FAIL_PEER_GONE);
	there->lost = 0;
}

static void a_signal_is_no_loss(void **state)
{
	(void)state;
	there = place_open_node(&place);
	driver_answer(EINTR);
	ivp_word_sleep(there, word_of(there), 0, NULL, INT32_MAX);
	driver_answer(EINVAL);
	ivp_word_sleep(there, word_of(there), 0, NULL, INT32_MAX);
	assert_int_equal(ivp_region_check(there, &err), 0);
}

/* ---- an end of a lane ---- */

static void join(struct ivp_region *client, struct ivp_region *server, int64_t peer_timeout_ms)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener;
	struct knock knock;

	options.peer_timeout_ms = peer_timeout_ms;
	assert_int_equal(ivp_listen(&listener, server, &options, &err), 0);
	knock_begin(&knock, client, &options);
	if (ivp_accept(&peer, listener, &err) || knock_end(&knock))
		fail_msg("%s %s", err.text, knock.err.text);
	lane = knock.lane;
	ivp_listener_close(listener);
	if (!ivp_lane_peer_local(lane))
		assert_int_equal(driver_wakes, 0);
	driver_waits = driver_wakes = driver_rings = 0;
}

struct waiter {
	pthread_t thread;
	struct ivp_error err;
	int ret;
};

static void *wait_for_data(void *arg)
{
	struct waiter *waiter = arg;

	waiter->ret = ivp_lane_wait(lane, IVP_WAIT_DATA, -1, &waiter->err);
	return NULL;
}

static void waiter_begin(struct waiter *waiter)
{
	memset(waiter, 0, sizeof(*waiter));
	assert_int_equal(pthread_create(&waiter->thread, NULL, wait_for_data, waiter), 0);
}

static int waiter_end(struct waiter *waiter)
{
	pthread_join(waiter->thread, NULL);
	return waiter->ret;
}

/* A byte comes while the lane's end sleeps. */
static void send_to_a_sleeper(void)
{
	struct waiter waiter;

	waiter_begin(&waiter);
	await(driver_waits && ivp_load32(&peer->theirs->want));
	assert_int_equal(ivp_lane_write(peer, "x", 1, &err), 1);
	assert_int_equal(waiter_end(&waiter), 0);
	assert_int_equal(ivp_load32(&peer->theirs->want), 0);
}

static void across_the_border_the_word_is_counted_up_for_the_driver(void **state)
{
	u32 before;
	char byte;

	(void)state;
	there = place_open_node(&place);
	join(there, here, 0);
	assert_false(ivp_lane_peer_local(lane));
	send_to_a_sleeper();
	assert_true(driver_last_wait().offset == (u64)((u8 *)&lane->theirs->word - (u8 *)there->map));
	assert_in_range(driver_last_wait().poll_us, 1, 5000);
	before = ivp_load32(&peer->mine->word);
	assert_int_equal(ivp_lane_read(lane, &byte, 1, &err), 1);
	assert_int_equal(ivp_lane_write(peer, "x", 1, &err), 1);
	assert_int_equal(ivp_load32(&peer->mine->word), before);
	ivp_store32(&lane->mine->want, 77);
	assert_int_equal(ivp_lane_write(peer, "x", 1, &err), 1);
	assert_int_equal(ivp_load32(&peer->mine->word), before + 1);
	assert_int_equal(driver_wakes + driver_rings, 0);
}

/* However much is published meanwhile. */
static void a_sleep_is_ended_once(void **state)
{
	(void)state;
	there = place_open_node(&place);
	other = place_open_node(&place);
	join(there, other, 0);
	for (u32 sleep = 1; sleep < 100; sleep++) {
		ivp_store32(&lane->mine->want, sleep % 7 ? sleep : ~sleep);
		for (int i = 0; i < 3; i++)
			assert_int_equal(ivp_lane_write(peer, "x", 1, &err), 1);
		assert_int_equal(driver_wakes, sleep);
	}
	ivp_store32(&lane->mine->want, 0);
	assert_int_equal(ivp_lane_write(peer, "x", 1, &err), 1);
	assert_int_equal(driver_wakes, 99);
}

static void no_two_sleeps_have_one_number(void **state)
{
	u32 last = 0;

	(void)state;
	there = place_open_node(&place);
	join(there, here, 0);
	lane->sleeps = ~0u - 2;
	for (int i = 0; i < 5; i++) {
		struct waiter waiter;
		char byte;

		waiter_begin(&waiter);
		await(ivp_load32(&peer->theirs->want));
		assert_int_not_equal(ivp_load32(&peer->theirs->want), last);
		last = ivp_load32(&peer->theirs->want);
		assert_int_equal(ivp_lane_write(peer, "x", 1, &err), 1);
		assert_int_equal(waiter_end(&waiter), 0);
		assert_int_equal(ivp_lane_read(lane, &byte, 1, &err), 1);
	}
}

/* ---- doorbells ---- */

#define DOORBELL (IVSHMEM_FEATURE_MMAP | IVSHMEM_FEATURE_WAIT | IVSHMEM_FEATURE_DOORBELL | IVSHMEM_FEATURE_INTERRUPT)

/* Two guests, told apart by locks that neither sees of the other. */
static void two_machines(u32 number, u32 their_number)
{
	driver_features(DOORBELL);
	driver_ivposition(number);
	there = place_open_node(&place);
	driver_ivposition(their_number);
	other = place_open_other_node(&place);
	join(there, other, 0);
	assert_false(ivp_lane_peer_local(lane));
}

static void a_machine_with_a_doorbell_is_rung(void **state)
{
	(void)state;
	two_machines(3, 0xffff);
	send_to_a_sleeper();
	/* Nobody need look for it meanwhile. */
	assert_true(driver_last_wait().poll_us == IVSHMEM_POLL_NEVER);
	assert_int_equal(driver_rings, 1);
	assert_int_equal(driver_last_ring().peer, 3);
	assert_int_equal(driver_last_ring().vector, 0);
	assert_int_equal(driver_wakes, 0);
	ivp_store32(&peer->mine->want, 1);
	assert_int_equal(ivp_lane_write(lane, "x", 1, &err), 1);
	assert_int_equal(driver_rings, 2);
	assert_int_equal(driver_last_ring().peer, 0xffff);
}

static void it_is_not_rung_while_it_is_awake(void **state)
{
	(void)state;
	two_machines(1, 2);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ivp_lane_write(peer, "x", 1, &err), 1);
	assert_int_equal(driver_rings, 0);
	ivp_store32(&lane->mine->want, 5);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ivp_lane_write(peer, "x", 1, &err), 1);
	assert_int_equal(driver_rings, 1);
}

/* The number is the peer's word: it rings somebody, or nobody. */
static void a_bell_that_cannot_be_is_not_rung(void **state)
{
	static const u32 bells[] = {0, IVP_BELL_MAX + 1, ~0u, 1u << 31};

	(void)state;
	two_machines(1, 2);
	for (u32 i = 0; i < sizeof(bells) / sizeof(bells[0]); i++) {
		ivp_store32(&lane->mine->bell, bells[i]);
		ivp_store32(&lane->mine->want, i + 1);
		assert_int_equal(ivp_lane_write(peer, "x", 1, &err), 1);
	}
	assert_int_equal(driver_rings, 0);
	ivp_store32(&lane->mine->bell, IVP_BELL_MAX);
	ivp_store32(&lane->mine->want, 99);
	assert_int_equal(ivp_lane_write(peer, "x", 1, &err), 1);
	assert_int_equal(driver_rings, 1);
	assert_int_equal(driver_last_ring().peer, 0xffff);
	assert_int_equal(driver_last_ring().vector, 0xff);
}

/* A host with the file has none to be rung by, and none to ring. */
static void who_cannot_ring_is_looked_for(void **state)
{
	(void)state;
	driver_features(DOORBELL);
	there = place_open_node(&place);
	join(there, here, 0);
	send_to_a_sleeper();
	assert_in_range(driver_last_wait().poll_us, 1, 5000);
	ivp_store32(&peer->mine->want, 1);
	assert_int_equal(ivp_lane_write(lane, "x", 1, &err), 1);
	assert_int_equal(driver_rings, 0);
}

static void a_plain_device_has_no_bell(void **state)
{
	(void)state;
	there = place_open_node(&place);
	assert_int_equal(there->bell, 0);
	assert_int_equal(here->bell, 0);
	driver_features(DOORBELL);
	driver_ivposition(0);
	other = place_open_node(&place);
	assert_int_equal(other->bell, IVP_BELL(0, 0));
}

static void processes_of_one_guest_wake_each_other(void **state)
{
	(void)state;
	there = place_open_node(&place);
	other = place_open_node(&place);
	join(there, other, 0);
	assert_true(ivp_lane_peer_local(lane));
	send_to_a_sleeper();
	assert_true(driver_last_wait().poll_us == IVSHMEM_POLL_NEVER);
	assert_int_equal(driver_wakes, 1);
	assert_true(driver_last_wake().offset == (u64)((u8 *)&lane->theirs->word - (u8 *)there->map));
}

static void a_busy_stream_asks_the_driver_for_nothing(void **state)
{
	char byte;

	(void)state;
	there = place_open_node(&place);
	other = place_open_node(&place);
	join(there, other, 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(ivp_lane_write(peer, "x", 1, &err), 1);
		assert_int_equal(ivp_lane_wait(lane, IVP_WAIT_DATA, -1, &err), 0);
		assert_int_equal(ivp_lane_read(lane, &byte, 1, &err), 1);
	}
	assert_int_equal(driver_waits + driver_wakes, 0);
}

static void an_older_driver_is_asked_for_nothing(void **state)
{
	struct waiter waiter;

	(void)state;
	driver_features(IVSHMEM_FEATURE_MMAP);
	there = place_open_node(&place);
	join(there, here, 0);
	waiter_begin(&waiter);
	assert_int_equal(ivp_lane_write(peer, "x", 1, &err), 1);
	assert_int_equal(waiter_end(&waiter), 0);
	assert_int_equal(driver_waits + driver_wakes, 0);
}

static void an_unplugged_device_ends_a_sleep_and_the_lane(void **state)
{
	struct waiter waiter;

	(void)state;
	there = place_open_node(&place);
	join(there, here, 0);
	waiter_begin(&waiter);
	await(driver_waits);
	driver_answer(ENODEV);
	assert_int_equal(waiter_end(&waiter), -ESTALE);
	assert_int_equal(waiter.err.kind, IVP_FAIL_PEER_GONE);
	there->lost = 0;
}

static void a_silent_peer_is_noticed_by_a_sleeper(void **state)
{
	(void)state;
	there = place_open_node(&place);
	join(there, here, 2 * IVP_BEAT_MS);
	ivp_beat_remove(here->beat, &peer->mine->beat);
	assert_int_equal(ivp_lane_wait(lane, IVP_WAIT_DATA, -1, &err), -EPIPE);
	assert_int_equal(err.kind, IVP_FAIL_PEER_GONE);
	assert_true(driver_waits > 0);
}

static void a_short_wait_is_no_long_sleep(void **state)
{
	(void)state;
	there = place_open_node(&place);
	other = place_open_node(&place);
	join(there, other, 0);
	assert_int_equal(ivp_lane_wait(lane, IVP_WAIT_DATA, 20, &err), -ETIMEDOUT);
	assert_in_range(driver_last_wait().timeout_ns, 1, 20000000);
}

/* ---- a listener ---- */

static struct ivp_listener *listener;

static void *accept_one(void *arg)
{
	struct waiter *waiter = arg;

	waiter->ret = ivp_accept(&peer, listener, &waiter->err);
	return NULL;
}

/* The offset in the region of the word on which a listener, asleep in the driver, was waiting when a client came. */
static u64 knock_at_a_sleeper(struct ivp_region *client)
{
	struct ivp_lane_options options = pair_options();
	struct waiter waiter = {0};
	u64 offset;

	assert_int_equal(ivp_listen(&listener, there, &options, &err), 0);
	assert_int_equal(pthread_create(&waiter.thread, NULL, accept_one, &waiter), 0);
	await(driver_waits);
	offset = driver_last_wait().offset;
	assert_in_range(driver_last_wait().poll_us, 1, 20000);
	assert_int_equal(driver_wakes, 0);
	if (ivp_connect(&lane, client, &options, &err) || waiter_end(&waiter))
		fail_msg("%s %s", err.text, waiter.err.text);
	ivp_listener_close(listener);
	return offset;
}

static u64 accept_word(void)
{
	return (u64)((u8 *)&ivp_region_slot(there, there->side, 0)->accept - (u8 *)there->map);
}

static void a_client_across_the_border_reaches_a_sleeping_listener(void **state)
{
	(void)state;
	there = place_open_node(&place);
	assert_true(knock_at_a_sleeper(here) == accept_word());
	assert_int_equal(driver_wakes, 0);
}

static void a_client_in_the_same_guest_wakes_a_listener(void **state)
{
	(void)state;
	there = place_open_node(&place);
	other = place_open_node(&place);
	assert_true(knock_at_a_sleeper(other) == accept_word());
	assert_int_equal(driver_wakes, 1);
	assert_true(driver_last_wake().offset == accept_word());
}

static void a_listener_sleeps_no_longer_than_it_waits(void **state)
{
	struct ivp_lane_options options = pair_options();

	(void)state;
	there = place_open_node(&place);
	options.wait_ms = 70;
	assert_int_equal(ivp_listen(&listener, there, &options, &err), 0);
	assert_int_equal(ivp_accept(&peer, listener, &err), -ETIMEDOUT);
	/* Naps of 1 to 32 ms, and what is left. */
	assert_in_range(driver_last_wait().timeout_ns, 1, 40000000);
	ivp_listener_close(listener);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(on_a_file_a_futex_wakes_who_is_on_this_kernel),
		TEST(on_a_node_the_driver_wakes_everybody),
		TEST(without_a_driver_that_waits_everybody_polls),
		TEST(a_node_whose_device_is_going_is_waited_for),
		TEST(a_node_of_another_driver_is_not_waited_for),
		TEST(a_word_that_changed_is_not_slept_on),
		TEST(a_sleep_ends_by_itself),
		TEST(a_wake_through_another_mapping_arrives),
		TEST(a_wake_through_the_driver_arrives),
		TEST(a_change_that_nobody_tells_is_looked_for),
		TEST(a_device_that_has_gone_is_a_region_lost),
		TEST(a_signal_is_no_loss),
		TEST(across_the_border_the_word_is_counted_up_for_the_driver),
		TEST(a_sleep_is_ended_once),
		TEST(no_two_sleeps_have_one_number),
		TEST(a_machine_with_a_doorbell_is_rung),
		TEST(it_is_not_rung_while_it_is_awake),
		TEST(a_bell_that_cannot_be_is_not_rung),
		TEST(who_cannot_ring_is_looked_for),
		TEST(a_plain_device_has_no_bell),
		TEST(processes_of_one_guest_wake_each_other),
		TEST(a_busy_stream_asks_the_driver_for_nothing),
		TEST(an_older_driver_is_asked_for_nothing),
		TEST(an_unplugged_device_ends_a_sleep_and_the_lane),
		TEST(a_silent_peer_is_noticed_by_a_sleeper),
		TEST(a_short_wait_is_no_long_sleep),
		TEST(a_client_across_the_border_reaches_a_sleeping_listener),
		TEST(a_client_in_the_same_guest_wakes_a_listener),
		TEST(a_listener_sleeps_no_longer_than_it_waits),
	};

	return cmocka_run_group_tests_name("word", tests, NULL, NULL);
}
