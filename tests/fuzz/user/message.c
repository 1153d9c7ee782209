// SPDX-License-Identifier: MIT
#include "message.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

/* Who sends on the ring that the token lies in. */
static bool is_servers(u32 type)
{
	return type == IVP_MESSAGE_WELCOME;
}

static u64 ring_at(const struct ivp_superblock *sb, u32 lane, bool server)
{
	return sb->lanes_offset + lane * sb->lane_stride + 2 * sb->half_size + (server ? sb->ring_size : 0);
}

void message_make(struct ivp_message *message, u32 type, const struct ivp_expect *expect)
{
	memset(message, 0, sizeof(*message));
	message->type = type;
	message->version = 1;
	message->format_id = expect->sb->format_id;
	message->listener_id = expect->listener_id;
	message->epoch = expect->epoch;
	message->peer_epoch = expect->peer_epoch;
	message->side = expect->side == ~0u ? 0 : expect->side;
	message->lane = expect->lane;
	memcpy(message->service, expect->service, sizeof(message->service));
	if (type == IVP_MESSAGE_READY || type == IVP_MESSAGE_REFUSAL)
		return;
	message->token_bytes = 128;
	message->token_index = ring_at(expect->sb, expect->lane, is_servers(type));
	if (type == IVP_MESSAGE_HELLO)
		message->size = ~0ULL;
}

/* All but the texts, the token and what is reserved. */
static const struct {
	size_t offset, size;
} fields[] = {
#define FIELD(name)                                                                                                    \
	{                                                                                                              \
		offsetof(struct ivp_message, name), sizeof(((struct ivp_message *)0)->name)                            \
	}
	FIELD(type),        FIELD(version),     FIELD(features), FIELD(format_id), FIELD(listener_id),
	FIELD(epoch),       FIELD(peer_epoch),  FIELD(side),     FIELD(lane),      FIELD(reason),
	FIELD(token_bytes), FIELD(token_index), FIELD(size),
};

static void set_field(struct input *input, struct ivp_message *message)
{
	u32 which = input_below(input, ARRAY_SIZE(fields));
	u8 *at = (u8 *)message + fields[which].offset;
	u64 value = 0;

	memcpy(&value, at, fields[which].size);
	value = input_byte(input) % 2 ? input_number(input) : value + (u64)(int64_t)(int8_t)input_byte(input);
	memcpy(at, &value, fields[which].size);
}

/* Near an edge of a ring of that lane or another, in either direction. */
static void move_token(struct input *input, struct ivp_message *message, const struct ivp_expect *expect)
{
	const struct ivp_superblock *sb = expect->sb;
	u8 how = input_byte(input);
	u32 lane = how & 1 ? input_below(input, sb->lanes) : expect->lane;

	message->token_bytes = input_below(input, 520);
	message->token_index = ring_at(sb, lane, how & 2) + (how & 4 ? sb->ring_size : 0);
	message->token_index -= how & 8 ? message->token_bytes : 0;
	message->token_index += (u64)(int64_t)(int8_t)input_byte(input);
	if (how & 16)
		memset(message->token + (message->token_bytes <= 512 ? message->token_bytes : 0), 0,
		       message->token_bytes <= 512 ? 512 - message->token_bytes : 512);
}

void message_spoil(struct input *input, struct ivp_message *message, const struct ivp_expect *expect)
{
	for (u32 count = input_below(input, 5), at; count; count--)
		switch (input_below(input, 4)) {
		case 0:
			((u8 *)message)[input_below(input, sizeof(*message))] = input_byte(input);
			break;
		case 1:
			at = input_below(input, sizeof(*message));
			input_copy(input, (u8 *)message + at, input_below(input, (u32)sizeof(*message) - at));
			break;
		case 2:
			move_token(input, message, expect);
			break;
		default:
			set_field(input, message);
		}
}

static bool is_zero(const u8 *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i])
			return false;
	return true;
}

bool message_is_service(const u8 *service)
{
	size_t len = strnlen((const char *)service, 32);

	return len >= 1 && len <= 31 && service[0] != '.' && strspn((const char *)service, letters) == len &&
	       is_zero(service + len, 32 - len);
}

void message_choose_service(struct input *input, u8 *service)
{
	u32 len = input_below(input, 32);

	memset(service, 0, 32);
	for (u32 i = 0; i < len; i++)
		service[i] = (u8)letters[input_byte(input) % (sizeof(letters) - 1)];
	if (!message_is_service(service)) {
		memset(service, 0, 32);
		memcpy(service, "default", 7);
	}
}

static enum ivp_reason judge_token(const struct ivp_message *message, u32 type, const struct ivp_expect *expect)
{
	unsigned __int128 ring = ring_at(expect->sb, expect->lane, is_servers(type));
	unsigned __int128 first = message->token_index, end = first + message->token_bytes;

	if (message->token_bytes < 16 || message->token_bytes > 512 || first < ring ||
	    end > ring + expect->sb->ring_size)
		return IVP_REASON_WINDOW;
	return is_zero(message->token + message->token_bytes, 512 - message->token_bytes) ? IVP_REASON_OK
											  : IVP_REASON_MESSAGE;
}

/* What is particular to each of the three, but for the token. */
static enum ivp_reason judge_rest(const struct ivp_message *message, u32 type, const struct ivp_expect *expect)
{
	if (type == IVP_MESSAGE_READY)
		return message->token_bytes || !is_zero(message->token, 512) ? IVP_REASON_MESSAGE : IVP_REASON_OK;
	if (message->reason)
		return IVP_REASON_MESSAGE;
	if (type == IVP_MESSAGE_WELCOME)
		return message->size || !is_zero(message->file, 256) ? IVP_REASON_MESSAGE : IVP_REASON_OK;
	if (message->file[255] || !message_is_service(message->service))
		return IVP_REASON_MESSAGE;
	return memcmp(message->service, expect->service, 32) ? IVP_REASON_SERVICE : IVP_REASON_OK;
}

enum ivp_reason message_judge(const struct ivp_message *message, u32 type, const struct ivp_expect *expect)
{
	enum ivp_reason reason;

	if (message->type != type || !is_zero(message->reserved0, 8) || !is_zero(message->reserved1, 136))
		return IVP_REASON_MESSAGE;
	if (message->version != 1)
		return IVP_REASON_VERSION;
	if (message->format_id != expect->sb->format_id)
		return IVP_REASON_FORMAT;
	if (message->listener_id != expect->listener_id)
		return IVP_REASON_LISTENER;
	if (message->lane != expect->lane || message->side >= expect->sb->sides ||
	    (expect->side != ~0u && message->side != expect->side))
		return IVP_REASON_LANE;
	if (!message->epoch || message->epoch != expect->epoch || message->peer_epoch != expect->peer_epoch)
		return IVP_REASON_EPOCH;
	reason = judge_rest(message, type, expect);
	if (reason != IVP_REASON_OK || type == IVP_MESSAGE_READY)
		return reason;
	return judge_token(message, type, expect);
}

enum ivp_reason message_judge_call(const struct ivp_message *message, const struct ivp_superblock *sb)
{
	if (message->type != IVP_MESSAGE_HELLO)
		return IVP_REASON_MESSAGE;
	if (message->version != 1)
		return IVP_REASON_VERSION;
	if (message->format_id != sb->format_id)
		return IVP_REASON_FORMAT;
	return message->lane >= sb->lanes ? IVP_REASON_LANE : IVP_REASON_OK;
}
