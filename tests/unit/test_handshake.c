// SPDX-License-Identifier: MIT
#include "handshake.h"
#include "unit.h"

#define MiB (1024 * 1024)

/* A client on side 0 and a server on side 1 of a region, and what each knows of the other. */
static struct ivp_superblock sb;
static u8 service[IVP_SERVICE_BYTES] = "default";
static struct ivp_expect of_client; /* what the server holds a client's messages against */
static struct ivp_expect of_server;

#define LANE         1
#define CLIENT_EPOCH 0x1111
#define SERVER_EPOCH 0x2222

static int setup(void **state)
{
	(void)state;
	assert_int_equal(ivp_superblock_lay(&sb, 16 * MiB, 0, 2), 0);
	sb.format_id = 77;
	of_client = (struct ivp_expect){
		.sb = &sb,
		.listener_id = 99,
		.epoch = CLIENT_EPOCH,
		.lane = LANE,
		.side = 0,
		.service = service,
	};
	of_server = of_client;
	of_server.epoch = SERVER_EPOCH;
	of_server.peer_epoch = CLIENT_EPOCH;
	of_server.side = 1;
	return 0;
}

/* What the client knows when it says hello: no epoch of the server's yet. */
static struct ivp_message good_hello(void)
{
	struct ivp_expect knows = of_server;
	struct ivp_message hello;

	knows.epoch = 0;
	ivp_message_begin(&hello, IVP_MESSAGE_HELLO, &knows, 0);
	hello.token_bytes = IVP_TOKEN_DEFAULT;
	hello.token_index = ivp_ring_offset(&sb, LANE, false);
	memset(hello.token, 0xab, IVP_TOKEN_DEFAULT);
	memcpy(hello.file, "name", 5);
	hello.size = ~0ULL;
	return hello;
}

static struct ivp_message good_welcome(void)
{
	struct ivp_expect knows = of_client;
	struct ivp_message welcome;

	knows.peer_epoch = SERVER_EPOCH;
	ivp_message_begin(&welcome, IVP_MESSAGE_WELCOME, &knows, 1);
	welcome.token_bytes = IVP_TOKEN_DEFAULT;
	welcome.token_index = ivp_ring_offset(&sb, LANE, true);
	memset(welcome.token, 0xcd, IVP_TOKEN_DEFAULT);
	return welcome;
}

static struct ivp_message good_ready(void)
{
	struct ivp_message ready;

	ivp_message_begin(&ready, IVP_MESSAGE_READY, &of_server, 0);
	return ready;
}

static struct ivp_expect of_ready(void)
{
	struct ivp_expect knows = of_client;

	knows.peer_epoch = SERVER_EPOCH;
	return knows;
}

static enum ivp_reason judge_hello(const struct ivp_message *hello)
{
	return ivp_hello_check(hello, &of_client);
}

static enum ivp_reason judge_welcome(const struct ivp_message *welcome)
{
	return ivp_welcome_check(welcome, &of_server);
}

static enum ivp_reason judge_ready(const struct ivp_message *ready)
{
	struct ivp_expect knows = of_ready();

	return ivp_ready_check(ready, &knows);
}

/* ---- states ---- */

/* The comment in handshake.h, step by step; paths follow. */
static bool steps[IVP_STATES][IVP_STATES] = {
	[IVP_STATE_IDLE] = {[IVP_STATE_HELLO] = true, [IVP_STATE_WELCOME] = true, [IVP_STATE_REFUSED] = true},
	[IVP_STATE_HELLO] = {[IVP_STATE_OPEN] = true, [IVP_STATE_CLOSED] = true, [IVP_STATE_ABORTED] = true},
	[IVP_STATE_WELCOME] = {[IVP_STATE_OPEN] = true, [IVP_STATE_CLOSED] = true, [IVP_STATE_ABORTED] = true},
	[IVP_STATE_REFUSED] = {[IVP_STATE_CLOSED] = true},
	[IVP_STATE_OPEN] = {[IVP_STATE_CLOSED] = true, [IVP_STATE_ABORTED] = true},
};

