// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>

#include "answer.h"
#include "error.h"
#include "locks.h"

/* How often a wish to stop is looked after while a message is waited for. */
#define LOOK_MS 100

static void expect(const struct ivp_answering *answering, u32 lane, u64 epoch, u64 ours, struct ivp_expect *expect)
{
	*expect = (struct ivp_expect){
		.sb = &answering->region->sb,
		.listener_id = answering->id,
		.epoch = epoch,
		.peer_epoch = ours,
		.lane = lane,
		.side = ivp_lane_side(&answering->region->sb, lane),
		.service = answering->service,
	};
}

static enum ivp_reason check_hello(const struct ivp_answering *answering, const struct ivp_lane *lane,
				   const struct ivp_message *hello)
{
	struct ivp_expect knows;
	enum ivp_reason reason;

	expect(answering, lane->index, lane->their_epoch, 0, &knows);
	reason = ivp_hello_check(hello, &knows);
	if (reason == IVP_REASON_OK && !ivp_lane_find_token(lane, hello))
		reason = IVP_REASON_TOKEN;
	/* Who calls has an epoch in its memory, and we see another in ours. */
	return reason == IVP_REASON_EPOCH && lane->control ? IVP_REASON_TOKEN : reason;
}

/* Names are shown on terminals: what could steer one becomes a question mark. */
static void keep_hello(struct ivp_lane *lane, const struct ivp_message *hello)
{
	memcpy(lane->file, hello->file, sizeof(lane->file));
	for (u8 *c = (u8 *)lane->file; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
	lane->size = hello->size > INT64_MAX ? -1 : (int64_t)hello->size;
}

static int check_wait(const struct ivp_lane *lane, int64_t deadline, struct ivp_error *err)
{
	int ret = ivp_region_check(lane->region, err);

	if (ret)
		return ret;
	if (ivp_now() >= deadline)
		return -EAGAIN;
	return ivp_region_cancelled(lane->region) ? ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted") : 0;
}

/* The hello that we answer, once more: it was said again before our answer came. */
static bool is_echo(const struct ivp_lane *lane, const struct ivp_message *message)
{
	return message->type == IVP_MESSAGE_HELLO && message->epoch == lane->their_epoch;
}

/* Over the connection. -EAGAIN: it ended, or nothing came. */
static int await_message(struct ivp_lane *lane, int64_t deadline, struct ivp_heard *heard, enum ivp_step *step,
			 struct ivp_error *err)
{
	struct pollfd poll_fd = {.fd = ivp_control_fd(lane->control), .events = POLLIN};
	struct ivp_control_inbox inbox = {0};
	int ret;

	for (;;) {
		ret = ivp_control_take(lane->control, &inbox);
		if (!ret && !is_echo(lane, &inbox.message))
			break;
		if (ret == -EPIPE)
			return -EAGAIN;
		if (!ret)
			inbox = (struct ivp_control_inbox){0};
		ret = check_wait(lane, deadline, err);
		if (ret)
			return ret;
		poll(&poll_fd, 1, LOOK_MS);
	}
	heard->message = inbox.message;
	*step = inbox.message.type == IVP_MESSAGE_READY     ? IVP_STEP_ANSWER
		: inbox.message.type == IVP_MESSAGE_REFUSAL ? IVP_STEP_REFUSED
							    : IVP_STEP_BROKEN;
	return 0;
}

/* Wait for what the client makes of our answer. 0: its ready, or its end after a refusal; -EAGAIN: it gave up. */
static int await_client(const struct ivp_answering *answering, struct ivp_lane *lane, struct ivp_heard *heard,
			enum ivp_step *step, struct ivp_error *err)
{
	int64_t deadline = ivp_deadline(answering->options.timeout_ms);
	struct ivp_doze doze = {0};
	int ret;

	if (lane->control)
		return await_message(lane, deadline, heard, step, err);
	for (;; ivp_doze(&doze)) {
		/* Before its words are looked at: who has left may have said it all meanwhile. */
		bool left = lane->local && !ivp_locks_held(lane->fd, IVP_LOCK_CLIENT(lane->index), 1);
		bool whole = ivp_lane_hear(lane->region, lane->theirs, heard);

		*step = ivp_server_step(heard->state);
		if (heard->epoch != lane->their_epoch)
			return -EAGAIN;
		if (whole && *step != IVP_STEP_WAIT)
			return 0;
		ret = ivp_lane_look(lane, err);
		if (!ret)
			ret = check_wait(lane, deadline, err);
		if (ret || left)
			return ret ? ret : -EAGAIN;
	}
}

static int say(const struct ivp_answering *answering, struct ivp_lane *lane, const struct ivp_message *message,
	       enum ivp_state state)
{
	return ivp_lane_say(lane, message, state, ivp_deadline(answering->options.timeout_ms));
}

static int refuse(const struct ivp_answering *answering, struct ivp_lane *lane, enum ivp_reason reason,
		  struct ivp_error *err)
{
	struct ivp_message refusal;
	struct ivp_expect knows;
	struct ivp_heard heard;
	enum ivp_step step;

	expect(answering, lane->index, lane->their_epoch, lane->epoch, &knows);
	ivp_message_begin(&refusal, IVP_MESSAGE_REFUSAL, &knows, answering->region->side);
	refusal.reason = reason;
	/* What was sent over a connection arrives though we are gone; what lies in the memory would be wiped. */
	if (!say(answering, lane, &refusal, IVP_STATE_REFUSED) && !lane->control)
		await_client(answering, lane, &heard, &step, NULL);
	return ivp_fail(err, IVP_FAIL_REFUSED, -ECONNREFUSED, "lane %u: refused a client's hello: %s", lane->index,
			ivp_reason_text(reason));
}

static int welcome(const struct ivp_answering *answering, struct ivp_lane *lane, struct ivp_error *err)
{
	struct ivp_message message;
	struct ivp_expect knows;
	struct ivp_heard heard;
	enum ivp_reason reason;
	enum ivp_step step;
	int ret;

	expect(answering, lane->index, lane->their_epoch, lane->epoch, &knows);
	ivp_message_begin(&message, IVP_MESSAGE_WELCOME, &knows, answering->region->side);
	ret = ivp_lane_hide_token(lane, &message, answering->options.token_bytes, err);
	if (ret)
		return ret;
	if (say(answering, lane, &message, IVP_STATE_WELCOME))
		return -EAGAIN;
	ret = await_client(answering, lane, &heard, &step, err);
	if (ret)
		return ret;
	/* It was ready, and then gave up, before we looked: what it says of that belongs to the stream. */
	if (step != IVP_STEP_ANSWER && heard.message.type == IVP_MESSAGE_READY)
		step = IVP_STEP_ANSWER;
	if (step == IVP_STEP_GONE)
		return -EAGAIN;
	if (step != IVP_STEP_ANSWER)
		return ivp_fail(err, IVP_FAIL_REFUSED, -ECONNREFUSED, "lane %u: the client refused our welcome: %s",
				lane->index,
				ivp_reason_text(lane->control ? heard.message.reason : ivp_lane_their_verdict(lane)));
	reason = ivp_ready_check(&heard.message, &knows);
	if (reason != IVP_REASON_OK)
		return ivp_fail(err, IVP_FAIL_REFUSED, -ECONNREFUSED, "lane %u: the client's ready does not fit: %s",
				lane->index, ivp_reason_text(reason));
	return 0;
}

static int open_lane(const struct ivp_answering *answering, struct ivp_lane *lane, const struct ivp_message *hello,
		     struct ivp_error *err)
{
	keep_hello(lane, hello);
	ivp_lane_wipe_token(lane);
	lane->their_state = IVP_STATE_OPEN;
	ivp_lane_state(lane, IVP_STATE_OPEN);
	return ivp_lane_attach(lane, &answering->options, err);
}

/* The server's end is taken, and the client's epoch known. Consumes the lane where nothing comes of it. */
static int serve(const struct ivp_answering *answering, struct ivp_lane *lane, const struct ivp_message *hello,
		 struct ivp_lane **out, struct ivp_error *err)
{
	enum ivp_reason reason;
	int ret;

	lane->local = ivp_locks_held(lane->fd, IVP_LOCK_CLIENT(lane->index), 1);
	reason = check_hello(answering, lane, hello);
	if (reason == IVP_REASON_OK)
		ret = welcome(answering, lane, err);
	else if (lane->control || ivp_lane_still_says(lane, IVP_STATE_HELLO))
		ret = refuse(answering, lane, reason, err);
	else
		ret = -EAGAIN; /* the client has gone */
	if (!ret)
		ret = open_lane(answering, lane, hello, err);
	if (ret)
		ivp_lane_close(lane);
	else
		*out = lane;
	return ret;
}

int ivp_answer_hello(const struct ivp_answering *answering, struct ivp_lane *lane, const struct ivp_heard *hello,
		     struct ivp_lane **out, struct ivp_error *err)
{
	lane->their_epoch = hello->epoch;
	return serve(answering, lane, &hello->message, out, err);
}

/* Before there is a lane of ours: it is said who is meant, and why not. */
static int refuse_call(const struct ivp_answering *answering, struct ivp_control *control,
		       const struct ivp_message *hello, enum ivp_reason reason, struct ivp_error *err)
{
	struct ivp_message refusal;
	struct ivp_expect knows;

	expect(answering, 0, hello->epoch, 0, &knows);
	ivp_message_begin(&refusal, IVP_MESSAGE_REFUSAL, &knows, answering->region->side);
	refusal.reason = reason;
	ivp_control_send(control, &refusal, ivp_deadline(answering->options.timeout_ms));
	ivp_control_close(control);
	return ivp_fail(err, IVP_FAIL_REFUSED, -ECONNREFUSED, "refused a client's hello: %s", ivp_reason_text(reason));
}

int ivp_answer_call(const struct ivp_answering *answering, struct ivp_control *control, const struct ivp_message *hello,
		    struct ivp_lane **out, struct ivp_error *err)
{
	struct ivp_region *region = answering->region;
	enum ivp_reason reason = ivp_call_check(hello, &region->sb);
	struct ivp_lane *lane;
	int ret;

	if (reason != IVP_REASON_OK)
		return refuse_call(answering, control, hello, reason, err);
	ret = ivp_lane_take(&lane, region, hello->lane, true, err);
	if (ret == -EAGAIN) {
		refuse_call(answering, control, hello, IVP_REASON_BUSY, NULL);
		return -EAGAIN;
	}
	if (ret) {
		ivp_control_close(control);
		return ret;
	}
	lane->control = control;
	/* Acquire: pairs with the release that stored it, after the half was cleared. */
	lane->their_epoch = ivp_load64_acquire(&lane->theirs->epoch);
	return serve(answering, lane, hello, out, err);
}
