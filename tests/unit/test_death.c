// SPDX-License-Identifier: MIT
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "pair.h"

/* The peer is another process, which is killed, or stopped; its kernel tells nobody, or it cannot be asked. */
static struct place place;
static struct ivp_region *here;
static struct ivp_lane *lane;
static struct child child;
static struct ivp_error err;

enum role {
	SILENT,           /* a client that says nothing */
	SPEAKS = 1 << 0,  /* a client that writes "last words" */
	ENDS = 1 << 1,    /* and ends */
	LISTENS = 1 << 2, /* a server */
	REMOTE = 1 << 3,  /* behind a device */
};

static void be_server(struct ivp_region *region, int fd)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener;
	struct ivp_lane *mine;

	if (ivp_listen(&listener, region, &options, NULL))
		_exit(1);
	word_say(fd);
	if (ivp_accept(&mine, listener, NULL))
		_exit(2);
	pause();
}

static void be_client(struct ivp_region *region, int fd, enum role role)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_lane *mine;

	if (ivp_connect(&mine, region, &options, NULL))
		_exit(3);
	if (role & SPEAKS)
		ivp_lane_write(mine, "last words", 10, NULL);
	if (role & ENDS)
		ivp_lane_end(mine, NULL);
	word_say(fd);
	pause();
}

static void peer_main(int fd, void *arg)
{
	enum role role = *(enum role *)arg;
	struct ivp_region *region = role & REMOTE ? place_open_device(&place) : place_open(&place, 1);

	if (role & LISTENS)
		be_server(region, fd);
	else
		be_client(region, fd, role);
}

static void begin(enum role role)
{
	memset(&err, 0, sizeof(err));
	place_make(&place, PLACE_SIZE);
	/* Its layout must be there before a device can open it. */
	assert_int_equal(ivp_format(place.file, &(struct ivp_format_options){0}, NULL, &err), 0);
	child_start(&child, peer_main, &role);
	here = place_open(&place, 0);
}

static void meet(enum role role, int64_t peer_timeout_ms)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener;

	begin(role);
	options.peer_timeout_ms = peer_timeout_ms;
	if (role & LISTENS) {
		word_hear(child.fd);
		if (ivp_connect(&lane, here, &options, &err))
			fail_msg("%s", err.text);
		return;
	}
	if (ivp_listen(&listener, here, &options, &err) || ivp_accept(&lane, listener, &err))
		fail_msg("%s", err.text);
	ivp_listener_close(listener);
	word_hear(child.fd);
}

static void part(void)
{
	ivp_lane_close(lane);
	ivp_region_close(here);
	place_remove(&place);
}

static void is_gone(int ret)
{
	assert_int_equal(ret, -EPIPE);
	assert_int_equal(err.kind, IVP_FAIL_PEER_GONE);
	assert_non_null(strstr(err.text, "the peer is gone"));
}

static bool rings_are_wiped(u32 index)
{
	const u8 *rings = (u8 *)here->map + ivp_ring_offset(&here->sb, index, false);

	for (u64 i = 0; i < 2 * here->sb.ring_size; i++)
		if (rings[i])
			return false;
	return true;
}

/* ---- on this kernel ---- */

static void a_killed_sender_is_noticed(void **state)
{
	(void)state;
	meet(SILENT, 0);
	assert_true(ivp_lane_peer_local(lane));
	child_kill(&child);
	is_gone(ivp_lane_wait(lane, IVP_WAIT_DATA, -1, &err));
	part();
}

static void a_killed_receiver_is_noticed(void **state)
{
	(void)state;
	meet(LISTENS, 0);
	child_kill(&child);
	is_gone(ivp_lane_wait(lane, IVP_WAIT_RESULT, -1, &err));
	part();
}

static void a_kill_without_a_wait_is_noticed_by_checks(void **state)
{
	(void)state;
	meet(SILENT, 0);
	assert_int_equal(ivp_lane_check(lane, IVP_WAIT_ROOM, &err), 0);
	child_kill(&child);
	await(ivp_lane_check(lane, IVP_WAIT_ROOM, &err) == -EPIPE);
	assert_int_equal(err.kind, IVP_FAIL_PEER_GONE);
	part();
}

static void last_words_are_heard_before_the_death(void **state)
{
	char bytes[32];

	(void)state;
	meet(SPEAKS, 0);
	child_kill(&child);
	assert_int_equal(ivp_lane_wait(lane, IVP_WAIT_DATA, -1, &err), 0);
	assert_int_equal(ivp_lane_read(lane, bytes, sizeof(bytes), &err), 10);
	assert_memory_equal(bytes, "last words", 10);
	is_gone(ivp_lane_wait(lane, IVP_WAIT_DATA, -1, &err));
	part();
}

