// SPDX-License-Identifier: MIT
/* Messages and states of the handshake: what each check answers has to be what docs/PROTOCOL.md says, in any geometry. */
#include "geometry.h"
#include "message.h"

/* Of its exact size, which the address sanitiser watches. */
static void *copy_of(const void *bytes, size_t len)
{
	void *copy = malloc(len);

	require(copy);
	memcpy(copy, bytes, len);
	return copy;
}

static void choose_expectation(struct input *input, const struct ivp_superblock *sb, const u8 *service,
			       struct ivp_expect *expect)
{
	u8 how = input_byte(input);

	*expect = (struct ivp_expect){
		.sb = sb,
		.listener_id = how & 1 ? input_number(input) : 99,
		.epoch = how & 2 ? input_number(input) : 0x1111,
		.peer_epoch = how & 4 ? input_number(input) : 0,
		.lane = input_below(input, sb->lanes),
		.service = service,
	};
	expect->side = how & 8 ? ~0u : expect->lane / (sb->lanes / sb->sides);
}

/* What a reader relies on afterwards, said once more and on its own. */
static void require_safe(const struct ivp_message *message, u32 type, const struct ivp_expect *expect)
{
	u128 ring = ivp_ring_offset(expect->sb, expect->lane, type == IVP_MESSAGE_WELCOME);

	require(message->epoch && message->epoch == expect->epoch);
	if (type == IVP_MESSAGE_READY)
		return;
	require(message->token_bytes <= IVP_TOKEN_MAX && message->token_index >= ring);
	require((u128)message->token_index + message->token_bytes <= ring + expect->sb->ring_size);
	require((u128)message->token_index + message->token_bytes <= expect->sb->region_size);
	if (type == IVP_MESSAGE_WELCOME)
		return;
	require(memchr(message->file, 0, IVP_FILE_BYTES) && memchr(message->service, 0, IVP_SERVICE_BYTES));
	require(!memcmp(message->service, expect->service, IVP_SERVICE_BYTES));
}

static enum ivp_reason check(const struct ivp_message *message, u32 type, const struct ivp_expect *expect)
{
	switch (type) {
	case IVP_MESSAGE_HELLO:
		return ivp_hello_check(message, expect);
	case IVP_MESSAGE_WELCOME:
		return ivp_welcome_check(message, expect);
	default:
		return ivp_ready_check(message, expect);
	}
}

static void judge(struct input *input)
{
	static const u32 types[] = {IVP_MESSAGE_HELLO, IVP_MESSAGE_WELCOME, IVP_MESSAGE_READY};
	u32 type = types[input_below(input, ARRAY_SIZE(types))];
	u8 service[IVP_SERVICE_BYTES];
	struct ivp_message message, *copy;
	struct ivp_superblock sb;
	struct ivp_expect expect;
	enum ivp_reason reason;

	geometry_make(input, &sb);
	require(!ivp_superblock_check(&sb, sb.region_size));
	message_choose_service(input, service);
	choose_expectation(input, &sb, service, &expect);
	message_make(&message, type, &expect);
	message_spoil(input, &message, &expect);
	copy = copy_of(&message, sizeof(message));
	reason = check(copy, type, &expect);
	require(reason == message_judge(&message, type, &expect));
	if (reason == IVP_REASON_OK)
		require_safe(&message, type, &expect);
	require(ivp_call_check(copy, &sb) == message_judge_call(&message, &sb));
	free(copy);
}

