// SPDX-License-Identifier: MIT
#include <signal.h>

#include "clock.h"
#include "listener.h"
#include "pair.h"

static struct place place;
static struct ivp_region *here, *there;
static struct ivp_error err;
static volatile sig_atomic_t cancel;

static int setup(void **state)
{
	(void)state;
	place_make(&place, PLACE_SIZE);
	here = place_open(&place, 0);
	there = place_open_device(&place);
	memset(&err, 0, sizeof(err));
	cancel = 0;
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

static struct ivp_listener *listen_in(struct ivp_region *region, const char *service)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener;

	options.service = service;
	if (ivp_listen(&listener, region, &options, &err))
		fail_msg("%s", err.text);
	return listener;
}

static int connect_now(struct ivp_region *region, const char *service, int64_t wait_ms)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_lane *lane;

	options.service = service;
	options.wait_ms = wait_ms;
	return ivp_connect(&lane, region, &options, &err);
}

/* The client's half of a lane on which a hello is waiting; NULL if there is none. */
static struct ivp_half *find_hello(void)
{
	for (u32 i = 0; i < here->sb.lanes; i++) {
		struct ivp_half *half = ivp_region_half(here, i, false);

		if (ivp_load32_acquire(&half->state) == IVP_STATE_HELLO)
			return half;
	}
	return NULL;
}

/* ---- both ends see that the bytes are not the same ---- */

static void a_token_tampered_with_ends_both_with_its_reason(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener = listen_in(here, NULL);
	struct ivp_lane *lane;
	struct ivp_half *half;
	struct knock knock;

	(void)state;
	knock_begin(&knock, there, &options);
	await(half = find_hello());
	((u8 *)here->map)[half->message.token_index] ^= 1;
	assert_int_equal(ivp_accept(&lane, listener, &err), -ECONNREFUSED);
	assert_int_equal(knock_end(&knock), -ECONNREFUSED);
	assert_int_equal(err.kind, IVP_FAIL_REFUSED);
	assert_int_equal(knock.err.kind, IVP_FAIL_REFUSED);
	assert_non_null(strstr(err.text, "the token is not in the memory"));
	assert_non_null(strstr(knock.err.text, "the token is not in the memory"));
	ivp_listener_close(listener);
}

/* A server made by hand, which may say what it likes. */
struct liar {
	struct ivp_lane *lane;
	struct ivp_message welcome;
};

static void liar_make(struct liar *liar)
{
	struct ivp_expect knows = {.sb = &here->sb};
	struct ivp_message hello;
	struct ivp_half *half;

	await(half = find_hello());
	hello = half->message;
	assert_int_equal(ivp_lane_take(&liar->lane, here, hello.lane, true, &err), 0);
	knows.listener_id = hello.listener_id;
	knows.epoch = hello.epoch;
	knows.peer_epoch = liar->lane->epoch;
	knows.lane = hello.lane;
	knows.service = hello.service;
	ivp_message_begin(&liar->welcome, IVP_MESSAGE_WELCOME, &knows, 0);
	assert_int_equal(ivp_lane_hide_token(liar->lane, &liar->welcome, 64, &err), 0);
}

static void lie(void (*change)(struct liar *), enum ivp_reason reason)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener = listen_in(here, NULL);
	struct knock knock;
	struct liar liar;

	knock_begin(&knock, there, &options);
	liar_make(&liar);
	change(&liar);
	ivp_lane_say(liar.lane, &liar.welcome, IVP_STATE_WELCOME, INT64_MAX);
	assert_int_equal(knock_end(&knock), -ECONNREFUSED);
	assert_int_equal(knock.err.kind, IVP_FAIL_REFUSED);
	assert_non_null(strstr(knock.err.text, ivp_reason_text(reason)));
	/* And the other end is told. */
	assert_int_equal(ivp_load32(&liar.lane->theirs->state), IVP_STATE_ABORTED);
	assert_int_equal(ivp_lane_their_verdict(liar.lane), reason);
	ivp_lane_close(liar.lane);
	ivp_listener_close(listener);
}

