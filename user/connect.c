// SPDX-License-Identifier: MIT
/* connect: the client's half of the rendezvous. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "choose.h"
#include "dial.h"
#include "error.h"
#include "greet.h"
#include "listener.h"
#include "locks.h"

#define SLOTS (IVP_SIDES_MAX * IVP_SLOTS_PER_SIDE)

/* How long a listener elsewhere is watched for a beat before it is taken for dead: two beats and a bit. */
#define WATCH_MS (2 * IVP_BEAT_MS + 100)

struct search {
	struct ivp_region *region;
	struct ivp_greeting greeting;
	int64_t deadline;
	struct ivp_seen slots[SLOTS];
	struct ivp_choice lanes;
	struct ivp_announced target;
	bool busy; /* somebody listens for the service, but had no time for us */
};

/* A candidate's worth: 2 the other side and alive, 1 our own side and alive, 0 not known yet, -1 dead. */
static int judge(struct search *search, const struct ivp_announced *announced, int64_t now)
{
	struct ivp_seen *seen = &search->slots[announced->side * IVP_SLOTS_PER_SIDE + announced->number];
	int worth = announced->side == search->region->side ? 1 : 2;

	ivp_seen_watch(seen, announced->id, announced->beat, now);
	if (announced->local)
		return worth;
	/* Our own side runs on this kernel: without its lock it is dead, whatever it says. */
	if (announced->side == search->region->side)
		return -1;
	if (now - seen->since > WATCH_MS)
		return -1;
	return seen->moved ? worth : 0;
}

/* After a hello, if there is one; pairs with the acquire of the accept word. Lost, if two clients knock with the same number, or one
 * overwrites the other's: the listener looks everywhere each second anyway, and beats. */
static int knock(struct search *search, const struct ivp_announced *at, struct ivp_error *err)
{
	struct ivp_slot __shm *slot = ivp_region_slot(search->region, at->side, at->number);
	u32 number;
	int ret = ivp_random(&number, sizeof(number), err);

	if (ret)
		return ret;
	ivp_store32_release(&slot->accept, number);
	if (at->local)
		ivp_word_wake(search->region, &slot->accept);
	return 0;
}

/* Who lives beats at once when somebody knocks, and not only when it is time to. */
static void ask(struct search *search, const struct ivp_announced *announced)
{
	struct ivp_seen *seen = &search->slots[announced->side * IVP_SLOTS_PER_SIDE + announced->number];

	if (!seen->asked)
		seen->asked = !knock(search, announced, NULL);
}

/* One look at all slots. True when there is somebody to ask, and nobody better might turn out to live. */
static bool find_listener(struct search *search)
{
	int64_t now = ivp_now();
	bool undecided = false;
	int best = 0;

	search->busy = false;
	for (u32 side = 0; side < search->region->sb.sides; side++)
		for (u32 number = 0; number < IVP_SLOTS_PER_SIDE; number++) {
			struct ivp_announced announced;
			int worth;

			if (!ivp_listener_read(search->region, side, number, &announced) ||
			    memcmp(announced.service, search->greeting.service, IVP_SERVICE_BYTES))
				continue;
			worth = judge(search, &announced, now);
			if (!worth)
				ask(search, &announced);
			undecided = undecided || !worth;
			search->busy = search->busy || (worth > 0 && announced.busy);
			if (worth <= best || announced.busy)
				continue;
			best = worth;
			search->target = announced;
		}
	return best == 2 || (best == 1 && !undecided);
}

static void name_listeners(struct search *search, char *text, size_t size)
{
	size_t used = 0;

	text[0] = 0;
	for (u32 side = 0; side < search->region->sb.sides; side++)
		for (u32 number = 0; number < IVP_SLOTS_PER_SIDE && used + 1 < size; number++) {
			struct ivp_announced announced;

			if (!ivp_listener_read(search->region, side, number, &announced) ||
			    judge(search, &announced, ivp_now()) <= 0)
				continue;
			used += (size_t)snprintf(text + used, size - used, "%s%s (side %u)", used ? ", " : "",
						 (const char *)announced.service, side);
		}
}

static int nobody(struct search *search, struct ivp_error *err)
{
	const char *path = search->region->address.path;
	char names[200];

	name_listeners(search, names, sizeof(names));
	return ivp_fail(err, IVP_FAIL_NO_PEER, -ETIMEDOUT,
			names[0] ? "%s: nobody listens for service '%s': listening now: %s"
				 : "%s: nobody listens for service '%s'%.0s: start ivpipe recv on the other side",
			path, (const char *)search->greeting.service, names);
}

/* The answer to our hello, if that is what lies there: its message names our epoch. Anything else is an end of an earlier
 * session, or one that is just beginning. */
