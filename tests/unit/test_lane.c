// SPDX-License-Identifier: MIT
#include <signal.h>
#include <unistd.h>

#include "pair.h"

static struct place place;
static struct ivp_region *here, *there;
static struct ivp_error err;

static int setup(void **state)
{
	(void)state;
	place_make(&place, PLACE_SIZE);
	here = place_open(&place, 0);
	there = place_open(&place, 1);
	memset(&err, 0, sizeof(err));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ivp_region_close(there);
	ivp_region_close(here);
	place_remove(&place);
	return 0;
}

static struct ivp_lane *take(struct ivp_region *region, u32 index, bool server)
{
	struct ivp_lane *lane;

	assert_int_equal(ivp_lane_take(&lane, region, index, server, &err), 0);
	return lane;
}

static void an_end_that_is_taken_is_not_taken_again(void **state)
{
	struct ivp_lane *lane = take(here, 0, false), *other;
	u64 epoch = ivp_load64(&lane->mine->epoch);

	(void)state;
	assert_int_equal(ivp_lane_take(&other, here, 0, false, &err), -EAGAIN);
	assert_int_equal(ivp_lane_take(&other, there, 0, false, &err), -EAGAIN);
	assert_true(ivp_load64(&lane->mine->epoch) == epoch);
	ivp_lane_close(lane);
	ivp_lane_close(take(there, 0, false));
}

static void the_ends_of_a_lane_are_two(void **state)
{
	struct ivp_lane *client = take(here, 0, false), *server = take(here, 0, true);

	(void)state;
	assert_ptr_equal(client->mine, server->theirs);
	assert_ptr_equal(server->mine, client->theirs);
	ivp_lane_close(client);
	ivp_lane_close(server);
}

static void every_taking_has_an_epoch_of_its_own(void **state)
{
	u64 last = 0;

	(void)state;
	for (int i = 0; i < 10; i++) {
		struct ivp_lane *lane = take(here, 0, false);

		assert_true(lane->epoch && lane->epoch != last);
		assert_true(ivp_load64(&lane->mine->epoch) == lane->epoch);
		last = lane->epoch;
		ivp_lane_close(lane);
	}
}

static bool ring_is(struct ivp_region *region, u32 index, bool server, u8 value)
{
	const u8 *ring = (u8 *)region->map + ivp_ring_offset(&region->sb, index, server);

	for (u64 i = 0; i < region->sb.ring_size; i++)
		if (ring[i] != value)
			return false;
	return true;
}

static void fill_lane(struct ivp_region *region, u32 index)
{
	u64 start = ivp_half_offset(&region->sb, index, false);

	memset((u8 *)region->map + start, 0xee, region->sb.lane_stride);
}

/* What an earlier run, or anybody, left in a lane must not be taken for ours. */
static void taking_wipes_the_own_half_and_ring_and_no_more(void **state)
{
	struct ivp_lane *lane;
	struct ivp_half half, mine = {0};

	(void)state;
	fill_lane(here, 3);
	lane = take(here, 3, false);
	ivp_copy_from(&half, lane->mine, sizeof(half));
	assert_int_equal(half.state, IVP_STATE_IDLE);
	assert_int_equal(half.prod, 0);
	assert_int_equal(half.cons, 0);
	assert_int_equal(half.want, 0);
	assert_int_equal(half.verdict, 0);
	assert_int_equal(half.side, 0);
	assert_memory_equal(&half.message, &mine.message, sizeof(mine.message));
	assert_true(ring_is(here, 3, false, 0));
	assert_true(ring_is(here, 3, true, 0xee));
	ivp_copy_from(&half, lane->theirs, sizeof(half));
	assert_true(half.prod == 0xeeeeeeeeeeeeeeee);
	ivp_lane_close(lane);
}

static void closing_wipes_what_this_end_wrote(void **state)
{
	struct ivp_lane *lane = take(here, 3, false);

	(void)state;
	memset(ivp_plain(here->map) + ivp_ring_offset(&here->sb, 3, false), 0x77, here->sb.ring_size);
	memset(ivp_plain(here->map) + ivp_ring_offset(&here->sb, 3, true), 0x77, here->sb.ring_size);
	ivp_lane_close(lane);
	assert_true(ring_is(here, 3, false, 0));
	assert_true(ring_is(here, 3, true, 0x77));
}

static void the_survivor_wipes_both_rings(void **state)
{
	struct ivp_lane *lane = take(here, 3, false);

	(void)state;
	memset(ivp_plain(here->map) + ivp_ring_offset(&here->sb, 3, true), 0x77, here->sb.ring_size);
	lane->gone = true;
	ivp_lane_close(lane);
	assert_true(ring_is(here, 3, true, 0));
}