static bool path(u32 from, u32 to)
{
	if (from == to)
		return true;
	for (u32 next = 0; next < IVP_STATES; next++)
		if (steps[from][next] && path(next, to))
			return true;
	return false;
}

static void states_follow_only_along_the_table(void **state)
{
	(void)state;
	for (u32 from = 0; from < IVP_STATES; from++)
		for (u32 to = 0; to < IVP_STATES; to++)
			assert_int_equal(ivp_state_follows(from, to), path(from, to));
}

static void no_state_goes_back(void **state)
{
	(void)state;
	for (u32 from = 0; from < IVP_STATES; from++)
		for (u32 to = 0; to < IVP_STATES; to++)
			if (from != to && ivp_state_follows(from, to))
				assert_false(ivp_state_follows(to, from));
}

static void numbers_that_are_no_states_never_follow(void **state)
{
	static const u32 nonsense[] = {IVP_STATES, 8, 31, 32, 33, 64, 1u << 31, ~0u};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++)
		for (u32 s = 0; s < IVP_STATES; s++) {
			assert_false(ivp_state_follows(s, nonsense[i]));
			assert_false(ivp_state_follows(nonsense[i], s));
			assert_false(ivp_state_follows(nonsense[i], nonsense[i]));
			assert_false(ivp_state_over(nonsense[i]));
		}
}

static void a_lane_is_free_only_when_it_is_over(void **state)
{
	(void)state;
	assert_true(ivp_state_over(IVP_STATE_IDLE));
	assert_true(ivp_state_over(IVP_STATE_CLOSED));
	assert_true(ivp_state_over(IVP_STATE_ABORTED));
	assert_true(ivp_state_over(IVP_STATE_REFUSED));
	assert_false(ivp_state_over(IVP_STATE_HELLO));
	assert_false(ivp_state_over(IVP_STATE_WELCOME));
	assert_false(ivp_state_over(IVP_STATE_OPEN));
}

static void each_end_takes_only_the_other_ends_states(void **state)
{
	static const enum ivp_step client[] = {
		[IVP_STATE_IDLE] = IVP_STEP_WAIT,      [IVP_STATE_HELLO] = IVP_STEP_BROKEN,
		[IVP_STATE_WELCOME] = IVP_STEP_ANSWER, [IVP_STATE_REFUSED] = IVP_STEP_REFUSED,
		[IVP_STATE_OPEN] = IVP_STEP_BROKEN,    [IVP_STATE_CLOSED] = IVP_STEP_GONE,
		[IVP_STATE_ABORTED] = IVP_STEP_GONE,
	};
	static const enum ivp_step server[] = {
		[IVP_STATE_IDLE] = IVP_STEP_GONE,       [IVP_STATE_HELLO] = IVP_STEP_WAIT,
		[IVP_STATE_WELCOME] = IVP_STEP_BROKEN,  [IVP_STATE_REFUSED] = IVP_STEP_BROKEN,
		[IVP_STATE_OPEN] = IVP_STEP_ANSWER,     [IVP_STATE_CLOSED] = IVP_STEP_GONE,
		[IVP_STATE_ABORTED] = IVP_STEP_REFUSED,
	};

	(void)state;
	for (u32 s = 0; s < IVP_STATES; s++) {
		assert_int_equal(ivp_client_step(s), client[s]);
		assert_int_equal(ivp_server_step(s), server[s]);
	}
	assert_int_equal(ivp_client_step(IVP_STATES), IVP_STEP_BROKEN);
	assert_int_equal(ivp_server_step(~0u), IVP_STEP_BROKEN);
}

/* ---- messages ---- */

struct wrong {
	size_t offset, size;
	u64 value;
	enum ivp_reason reason;
};
#define WRONG(field, value, why)                                                                                       \
	{                                                                                                              \
		offsetof(struct ivp_message, field), sizeof(((struct ivp_message *)0)->field), value, why              \
	}

