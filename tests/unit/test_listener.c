// SPDX-License-Identifier: MIT
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "beat.h"
#include "listener.h"
#include "locks.h"
#include "pair.h"

static struct place place;
static struct ivp_region *here, *there;
static struct ivp_error err;

static int setup(void **state)
{
	(void)state;
	place_make(&place, PLACE_SIZE);
	here = place_open(&place, 0);
	there = place_open_device(&place);
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

static struct ivp_listener *listen_with(const struct ivp_lane_options *options)
{
	struct ivp_listener *listener;

	if (ivp_listen(&listener, here, options, &err))
		fail_msg("%s", err.text);
	return listener;
}

static struct ivp_listener *listen_for(const char *service)
{
	struct ivp_lane_options options = pair_options();

	options.service = service;
	return listen_with(&options);
}

static struct ivp_slot *slot_of(u32 side, u32 number)
{
	return ivp_region_slot(there, side, number);
}

/* ---- slots that lie ---- */

static void a_slot_without_an_id_is_free(void **state)
{
	struct ivp_announced announced;

	(void)state;
	memcpy(slot_of(0, 3)->service, "default", 8);
	assert_false(ivp_listener_read(here, 0, 3, &announced));
}

static void a_slot_with_a_strange_service_is_free(void **state)
{
	struct ivp_announced announced;

	(void)state;
	slot_of(0, 3)->id = 5;
	memcpy(slot_of(0, 3)->service, "a\x1b[2J", 5);
	assert_false(ivp_listener_read(here, 0, 3, &announced));
	memset(slot_of(0, 3)->service, 'a', IVP_SERVICE_BYTES);
	assert_false(ivp_listener_read(here, 0, 3, &announced));
}

static void showing_survives_any_contents(void **state)
{
	struct ivp_listener_info info;

	(void)state;
	memset(slot_of(0, 0), 0xff, 2 * IVP_SLOTS_PER_SIDE * sizeof(struct ivp_slot));
	for (u32 side = 0; side < 2; side++)
		for (u32 slot = 0; slot < IVP_SLOTS_PER_SIDE; slot++) {
			assert_int_equal(ivp_region_listener(here, side, slot, &info), 0);
			assert_int_equal(info.id, 0);
		}
	assert_int_equal(ivp_region_listener(here, 2, 0, &info), -EINVAL);
	assert_int_equal(ivp_region_listener(here, ~0u, 0, &info), -EINVAL);
	assert_int_equal(ivp_region_listener(here, 0, IVP_SLOTS_PER_SIDE, &info), -EINVAL);
}

/* ---- announcing ---- */

static void a_listener_is_seen_with_its_service(void **state)
{
	struct ivp_listener *listener = listen_for("music");
	struct ivp_listener_info info;

	(void)state;
	assert_int_equal(ivp_region_listener(there, 0, 0, &info), 0);
	assert_true(info.id);
	assert_string_equal(info.service, "music");
	assert_false(info.local); /* there cannot see locks of here */
	assert_int_equal(ivp_region_listener(here, 0, 0, &info), 0);
	assert_true(info.local);
	ivp_listener_close(listener);
	assert_int_equal(ivp_region_listener(there, 0, 0, &info), 0);
	assert_int_equal(info.id, 0);
}

static void a_listener_beats(void **state)
{
	struct ivp_listener *listener = listen_for(NULL);
	u32 beat = ivp_load32(&slot_of(0, 0)->beat);

	(void)state;
	await(ivp_load32(&slot_of(0, 0)->beat) != beat);
	ivp_listener_close(listener);
}

static void a_side_has_room_for_16_listeners(void **state)
{
	struct ivp_listener *listeners[IVP_SLOTS_PER_SIDE], *more;
	struct ivp_lane_options options = {0};

	(void)state;
	for (int i = 0; i < IVP_SLOTS_PER_SIDE; i++)
		listeners[i] = listen_for(NULL);
	assert_int_equal(ivp_listen(&more, here, &options, &err), -EBUSY);
	ivp_listener_close(listeners[7]);
	listeners[7] = listen_for(NULL);
	for (int i = 0; i < IVP_SLOTS_PER_SIDE; i++)
		ivp_listener_close(listeners[i]);
}

static void listen_and_wait(int fd, void *arg)
{
	struct ivp_region *region = place_open(&place, 0);
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener;

	options.service = arg;
	if (ivp_listen(&listener, region, &options, NULL))
		_exit(1);
	word_say(fd);
	pause();
}

static void a_dead_listeners_slot_is_taken_again(void **state)
{
	struct ivp_listener *listener;
	struct ivp_listener_info info;
	struct child child;

	(void)state;
	child_start(&child, listen_and_wait, "old");
	word_hear(child.fd);
	child_kill(&child);
	assert_int_equal(ivp_region_listener(here, 0, 0, &info), 0);
	assert_string_equal(info.service, "old");
	assert_false(info.local);
	listener = listen_for("new");
	assert_int_equal(ivp_region_listener(here, 0, 0, &info), 0);
	assert_string_equal(info.service, "new");
	ivp_listener_close(listener);
}

/* ---- waiting ---- */

static void nobody_came_in_time(void **state)
{
	struct ivp_lane_options options = {.service = "quiet"};
	struct ivp_listener *listener = listen_with(&options);
	struct ivp_lane *lane;

	(void)state;
	assert_int_equal(ivp_accept(&lane, listener, &err), -ETIMEDOUT);
	assert_int_equal(err.kind, IVP_FAIL_NO_PEER);
	assert_non_null(strstr(err.text, "quiet"));
	ivp_listener_close(listener);
}

static void a_call_may_wait_for_another_time(void **state)
{
	struct ivp_lane_options options = {.service = "patient", .wait_ms = -1};
	struct ivp_listener *listener = listen_with(&options);
	struct ivp_lane *lane;

	(void)state;
	assert_int_equal(ivp_accept_within(&lane, listener, 0, &err), -ETIMEDOUT);
	assert_int_equal(ivp_accept_within(&lane, listener, 20, &err), -ETIMEDOUT);
	ivp_listener_close(listener);
}

struct accepting {
	struct ivp_listener *listener;
	struct ivp_lane *lane;
	struct ivp_error err;
	pthread_t thread;
	int ret;
	atomic_bool done;
};

static void *accept_main(void *arg)
{
	struct accepting *accepting = arg;

	accepting->ret = ivp_accept(&accepting->lane, accepting->listener, &accepting->err);
	atomic_store(&accepting->done, true);
	return NULL;
}

static void accept_begin(struct accepting *accepting, struct ivp_listener *listener)
{
	*accepting = (struct accepting){.listener = listener};
	assert_int_equal(pthread_create(&accepting->thread, NULL, accept_main, accepting), 0);
}

static void a_knock_is_answered_by_a_beat(void **state)
{
	struct ivp_listener *listener = listen_for(NULL);
	struct ivp_slot *slot = ivp_region_slot(here, 0, 0);
	volatile sig_atomic_t cancel = 0;
	struct accepting accepting;
	u32 beat;

	(void)state;
	here->cancel = &cancel;
	/* Nobody else counts it up any more. */
	ivp_beat_remove(here->beat, &slot->beat);
	accept_begin(&accepting, listener);
	for (u32 i = 0; i < 3; i++) {
		beat = ivp_load32(&slot->beat);
		ivp_store32_release(&slot->accept, 1000 + i);
		await(ivp_load32(&slot->beat) == beat + 1);
	}
	cancel = 1;
	pthread_join(accepting.thread, NULL);
	assert_int_equal(accepting.ret, -EINTR);
	ivp_listener_close(listener);
}

static void a_wait_can_be_cancelled(void **state)
{
	struct ivp_listener *listener = listen_for(NULL);
	volatile sig_atomic_t cancel = 0;
	struct accepting accepting;

	(void)state;
	here->cancel = &cancel;
	accept_begin(&accepting, listener);
	cancel = 1;
	pthread_join(accepting.thread, NULL);
	assert_int_equal(accepting.ret, -EINTR);
	ivp_listener_close(listener);
}

static void an_overwritten_slot_is_another_user(void **state)
{
	struct ivp_listener *listener = listen_for(NULL);
	struct ivp_lane *lane;
	u64 other = slot_of(0, 0)->id ^ 1;

	(void)state;
	slot_of(0, 0)->id = other;
	assert_int_equal(ivp_accept(&lane, listener, &err), -EPROTO);
	assert_non_null(strstr(err.text, "another user"));
	ivp_listener_close(listener);
	/* It is the other's, and stays. */
	assert_true(slot_of(0, 0)->id == other);
}

static void a_region_laid_out_anew_ends_the_wait(void **state)
{
	struct ivp_listener *listener = listen_for(NULL);
	struct accepting accepting;

	(void)state;
	accept_begin(&accepting, listener);
	assert_int_equal(ivp_format(place.file, &(struct ivp_format_options){.force = true}, NULL, &err), 0);
	pthread_join(accepting.thread, NULL);
	assert_int_equal(accepting.ret, -ESTALE);
	ivp_listener_close(listener);
}

/* ---- hellos that lie ---- */

/* A client made by hand, which may say what it likes. */
struct liar {
	struct ivp_lane *lane;
	struct ivp_message hello;
};

static void liar_make_on(struct liar *liar, struct ivp_region *region, u32 index)
{
	struct ivp_announced target;
	struct ivp_expect knows = {.sb = &region->sb, .lane = index};

	assert_true(ivp_listener_read(region, 0, 0, &target));
	assert_int_equal(ivp_lane_take(&liar->lane, region, index, false, &err), 0);
	knows.listener_id = target.id;
	knows.peer_epoch = liar->lane->epoch;
	knows.service = target.service;
	ivp_message_begin(&liar->hello, IVP_MESSAGE_HELLO, &knows, region->side);
	assert_int_equal(ivp_lane_hide_token(liar->lane, &liar->hello, IVP_TOKEN_DEFAULT, &err), 0);
}

static void liar_make(struct liar *liar, struct ivp_region *region)
{
	liar_make_on(liar, region, region->side ? region->sb.lanes - 1 : 0);
}

static u32 their_state(const struct liar *liar)
{
	return ivp_load32_acquire(&liar->lane->theirs->state);
}

/* Say it, and expect a refusal with this reason, on both ends. */
static void hello_is_refused(struct liar *liar, struct ivp_listener *listener, enum ivp_reason reason)
{
	struct accepting accepting;
	struct ivp_message refusal;

	ivp_lane_say(liar->lane, &liar->hello, IVP_STATE_HELLO, INT64_MAX);
	accept_begin(&accepting, listener);
	await(their_state(liar) == IVP_STATE_REFUSED || atomic_load(&accepting.done));
	ivp_copy_from(&refusal, (u8 *)&liar->lane->theirs->message, sizeof(refusal));
	ivp_lane_close(liar->lane);
	pthread_join(accepting.thread, NULL);
	assert_int_equal(refusal.type, IVP_MESSAGE_REFUSAL);
	assert_int_equal(refusal.reason, reason);
	assert_int_equal(accepting.ret, -ECONNREFUSED);
	assert_int_equal(accepting.err.kind, IVP_FAIL_REFUSED);
	assert_non_null(strstr(accepting.err.text, ivp_reason_text(reason)));
}

static void lie(void (*change)(struct ivp_message *), enum ivp_reason reason)
{
	struct ivp_listener *listener = listen_for(NULL);

	for (int i = 0; i < 2; i++) {
		struct liar liar;

		liar_make(&liar, i ? there : here);
		change(&liar.hello);
		hello_is_refused(&liar, listener, reason);
	}
	ivp_listener_close(listener);
}

static void other_token(struct ivp_message *hello)
{
	hello->token[hello->token_bytes - 1] ^= 1;
}

static void a_wrong_token_is_refused(void **state)
{
	(void)state;
	lie(other_token, IVP_REASON_TOKEN);
}

static void other_place(struct ivp_message *hello)
{
	hello->token_index = 4096;
}

static void a_token_in_anothers_place_is_refused(void **state)
{
	(void)state;
	lie(other_place, IVP_REASON_WINDOW);
}

static void beyond_the_end(struct ivp_message *hello)
{
	hello->token_index = ~0ULL - 7;
}

static void a_token_beyond_the_mapping_is_refused(void **state)
{
	(void)state;
	lie(beyond_the_end, IVP_REASON_WINDOW);
}

static void no_token(struct ivp_message *hello)
{
	hello->token_bytes = 0;
	memset(hello->token, 0, sizeof(hello->token));
}

static void an_empty_token_is_refused(void **state)
{
	(void)state;
	lie(no_token, IVP_REASON_WINDOW);
}

static void other_format(struct ivp_message *hello)
{
	hello->format_id ^= 1;
}

static void a_wrong_format_id_is_refused(void **state)
{
	(void)state;
	lie(other_format, IVP_REASON_FORMAT);
}

static void other_version(struct ivp_message *hello)
{
	hello->version++;
}

static void another_version_is_refused(void **state)
{
	(void)state;
	lie(other_version, IVP_REASON_VERSION);
}

static void other_service(struct ivp_message *hello)
{
	memcpy(hello->service, "other\0\0", 8);
}

static void another_service_is_refused(void **state)
{
	(void)state;
	lie(other_service, IVP_REASON_SERVICE);
}

static void other_lane(struct ivp_message *hello)
{
	hello->lane++;
}

static void another_lanes_hello_is_refused(void **state)
{
	(void)state;
	lie(other_lane, IVP_REASON_LANE);
}

static void other_side(struct ivp_message *hello)
{
	hello->side ^= 1;
}

static void another_sides_hello_is_refused(void **state)
{
	(void)state;
	lie(other_side, IVP_REASON_LANE);
}

static void other_epoch(struct ivp_message *hello)
{
	hello->epoch ^= 1;
}

static void an_earlier_sessions_hello_is_refused(void **state)
{
	(void)state;
	lie(other_epoch, IVP_REASON_EPOCH);
}

static void dirty(struct ivp_message *hello)
{
	hello->reserved1[0] = 1;
}

static void a_malformed_hello_is_refused(void **state)
{
	(void)state;
	lie(dirty, IVP_REASON_MESSAGE);
}

/* ---- hellos that are nobody's ---- */

/* A hello for somebody else gets no answer: the listener goes on until its time is over. */
static void hello_is_ignored(struct liar *liar)
{
	struct ivp_lane_options options = {0};
	struct ivp_listener *listener = listen_with(&options);
	struct ivp_lane *lane;

	ivp_lane_say(liar->lane, &liar->hello, IVP_STATE_HELLO, INT64_MAX);
	assert_int_equal(ivp_accept(&lane, listener, &err), -ETIMEDOUT);
	assert_int_equal(their_state(liar), IVP_STATE_IDLE);
	ivp_listener_close(listener);
}

static void a_hello_to_a_listener_that_is_gone_is_ignored(void **state)
{
	struct ivp_listener *gone = listen_for(NULL);
	struct liar liar;

	(void)state;
	liar_make(&liar, there);
	ivp_listener_close(gone);
	hello_is_ignored(&liar);
	ivp_lane_close(liar.lane);
}

/* The bytes of an earlier run lie everywhere: hello, token, states. None of it is taken for a client. */
static void a_replayed_hello_is_not_answered_twice(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener;
	struct ivp_lane *lane;
	struct liar liar;

	(void)state;
	options.wait_ms = 0;
	listener = listen_with(&options);
	liar_make(&liar, there);
	other_token(&liar.hello);
	hello_is_refused(&liar, listener, IVP_REASON_TOKEN);
	ivp_region_half(there, there->sb.lanes - 1, false)->state = IVP_STATE_HELLO;
	assert_int_equal(ivp_accept(&lane, listener, &err), -ETIMEDOUT);
	ivp_listener_close(listener);
}

static void random_contents_are_no_clients(void **state)
{
	struct ivp_lane_options options = {0};
	struct ivp_listener *listener = listen_with(&options);
	u64 id = slot_of(0, 0)->id, seed = 10;
	struct ivp_lane *lane;
	u64 *lanes = (u64 *)(there->map + there->sb.lanes_offset);

	(void)state;
	for (int round = 0; round < 20; round++) {
		for (u64 i = 0; i < (PLACE_SIZE - there->sb.lanes_offset) / 8; i++)
			ivp_store64(&lanes[i], unit_random(&seed));
		for (u32 i = 0; i < there->sb.lanes; i++)
			ivp_store32(&ivp_region_half(there, i, false)->state, (u32)unit_random(&seed) % 8);
		ivp_store32(&slot_of(0, 0)->accept, (u32)unit_random(&seed));
		assert_int_equal(ivp_accept(&lane, listener, &err), -ETIMEDOUT);
	}
	assert_true(slot_of(0, 0)->id == id);
	ivp_listener_close(listener);
}

/* ---- clients that do not go on ---- */

static void a_client_that_died_after_its_hello_is_passed_over(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener;
	struct accepting accepting;
	struct knock knock;
	struct liar liar;

	(void)state;
	listener = listen_with(&options);
	liar_make(&liar, here);
	ivp_lane_say(liar.lane, &liar.hello, IVP_STATE_HELLO, INT64_MAX);
	accept_begin(&accepting, listener);
	await(their_state(&liar) == IVP_STATE_WELCOME);
	/* Its lock is gone, and nothing else changed: as after kill -9. */
	ivp_locks_drop(liar.lane->fd, IVP_LOCK_CLIENT(liar.lane->index));
	await(their_state(&liar) == IVP_STATE_CLOSED);
	knock_begin(&knock, there, &options);
	pthread_join(accepting.thread, NULL);
	assert_int_equal(accepting.ret, 0);
	assert_int_equal(knock_end(&knock), 0);
	ivp_lane_close(knock.lane);
	ivp_lane_close(accepting.lane);
	ivp_lane_close(liar.lane);
	ivp_listener_close(listener);
}

static void a_client_that_never_says_ready_is_given_up(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener;
	struct accepting accepting;
	struct liar liar;

	(void)state;
	options.timeout_ms = 50;
	options.wait_ms = 100;
	listener = listen_with(&options);
	liar_make(&liar, there);
	ivp_lane_say(liar.lane, &liar.hello, IVP_STATE_HELLO, INT64_MAX);
	accept_begin(&accepting, listener);
	pthread_join(accepting.thread, NULL);
	assert_int_equal(accepting.ret, -ETIMEDOUT);
	assert_int_equal(their_state(&liar), IVP_STATE_CLOSED);
	ivp_lane_close(liar.lane);
	ivp_listener_close(listener);
}

/* Says hello on each of its lanes, and when it is welcomed gives up and says another. */
static void storm_on(struct liar *liar)
{
	struct ivp_half *half = liar->lane->mine;

	if (ivp_load32(&half->state) == IVP_STATE_HELLO && their_state(liar) != IVP_STATE_WELCOME)
		return;
	ivp_store32_release(&half->state, IVP_STATE_CLOSED);
	liar->hello.epoch++;
	liar->lane->epoch = liar->hello.epoch;
	ivp_store64_release(&half->epoch, liar->hello.epoch);
	ivp_lane_say(liar->lane, &liar->hello, IVP_STATE_HELLO, INT64_MAX);
}

static void a_storm_of_hellos_does_not_outlast_the_deadline(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener;
	struct accepting accepting;
	struct liar liars[4];

	(void)state;
	options.wait_ms = 100;
	listener = listen_with(&options);
	for (u32 i = 0; i < ARRAY_SIZE(liars); i++)
		liar_make_on(&liars[i], here, i);
	for (u32 i = 0; i < ARRAY_SIZE(liars); i++)
		storm_on(&liars[i]);
	accept_begin(&accepting, listener);
	for (int64_t end = ivp_now() + 3000; !atomic_load(&accepting.done) && ivp_now() < end;)
		for (u32 i = 0; i < ARRAY_SIZE(liars); i++)
			storm_on(&liars[i]);
	bool in_time = atomic_load(&accepting.done);
	for (u32 i = 0; i < ARRAY_SIZE(liars); i++)
		ivp_lane_close(liars[i].lane);
	pthread_join(accepting.thread, NULL);
	assert_true(in_time);
	assert_int_equal(accepting.ret, -ETIMEDOUT);
	ivp_listener_close(listener);
}

static void state_after_hello(u32 nonsense, int number)
{
	struct ivp_listener *listener = listen_for(NULL);
	struct accepting accepting;
	struct liar liar;

	liar_make(&liar, there);
	ivp_lane_say(liar.lane, &liar.hello, IVP_STATE_HELLO, INT64_MAX);
	accept_begin(&accepting, listener);
	await(their_state(&liar) == IVP_STATE_WELCOME);
	ivp_lane_state(liar.lane, nonsense);
	pthread_join(accepting.thread, NULL);
	assert_int_equal(accepting.ret, number);
	ivp_lane_close(liar.lane);
	ivp_listener_close(listener);
}

static void a_state_that_no_client_has_is_refused(void **state)
{
	(void)state;
	state_after_hello(IVP_STATE_WELCOME, -ECONNREFUSED);
	state_after_hello(IVP_STATE_REFUSED, -ECONNREFUSED);
	state_after_hello(1000, -ECONNREFUSED);
}

static void a_ready_that_was_never_written_is_refused(void **state)
{
	(void)state;
	/* The message is still the hello. */
	state_after_hello(IVP_STATE_OPEN, -ECONNREFUSED);
}

static void a_client_that_refuses_the_welcome_says_why(void **state)
{
	struct ivp_listener *listener = listen_for(NULL);
	struct accepting accepting;
	struct liar liar;

	(void)state;
	liar_make(&liar, there);
	ivp_lane_say(liar.lane, &liar.hello, IVP_STATE_HELLO, INT64_MAX);
	accept_begin(&accepting, listener);
	await(their_state(&liar) == IVP_STATE_WELCOME);
	ivp_lane_abort(liar.lane, (enum ivp_verdict)IVP_REASON_TOKEN);
	pthread_join(accepting.thread, NULL);
	assert_int_equal(accepting.ret, -ECONNREFUSED);
	assert_int_equal(accepting.err.kind, IVP_FAIL_REFUSED);
	assert_non_null(strstr(accepting.err.text, ivp_reason_text(IVP_REASON_TOKEN)));
	ivp_lane_close(liar.lane);
	ivp_listener_close(listener);
}

/* ---- clients that were ready, and are gone before anybody has seen it ---- */

static struct liar hasty;

static void hasty_begin(struct ivp_listener *listener, struct accepting *accepting, void (*leave)(void))
{
	liar_make(&hasty, here);
	ivp_lane_say(hasty.lane, &hasty.hello, IVP_STATE_HELLO, INT64_MAX);
	if (leave)
		before_lock_look(leave);
	accept_begin(accepting, listener);
}

/* In one step, as the server sees it. */
static void hasty_is_ready_and_over(enum ivp_state over)
{
	struct ivp_message ready = hasty.hello;

	ready.type = IVP_MESSAGE_READY;
	ready.peer_epoch = ivp_load64_acquire(&hasty.lane->theirs->epoch);
	ready.token_bytes = 0;
	ready.token_index = 0;
	ready.size = 0;
	memset(ready.token, 0, sizeof(ready.token));
	ivp_lane_say(hasty.lane, &ready, over, INT64_MAX);
	ivp_locks_drop(hasty.lane->fd, IVP_LOCK_CLIENT(hasty.lane->index));
}

/* Its lane was one, and is over: the receiver is told so, and does not wait for the next. */
static void hasty_lane_is_over(struct ivp_listener *listener, struct accepting *accepting)
{
	char byte;

	pthread_join(accepting->thread, NULL);
	before_lock_look(NULL);
	assert_int_equal(accepting->ret, 0);
	assert_int_equal(ivp_lane_read_some(accepting->lane, &byte, 1, 20000, &err), -EPIPE);
	assert_int_equal(err.kind, IVP_FAIL_PEER_GONE);
	ivp_lane_close(accepting->lane);
	ivp_lane_close(hasty.lane);
	ivp_listener_close(listener);
}

static void who_was_ready_and_gave_up_had_a_lane(void **state)
{
	static const enum ivp_state overs[] = {IVP_STATE_ABORTED, IVP_STATE_CLOSED};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(overs); i++) {
		struct ivp_listener *listener = listen_for(NULL);
		struct accepting accepting;

		hasty_begin(listener, &accepting, NULL);
		await(their_state(&hasty) == IVP_STATE_WELCOME);
		hasty_is_ready_and_over(overs[i]);
		hasty_lane_is_over(listener, &accepting);
	}
}

