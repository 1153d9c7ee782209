// SPDX-License-Identifier: GPL-2.0-only
/* kmod/core/handshake.c: who may say what when; and each field of a message, wrong, is refused for its own reason. */
#include <kunit/test.h>

#include "core/handshake.c"

/* --- states --- */

/* The steps of the table in handshake.h, one bit each, from which the paths follow. */
static const u8 steps[IVP_STATES] = {
	[IVP_STATE_IDLE] = BIT(IVP_STATE_HELLO) | BIT(IVP_STATE_WELCOME) | BIT(IVP_STATE_REFUSED),
	[IVP_STATE_HELLO] = BIT(IVP_STATE_OPEN) | BIT(IVP_STATE_CLOSED) | BIT(IVP_STATE_ABORTED),
	[IVP_STATE_WELCOME] = BIT(IVP_STATE_OPEN) | BIT(IVP_STATE_CLOSED) | BIT(IVP_STATE_ABORTED),
	[IVP_STATE_REFUSED] = BIT(IVP_STATE_CLOSED),
	[IVP_STATE_OPEN] = BIT(IVP_STATE_CLOSED) | BIT(IVP_STATE_ABORTED),
};

static u8 reachable(unsigned int from)
{
	u8 seen = BIT(from), before;
	unsigned int i;

	do {
		before = seen;
		for (i = 0; i < IVP_STATES; i++)
			if (seen & BIT(i))
				seen |= steps[i];
	} while (seen != before);
	return seen;
}

static void paths_follow_from_steps(struct kunit *test)
{
	unsigned int a, b;

	for (a = 0; a < IVP_STATES; a++)
		for (b = 0; b < IVP_STATES; b++)
			KUNIT_EXPECT_EQ_MSG(test, ivp_state_follows(a, b), !!(reachable(a) & BIT(b)), "%u after %u", b,
					    a);
}

static const u32 no_states[] = {IVP_STATES, 8, 31, 32, 33, 255, 256, 1u << 31, -8u, ~0u};

static void numbers_that_are_no_states(struct kunit *test)
{
	unsigned int i, a;

	for (i = 0; i < ARRAY_SIZE(no_states); i++) {
		for (a = 0; a < IVP_STATES; a++) {
			KUNIT_EXPECT_FALSE(test, ivp_state_follows(a, no_states[i]));
			KUNIT_EXPECT_FALSE(test, ivp_state_follows(no_states[i], a));
		}
		KUNIT_EXPECT_FALSE(test, ivp_state_follows(no_states[i], no_states[i]));
		KUNIT_EXPECT_FALSE(test, ivp_state_over(no_states[i]));
		KUNIT_EXPECT_EQ(test, ivp_client_step(no_states[i]), IVP_STEP_BROKEN);
		KUNIT_EXPECT_EQ(test, ivp_server_step(no_states[i]), IVP_STEP_BROKEN);
	}
}

static void steps_of_each_end(struct kunit *test)
{
	static const enum ivp_step client[IVP_STATES] = {
		[IVP_STATE_IDLE] = IVP_STEP_WAIT,      [IVP_STATE_HELLO] = IVP_STEP_BROKEN,
		[IVP_STATE_WELCOME] = IVP_STEP_ANSWER, [IVP_STATE_REFUSED] = IVP_STEP_REFUSED,
		[IVP_STATE_OPEN] = IVP_STEP_BROKEN,    [IVP_STATE_CLOSED] = IVP_STEP_GONE,
		[IVP_STATE_ABORTED] = IVP_STEP_GONE,
	};
	static const enum ivp_step server[IVP_STATES] = {
		[IVP_STATE_IDLE] = IVP_STEP_GONE,       [IVP_STATE_HELLO] = IVP_STEP_WAIT,
		[IVP_STATE_WELCOME] = IVP_STEP_BROKEN,  [IVP_STATE_REFUSED] = IVP_STEP_BROKEN,
		[IVP_STATE_OPEN] = IVP_STEP_ANSWER,     [IVP_STATE_CLOSED] = IVP_STEP_GONE,
		[IVP_STATE_ABORTED] = IVP_STEP_REFUSED,
	};
	unsigned int i;

	for (i = 0; i < IVP_STATES; i++) {
		KUNIT_EXPECT_EQ_MSG(test, ivp_client_step(i), client[i], "client sees %u", i);
		KUNIT_EXPECT_EQ_MSG(test, ivp_server_step(i), server[i], "server sees %u", i);
	}
}