static void other_token(struct liar *liar)
{
	((u8 *)here->map)[liar->welcome.token_index + 63] ^= 1;
}

static void a_welcome_with_a_wrong_token_is_refused(void **state)
{
	(void)state;
	lie(other_token, IVP_REASON_TOKEN);
}

/* The client's own token sent back proves nothing. */
static void reflected(struct liar *liar)
{
	struct ivp_message hello = find_hello()->message;

	liar->welcome.token_index = hello.token_index;
	liar->welcome.token_bytes = hello.token_bytes;
	memcpy(liar->welcome.token, hello.token, sizeof(hello.token));
}

static void a_reflected_token_is_refused(void **state)
{
	(void)state;
	lie(reflected, IVP_REASON_WINDOW);
}

static void beyond(struct liar *liar)
{
	liar->welcome.token_index = here->sb.region_size - 8;
}

static void a_welcome_whose_token_leaves_the_mapping_is_refused(void **state)
{
	(void)state;
	lie(beyond, IVP_REASON_WINDOW);
}

static void other_format(struct liar *liar)
{
	liar->welcome.format_id ^= 1;
}

static void a_welcome_of_another_region_is_refused(void **state)
{
	(void)state;
	lie(other_format, IVP_REASON_FORMAT);
}

static void other_listener(struct liar *liar)
{
	liar->welcome.listener_id ^= 1;
}

static void a_welcome_of_another_listener_is_refused(void **state)
{
	(void)state;
	lie(other_listener, IVP_REASON_LISTENER);
}

static void other_epoch(struct liar *liar)
{
	liar->welcome.epoch ^= 1;
}

static void a_welcome_of_another_session_is_refused(void **state)
{
	(void)state;
	lie(other_epoch, IVP_REASON_EPOCH);
}

static void other_side(struct liar *liar)
{
	liar->welcome.side = 1;
}

static void a_welcome_of_another_side_is_refused(void **state)
{
	(void)state;
	lie(other_side, IVP_REASON_LANE);
}

static void a_refusal_with_any_number_is_a_sentence(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener = listen_in(here, NULL);
	struct knock knock;
	struct liar liar;

	(void)state;
	knock_begin(&knock, there, &options);
	liar_make(&liar);
	liar.welcome.type = IVP_MESSAGE_REFUSAL;
	liar.welcome.reason = 0xdeadbeef;
	ivp_lane_say(liar.lane, &liar.welcome, IVP_STATE_REFUSED, INT64_MAX);
	assert_int_equal(knock_end(&knock), -ECONNREFUSED);
	assert_non_null(strstr(knock.err.text, "does not know"));
	ivp_lane_close(liar.lane);
	ivp_listener_close(listener);
}

static void an_answer_to_somebody_else_is_not_ours(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener = listen_in(here, NULL);
	struct knock knock;
	struct liar liar;

	(void)state;
	options.timeout_ms = 100;
	knock_begin(&knock, there, &options);
	liar_make(&liar);
	liar.welcome.peer_epoch ^= 1;
	ivp_lane_say(liar.lane, &liar.welcome, IVP_STATE_WELCOME, INT64_MAX);
	assert_int_equal(knock_end(&knock), -ETIMEDOUT);
	assert_int_equal(knock.err.kind, IVP_FAIL_NO_PEER);
	ivp_lane_close(liar.lane);
	ivp_listener_close(listener);
}

static void another_who_writes_our_half_is_noticed(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener = listen_in(here, NULL);
	struct knock knock;
	struct ivp_half *half;

	(void)state;
	knock_begin(&knock, there, &options);
	await(half = find_hello());
	ivp_store64(&half->epoch, half->epoch ^ 1);
	assert_int_equal(knock_end(&knock), -EPROTO);
	assert_non_null(strstr(knock.err.text, "another user writes this end"));
	ivp_listener_close(listener);
}

/* ---- nobody ---- */