/* Between the server's look at what it says and the one at its lock. */
static void hasty_leaves(void)
{
	if (their_state(&hasty) == IVP_STATE_WELCOME && ivp_load32(&hasty.lane->mine->state) == IVP_STATE_HELLO)
		hasty_is_ready_and_over(IVP_STATE_ABORTED);
}

static void who_was_ready_and_left_at_once_had_a_lane(void **state)
{
	struct ivp_listener *listener = listen_for(NULL);
	struct accepting accepting;

	(void)state;
	hasty_begin(listener, &accepting, hasty_leaves);
	hasty_lane_is_over(listener, &accepting);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_slot_without_an_id_is_free),
		TEST(a_slot_with_a_strange_service_is_free),
		TEST(showing_survives_any_contents),
		TEST(a_wrong_token_is_refused),
		TEST(a_token_in_anothers_place_is_refused),
		TEST(a_token_beyond_the_mapping_is_refused),
		TEST(an_empty_token_is_refused),
		TEST(a_wrong_format_id_is_refused),
		TEST(another_version_is_refused),
		TEST(another_service_is_refused),
		TEST(another_lanes_hello_is_refused),
		TEST(another_sides_hello_is_refused),
		TEST(an_earlier_sessions_hello_is_refused),
		TEST(a_malformed_hello_is_refused),
		TEST(a_hello_to_a_listener_that_is_gone_is_ignored),
		TEST(a_replayed_hello_is_not_answered_twice),
		TEST(random_contents_are_no_clients),
		TEST(a_client_that_died_after_its_hello_is_passed_over),
		TEST(a_client_that_never_says_ready_is_given_up),
		TEST(a_storm_of_hellos_does_not_outlast_the_deadline),
		TEST(a_state_that_no_client_has_is_refused),
		TEST(a_ready_that_was_never_written_is_refused),
		TEST(a_client_that_refuses_the_welcome_says_why),
		TEST(who_was_ready_and_gave_up_had_a_lane),
		TEST(who_was_ready_and_left_at_once_had_a_lane),
		TEST(an_overwritten_slot_is_another_user),
		TEST(a_region_laid_out_anew_ends_the_wait),
		TEST(a_knock_is_answered_by_a_beat),
		TEST(a_wait_can_be_cancelled),
		TEST(nobody_came_in_time),
		TEST(a_call_may_wait_for_another_time),
		TEST(a_listener_is_seen_with_its_service),
		TEST(a_listener_beats),
		TEST(a_side_has_room_for_16_listeners),
		TEST(a_dead_listeners_slot_is_taken_again),
	};

	return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}