static void states_that_are_over(struct kunit *test)
{
	const u8 over = BIT(IVP_STATE_IDLE) | BIT(IVP_STATE_CLOSED) | BIT(IVP_STATE_ABORTED) | BIT(IVP_STATE_REFUSED);
	unsigned int i;

	for (i = 0; i < IVP_STATES; i++)
		KUNIT_EXPECT_EQ(test, ivp_state_over(i), !!(over & BIT(i)));
}

/* --- messages --- */

#define RING  (64ULL << 10)
#define LANE  3
#define BYTES 128

static const u8 service[IVP_SERVICE_BYTES] = "default";

/* Message and expectation of one end; the message in an allocation of its exact size. */
struct talk {
	struct ivp_superblock sb;
	struct ivp_expect expect;
	struct ivp_message *message;
	u64 ring; /* the one that the sender of the message sends on */
};

static int init(struct kunit *test)
{
	struct talk *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->message = kunit_kzalloc(test, sizeof(*t->message), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->message);
	t->sb = (struct ivp_superblock){
		.sides = 2,
		.lanes = 8,
		.format_id = 0xf00d,
		.align = 4096,
		.slots_offset = 4096,
		.lanes_offset = 16384,
		.half_size = 4096,
		.ring_size = RING,
		.lane_stride = 2 * (4096 + RING),
	};
	t->expect = (struct ivp_expect){
		.sb = &t->sb,
		.listener_id = 0xbeef,
		.epoch = 0x1111,
		.peer_epoch = 0x2222,
		.lane = LANE,
		.side = 0,
		.service = service,
	};
	test->priv = t;
	return 0;
}

static void put_token(struct talk *t, bool server)
{
	t->ring = ivp_ring_offset(&t->sb, LANE, server);
	t->message->token_bytes = BYTES;
	t->message->token_index = t->ring + 1000;
	memset(t->message->token, 0x5a, BYTES);
}

/* What the other end would have said, field by field and not by the code under test. */
static void make(struct talk *t, u32 type)
{
	struct ivp_message *m = t->message;

	memset(m, 0, sizeof(*m));
	m->type = type;
	m->version = IVP_LAYOUT_VERSION;
	m->format_id = 0xf00d;
	m->listener_id = 0xbeef;
	m->epoch = 0x1111;
	m->peer_epoch = type == IVP_MESSAGE_HELLO ? 0 : 0x2222; /* a hello answers nobody */
	t->expect.peer_epoch = m->peer_epoch;
	m->lane = LANE;
	memcpy(m->service, service, IVP_SERVICE_BYTES);
	if (type == IVP_MESSAGE_HELLO) {
		m->size = ~0ULL;
		memcpy(m->file, "a name", 6);
	}
	if (type != IVP_MESSAGE_READY)
		put_token(t, type == IVP_MESSAGE_WELCOME);
}

static enum ivp_reason judge(const struct talk *t, u32 type)
{
	switch (type) {
	case IVP_MESSAGE_HELLO:
		return ivp_hello_check(t->message, &t->expect);
	case IVP_MESSAGE_WELCOME:
		return ivp_welcome_check(t->message, &t->expect);
	default:
		return ivp_ready_check(t->message, &t->expect);
	}
}

static const u32 types[] = {IVP_MESSAGE_HELLO, IVP_MESSAGE_WELCOME, IVP_MESSAGE_READY};

static void good_messages(struct kunit *test)
{
	struct talk *t = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		make(t, types[i]);
		KUNIT_EXPECT_EQ_MSG(test, judge(t, types[i]), IVP_REASON_OK, "type %u", types[i]);
	}
}

/* In all three messages: a field set to a number, and the reason. */
struct fault {
	const char *name;
	size_t offset, bytes;
	u64 value;
	enum ivp_reason reason;
};
#define FAULT(field, number, reason)                                                                                   \
	{                                                                                                              \
#field " = " #number, offsetof(struct ivp_message, field), sizeof(((struct ivp_message *)0)->field),   \
			number, reason                                                                                 \
	}