static void assert_each_wrong(const struct ivp_message *good, enum ivp_reason (*judge)(const struct ivp_message *),
			      const struct wrong *wrongs, size_t count)
{
	assert_int_equal(judge(good), IVP_REASON_OK);
	for (size_t i = 0; i < count; i++) {
		struct ivp_message bad = *good;

		memcpy((u8 *)&bad + wrongs[i].offset, &wrongs[i].value, wrongs[i].size < 8 ? wrongs[i].size : 8);
		if (judge(&bad) != wrongs[i].reason)
			fail_msg("field at %zu, value %llx: %s", wrongs[i].offset, (unsigned long long)wrongs[i].value,
				 ivp_reason_text(judge(&bad)));
	}
}

static void each_field_of_a_hello_has_its_reason(void **state)
{
	struct ivp_message good = good_hello();
	const struct wrong wrongs[] = {
		WRONG(type, 0, IVP_REASON_MESSAGE),
		WRONG(type, IVP_MESSAGE_WELCOME, IVP_REASON_MESSAGE),
		WRONG(type, IVP_MESSAGE_READY, IVP_REASON_MESSAGE),
		WRONG(type, ~0u, IVP_REASON_MESSAGE),
		WRONG(version, 0, IVP_REASON_VERSION),
		WRONG(version, 2, IVP_REASON_VERSION),
		WRONG(format_id, 78, IVP_REASON_FORMAT),
		WRONG(format_id, 0, IVP_REASON_FORMAT),
		WRONG(listener_id, 98, IVP_REASON_LISTENER),
		WRONG(listener_id, 0, IVP_REASON_LISTENER),
		WRONG(epoch, 0, IVP_REASON_EPOCH),
		WRONG(epoch, SERVER_EPOCH, IVP_REASON_EPOCH),
		WRONG(peer_epoch, SERVER_EPOCH, IVP_REASON_EPOCH),
		WRONG(side, 1, IVP_REASON_LANE),
		WRONG(side, 2, IVP_REASON_LANE),
		WRONG(side, ~0u, IVP_REASON_LANE),
		WRONG(lane, 0, IVP_REASON_LANE),
		WRONG(lane, ~0u, IVP_REASON_LANE),
		WRONG(reason, IVP_REASON_OK, IVP_REASON_MESSAGE),
		WRONG(token_bytes, 0, IVP_REASON_WINDOW),
		WRONG(token_bytes, 1, IVP_REASON_WINDOW),
		WRONG(token_bytes, 15, IVP_REASON_WINDOW),
		WRONG(token_bytes, 513, IVP_REASON_WINDOW),
		WRONG(token_bytes, ~0u, IVP_REASON_WINDOW),
		WRONG(token_bytes, IVP_TOKEN_DEFAULT - 1, IVP_REASON_MESSAGE), /* a byte behind the token */
		WRONG(service, 0, IVP_REASON_MESSAGE),
		WRONG(service, '/', IVP_REASON_MESSAGE),
		WRONG(service, 'x', IVP_REASON_SERVICE),
		WRONG(reserved0, 1, IVP_REASON_MESSAGE),
		WRONG(reserved1, 1, IVP_REASON_MESSAGE),
	};

	(void)state;
	assert_each_wrong(&good, judge_hello, wrongs, ARRAY_SIZE(wrongs));
}

