// SPDX-License-Identifier: GPL-2.0 OR MIT
#include "handshake.h"
#include "span.h"

/* Bit n: state n may be seen after. Staying is always allowed. */
static const u8 followers[IVP_STATES] = {
	[IVP_STATE_IDLE] = 0x7f, /* anything: it is where everybody begins */
	[IVP_STATE_HELLO] = 1 << IVP_STATE_HELLO | 1 << IVP_STATE_OPEN | 1 << IVP_STATE_CLOSED | 1 << IVP_STATE_ABORTED,
	[IVP_STATE_WELCOME] =
		1 << IVP_STATE_WELCOME | 1 << IVP_STATE_OPEN | 1 << IVP_STATE_CLOSED | 1 << IVP_STATE_ABORTED,
	[IVP_STATE_REFUSED] = 1 << IVP_STATE_REFUSED | 1 << IVP_STATE_CLOSED,
	[IVP_STATE_OPEN] = 1 << IVP_STATE_OPEN | 1 << IVP_STATE_CLOSED | 1 << IVP_STATE_ABORTED,
	[IVP_STATE_CLOSED] = 1 << IVP_STATE_CLOSED,
	[IVP_STATE_ABORTED] = 1 << IVP_STATE_ABORTED,
};

bool ivp_state_follows(u32 before, u32 after)
{
	return before < IVP_STATES && after < IVP_STATES && followers[before] & 1 << after;
}

bool ivp_state_over(u32 state)
{
	return state == IVP_STATE_IDLE || state == IVP_STATE_CLOSED || state == IVP_STATE_ABORTED ||
	       state == IVP_STATE_REFUSED;
}

enum ivp_step ivp_client_step(u32 server_state)
{
	switch (server_state) {
	case IVP_STATE_IDLE:
		return IVP_STEP_WAIT;
	case IVP_STATE_WELCOME:
		return IVP_STEP_ANSWER;
	case IVP_STATE_REFUSED:
		return IVP_STEP_REFUSED;
	case IVP_STATE_CLOSED:
	case IVP_STATE_ABORTED:
		return IVP_STEP_GONE;
	default: /* open, before we said ready */
		return IVP_STEP_BROKEN;
	}
}

enum ivp_step ivp_server_step(u32 client_state)
{
	switch (client_state) {
	case IVP_STATE_HELLO:
		return IVP_STEP_WAIT;
	case IVP_STATE_OPEN:
		return IVP_STEP_ANSWER;
	case IVP_STATE_ABORTED:
		return IVP_STEP_REFUSED;
	case IVP_STATE_IDLE:
	case IVP_STATE_CLOSED:
		return IVP_STEP_GONE;
	default:
		return IVP_STEP_BROKEN;
	}
}

static bool all_zero(const u8 *bytes, size_t len)
{
	u8 any = 0;

	while (len--)
		any |= *bytes++;
	return !any;
}

bool ivp_service_valid(const u8 *service)
{
	size_t len = 0;

	for (; len < IVP_SERVICE_BYTES && service[len]; len++) {
		u8 c = service[len];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
		      c == '_' || (c == '.' && len)))
			return false;
	}
	return len && len < IVP_SERVICE_BYTES && all_zero(service + len, IVP_SERVICE_BYTES - len);
}

bool ivp_token_equal(const u8 *one, const u8 *other, u32 bytes)
{
	u8 differ = 0;
	u32 i;

	for (i = 0; i < bytes; i++)
		differ |= one[i] ^ other[i];
	return !differ;
}

/* What all messages have in common. */
static enum ivp_reason message_check(const struct ivp_message *message, u32 type, const struct ivp_expect *expect)
{
	if (message->type != type || !all_zero(message->reserved0, sizeof(message->reserved0)) ||
	    !all_zero(message->reserved1, sizeof(message->reserved1)))
		return IVP_REASON_MESSAGE;
	if (message->version != IVP_LAYOUT_VERSION)
		return IVP_REASON_VERSION;
	if (message->format_id != expect->sb->format_id)
		return IVP_REASON_FORMAT;
	if (message->listener_id != expect->listener_id)
		return IVP_REASON_LISTENER;
	if (message->lane != expect->lane || message->side >= expect->sb->sides ||
	    (expect->side != ~0u && message->side != expect->side))
		return IVP_REASON_LANE;
	if (!expect->epoch || message->epoch != expect->epoch || message->peer_epoch != expect->peer_epoch)
		return IVP_REASON_EPOCH;
	return IVP_REASON_OK;
}

static enum ivp_reason token_check(const struct ivp_message *message, u64 ring, const struct ivp_expect *expect)
{
	u32 bytes = message->token_bytes;