static const struct fault common[] = {
	FAULT(type, 0, IVP_REASON_MESSAGE),
	FAULT(type, IVP_MESSAGE_REFUSAL, IVP_REASON_MESSAGE),
	FAULT(type, 5, IVP_REASON_MESSAGE),
	FAULT(type, ~0u, IVP_REASON_MESSAGE),
	FAULT(reserved0[0], 1, IVP_REASON_MESSAGE),
	FAULT(reserved0[7], 0x80, IVP_REASON_MESSAGE),
	FAULT(reserved1[0], 1, IVP_REASON_MESSAGE),
	FAULT(reserved1[135], 0x80, IVP_REASON_MESSAGE),
	FAULT(version, 0, IVP_REASON_VERSION),
	FAULT(version, 2, IVP_REASON_VERSION),
	FAULT(format_id, 0, IVP_REASON_FORMAT),
	FAULT(format_id, 0xf00e, IVP_REASON_FORMAT),
	FAULT(listener_id, 0, IVP_REASON_LISTENER),
	FAULT(listener_id, 0xbeee, IVP_REASON_LISTENER),
	FAULT(lane, 2, IVP_REASON_LANE),
	FAULT(lane, 8, IVP_REASON_LANE),
	FAULT(lane, ~0u, IVP_REASON_LANE),
	FAULT(side, 1, IVP_REASON_LANE),
	FAULT(side, 2, IVP_REASON_LANE),
	FAULT(side, ~0u, IVP_REASON_LANE),
	FAULT(epoch, 0, IVP_REASON_EPOCH),
	FAULT(epoch, 0x1112, IVP_REASON_EPOCH),
	FAULT(epoch, 0x100001111, IVP_REASON_EPOCH),
	FAULT(peer_epoch, 0x2223, IVP_REASON_EPOCH),
	FAULT(peer_epoch, ~0ULL, IVP_REASON_EPOCH),
};