static void a_closed_end_says_so(void **state)
{
	struct ivp_lane *lane = take(here, 3, true);
	const struct ivp_half *half = lane->mine;

	(void)state;
	ivp_lane_close(lane);
	assert_int_equal(half->state, IVP_STATE_CLOSED);
	lane = take(here, 3, true);
	ivp_lane_abort(lane, IVP_VERDICT_READ);
	ivp_lane_close(lane);
	assert_int_equal(half->state, IVP_STATE_ABORTED);
	assert_int_equal(half->verdict, IVP_VERDICT_READ);
	ivp_lane_close(NULL);
}

/* ---- another who writes our half ---- */

static void an_overwritten_epoch_is_another_user(void **state)
{
	struct ivp_lane *lane = take(here, 3, false);
	struct ivp_half *half = lane->mine;

	(void)state;
	assert_int_equal(ivp_lane_look(lane, &err), 0);
	half->epoch ^= 1;
	assert_int_equal(ivp_lane_look(lane, &err), -EPROTO);
	assert_int_equal(err.kind, IVP_FAIL_DAMAGED);
	assert_non_null(strstr(err.text, "another user writes this end"));
	/* From now on its half and ring are the other's. */
	half->state = IVP_STATE_OPEN;
	memset(ivp_plain(here->map) + ivp_ring_offset(&here->sb, 3, false), 0x77, 64);
	ivp_lane_verdict(lane, IVP_VERDICT_OK);
	ivp_lane_abort(lane, IVP_VERDICT_READ);
	ivp_lane_close(lane);
	assert_int_equal(half->state, IVP_STATE_OPEN);
	assert_int_equal(half->verdict, 0);
	assert_int_equal(((u8 *)here->map)[ivp_ring_offset(&here->sb, 3, false)], 0x77);
}

/* ---- ends that the dead left behind ---- */

struct leave {
	u32 index, state;
	bool server;
};

/* Another process takes an end, says a state, and waits to be killed. */
static void leave_behind(int fd, void *arg)
{
	const struct leave *leave = arg;
	struct ivp_region *region = place_open(&place, 1);
	struct ivp_lane *lane;

	if (ivp_lane_take(&lane, region, leave->index, leave->server, NULL))
		_exit(1);
	ivp_lane_state(lane, leave->state);
	word_say(fd);
	pause();
}

static struct ivp_lane_info info_of(u32 index)
{
	struct ivp_lane_info info;

	assert_int_equal(ivp_region_lane(here, index, &info), 0);
	return info;
}

static void sweep_with(struct leave leave, u32 while_alive, u32 when_dead)
{
	struct child child;
	u32 *state;

	child_start(&child, leave_behind, &leave);
	word_hear(child.fd);
	state = &ivp_region_half(there, leave.index, leave.server)->state;
	ivp_lane_sweep(there);
	assert_int_equal(ivp_load32(state), while_alive);
	child_kill(&child);
	assert_int_equal(ivp_load32(state), while_alive);
	ivp_lane_sweep(there);
	assert_int_equal(ivp_load32(state), when_dead);
}

static void a_dead_servers_end_is_swept(void **state)
{
	(void)state;
	sweep_with((struct leave){.index = 2, .state = IVP_STATE_WELCOME, .server = true}, IVP_STATE_WELCOME,
		   IVP_STATE_CLOSED);
	sweep_with((struct leave){.index = 3, .state = IVP_STATE_OPEN, .server = true}, IVP_STATE_OPEN,
		   IVP_STATE_CLOSED);
}

static void a_dead_clients_end_is_swept(void **state)
{
	u32 index = here->sb.lanes - 1;

	(void)state;
	assert_int_equal(ivp_lane_side(&here->sb, index), 1);
	sweep_with((struct leave){.index = index, .state = IVP_STATE_HELLO}, IVP_STATE_HELLO, IVP_STATE_CLOSED);
	sweep_with((struct leave){.index = index, .state = IVP_STATE_OPEN}, IVP_STATE_OPEN, IVP_STATE_CLOSED);
}

static void an_end_that_is_over_is_left_alone(void **state)
{
	(void)state;
	sweep_with((struct leave){.index = 2, .state = IVP_STATE_ABORTED, .server = true}, IVP_STATE_ABORTED,
		   IVP_STATE_ABORTED);
}

static void ends_of_another_side_are_not_swept(void **state)
{
	struct ivp_half *server = ivp_region_half(there, 0, true), *client = ivp_region_half(there, 0, false);

	(void)state;
	server->side = 0;
	server->state = client->state = IVP_STATE_OPEN;
	ivp_lane_sweep(there);
	assert_int_equal(server->state, IVP_STATE_OPEN);
	assert_int_equal(client->state, IVP_STATE_OPEN);
	ivp_lane_sweep(here);
	assert_int_equal(server->state, IVP_STATE_CLOSED);
	assert_int_equal(client->state, IVP_STATE_CLOSED);
}

