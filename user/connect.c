// SPDX-License-Identifier: MIT
/* connect: the client's half of the rendezvous. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "error.h"
#include "lane.h"
#include "listener.h"
#include "locks.h"

#define SLOTS (IVP_SIDES_MAX * IVP_SLOTS_PER_SIDE)

/* How long a listener elsewhere is watched for a beat before it is taken for dead: two beats and a bit. */
#define WATCH_MS (2 * IVP_BEAT_MS + 100)

/* A lane whose server's end was left in the middle is taken when that long nothing beat there. */
#define ABANDONED_MS 10000

/* What was seen of one beating word, by our own clock. */
struct seen {
	u64 id;
	u32 beat;
	bool moved;
	int64_t since; /* of the last change */
};

struct search {
	struct ivp_region *region;
	struct ivp_lane_options options;
	u8 service[IVP_SERVICE_BYTES];
	int64_t deadline;
	struct seen slots[SLOTS];
	struct seen lanes[IVP_LANES_MAX]; /* server ends */
	struct ivp_announced target;
	bool busy; /* somebody listens for the service, but had no time for us */
};

static void watch(struct seen *seen, u64 id, u32 beat, int64_t now)
{
	if (seen->id != id || !seen->since) {
		*seen = (struct seen){.id = id, .beat = beat, .since = now};
	} else if (seen->beat != beat) {
		seen->beat = beat;
		seen->moved = true;
		seen->since = now;
	}
}

/* A candidate's worth: 2 the other side and alive, 1 our own side and alive, 0 not known yet, -1 dead. */
static int judge(struct search *search, const struct ivp_announced *announced, int64_t now)
{
	struct seen *seen = &search->slots[announced->side * IVP_SLOTS_PER_SIDE + announced->number];
	int worth = announced->side == search->region->side ? 1 : 2;

	watch(seen, announced->id, announced->beat, now);
	if (announced->local)
		return worth;
	/* Our own side runs on this kernel: without its lock it is dead, whatever it says. */
	if (announced->side == search->region->side)
		return -1;
	if (now - seen->since > WATCH_MS)
		return -1;
	return seen->moved ? worth : 0;
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
			    memcmp(announced.service, search->service, IVP_SERVICE_BYTES))
				continue;
			worth = judge(search, &announced, now);
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
			path, (const char *)search->service, names);
}

/* May a client take this lane now? */
static bool lane_free(struct search *search, u32 index)
{
	struct ivp_region *region = search->region;
	struct ivp_half __shm *half = ivp_region_half(region, index, true);
	int64_t now = ivp_now();

	if (ivp_locks_held(region->lock_fd, IVP_LOCK_SERVER(index), 1))
		return false;
	if (ivp_state_over(ivp_load32_acquire(&half->state)))
		return true;
	watch(&search->lanes[index], ivp_load64(&half->epoch), ivp_load32(&half->beat), now);
	return now - search->lanes[index].since > ABANDONED_MS;
}

/* Take a lane of our side, from a random one on, so that those who come together do not all try the same. */
static int take_lane(struct search *search, struct ivp_lane **lane, struct ivp_error *err)
{
	const struct ivp_superblock *sb = &search->region->sb;
	u32 count = sb->lanes / sb->sides, first = search->region->side * count, start;
	int ret = ivp_random(&start, sizeof(start), err);

	for (u32 i = 0; i < count && !ret; i++) {
		u32 index = first + (start % count + i) % count;

		if (!lane_free(search, index))
			continue;
		ret = ivp_lane_take(lane, search->region, index, false, err);
		if (!ret)
			return 0;
		if (ret == -EAGAIN)
			ret = 0;
	}
	return ret ? ret : -EAGAIN;
}

static void expect(const struct search *search, const struct ivp_lane *lane, struct ivp_expect *expect)
{
	*expect = (struct ivp_expect){
		.sb = &search->region->sb,
		.listener_id = search->target.id,
		.epoch = lane->their_epoch,
		.peer_epoch = lane->epoch,
		.lane = lane->index,
		.side = search->target.side,
		.service = search->service,
	};
}