static void nobody_listens(void **state)
{
	(void)state;
	assert_int_equal(connect_now(there, NULL, 0), -ETIMEDOUT);
	assert_int_equal(err.kind, IVP_FAIL_NO_PEER);
	assert_non_null(strstr(err.text, "nobody listens for service 'default'"));
}

static void who_listens_for_something_else_is_named(void **state)
{
	struct ivp_listener *one = listen_in(here, "music"), *two = listen_in(here, "film");

	(void)state;
	/* Locks seen, so that nothing need be waited for. */
	assert_int_equal(connect_now(here, "text", 0), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "music (side 0), film (side 0)"));
	ivp_listener_close(one);
	ivp_listener_close(two);
}

static void a_slot_that_does_not_beat_is_dead(void **state)
{
	struct ivp_slot *slot = ivp_region_slot(here, 0, 0);

	(void)state;
	memcpy(slot->service, "default", 8);
	slot->id = 1;
	assert_int_equal(connect_now(there, NULL, 700), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "nobody listens"));
}

/* It beats when it is knocked at, and at no other time. */
static void who_beats_when_asked_lives(void **state)
{
	struct ivp_slot *slot = ivp_region_slot(here, 0, 0);
	struct ivp_lane_options options = pair_options();
	struct knock knock;

	(void)state;
	there->cancel = &cancel;
	memcpy(slot->service, "default", 8);
	ivp_store64_release(&slot->id, 1);
	knock_begin(&knock, there, &options);
	await(ivp_load32_acquire(&slot->accept));
	assert_null(find_hello());
	ivp_store32_release(&slot->beat, 1);
	await(find_hello());
	cancel = 1;
	assert_int_equal(knock_end(&knock), -EINTR);
}

static void slots_full_of_anything_are_nobody(void **state)
{
	u64 *slots = (u64 *)ivp_region_slot(here, 0, 0), seed = 11;

	(void)state;
	for (u64 i = 0; i < 2 * IVP_SLOTS_PER_SIDE * sizeof(struct ivp_slot) / 8; i++)
		slots[i] = unit_random(&seed);
	assert_int_equal(connect_now(there, NULL, 0), -ETIMEDOUT);
}

static void *connect_main(void *arg)
{
	*(int *)arg = connect_now(there, NULL, -1);
	return NULL;
}

static void a_search_can_be_cancelled(void **state)
{
	pthread_t thread;
	int ret = 0;

	(void)state;
	there->cancel = &cancel;
	assert_int_equal(pthread_create(&thread, NULL, connect_main, &ret), 0);
	cancel = 1;
	pthread_join(thread, NULL);
	assert_int_equal(ret, -EINTR);
}

static void a_listener_that_does_not_answer_is_given_up(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener = listen_in(here, NULL);
	struct ivp_lane *lane;

	(void)state;
	options.timeout_ms = 50;
	assert_int_equal(ivp_connect(&lane, here, &options, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "did not answer"));
	assert_null(find_hello());
	ivp_listener_close(listener);
}

static void a_listener_that_left_is_replaced_by_another(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener = listen_in(here, NULL);
	struct ivp_lane *lane;
	struct knock knock;

	(void)state;
	knock_begin(&knock, there, &options);
	await(find_hello());
	ivp_listener_close(listener);
	listener = listen_in(here, NULL);
	assert_int_equal(ivp_accept(&lane, listener, &err), 0);
	assert_int_equal(knock_end(&knock), 0);
	ivp_lane_close(lane);
	ivp_lane_close(knock.lane);
	ivp_listener_close(listener);
}

/* ---- lanes that are taken ---- */

static void a_lane_whose_server_is_at_work_is_not_taken(void **state)
{
	struct ivp_listener *listener = listen_in(there, NULL);
	struct ivp_lane *lanes[IVP_LANES_MAX];
	u32 count = here->sb.lanes / here->sb.sides;

	(void)state;
	for (u32 i = 0; i < count; i++) {
		assert_int_equal(ivp_lane_take(&lanes[i], here, i, true, &err), 0);
		ivp_lane_state(lanes[i], IVP_STATE_OPEN);
	}
	assert_int_equal(connect_now(here, NULL, 700), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "all lanes of side 0 are taken"));
	assert_null(find_hello());
	for (u32 i = 0; i < count; i++)
		ivp_lane_close(lanes[i]);
	ivp_listener_close(listener);
}

