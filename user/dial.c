// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "choose.h"
#include "dial.h"
#include "error.h"
#include "greet.h"

/* How often the memory and a wish to stop are looked after meanwhile. */
#define LOOK_MS 100

/* When a hello without an answer is said again, at first; then after twice as long, and so on. */
#define AGAIN_MS 1000

struct call {
	struct ivp_greeting greeting;
	struct ivp_endpoint endpoint;
	struct ivp_choice choice;
	int64_t deadline; /* for somebody who has time for us */
	bool once;        /* there is one connection, and no other after it */
	bool spent;       /* which was used */
	bool crowded;     /* all lanes are taken */
};

struct again {
	int64_t at, gap_ms;
};

static int interrupted(struct ivp_error *err)
{
	return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
}

static int nobody(const struct call *call, struct ivp_error *err)
{
	if (call->crowded)
		return ivp_fail(err, IVP_FAIL_NO_PEER, -ETIMEDOUT, "%s: all lanes of side %u are taken",
				call->greeting.region->address.path, call->greeting.region->side);
	return ivp_fail(err, IVP_FAIL_NO_PEER, -ETIMEDOUT,
			"%s: nobody answered for service '%s' on control connection %.200s",
			call->greeting.region->address.path, (const char *)call->greeting.service,
			call->greeting.options.control);
}

/* A port loses what comes while nobody has its other end open, or between two listeners; so the hello is said again, word for word, until
 * it is answered. 0; -EAGAIN: the other end hung up, or takes nothing. */
static int say_again(struct call *call, struct ivp_lane *lane, struct again *again)
{
	int64_t now = ivp_now();

	if (now < again->at)
		return 0;
	again->gap_ms *= 2;
	again->at = now + again->gap_ms;
	return ivp_control_send(lane->control, &call->greeting.hello, ivp_deadline(call->greeting.options.timeout_ms))
		       ? -EAGAIN
		       : 0;
}

/* There is a listener, and from its first byte on it has our hello before it. Whoever is served later waits as long as for a
 * listener. 0; -EAGAIN: it hung up. */
static int await_answer(struct call *call, struct ivp_lane *lane, struct ivp_control_inbox *inbox,
			struct ivp_error *err)
{
	struct pollfd poll_fd = {.fd = ivp_control_fd(lane->control), .events = POLLIN};
	struct again again = {.at = ivp_deadline(AGAIN_MS), .gap_ms = AGAIN_MS};
	int64_t deadline = call->deadline;
	int ret;

	for (;;) {
		bool greeted = inbox->greeted;

		ret = ivp_control_take(lane->control, inbox);
		if (ret == -EPIPE)
			return -EAGAIN;
		if (!ret)
			return 0;
		if (inbox->greeted && !greeted)
			deadline = ivp_deadline(call->greeting.options.timeout_ms);
		ret = ivp_lane_look(lane, err);
		if (!ret)
			ret = ivp_region_check(lane->region, err);
		if (ret)
			return ret;
		if (ivp_region_cancelled(lane->region))
			return interrupted(err);
		if (ivp_now() >= deadline)
			return nobody(call, err);
		ret = say_again(call, lane, &again);
		if (ret)
			return ret;
		poll(&poll_fd, 1, LOOK_MS);
	}
}

static int greet(struct call *call, struct ivp_lane *lane, struct ivp_error *err)
{
	struct ivp_control_inbox inbox = {0};
	int ret = ivp_greet_hello(&call->greeting, lane, err);

	if (ret == -EPIPE || ret == -ETIMEDOUT)
		return -EAGAIN;
	if (!ret)
		ret = await_answer(call, lane, &inbox, err);
	if (ret)
		return ret;
	lane->their_epoch = inbox.message.epoch;
	if (inbox.message.type == IVP_MESSAGE_REFUSAL)
		return ivp_greet_refused(&inbox.message, err);
	return ivp_greet_prove(&call->greeting, lane, &inbox.message, err);
}

static int connect_lane(struct call *call, struct ivp_lane *lane, struct ivp_error *err)
{
	struct ivp_ends ends;
	int ret = ivp_endpoint_connect(&call->endpoint, &ends, call->deadline, lane->region->cancel, err);

	if (ret)
		return ret;
	call->spent = call->once;
	return ivp_control_new(&lane->control, &ends, err);
}

/* One connection, one hello. -EAGAIN: nothing came of it. */
static int attempt(struct call *call, struct ivp_lane **out, struct ivp_error *err)
{
	struct ivp_lane *lane;
	int ret = ivp_choose_lane(&call->choice, call->greeting.region, &lane, err);

	call->crowded = ret == -EAGAIN;
	if (ret)
		return ret;
	ret = connect_lane(call, lane, err);
	if (!ret)
		ret = greet(call, lane, err);
	if (ret)
		ivp_lane_close(lane);
	else
		*out = lane;
	return ret;
}

static int call_loop(struct call *call, struct ivp_lane **lane, struct ivp_error *err)
{
	struct ivp_doze doze = {.looks = ~0u / 2, .longest_us = 50000};
	int ret;

	for (;;) {
		ret = attempt(call, lane, err);
		if (ret != -EAGAIN)
			return ret;
		if (call->spent)
			return ivp_fail(err, IVP_FAIL_NO_PEER, -EPIPE,
					"control connection %.200s: the other end closed it before it answered",
					call->greeting.options.control);
		ret = ivp_region_check(call->greeting.region, err);
		if (ret)
			return ret;
		if (ivp_region_cancelled(call->greeting.region))
			return interrupted(err);
		if (ivp_now() >= call->deadline)
			return nobody(call, err);
		ivp_doze(&doze);
	}
}

int ivp_dial(struct ivp_lane **lane, struct ivp_region *region, const struct ivp_lane_options *options,
	     struct ivp_error *err)
{
	struct call *call = calloc(1, sizeof(*call));
	int ret;

	if (!call)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	call->greeting = (struct ivp_greeting){.region = region, .options = *options, .side = ~0u};
	call->deadline = ivp_deadline(options->wait_ms);
	ret = ivp_lane_options_check(&call->greeting.options, call->greeting.service, err);
	if (!ret)
		ret = ivp_endpoint_parse(&call->endpoint, options->control, err);
	call->once = call->endpoint.kind == IVP_ENDPOINT_FD || call->endpoint.kind == IVP_ENDPOINT_EXEC;
	if (!ret) {
		ivp_lane_sweep(region);
		ret = call_loop(call, lane, err);
	}
	free(call);
	return ret;
}