static void fault_name(const struct fault *fault, char *name)
{
	strscpy(name, fault->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(common, common, fault_name);

static void set(struct talk *t, const struct fault *fault)
{
	memcpy((u8 *)t->message + fault->offset, &fault->value, fault->bytes);
}

static void common_faults(struct kunit *test)
{
	const struct fault *fault = test->param_value;
	struct talk *t = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		make(t, types[i]);
		set(t, fault);
		KUNIT_EXPECT_EQ_MSG(test, judge(t, types[i]), fault->reason, "type %u", types[i]);
	}
}

static const struct fault hello_faults[] = {
	FAULT(reason, 1, IVP_REASON_MESSAGE),        FAULT(file[255], 'x', IVP_REASON_MESSAGE),
	FAULT(service[0], 0, IVP_REASON_MESSAGE),    FAULT(service[0], '.', IVP_REASON_MESSAGE),
	FAULT(service[0], '/', IVP_REASON_MESSAGE),  FAULT(service[0], 0x80, IVP_REASON_MESSAGE),
	FAULT(service[31], 'x', IVP_REASON_MESSAGE), FAULT(service[0], 'D', IVP_REASON_SERVICE),
	FAULT(service[7], 's', IVP_REASON_SERVICE),
};
KUNIT_ARRAY_PARAM(hello, hello_faults, fault_name);

static void faults_of_a_hello(struct kunit *test)
{
	const struct fault *fault = test->param_value;
	struct talk *t = test->priv;

	make(t, IVP_MESSAGE_HELLO);
	set(t, fault);
	KUNIT_EXPECT_EQ(test, judge(t, IVP_MESSAGE_HELLO), fault->reason);
}

static const struct fault welcome_faults[] = {
	FAULT(reason, 1, IVP_REASON_MESSAGE),
	FAULT(size, 1, IVP_REASON_MESSAGE),
	FAULT(file[0], 'x', IVP_REASON_MESSAGE),
	FAULT(file[255], 'x', IVP_REASON_MESSAGE),
};
KUNIT_ARRAY_PARAM(welcome, welcome_faults, fault_name);

static void faults_of_a_welcome(struct kunit *test)
{
	const struct fault *fault = test->param_value;
	struct talk *t = test->priv;

	make(t, IVP_MESSAGE_WELCOME);
	set(t, fault);
	KUNIT_EXPECT_EQ(test, judge(t, IVP_MESSAGE_WELCOME), fault->reason);
}

static const struct fault ready_faults[] = {
	FAULT(token_bytes, 1, IVP_REASON_MESSAGE),
	FAULT(token_bytes, ~0u, IVP_REASON_MESSAGE),
	FAULT(token[0], 1, IVP_REASON_MESSAGE),
	FAULT(token[511], 1, IVP_REASON_MESSAGE),
};
KUNIT_ARRAY_PARAM(ready, ready_faults, fault_name);

static void faults_of_a_ready(struct kunit *test)
{
	const struct fault *fault = test->param_value;
	struct talk *t = test->priv;

	make(t, IVP_MESSAGE_READY);
	set(t, fault);
	KUNIT_EXPECT_EQ(test, judge(t, IVP_MESSAGE_READY), fault->reason);
}

/* A token's window, relative to the ring that its sender sends on. */
struct window {
	const char *name;
	u64 index;
	u32 bytes;
	bool absolute;
	bool good;
};
static const struct window windows[] = {
	{"from the first byte", 0, BYTES, false, true},
	{"to the last byte", RING - BYTES, BYTES, false, true},
	{"the shortest", 0, IVP_TOKEN_MIN, false, true},
	{"the longest", 0, IVP_TOKEN_MAX, false, true},
	{"the longest, at the end", RING - IVP_TOKEN_MAX, IVP_TOKEN_MAX, false, true},
	{"unaligned", 4093, 17, false, true},
	{"a byte before the ring", -1ULL, BYTES},
	{"a byte past the ring", RING - BYTES + 1, BYTES},
	{"at the ring's end", RING, IVP_TOKEN_MIN},
	{"in the next ring", RING + 100, BYTES},
	{"in the superblock", 0, BYTES, true},
	{"in a half", 16384, BYTES, true},
	{"2^32 further", 1ULL << 32, BYTES},
	{"index 2^64 - 8", -8ULL, BYTES, true},
	{"index 2^64 - bytes", -(u64)BYTES, BYTES, true},
	{"index 2^64 - 1", -1ULL, IVP_TOKEN_MIN, true},
	{"index 2^63", 1ULL << 63, BYTES, true},
	{"no bytes", 0, 0},
	{"1 byte", 0, 1},
	{"15 bytes", 0, IVP_TOKEN_MIN - 1},
	{"513 bytes", 0, IVP_TOKEN_MAX + 1},
	{"2^31 bytes", 0, 1u << 31},
	{"2^32 - 1 bytes", 0, ~0u},
	{"2^32 - 1 bytes from 1", 1, ~0u},
};

static void window_name(const struct window *window, char *name)
{
	strscpy(name, window->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(window, windows, window_name);

static void token_windows(struct kunit *test)
{
	const struct window *window = test->param_value;
	struct talk *t = test->priv;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		make(t, types[i]);
		memset(t->message->token, 0, IVP_TOKEN_MAX);
		t->message->token_index = window->index + (window->absolute ? 0 : t->ring);
		t->message->token_bytes = window->bytes;
		KUNIT_EXPECT_EQ_MSG(test, judge(t, types[i]), window->good ? IVP_REASON_OK : IVP_REASON_WINDOW,
				    "type %u", types[i]);
	}
}

/* The server's token lies in the server's ring: one in the client's would be the client's own bytes. */
static void token_in_the_others_ring(struct kunit *test)
{
	struct talk *t = test->priv;

	make(t, IVP_MESSAGE_HELLO);
	t->message->token_index = ivp_ring_offset(&t->sb, LANE, true);
	KUNIT_EXPECT_EQ(test, judge(t, IVP_MESSAGE_HELLO), IVP_REASON_WINDOW);
	make(t, IVP_MESSAGE_WELCOME);
	t->message->token_index = ivp_ring_offset(&t->sb, LANE, false);
	KUNIT_EXPECT_EQ(test, judge(t, IVP_MESSAGE_WELCOME), IVP_REASON_WINDOW);
}

/* Bytes of the token field beyond the token are zero, every one of them. */
static void bytes_after_the_token(struct kunit *test)
{
	struct talk *t = test->priv;
	unsigned int i, at;

	for (i = 0; i < 2; i++)
		for (at = BYTES; at < IVP_TOKEN_MAX; at++) {
			make(t, types[i]);
			t->message->token[at] = 1;
			KUNIT_EXPECT_EQ(test, judge(t, types[i]), IVP_REASON_MESSAGE);
		}
}

/* Fields that say nothing about this handshake, or are not looked at in such a message: [from, to). */
static bool free_field(u32 type, size_t at)
{
#define FROM_TO(from, to) offsetof(struct ivp_message, from), offsetof(struct ivp_message, to)
	static const struct {
		u32 type;
		size_t from, to;
	} fields[] = {
		{IVP_MESSAGE_HELLO, FROM_TO(features, format_id)},
		{IVP_MESSAGE_HELLO, FROM_TO(token_bytes, service)},
		{IVP_MESSAGE_HELLO, FROM_TO(file, file[255])},
		{IVP_MESSAGE_HELLO, FROM_TO(token, token[BYTES])},
		{IVP_MESSAGE_WELCOME, FROM_TO(features, format_id)},
		{IVP_MESSAGE_WELCOME, FROM_TO(token_bytes, size)},
		{IVP_MESSAGE_WELCOME, FROM_TO(service, reserved0)},
		{IVP_MESSAGE_WELCOME, FROM_TO(token, token[BYTES])},
		{IVP_MESSAGE_READY, FROM_TO(features, format_id)},
		{IVP_MESSAGE_READY, FROM_TO(reason, token_bytes)},
		{IVP_MESSAGE_READY, FROM_TO(token_index, reserved0)},
		{IVP_MESSAGE_READY, FROM_TO(file, token)},
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fields); i++)
		if (type == fields[i].type && at >= fields[i].from && at < fields[i].to)
			return true;
	return false;
}

static void every_single_bit(struct kunit *test)
{
	struct talk *t = test->priv;
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		for (bit = 0; bit < 8 * sizeof(*t->message); bit++) {
			make(t, types[i]);
			((u8 *)t->message)[bit / 8] ^= 1 << bit % 8;
			if (!free_field(types[i], bit / 8))
				KUNIT_EXPECT_NE_MSG(test, judge(t, types[i]), IVP_REASON_OK, "type %u, byte %u, bit %u",
						    types[i], bit / 8, bit % 8);
		}
}

static void no_epoch_no_talk(struct kunit *test)
{
	struct talk *t = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		make(t, types[i]);
		t->message->epoch = t->expect.epoch = 0;
		KUNIT_EXPECT_EQ(test, judge(t, types[i]), IVP_REASON_EPOCH);
		t->expect.epoch = 0x1111;
	}
}