static void a_lane_left_open_elsewhere_is_taken_after_ten_seconds(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener = listen_in(here, NULL);
	u32 count = here->sb.lanes / here->sb.sides;
	struct ivp_lane *lane;
	struct knock knock;

	(void)state;
	options.wait_ms = -1;
	/* The file side's servers, as the device side finds them after the host's machine went down. */
	for (u32 i = count; i < 2 * count; i++) {
		struct ivp_half *half = ivp_region_half(here, i, true);

		half->epoch = i;
		half->side = 0;
		half->state = IVP_STATE_OPEN;
	}
	knock_begin(&knock, there, &options);
	/* It looks again and again, but nothing is known to be dead yet. */
	u32 beat = ivp_load32(&ivp_region_slot(here, 0, 0)->beat);
	await(ivp_load32(&ivp_region_slot(here, 0, 0)->beat) > beat + 2);
	assert_null(find_hello());
	await((clock_advance(100), find_hello()));
	assert_int_equal(ivp_accept(&lane, listener, &err), 0);
	assert_int_equal(knock_end(&knock), 0);
	ivp_lane_close(lane);
	ivp_lane_close(knock.lane);
	ivp_listener_close(listener);
}

/* ---- honest peers ---- */

static void connect_both(bool from_there, const struct ivp_lane_options *options, struct ivp_lane **server,
			 struct ivp_lane **client)
{
	struct ivp_listener *listener;
	struct knock knock;

	assert_int_equal(ivp_listen(&listener, from_there ? here : there, options, &err), 0);
	knock_begin(&knock, from_there ? there : here, options);
	if (ivp_accept(server, listener, &err))
		fail_msg("%s", err.text);
	if (knock_end(&knock))
		fail_msg("%s", knock.err.text);
	*client = knock.lane;
	ivp_listener_close(listener);
}

static void either_side_may_connect(void **state)
{
	struct ivp_lane_options options = pair_options();

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct ivp_lane *server, *client;

		options.token_bytes = (u32[]){16, 128, 511, 512}[i];
		connect_both(i % 2, &options, &server, &client);
		assert_int_equal(server->index, client->index);
		assert_int_equal(ivp_lane_side(&here->sb, server->index), i % 2);
		assert_true(server->their_epoch == client->epoch);
		assert_true(client->their_epoch == server->epoch);
		ivp_lane_close(client);
		ivp_lane_close(server);
	}
}

static void no_token_is_left_behind(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_lane *server, *client;
	const u8 *rings;

	(void)state;
	connect_both(true, &options, &server, &client);
	rings = (u8 *)here->map + ivp_ring_offset(&here->sb, server->index, false);
	for (u64 i = 0; i < 2 * here->sb.ring_size; i++)
		assert_int_equal(rings[i], 0);
	ivp_lane_close(client);
	ivp_lane_close(server);
}

static void the_hello_tells_file_and_size(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_lane *server, *client;

	(void)state;
	options.file = "a\x1b[2J\tb\x7f";
	options.size = 12345;
	connect_both(true, &options, &server, &client);
	assert_string_equal(ivp_lane_file(server), "a?[2J?b?");
	assert_int_equal(ivp_lane_size(server), 12345);
	ivp_lane_close(client);
	ivp_lane_close(server);
}

static void a_long_file_name_is_cut(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_lane *server, *client;
	char name[1000];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	options.file = name;
	connect_both(true, &options, &server, &client);
	assert_int_equal(strlen(ivp_lane_file(server)), IVP_NAME_MAX - 1);
	assert_int_equal(ivp_lane_size(server), -1);
	ivp_lane_close(client);
	ivp_lane_close(server);
}