static int say_hello(struct search *search, struct ivp_lane *lane, struct ivp_error *err)
{
	struct ivp_slot __shm *slot = ivp_region_slot(search->region, search->target.side, search->target.number);
	struct ivp_message hello;
	struct ivp_expect knows;
	u32 knock;
	int ret;

	expect(search, lane, &knows);
	ivp_message_begin(&hello, IVP_MESSAGE_HELLO, &knows, search->region->side);
	hello.size = search->options.size < 0 ? ~0ULL : (u64)search->options.size;
	if (search->options.file)
		strncpy((char *)hello.file, search->options.file, IVP_FILE_BYTES - 1);
	ret = ivp_lane_hide_token(lane, &hello, search->options.token_bytes, err);
	if (!ret)
		ret = ivp_random(&knock, sizeof(knock), err);
	if (ret)
		return ret;
	ivp_lane_say(lane, &hello, IVP_STATE_HELLO);
	/* After the hello; pairs with the acquire of the accept word. Lost, if two clients knock with the same number, or one
	 * overwrites the other's: the listener looks everywhere each second anyway. */
	ivp_store32_release(&slot->accept, knock);
	if (search->target.local)
		ivp_word_wake(search->region, &slot->accept);
	return 0;
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
	int64_t deadline = ivp_deadline(search->options.timeout_ms);
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
					search->region->address.path, (const char *)search->service,
					search->target.side, (long long)search->options.timeout_ms);
		ivp_doze(&doze);
	}
	return step == IVP_STEP_REFUSED ? -ECONNREFUSED : 0;
}

/* A refusal that belongs to another listener or lane is not for us to believe, but there is nothing better to wait for. */
static int refused(const struct ivp_message *answer, struct ivp_error *err)
{
	return ivp_fail(err, IVP_FAIL_REFUSED, -ECONNREFUSED, "the other side refused the handshake: %s",
			ivp_reason_text(answer->reason));
}

static int prove(struct search *search, struct ivp_lane *lane, const struct ivp_message *welcome, struct ivp_error *err)
{
	struct ivp_message ready;
	struct ivp_expect knows;
	enum ivp_reason reason;

	expect(search, lane, &knows);
	reason = ivp_welcome_check(welcome, &knows);
	if (reason == IVP_REASON_OK && !ivp_lane_find_token(lane, welcome))
		reason = IVP_REASON_TOKEN;
	if (reason == IVP_REASON_TOKEN && !ivp_lane_still_says(lane, IVP_STATE_WELCOME))
		return -EAGAIN; /* the listener gave us up */
	if (reason != IVP_REASON_OK) {
		ivp_lane_abort(lane, (enum ivp_verdict)reason);
		return ivp_fail(err, IVP_FAIL_REFUSED, -ECONNREFUSED, "refused the other side's welcome: %s",
				ivp_reason_text(reason));
	}
	ivp_lane_wipe_token(lane);
	lane->their_state = IVP_STATE_WELCOME;
	ivp_message_begin(&ready, IVP_MESSAGE_READY, &knows, search->region->side);
	ivp_lane_say(lane, &ready, IVP_STATE_OPEN);
	return ivp_lane_attach(lane, &search->options, err);
}

/* One hello to one listener. */
static int attempt(struct search *search, struct ivp_lane **out, struct ivp_error *err)
{
	struct ivp_heard answer;
	struct ivp_lane *lane;
	int ret = take_lane(search, &lane, err);

	if (ret)
		return ret;
	ret = say_hello(search, lane, err);
	if (!ret)
		ret = await_answer(search, lane, &answer, err);
	if (ret == -ECONNREFUSED)
		ret = answer.message.reason == IVP_REASON_BUSY ? -EAGAIN : refused(&answer.message, err);
	else if (!ret)
		ret = prove(search, lane, &answer.message, err);
	if (ret)
		ivp_lane_close(lane);
	else
		*out = lane;
	return ret;
}

static int search_init(struct search *search, struct ivp_region *region, const struct ivp_lane_options *options,
		       struct ivp_error *err)
{
	search->region = region;
	search->options = *options;
	search->deadline = ivp_deadline(options->wait_ms);
	return ivp_lane_options_check(&search->options, search->service, err);
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
						 search->region->address.path, (const char *)search->service,
						 search->region->side)
				       : nobody(search, err);
		ivp_doze(&doze);
	}
}

int ivp_connect(struct ivp_lane **lane, struct ivp_region *region, const struct ivp_lane_options *options,
		struct ivp_error *err)
{
	struct search *search = calloc(1, sizeof(*search));
	int ret;

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