static void what_had_ended_is_whole_although_its_sender_died(void **state)
{
	char bytes[32];

	(void)state;
	meet(SPEAKS | ENDS, 0);
	child_kill(&child);
	assert_int_equal(ivp_lane_wait(lane, IVP_WAIT_DATA, -1, &err), 0);
	assert_int_equal(ivp_lane_read(lane, bytes, sizeof(bytes), &err), 10);
	assert_int_equal(ivp_lane_wait(lane, IVP_WAIT_DATA, -1, &err), 0);
	assert_int_equal(ivp_lane_read(lane, bytes, sizeof(bytes), &err), 0);
	part();
}

static void a_receiver_that_died_before_its_verdict_confirmed_nothing(void **state)
{
	(void)state;
	meet(LISTENS, 0);
	assert_int_equal(ivp_lane_write(lane, "x", 1, &err), 1);
	assert_int_equal(ivp_lane_end(lane, &err), 0);
	child_kill(&child);
	is_gone(ivp_lane_confirm(lane, -1, &err));
	part();
}

/* A receiver whose disk is full: it says so, closes, and ends, all between two steps of ours. */
static struct pair pair;

static void say_and_die(void)
{
	ivp_lane_abort(pair.server, IVP_VERDICT_NO_SPACE);
	ivp_lane_close(pair.server);
	pair.server = NULL;
	clock_advance(IVP_BEAT_MS);
}

static void the_reason_of_a_dead_peer_is_told_and_not_its_death(void **state)
{
	(void)state;
	for (int checks = 0; checks < 2; checks++) {
		pair_connect(&pair, false);
		clock_at_next_look(say_and_die);
		if (checks)
			assert_int_equal(ivp_lane_check(pair.client, IVP_WAIT_ROOM, &err), -ENOSPC);
		else
			assert_int_equal(ivp_lane_wait(pair.client, IVP_WAIT_RESULT, -1, &err), -ENOSPC);
		assert_null(pair.server);
		assert_int_equal(err.kind, IVP_FAIL_GENERAL);
		pair_close(&pair);
	}
}

static void the_survivor_leaves_nothing_behind(void **state)
{
	u32 index;

	(void)state;
	meet(SPEAKS, 0);
	child_kill(&child);
	assert_int_equal(ivp_lane_write(lane, "answer", 6, &err), 6);
	index = lane->index;
	await(ivp_lane_check(lane, IVP_WAIT_ROOM, &err) == -EPIPE);
	ivp_lane_close(lane);
	lane = NULL;
	assert_true(rings_are_wiped(index));
	part();
}

/* More deaths than the side has lanes, and there is always one to be had at once. */
static void the_next_one_connects_at_once(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener;
	static enum role role = SPEAKS;

	(void)state;
	begin(role);
	assert_int_equal(ivp_listen(&listener, here, &options, &err), 0);
	for (int i = 0; i < 10; i++) {
		if (i)
			child_start(&child, peer_main, &role);
		if (ivp_accept(&lane, listener, &err))
			fail_msg("%s", err.text);
		word_hear(child.fd);
		child_kill(&child);
		is_gone(ivp_lane_wait(lane, IVP_WAIT_RESULT, -1, &err));
		ivp_lane_close(lane);
	}
	lane = NULL;
	ivp_listener_close(listener);
	part();
}

/* ---- behind a device: only the beat tells ---- */

/* Four looks a second, by the library's clock. */
static int look(void)
{
	clock_advance(IVP_BEAT_MS);
	return ivp_lane_check(lane, IVP_WAIT_ROOM, &err);
}

static void a_beat_that_stops_is_a_death_after_so_many_looks(void **state)
{
	int looks = 0;

	(void)state;
	meet(REMOTE, 3000);
	assert_false(ivp_lane_peer_local(lane));
	child_kill(&child);
	while (!look())
		looks++;
	/* The first may still have seen the last beat; known it is within the time. */
	assert_in_range(looks, 10, 11);
	assert_int_equal(err.kind, IVP_FAIL_PEER_GONE);
	assert_non_null(strstr(err.text, "no sign of life"));
	part();
}