	if (bytes < IVP_TOKEN_MIN || bytes > IVP_TOKEN_MAX ||
	    !ivp_span_within(message->token_index, bytes, ring, expect->sb->ring_size))
		return IVP_REASON_WINDOW;
	return all_zero(message->token + bytes, IVP_TOKEN_MAX - bytes) ? IVP_REASON_OK : IVP_REASON_MESSAGE;
}

enum ivp_reason ivp_call_check(const struct ivp_message *hello, const struct ivp_superblock *sb)
{
	if (hello->type != IVP_MESSAGE_HELLO)
		return IVP_REASON_MESSAGE;
	if (hello->version != IVP_LAYOUT_VERSION)
		return IVP_REASON_VERSION;
	if (hello->format_id != sb->format_id)
		return IVP_REASON_FORMAT;
	return hello->lane < sb->lanes ? IVP_REASON_OK : IVP_REASON_LANE;
}

enum ivp_reason ivp_hello_check(const struct ivp_message *hello, const struct ivp_expect *expect)
{
	enum ivp_reason reason = message_check(hello, IVP_MESSAGE_HELLO, expect);

	if (reason != IVP_REASON_OK)
		return reason;
	if (hello->reason || hello->file[IVP_FILE_BYTES - 1] || !ivp_service_valid(hello->service))
		return IVP_REASON_MESSAGE;
	if (memcmp(hello->service, expect->service, IVP_SERVICE_BYTES))
		return IVP_REASON_SERVICE;
	return token_check(hello, ivp_ring_offset(expect->sb, expect->lane, false), expect);
}

enum ivp_reason ivp_welcome_check(const struct ivp_message *welcome, const struct ivp_expect *expect)
{
	enum ivp_reason reason = message_check(welcome, IVP_MESSAGE_WELCOME, expect);

	if (reason != IVP_REASON_OK)
		return reason;
	if (welcome->reason || welcome->size || !all_zero(welcome->file, IVP_FILE_BYTES))
		return IVP_REASON_MESSAGE;
	return token_check(welcome, ivp_ring_offset(expect->sb, expect->lane, true), expect);
}

enum ivp_reason ivp_ready_check(const struct ivp_message *ready, const struct ivp_expect *expect)
{
	enum ivp_reason reason = message_check(ready, IVP_MESSAGE_READY, expect);

	if (reason != IVP_REASON_OK)
		return reason;
	return ready->token_bytes || !all_zero(ready->token, IVP_TOKEN_MAX) ? IVP_REASON_MESSAGE : IVP_REASON_OK;
}

void ivp_message_begin(struct ivp_message *message, enum ivp_message_type type, const struct ivp_expect *expect,
		       u32 our_side)
{
	memset(message, 0, sizeof(*message));
	message->type = type;
	message->version = IVP_LAYOUT_VERSION;
	message->format_id = expect->sb->format_id;
	message->listener_id = expect->listener_id;
	message->epoch = expect->peer_epoch;
	message->peer_epoch = type == IVP_MESSAGE_HELLO ? 0 : expect->epoch;
	message->side = our_side;
	message->lane = expect->lane;
	memcpy(message->service, expect->service, IVP_SERVICE_BYTES);
}

const char *ivp_reason_text(u32 reason)
{
	static const char *const texts[] = {
		[IVP_REASON_NONE] = "no reason given",
		[IVP_REASON_OK] = "all is well",
		[IVP_REASON_MESSAGE] = "the handshake message is malformed",
		[IVP_REASON_VERSION] = "the ends speak different versions of the protocol",
		[IVP_REASON_FORMAT] = "the format id differs: another region, or laid out anew meanwhile",
		[IVP_REASON_LANE] = "lane and side do not belong together",
		[IVP_REASON_EPOCH] = "the message belongs to another session",
		[IVP_REASON_SERVICE] = "the listener offers another service",
		[IVP_REASON_WINDOW] = "token_index or token_bytes lie outside of the client's ring",
		[IVP_REASON_TOKEN] = "the token is not in the memory: both ends do not map the same bytes",
		[IVP_REASON_BUSY] = "the lane's server end is taken",
		[IVP_REASON_LISTENER] = "the message is meant for another listener",
		[IVP_REASON_DAMAGED] = "the data arrived damaged (digest or length)",
		[IVP_REASON_NO_SPACE] = "no space left where the receiver writes",
		[IVP_REASON_WRITE] = "the receiver could not write its output",
		[IVP_REASON_READ] = "the sender could not read its input",
		[IVP_REASON_CLOSED] = "the receiver's output was closed",
		[IVP_REASON_INTERRUPT] = "it was interrupted",
		[IVP_REASON_BROKEN] = "the protocol was violated",
	};

	if (reason >= sizeof(texts) / sizeof(*texts) || !texts[reason])
		return "a reason that this version does not know";
	return texts[reason];
}