static void each_field_of_a_welcome_has_its_reason(void **state)
{
	struct ivp_message good = good_welcome();
	const struct wrong wrongs[] = {
		WRONG(type, IVP_MESSAGE_HELLO, IVP_REASON_MESSAGE),
		WRONG(type, IVP_MESSAGE_REFUSAL, IVP_REASON_MESSAGE),
		WRONG(version, 2, IVP_REASON_VERSION),
		WRONG(format_id, 78, IVP_REASON_FORMAT),
		WRONG(listener_id, 98, IVP_REASON_LISTENER),
		WRONG(epoch, CLIENT_EPOCH, IVP_REASON_EPOCH),
		WRONG(epoch, 0, IVP_REASON_EPOCH),
		WRONG(peer_epoch, 0, IVP_REASON_EPOCH),
		WRONG(peer_epoch, SERVER_EPOCH, IVP_REASON_EPOCH),
		WRONG(side, 0, IVP_REASON_LANE),
		WRONG(lane, 0, IVP_REASON_LANE),
		WRONG(reason, IVP_REASON_TOKEN, IVP_REASON_MESSAGE),
		WRONG(size, 1, IVP_REASON_MESSAGE),
		WRONG(file, 'x', IVP_REASON_MESSAGE),
		WRONG(token_bytes, 0, IVP_REASON_WINDOW),
		WRONG(token_bytes, 513, IVP_REASON_WINDOW),
		WRONG(reserved0, 1, IVP_REASON_MESSAGE),
		WRONG(reserved1, 1, IVP_REASON_MESSAGE),
	};

	(void)state;
	assert_each_wrong(&good, judge_welcome, wrongs, ARRAY_SIZE(wrongs));
}

static void each_field_of_a_ready_has_its_reason(void **state)
{
	struct ivp_message good = good_ready();
	const struct wrong wrongs[] = {
		WRONG(type, IVP_MESSAGE_HELLO, IVP_REASON_MESSAGE),
		WRONG(version, 2, IVP_REASON_VERSION),
		WRONG(format_id, 78, IVP_REASON_FORMAT),
		WRONG(listener_id, 98, IVP_REASON_LISTENER),
		WRONG(epoch, SERVER_EPOCH, IVP_REASON_EPOCH),
		WRONG(peer_epoch, 0, IVP_REASON_EPOCH),
		WRONG(peer_epoch, CLIENT_EPOCH, IVP_REASON_EPOCH),
		WRONG(side, 1, IVP_REASON_LANE),
		WRONG(lane, 0, IVP_REASON_LANE),
		WRONG(token_bytes, 16, IVP_REASON_MESSAGE),
		WRONG(token, 1, IVP_REASON_MESSAGE),
		WRONG(reserved0, 1, IVP_REASON_MESSAGE),
		WRONG(reserved1, 1, IVP_REASON_MESSAGE),
	};

	(void)state;
	assert_each_wrong(&good, judge_ready, wrongs, ARRAY_SIZE(wrongs));
}

static void the_last_byte_of_a_field_counts_too(void **state)
{
	struct ivp_message hello = good_hello();

	(void)state;
	hello.reserved0[sizeof(hello.reserved0) - 1] = 1;
	assert_int_equal(judge_hello(&hello), IVP_REASON_MESSAGE);
	hello = good_hello();
	hello.reserved1[sizeof(hello.reserved1) - 1] = 1;
	assert_int_equal(judge_hello(&hello), IVP_REASON_MESSAGE);
	hello = good_hello();
	hello.token[IVP_TOKEN_MAX - 1] = 1;
	assert_int_equal(judge_hello(&hello), IVP_REASON_MESSAGE);
	hello = good_hello();
	hello.file[IVP_FILE_BYTES - 1] = 1;
	assert_int_equal(judge_hello(&hello), IVP_REASON_MESSAGE);
}

static void a_peer_without_an_epoch_is_refused(void **state)
{
	struct ivp_message hello = good_hello();

	(void)state;
	hello.epoch = of_client.epoch = 0;
	assert_int_equal(judge_hello(&hello), IVP_REASON_EPOCH);
}

static void any_side_is_taken_where_none_is_expected(void **state)
{
	struct ivp_message welcome = good_welcome();

	(void)state;
	of_server.side = ~0u;
	welcome.side = 0;
	assert_int_equal(judge_welcome(&welcome), IVP_REASON_OK);
	welcome.side = 2;
	assert_int_equal(judge_welcome(&welcome), IVP_REASON_LANE);
}

/* ---- the token's window ---- */

static enum ivp_reason judge_window(u64 index, u32 bytes, bool server)
{
	struct ivp_message message = server ? good_welcome() : good_hello();