static enum ivp_step read_answer(struct ivp_lane *lane, struct ivp_heard *answer)
{
	enum ivp_step step;

	if (!ivp_lane_hear(lane->region, lane->theirs, answer) || answer->message.peer_epoch != lane->epoch)
		return IVP_STEP_WAIT;
	lane->their_epoch = answer->epoch;
	step = ivp_client_step(answer->state);
	return step == IVP_STEP_ANSWER || step == IVP_STEP_REFUSED ? step : IVP_STEP_WAIT;
}

static bool listener_left(const struct search *search)
{
	struct ivp_announced now;

	return !ivp_listener_read(search->region, search->target.side, search->target.number, &now) ||
	       now.id != search->target.id || now.busy;
}

/* -EAGAIN: the listener is gone, or serves somebody else now. */
static int await_answer(struct search *search, struct ivp_lane *lane, struct ivp_heard *answer, struct ivp_error *err)
{
	int64_t deadline = ivp_deadline(search->greeting.options.timeout_ms);
	struct ivp_doze doze = {0};
	enum ivp_step step;
	int ret;

	while ((step = read_answer(lane, answer)) == IVP_STEP_WAIT) {
		ret = ivp_lane_look(lane, err);
		if (!ret)
			ret = ivp_region_check(search->region, err);
		if (ret)
			return ret;
		if (ivp_region_cancelled(search->region))
			return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
		if (listener_left(search))
			return -EAGAIN;
		if (ivp_now() >= deadline)
			return ivp_fail(err, IVP_FAIL_NO_PEER, -ETIMEDOUT,
					"%s: the listener for '%s' on side %u did not answer within %lld ms",
					search->region->address.path, (const char *)search->greeting.service,
					search->target.side, (long long)search->greeting.options.timeout_ms);
		ivp_doze(&doze);
	}
	return step == IVP_STEP_REFUSED ? -ECONNREFUSED : 0;
}

/* One hello to one listener. */
static int attempt(struct search *search, struct ivp_lane **out, struct ivp_error *err)
{
	struct ivp_heard answer;
	struct ivp_lane *lane;
	int ret = ivp_choose_lane(&search->lanes, search->region, &lane, err);

	if (ret)
		return ret;
	search->greeting.listener_id = search->target.id;
	search->greeting.side = search->target.side;
	ret = ivp_greet_hello(&search->greeting, lane, err);
	if (!ret)
		ret = knock(search, &search->target, err);
	if (!ret)
		ret = await_answer(search, lane, &answer, err);
	if (ret == -ECONNREFUSED)
		ret = ivp_greet_refused(&answer.message, err);
	else if (!ret)
		ret = ivp_greet_prove(&search->greeting, lane, &answer.message, err);
	if (ret)
		ivp_lane_close(lane);
	else
		*out = lane;
	return ret;
}

static int search_init(struct search *search, struct ivp_region *region, const struct ivp_lane_options *options,
		       struct ivp_error *err)
{
	search->region = search->greeting.region = region;
	search->greeting.options = *options;
	search->deadline = ivp_deadline(options->wait_ms);
	return ivp_lane_options_check(&search->greeting.options, search->greeting.service, err);
}

static int connect_loop(struct search *search, struct ivp_lane **lane, struct ivp_error *err)
{
	struct ivp_doze doze = {.longest_us = 20000};
	int ret;

	for (;;) {
		if (find_listener(search)) {
			ret = attempt(search, lane, err);
			if (ret != -EAGAIN)
				return ret;
			search->busy = true;
		}
		ret = ivp_region_check(search->region, err);
		if (ret)
			return ret;
		if (ivp_region_cancelled(search->region))
			return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
		if (ivp_now() >= search->deadline)
			return search->busy
				       ? ivp_fail(
						 err, IVP_FAIL_NO_PEER, -ETIMEDOUT,
						 "%s: the listener for '%s' serves others, or all lanes of side %u are "
						 "taken",
						 search->region->address.path, (const char *)search->greeting.service,
						 search->region->side)
				       : nobody(search, err);
		ivp_doze(&doze);
	}
}

int ivp_connect(struct ivp_lane **lane, struct ivp_region *region, const struct ivp_lane_options *options,
		struct ivp_error *err)
{
	struct search *search;
	int ret;

	if (options->control)
		return ivp_dial(lane, region, options, err);
	search = calloc(1, sizeof(*search));
	if (!search)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	ret = search_init(search, region, options, err);
	if (!ret) {
		ivp_lane_sweep(region);
		ret = connect_loop(search, lane, err);
	}
	free(search);
	return ret;
}
