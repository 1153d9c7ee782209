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

struct call {
	struct ivp_greeting greeting;
	struct ivp_endpoint endpoint;
	struct ivp_choice choice;
	int64_t deadline; /* for somebody who has time for us */
	bool once;        /* there is one connection, and no other after it */
	bool spent;       /* which was used */
	bool crowded;     /* all lanes are taken */
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

/* There is a listener, and from its first byte on it has our hello before it. Whoever is served later waits as long as for a
 * listener. 0; -EAGAIN: it hung up. */
static int await_answer(struct call *call, struct ivp_lane *lane, struct ivp_control_inbox *inbox,
			struct ivp_error *err)
{
	struct pollfd poll_fd = {.fd = ivp_control_fd(lane->control), .events = POLLIN};
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