	memset(message.token, 0, sizeof(message.token));
	message.token_index = index;
	message.token_bytes = bytes;
	return server ? judge_welcome(&message) : judge_hello(&message);
}

static void a_token_outside_of_the_senders_ring_is_refused(void **state)
{
	(void)state;
	for (int server = 0; server < 2; server++) {
		u64 ring = ivp_ring_offset(&sb, LANE, server), end = ring + sb.ring_size;
		const u64 places[] = {
			0,
			ring - 1,
			ring - 8,
			end - 15,
			end,
			end + 1,
			ivp_ring_offset(&sb, LANE, !server),
			ivp_ring_offset(&sb, LANE + 1, server),
			ivp_half_offset(&sb, LANE, server),
			sb.region_size - 16,
			1ULL << 63,
			~0ULL - 7,
			~0ULL - 15,
			~0ULL,
		};

		for (size_t i = 0; i < ARRAY_SIZE(places); i++)
			assert_int_equal(judge_window(places[i], 16, server), IVP_REASON_WINDOW);
		assert_int_equal(judge_window(end - 511, 512, server), IVP_REASON_WINDOW);
	}
}

static void a_token_at_the_edges_of_the_ring_is_taken(void **state)
{
	(void)state;
	for (int server = 0; server < 2; server++) {
		u64 ring = ivp_ring_offset(&sb, LANE, server), end = ring + sb.ring_size;

		assert_int_equal(judge_window(ring, 16, server), IVP_REASON_OK);
		assert_int_equal(judge_window(ring, 512, server), IVP_REASON_OK);
		assert_int_equal(judge_window(ring + 1, 33, server), IVP_REASON_OK);
		assert_int_equal(judge_window(end - 16, 16, server), IVP_REASON_OK);
		assert_int_equal(judge_window(end - 512, 512, server), IVP_REASON_OK);
	}
}

static void any_window_that_is_taken_lies_in_the_ring(void **state)
{
	u64 ring = ivp_ring_offset(&sb, LANE, false), seed = 8;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		u64 index = unit_random(&seed) % 2 ? unit_nasty(&seed) : ring + (unit_nasty(&seed) >> 40);
		u32 bytes = (u32)(unit_random(&seed) % 2 ? unit_nasty(&seed) : unit_random(&seed) % 600);

		if (judge_window(index, bytes, false) == IVP_REASON_OK)
			assert_true(index >= ring && bytes <= sb.ring_size && index - ring <= sb.ring_size - bytes);
	}
}

static void any_byte_of_a_hello_may_be_random(void **state)
{
	u64 seed = 9, ring = ivp_ring_offset(&sb, LANE, false);

	(void)state;
	for (int i = 0; i < 50000; i++) {
		struct ivp_message hello = good_hello();

		for (u64 n = 1 + unit_random(&seed) % 4; n; n--)
			((u8 *)&hello)[unit_random(&seed) % sizeof(hello)] = (u8)unit_random(&seed);
		if (judge_hello(&hello) != IVP_REASON_OK)
			continue;
		assert_in_range(hello.token_bytes, IVP_TOKEN_MIN, IVP_TOKEN_MAX);
		assert_in_range(hello.token_index, ring, ring + sb.ring_size - hello.token_bytes);
		assert_int_equal(hello.file[IVP_FILE_BYTES - 1], 0);
		assert_memory_equal(hello.service, service, IVP_SERVICE_BYTES);
	}
}

static void a_differing_token_is_never_equal(void **state)
{
	u8 one[IVP_TOKEN_MAX], other[IVP_TOKEN_MAX];

	(void)state;
	memset(one, 0x3c, sizeof(one));
	memcpy(other, one, sizeof(one));
	for (u32 i = 0; i < IVP_TOKEN_MAX; i++) {
		other[i] ^= 1 << i % 8;
		assert_false(ivp_token_equal(one, other, IVP_TOKEN_MAX));
		assert_true(ivp_token_equal(one, other, i));
		other[i] ^= 1 << i % 8;
	}
	assert_true(ivp_token_equal(one, other, IVP_TOKEN_MAX));
}