static void any_side_is_one_there_is(struct kunit *test)
{
	struct talk *t = test->priv;

	t->expect.side = ~0u;
	make(t, IVP_MESSAGE_HELLO);
	t->message->side = 1;
	KUNIT_EXPECT_EQ(test, judge(t, IVP_MESSAGE_HELLO), IVP_REASON_OK);
	t->message->side = 2;
	KUNIT_EXPECT_EQ(test, judge(t, IVP_MESSAGE_HELLO), IVP_REASON_LANE);
	t->message->side = ~0u;
	KUNIT_EXPECT_EQ(test, judge(t, IVP_MESSAGE_HELLO), IVP_REASON_LANE);
}

static void what_one_begins_the_other_takes(struct kunit *test)
{
	struct talk *t = test->priv;
	struct ivp_expect mine = t->expect;
	unsigned int i;

	mine.epoch = 0x2222;
	mine.peer_epoch = 0x1111;
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		t->expect.peer_epoch = types[i] == IVP_MESSAGE_HELLO ? 0 : 0x2222;
		memset(t->message, 0xff, sizeof(*t->message));
		ivp_message_begin(t->message, types[i], &mine, 0);
		if (types[i] != IVP_MESSAGE_READY)
			put_token(t, types[i] == IVP_MESSAGE_WELCOME);
		KUNIT_EXPECT_EQ_MSG(test, judge(t, types[i]), IVP_REASON_OK, "type %u", types[i]);
	}
}

/* --- service names, tokens, reasons --- */