/* What one end begins, the other takes: each of them knows its own epoch as the other's peer's. */
static void begin(struct input *input)
{
	u32 type = 1 + input_below(input, 4), side;
	struct ivp_expect ours, theirs;
	struct ivp_message message;
	u8 service[IVP_SERVICE_BYTES];
	struct ivp_superblock sb;

	geometry_make(input, &sb);
	message_choose_service(input, service);
	choose_expectation(input, &sb, service, &theirs);
	side = theirs.side == ~0u ? input_below(input, sb.sides) : theirs.side;
	ours = theirs;
	ours.epoch = theirs.peer_epoch;
	ours.peer_epoch = theirs.epoch;
	memset(&message, 0xff, sizeof(message));
	ivp_message_begin(&message, type, &ours, side);
	if (type == IVP_MESSAGE_HELLO)
		theirs.peer_epoch = 0;
	if (type == IVP_MESSAGE_HELLO || type == IVP_MESSAGE_WELCOME) {
		message.token_bytes = IVP_TOKEN_MIN;
		message.token_index = ivp_ring_offset(&sb, theirs.lane, type == IVP_MESSAGE_WELCOME);
	}
	if (type != IVP_MESSAGE_REFUSAL && theirs.epoch)
		require(check(&message, type, &theirs) == IVP_REASON_OK);
}

/* The steps of docs/PROTOCOL.md §4, of both ends; looks can miss some. */
static bool leads_to(u64 from, u64 to)
{
	static const char *const next[] = {"123", "456", "456", "5", "56", "", ""};

	if (from >= ARRAY_SIZE(next) || to >= ARRAY_SIZE(next))
		return false;
	for (const char *step = next[from]; *step; step++)
		if (leads_to((u64)(*step - '0'), to))
			return true;
	return from == to;
}

/* One that there is, or any. */
static u32 state_of(struct input *input)
{
	return input_byte(input) % 4 ? input_below(input, IVP_STATES) : (u32)input_number(input);
}

static void step(struct input *input)
{
	static const enum ivp_step of_server[] = {IVP_STEP_WAIT,   IVP_STEP_BROKEN, IVP_STEP_ANSWER, IVP_STEP_REFUSED,
						  IVP_STEP_BROKEN, IVP_STEP_GONE,   IVP_STEP_GONE,   IVP_STEP_BROKEN};
	static const enum ivp_step of_client[] = {IVP_STEP_GONE,   IVP_STEP_WAIT, IVP_STEP_BROKEN,  IVP_STEP_BROKEN,
						  IVP_STEP_ANSWER, IVP_STEP_GONE, IVP_STEP_REFUSED, IVP_STEP_BROKEN};
	u32 from = state_of(input), to = state_of(input), reason = (u32)input_number(input);

	require(ivp_state_follows(from, to) == leads_to(from, to));
	require(ivp_state_over(from) == (from == 0 || from == 3 || from == 5 || from == 6));
	require(ivp_client_step(from) == of_server[from < 7 ? from : 7]);
	require(ivp_server_step(from) == of_client[from < 7 ? from : 7]);
	require(ivp_reason_text(reason)[0] && strlen(ivp_reason_text(reason)) < 80);
}

static void names(struct input *input)
{
	u8 bytes[IVP_SERVICE_BYTES], *copy;

	input_copy(input, bytes, sizeof(bytes));
	copy = copy_of(bytes, sizeof(bytes));
	require(ivp_service_valid(copy) == message_is_service(bytes));
	free(copy);
}

static void tokens(struct input *input)
{
	u8 bytes[IVP_TOKEN_MAX], *one, *other;
	u32 len = input_below(input, IVP_TOKEN_MAX + 1), at;

	input_copy(input, bytes, sizeof(bytes));
	one = copy_of(bytes, len ? len : 1);
	other = copy_of(bytes, len ? len : 1);
	for (u32 count = input_below(input, 3); count && len; count--) {
		at = input_below(input, len);
		other[at] = input_byte(input);
	}
	require(ivp_token_equal(one, other, len) == !memcmp(one, other, len));
	free(one);
	free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static void (*const looks[])(struct input *) = {judge, begin, step, names, tokens};
	struct input input = {bytes, size};
	u32 which;

	do {
		/* Most of the time for the messages. */
		which = input_below(&input, 16);
		looks[which < ARRAY_SIZE(looks) ? which : 0](&input);
	} while (input.left);
	return 0;
}
