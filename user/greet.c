// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>

#include "error.h"
#include "greet.h"

static void expect(const struct ivp_greeting *greeting, const struct ivp_lane *lane, struct ivp_expect *expect)
{
	*expect = (struct ivp_expect){
		.sb = &greeting->region->sb,
		.listener_id = greeting->listener_id,
		.epoch = lane->their_epoch,
		.peer_epoch = lane->epoch,
		.lane = lane->index,
		.side = greeting->side,
		.service = greeting->service,
	};
}

static int say(const struct ivp_greeting *greeting, struct ivp_lane *lane, const struct ivp_message *message,
	       enum ivp_state state)
{
	return ivp_lane_say(lane, message, state, ivp_deadline(greeting->options.timeout_ms));
}

int ivp_greet_hello(struct ivp_greeting *greeting, struct ivp_lane *lane, struct ivp_error *err)
{
	struct ivp_message *hello = &greeting->hello;
	struct ivp_expect knows;
	int ret;

	expect(greeting, lane, &knows);
	ivp_message_begin(hello, IVP_MESSAGE_HELLO, &knows, greeting->region->side);
	hello->size = greeting->options.size < 0 ? ~0ULL : (u64)greeting->options.size;
	if (greeting->options.file)
		strncpy((char *)hello->file, greeting->options.file, IVP_FILE_BYTES - 1);
	ret = ivp_lane_hide_token(lane, hello, greeting->options.token_bytes, err);
	return ret ? ret : say(greeting, lane, hello, IVP_STATE_HELLO);
}

/* Through the memory, by our verdict; over a connection by a message, for the listener perhaps sees another memory. */
static int refuse(const struct ivp_greeting *greeting, struct ivp_lane *lane, const struct ivp_expect *knows,
		  enum ivp_reason reason, struct ivp_error *err)
{
	struct ivp_message refusal;

	if (lane->control) {
		ivp_message_begin(&refusal, IVP_MESSAGE_REFUSAL, knows, greeting->region->side);
		refusal.reason = reason;
		ivp_control_send(lane->control, &refusal, ivp_deadline(greeting->options.timeout_ms));
	}
	ivp_lane_abort(lane, (enum ivp_verdict)reason);
	return ivp_fail(err, IVP_FAIL_REFUSED, -ECONNREFUSED, "refused the other side's welcome: %s",
			ivp_reason_text(reason));
}

int ivp_greet_prove(const struct ivp_greeting *greeting, struct ivp_lane *lane, const struct ivp_message *welcome,
		    struct ivp_error *err)
{
	struct ivp_message ready;
	struct ivp_expect knows;
	enum ivp_reason reason;
	int ret;

	expect(greeting, lane, &knows);
	reason = ivp_welcome_check(welcome, &knows);
	if (reason == IVP_REASON_OK && !ivp_lane_find_token(lane, welcome))
		reason = IVP_REASON_TOKEN;
	if (reason == IVP_REASON_TOKEN && !lane->control && !ivp_lane_still_says(lane, IVP_STATE_WELCOME))
		return -EAGAIN;
	if (reason != IVP_REASON_OK)
		return refuse(greeting, lane, &knows, reason, err);
	ivp_lane_wipe_token(lane);
	lane->their_state = IVP_STATE_WELCOME;
	ivp_message_begin(&ready, IVP_MESSAGE_READY, &knows, greeting->region->side);
	ret = say(greeting, lane, &ready, IVP_STATE_OPEN);
	return ret ? -EAGAIN : ivp_lane_attach(lane, &greeting->options, err);
}

int ivp_greet_refused(const struct ivp_message *refusal, struct ivp_error *err)
{
	if (refusal->reason == IVP_REASON_BUSY)
		return -EAGAIN;
	return ivp_fail(err, IVP_FAIL_REFUSED, -ECONNREFUSED, "the other side refused the handshake: %s",
			ivp_reason_text(refusal->reason));
}