static void service_names(struct kunit *test)
{
	static const char *const good[] = {"a", "default", "A-Z_0.9", "-", "_x", "0123456789012345678901234567890"};
	static const char *const bad[] = {"",
					  ".",
					  ".a",
					  "a b",
					  "a/b",
					  "a\n",
					  "\x7f",
					  "a\xc3\xa4",
					  "..",
					  "a:b",
					  "a@",
					  "[",
					  "01234567890123456789012345678901"};
	u8 *name = kunit_kzalloc(test, IVP_SERVICE_BYTES, GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, name);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		strncpy(name, good[i], IVP_SERVICE_BYTES);
		KUNIT_EXPECT_TRUE_MSG(test, ivp_service_valid(name), "%s", good[i]);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		strncpy(name, bad[i], IVP_SERVICE_BYTES);
		KUNIT_EXPECT_FALSE_MSG(test, ivp_service_valid(name), "%u", i);
	}
}

static void service_padding(struct kunit *test)
{
	u8 *name = kunit_kzalloc(test, IVP_SERVICE_BYTES, GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, name);
	for (i = 2; i < IVP_SERVICE_BYTES; i++) {
		memset(name, 0, IVP_SERVICE_BYTES);
		name[0] = 'a';
		name[i] = 'b';
		KUNIT_EXPECT_FALSE_MSG(test, ivp_service_valid(name), "byte %u", i);
	}
}

static void tokens_differ_by_a_bit(struct kunit *test)
{
	u8 *one = kunit_kzalloc(test, IVP_TOKEN_MAX, GFP_KERNEL),
	   *other = kunit_kzalloc(test, IVP_TOKEN_MAX, GFP_KERNEL);
	unsigned int bit;

	KUNIT_ASSERT_TRUE(test, one && other);
	memset(one, 0x5a, IVP_TOKEN_MAX);
	memset(other, 0x5a, IVP_TOKEN_MAX);
	KUNIT_EXPECT_TRUE(test, ivp_token_equal(one, other, IVP_TOKEN_MAX));
	for (bit = 0; bit < 8 * IVP_TOKEN_MAX; bit++) {
		other[bit / 8] ^= 1 << bit % 8;
		KUNIT_EXPECT_FALSE(test, ivp_token_equal(one, other, IVP_TOKEN_MAX));
		KUNIT_EXPECT_TRUE(test, ivp_token_equal(one, other, bit / 8));
		other[bit / 8] ^= 1 << bit % 8;
	}
}

static void reasons_have_texts(struct kunit *test)
{
	u32 reason;

	for (reason = 0; reason < 300; reason++)
		KUNIT_EXPECT_NOT_NULL(test, ivp_reason_text(reason));
	for (reason = 0; reason < 32; reason++)
		KUNIT_EXPECT_NOT_NULL(test, ivp_reason_text(~0u << reason));
	KUNIT_EXPECT_STRNEQ(test, ivp_reason_text(IVP_REASON_TOKEN), ivp_reason_text(IVP_REASON_BROKEN + 1));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(paths_follow_from_steps),
	KUNIT_CASE(numbers_that_are_no_states),
	KUNIT_CASE(steps_of_each_end),
	KUNIT_CASE(states_that_are_over),
	KUNIT_CASE(good_messages),
	KUNIT_CASE_PARAM(common_faults, common_gen_params),
	KUNIT_CASE_PARAM(faults_of_a_hello, hello_gen_params),
	KUNIT_CASE_PARAM(faults_of_a_welcome, welcome_gen_params),
	KUNIT_CASE_PARAM(faults_of_a_ready, ready_gen_params),
	KUNIT_CASE_PARAM(token_windows, window_gen_params),
	KUNIT_CASE(token_in_the_others_ring),
	KUNIT_CASE(bytes_after_the_token),
	KUNIT_CASE(every_single_bit),
	KUNIT_CASE(no_epoch_no_talk),
	KUNIT_CASE(any_side_is_one_there_is),
	KUNIT_CASE(what_one_begins_the_other_takes),
	KUNIT_CASE(service_names),
	KUNIT_CASE(service_padding),
	KUNIT_CASE(tokens_differ_by_a_bit),
	KUNIT_CASE(reasons_have_texts),
	{},
};

static struct kunit_suite suite = {
	.name = "ivp_handshake",
	.init = init,
	.test_cases = cases,
};
kunit_test_suite(suite);