/* ---- tokens ---- */

static void a_token_lies_in_the_own_ring_and_is_found_there(void **state)
{
	(void)state;
	for (int i = 0; i < 64; i++) {
		bool server = i % 2;
		struct ivp_lane *lane = take(here, 1, server), *peer = take(there, 1, !server);
		u32 bytes = IVP_TOKEN_MIN + (u32)i % (IVP_TOKEN_MAX - IVP_TOKEN_MIN);
		u64 ring = ivp_ring_offset(&here->sb, 1, server);
		struct ivp_message message = {0};
		u8 *there_it_is;

		assert_int_equal(ivp_lane_hide_token(lane, &message, bytes, &err), 0);
		assert_int_equal(message.token_bytes, bytes);
		assert_in_range(message.token_index, ring, ring + here->sb.ring_size - bytes);
		assert_true(ivp_lane_find_token(peer, &message));
		there_it_is = (u8 *)there->map + message.token_index + bytes - 1;
		*there_it_is ^= 0x80;
		assert_false(ivp_lane_find_token(peer, &message));
		ivp_lane_wipe_token(lane);
		assert_true(ring_is(here, 1, server, 0));
		assert_false(ivp_lane_find_token(peer, &message));
		ivp_lane_close(lane);
		ivp_lane_close(peer);
	}
}

/* ---- what a user may ask for ---- */

static int check_options(struct ivp_lane_options options)
{
	u8 service[IVP_SERVICE_BYTES];

	return ivp_lane_options_check(&options, service, &err);
}

static void nonsense_in_options_is_refused(void **state)
{
	static const char *const names[] = {"", ".x", "a b", "a/b", "\x1b[2J", "12345678901234567890123456789012"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(check_options((struct ivp_lane_options){.service = names[i]}), -EINVAL);
		assert_int_equal(err.kind, IVP_FAIL_USAGE);
	}
	assert_int_equal(check_options((struct ivp_lane_options){.token_bytes = 15}), -EINVAL);
	assert_int_equal(check_options((struct ivp_lane_options){.token_bytes = 513}), -EINVAL);
	assert_int_equal(check_options((struct ivp_lane_options){.token_bytes = ~0u}), -EINVAL);
	assert_int_equal(check_options((struct ivp_lane_options){0}), 0);
}

/* ---- showing ---- */

static void showing_a_lane_survives_any_contents(void **state)
{
	struct ivp_lane_info info;

	(void)state;
	memset(ivp_plain(here->map) + here->sb.slots_offset, 0xff, PLACE_SIZE - here->sb.slots_offset);
	assert_int_equal(ivp_region_lane(here, here->sb.lanes, &info), -EINVAL);
	assert_int_equal(ivp_region_lane(here, ~0u, &info), -EINVAL);
	for (u32 i = 0; i < here->sb.lanes; i++) {
		info = info_of(i);
		assert_int_equal(info.index, i);
		assert_string_equal(ivp_state_name(info.client.state), "nonsense");
		assert_false(info.client.local);
	}
}

static void a_taken_end_is_shown_as_local(void **state)
{
	struct ivp_lane *lane = take(there, 4, true);

	(void)state;
	assert_true(info_of(4).server.local);
	assert_false(info_of(4).client.local);
	assert_true(info_of(4).server.epoch == lane->epoch);
	ivp_lane_close(lane);
	assert_false(info_of(4).server.local);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_end_that_is_taken_is_not_taken_again),
		TEST(the_ends_of_a_lane_are_two),
		TEST(every_taking_has_an_epoch_of_its_own),
		TEST(taking_wipes_the_own_half_and_ring_and_no_more),
		TEST(closing_wipes_what_this_end_wrote),
		TEST(the_survivor_wipes_both_rings),
		TEST(a_closed_end_says_so),
		TEST(an_overwritten_epoch_is_another_user),
		TEST(a_dead_servers_end_is_swept),
		TEST(a_dead_clients_end_is_swept),
		TEST(an_end_that_is_over_is_left_alone),
		TEST(ends_of_another_side_are_not_swept),
		TEST(a_token_lies_in_the_own_ring_and_is_found_there),
		TEST(nonsense_in_options_is_refused),
		TEST(showing_a_lane_survives_any_contents),
		TEST(a_taken_end_is_shown_as_local),
	};

	return cmocka_run_group_tests_name("lane", tests, NULL, NULL);
}