/* ---- names ---- */

static bool valid(const char *name)
{
	u8 padded[IVP_SERVICE_BYTES] = {0};
	size_t len = strlen(name);

	memcpy(padded, name, len < sizeof(padded) ? len : sizeof(padded));
	return ivp_service_valid(padded);
}

static void service_names_with_strange_bytes_are_refused(void **state)
{
	(void)state;
	assert_false(valid(""));
	assert_false(valid("."));
	assert_false(valid(".hidden"));
	assert_false(valid(".."));
	assert_false(valid("12345678901234567890123456789012")); /* 32: no room for the NUL */
	for (int c = 1; c < 256; c++) {
		char name[] = {'a', (char)c, 0};
		bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
			    c == '_' || c == '-';

		assert_int_equal(valid(name), good);
	}
}

static void bytes_behind_the_end_of_a_service_are_refused(void **state)
{
	(void)state;
	for (int i = 3; i < IVP_SERVICE_BYTES; i++) {
		u8 name[IVP_SERVICE_BYTES] = "a";

		name[i] = 'x';
		assert_false(ivp_service_valid(name));
	}
}

static void plain_service_names_are_taken(void **state)
{
	(void)state;
	assert_true(valid("default"));
	assert_true(valid("a"));
	assert_true(valid("-"));
	assert_true(valid("v1.2_beta-3"));
	assert_true(valid("1234567890123456789012345678901"));
}

/* ---- reasons ---- */

static void every_reason_has_a_text_of_its_own(void **state)
{
	const char *unknown = ivp_reason_text(~0u);

	(void)state;
	for (u32 reason = 0; reason < 64; reason++) {
		const char *text = ivp_reason_text(reason);
		bool known =
			reason <= IVP_REASON_LISTENER || (reason >= IVP_REASON_DAMAGED && reason <= IVP_REASON_BROKEN);

		assert_non_null(text);
		assert_null(strchr(text, '\n'));
		assert_int_equal(strcmp(text, unknown) != 0, known);
		for (u32 other = 0; known && other < reason; other++)
			assert_true(!strcmp(ivp_reason_text(other), unknown) || strcmp(ivp_reason_text(other), text));
	}
	assert_non_null(strstr(ivp_reason_text(IVP_REASON_TOKEN), "token"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_follow_only_along_the_table),
		cmocka_unit_test(no_state_goes_back),
		cmocka_unit_test(numbers_that_are_no_states_never_follow),
		cmocka_unit_test(a_lane_is_free_only_when_it_is_over),
		cmocka_unit_test(each_end_takes_only_the_other_ends_states),
		cmocka_unit_test_setup(each_field_of_a_hello_has_its_reason, setup),
		cmocka_unit_test_setup(each_field_of_a_welcome_has_its_reason, setup),
		cmocka_unit_test_setup(each_field_of_a_ready_has_its_reason, setup),
		cmocka_unit_test_setup(the_last_byte_of_a_field_counts_too, setup),
		cmocka_unit_test_setup(a_peer_without_an_epoch_is_refused, setup),
		cmocka_unit_test_setup(any_side_is_taken_where_none_is_expected, setup),
		cmocka_unit_test_setup(a_token_outside_of_the_senders_ring_is_refused, setup),
		cmocka_unit_test_setup(a_token_at_the_edges_of_the_ring_is_taken, setup),
		cmocka_unit_test_setup(any_window_that_is_taken_lies_in_the_ring, setup),
		cmocka_unit_test_setup(any_byte_of_a_hello_may_be_random, setup),
		cmocka_unit_test(a_differing_token_is_never_equal),
		cmocka_unit_test(service_names_with_strange_bytes_are_refused),
		cmocka_unit_test(bytes_behind_the_end_of_a_service_are_refused),
		cmocka_unit_test(plain_service_names_are_taken),
		cmocka_unit_test(every_reason_has_a_text_of_its_own),
	};

	return cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
}