static void a_late_look_counts_once(void **state)
{
	(void)state;
	meet(REMOTE, 3000);
	kill(child.pid, SIGSTOP);
	waitpid(child.pid, NULL, WUNTRACED);
	assert_int_equal(look(), 0);
	/* We were suspended for an hour: that is no fault of the peer's. */
	clock_advance(3600 * 1000);
	assert_int_equal(look(), 0);
	kill(child.pid, SIGCONT);
	u32 beat = ivp_load32(&lane->theirs->beat);
	await(ivp_load32(&lane->theirs->beat) != beat);
	assert_int_equal(look(), 0);
	assert_int_equal(lane->still, 0);
	child_kill(&child);
	part();
}

static void a_beating_peer_that_says_nothing_lives(void **state)
{
	(void)state;
	meet(REMOTE, 500);
	for (int i = 0; i < 4; i++) {
		u32 beat = ivp_load32(&lane->theirs->beat);

		await(ivp_load32(&lane->theirs->beat) != beat);
		assert_int_equal(look(), 0);
	}
	child_kill(&child);
	part();
}

static void a_peer_without_a_deadline_is_never_dead(void **state)
{
	(void)state;
	meet(REMOTE, -1);
	child_kill(&child);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(look(), 0);
	part();
}

static void a_waiting_receiver_hears_of_the_death(void **state)
{
	(void)state;
	meet(REMOTE, 500);
	child_kill(&child);
	is_gone(ivp_lane_wait(lane, IVP_WAIT_DATA, -1, &err));
	part();
}

static void a_waiting_sender_hears_of_the_death(void **state)
{
	(void)state;
	meet(REMOTE | LISTENS, 500);
	child_kill(&child);
	assert_int_equal(ivp_lane_end(lane, &err), 0);
	is_gone(ivp_lane_confirm(lane, -1, &err));
	part();
}

static void last_words_cross_the_boundary(void **state)
{
	char bytes[32];

	(void)state;
	meet(REMOTE | SPEAKS | ENDS, 500);
	child_kill(&child);
	assert_int_equal(ivp_lane_wait(lane, IVP_WAIT_DATA, -1, &err), 0);
	assert_int_equal(ivp_lane_read(lane, bytes, sizeof(bytes), &err), 10);
	assert_int_equal(ivp_lane_wait(lane, IVP_WAIT_DATA, -1, &err), 0);
	assert_int_equal(ivp_lane_read(lane, bytes, sizeof(bytes), &err), 0);
	part();
}

/* The dead one's lanes are swept by the next of its side, without waiting for ten seconds. */
static void the_next_one_behind_a_device_connects_at_once(void **state)
{
	struct ivp_lane_options options = pair_options();
	static enum role role = REMOTE | SPEAKS;
	struct ivp_listener *listener;

	(void)state;
	options.peer_timeout_ms = 250;
	begin(role);
	assert_int_equal(ivp_listen(&listener, here, &options, &err), 0);
	for (int i = 0; i < 4; i++) {
		if (i)
			child_start(&child, peer_main, &role);
		if (ivp_accept(&lane, listener, &err))
			fail_msg("%s", err.text);
		word_hear(child.fd);
		child_kill(&child);
		is_gone(ivp_lane_wait(lane, IVP_WAIT_RESULT, -1, &err));
		ivp_lane_close(lane);
	}
	lane = NULL;
	ivp_listener_close(listener);
	part();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_sender_is_noticed),
		cmocka_unit_test(a_killed_receiver_is_noticed),
		cmocka_unit_test(a_kill_without_a_wait_is_noticed_by_checks),
		cmocka_unit_test(last_words_are_heard_before_the_death),
		cmocka_unit_test(what_had_ended_is_whole_although_its_sender_died),
		cmocka_unit_test(a_receiver_that_died_before_its_verdict_confirmed_nothing),
		cmocka_unit_test(the_reason_of_a_dead_peer_is_told_and_not_its_death),
		cmocka_unit_test(the_survivor_leaves_nothing_behind),
		cmocka_unit_test(the_next_one_connects_at_once),
		cmocka_unit_test(a_beat_that_stops_is_a_death_after_so_many_looks),
		cmocka_unit_test(a_late_look_counts_once),
		cmocka_unit_test(a_beating_peer_that_says_nothing_lives),
		cmocka_unit_test(a_peer_without_a_deadline_is_never_dead),
		cmocka_unit_test(a_waiting_receiver_hears_of_the_death),
		cmocka_unit_test(a_waiting_sender_hears_of_the_death),
		cmocka_unit_test(last_words_cross_the_boundary),
		cmocka_unit_test(the_next_one_behind_a_device_connects_at_once),
	};

	return cmocka_run_group_tests_name("death", tests, NULL, NULL);
}