static void only_the_listener_of_the_service_answers(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *other = listen_in(here, "other"), *wanted = listen_in(here, "wanted");
	struct ivp_lane *lane;
	struct knock knock;

	(void)state;
	options.service = "wanted";
	knock_begin(&knock, there, &options);
	assert_int_equal(ivp_accept(&lane, wanted, &err), 0);
	assert_int_equal(knock_end(&knock), 0);
	ivp_lane_close(lane);
	ivp_lane_close(knock.lane);
	ivp_listener_close(wanted);
	ivp_listener_close(other);
}

static void the_other_side_is_preferred(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *near = listen_in(here, NULL), *far = listen_in(there, NULL);
	struct ivp_lane *lane;
	struct knock knock;

	(void)state;
	knock_begin(&knock, here, &options);
	assert_int_equal(ivp_accept(&lane, far, &err), 0);
	assert_int_equal(knock_end(&knock), 0);
	ivp_lane_close(lane);
	ivp_lane_close(knock.lane);
	ivp_listener_close(near);
	ivp_listener_close(far);
}

/* Everything in the region but the superblock is left over from another time. */
static void contents_of_an_earlier_run_confuse_nobody(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_lane *server, *client;
	u64 *words = (u64 *)(here->map + here->sb.slots_offset), seed = 12;

	(void)state;
	for (u64 i = 0; i < (PLACE_SIZE - here->sb.slots_offset) / 8; i++)
		words[i] = unit_random(&seed);
	for (u32 i = 0; i < here->sb.lanes; i++) {
		ivp_region_half(here, i, false)->state = i % IVP_STATES;
		ivp_region_half(here, i, true)->state =
			(u32[]){IVP_STATE_IDLE, IVP_STATE_REFUSED, IVP_STATE_CLOSED, IVP_STATE_ABORTED}[i % 4];
	}
	for (int i = 0; i < 2; i++) {
		connect_both(i, &options, &server, &client);
		assert_int_equal(ivp_lane_check(server, IVP_WAIT_ROOM, &err), 0);
		assert_int_equal(ivp_lane_check(client, IVP_WAIT_ROOM, &err), 0);
		ivp_lane_close(client);
		ivp_lane_close(server);
	}
}

/* ---- an end that gives up while the other looks for its token ---- */

static struct ivp_lane *leaver;

static void leave_now(void)
{
	ivp_lane_close(leaver);
}

static void a_client_that_gives_up_is_not_refused(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_expect knows = {.sb = &there->sb, .service = (const u8[IVP_SERVICE_BYTES]){"default"}};
	struct ivp_listener *listener;
	struct ivp_listener_info info;
	struct ivp_message hello;
	struct ivp_lane *lane;

	(void)state;
	options.wait_ms = 100;
	assert_int_equal(ivp_listen(&listener, here, &options, &err), 0);
	assert_int_equal(ivp_region_listener(there, 0, 0, &info), 0);
	knows.listener_id = info.id;
	knows.lane = there->sb.lanes / 2; /* the first of its side */
	assert_int_equal(ivp_lane_take(&leaver, there, knows.lane, false, &err), 0);
	knows.peer_epoch = leaver->epoch;
	ivp_message_begin(&hello, IVP_MESSAGE_HELLO, &knows, 1);
	assert_int_equal(ivp_lane_hide_token(leaver, &hello, 64, &err), 0);
	before_token(leave_now);
	ivp_lane_say(leaver, &hello, IVP_STATE_HELLO, INT64_MAX);
	assert_int_equal(ivp_accept(&lane, listener, &err), -ETIMEDOUT);
	/* It did look for the token. */
	assert_int_equal(ivp_load32(&ivp_region_half(here, knows.lane, false)->state), IVP_STATE_CLOSED);
	ivp_listener_close(listener);
}

static void a_listener_that_gives_up_has_refused_nobody(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener = listen_in(here, NULL);
	struct knock knock;
	struct liar liar;

	(void)state;
	options.wait_ms = options.timeout_ms = 300;
	knock_begin(&knock, there, &options);
	liar_make(&liar);
	leaver = liar.lane;
	before_token(leave_now);
	ivp_lane_say(liar.lane, &liar.welcome, IVP_STATE_WELCOME, INT64_MAX);
	assert_int_equal(knock_end(&knock), -ETIMEDOUT);
	assert_int_equal(knock.err.kind, IVP_FAIL_NO_PEER);
	ivp_listener_close(listener);
}

enum { MANY = 64 };

static void sixty_four_lanes_at_once(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_format_options format = {.lanes = MANY, .sides = 1};
	static struct knock knocks[MANY];
	static struct ivp_lane *lanes[MANY];
	struct ivp_listener *listener;
	struct ivp_region *region;
	bool taken[MANY] = {false};
	struct place large;

	(void)state;
	place_make(&large, 32 * PLACE_SIZE);
	assert_int_equal(ivp_format(large.file, &format, NULL, &err), 0);
	region = place_open(&large, 0);
	listener = listen_in(region, NULL);
	for (int i = 0; i < MANY; i++)
		knock_begin(&knocks[i], region, &options);
	for (int i = 0; i < MANY; i++) {
		if (ivp_accept(&lanes[i], listener, &err))
			fail_msg("lane %d: %s", i, err.text);
		assert_false(taken[lanes[i]->index]);
		taken[lanes[i]->index] = true;
	}
	for (int i = 0; i < MANY; i++)
		if (knock_end(&knocks[i]))
			fail_msg("%s", knocks[i].err.text);
	/* Each byte arrives on its own lane. */
	for (int i = 0; i < MANY; i++) {
		u8 byte = (u8)knocks[i].lane->index;

		assert_int_equal(ivp_lane_write(knocks[i].lane, &byte, 1, &err), 1);
	}
	for (int i = 0; i < MANY; i++) {
		u8 byte;

		assert_int_equal(ivp_lane_read(lanes[i], &byte, 1, &err), 1);
		assert_int_equal(byte, lanes[i]->index);
	}
	for (int i = 0; i < MANY; i++) {
		ivp_lane_close(knocks[i].lane);
		ivp_lane_close(lanes[i]);
	}
	ivp_listener_close(listener);
	ivp_region_close(region);
	place_remove(&large);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_token_tampered_with_ends_both_with_its_reason),
		TEST(a_welcome_with_a_wrong_token_is_refused),
		TEST(a_reflected_token_is_refused),
		TEST(a_welcome_whose_token_leaves_the_mapping_is_refused),
		TEST(a_welcome_of_another_region_is_refused),
		TEST(a_welcome_of_another_listener_is_refused),
		TEST(a_welcome_of_another_session_is_refused),
		TEST(a_welcome_of_another_side_is_refused),
		TEST(a_refusal_with_any_number_is_a_sentence),
		TEST(an_answer_to_somebody_else_is_not_ours),
		TEST(another_who_writes_our_half_is_noticed),
		TEST(nobody_listens),
		TEST(who_listens_for_something_else_is_named),
		TEST(a_slot_that_does_not_beat_is_dead),
		TEST(who_beats_when_asked_lives),
		TEST(slots_full_of_anything_are_nobody),
		TEST(a_search_can_be_cancelled),
		TEST(a_listener_that_does_not_answer_is_given_up),
		TEST(a_listener_that_left_is_replaced_by_another),
		TEST(a_lane_whose_server_is_at_work_is_not_taken),
		TEST(a_lane_left_open_elsewhere_is_taken_after_ten_seconds),
		TEST(either_side_may_connect),
		TEST(no_token_is_left_behind),
		TEST(the_hello_tells_file_and_size),
		TEST(a_long_file_name_is_cut),
		TEST(only_the_listener_of_the_service_answers),
		TEST(the_other_side_is_preferred),
		TEST(contents_of_an_earlier_run_confuse_nobody),
		TEST(a_client_that_gives_up_is_not_refused),
		TEST(a_listener_that_gives_up_has_refused_nobody),
		TEST(sixty_four_lanes_at_once),
	};

	return cmocka_run_group_tests_name("connect", tests, NULL, NULL);
}
