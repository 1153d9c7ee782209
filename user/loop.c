// SPDX-License-Identifier: MIT
/* loop: a lane, for loops that wait for descriptors. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>

#include "error.h"
#include "lane.h"
#include "watch.h"

/* How long the thread sleeps at most before it looks after the peer. */
#define SLEEP_MS IVP_BEAT_MS

/* What is waited for, and what of the other half the user knew when he began to. */
struct wish {
	unsigned int what; /* IVP_WAIT_ */
	u64 prod, cons;
	u32 state, verdict;
};

struct ivp_loop {
	struct ivp_watch *watch;
	struct ivp_lane *lane;
	struct wish said;  /* by the user's thread, which alone touches it */
	struct wish heard; /* under the watch's lock */
	struct wish own;   /* the watch's thread's */
	struct ivp_doze doze;
	bool anew; /* under the watch's lock: patience begins again */
};

static struct wish look(const struct ivp_lane *lane, unsigned int what)
{
	return (struct wish){
		.what = what,
		.prod = ivp_load64_acquire(&lane->theirs->prod),
		.cons = ivp_load64_acquire(&lane->theirs->cons),
		.state = ivp_load32_acquire(&lane->theirs->state),
		.verdict = ivp_load32_acquire(&lane->theirs->verdict),
	};
}

/* Has anything come that the user waits for? It looks at what the peer announced, and leaves rings, which are the user's, alone. */
static bool news(struct ivp_lane *lane, unsigned int what)
{
	const struct wish *before = &lane->loop->own;
	struct wish now = look(lane, what);

	return (what & IVP_WAIT_DATA && now.prod != before->prod) ||
	       (what & IVP_WAIT_ROOM && now.cons != before->cons) ||
	       (what & (IVP_WAIT_ROOM | IVP_WAIT_RESULT) && now.verdict != before->verdict) ||
	       now.state != before->state || lane->given_up || ivp_lane_look(lane, NULL);
}

static bool due(void *arg)
{
	struct ivp_loop *loop = arg;

	loop->own = loop->heard;
	if (loop->anew)
		loop->doze = (struct ivp_doze){0};
	loop->anew = false;
	return news(loop->lane, loop->own.what) || ivp_lane_alive(loop->lane, NULL);
}

static void sleep_a_little(void *arg)
{
	struct ivp_loop *loop = arg;

	ivp_lane_sleep(loop->lane, &loop->doze, ivp_deadline(SLEEP_MS), news, loop->own.what);
}

static void wake(void *arg)
{
	struct ivp_loop *loop = arg;

	if (loop->lane->control)
		ivp_control_nudge(loop->lane->control);
	ivp_word_wake(loop->lane->region, &loop->lane->theirs->word);
}

int ivp_lane_fd(struct ivp_lane *lane, struct ivp_error *err)
{
	static const struct ivp_watch_calls calls = {.due = due, .sleep = sleep_a_little, .wake = wake};
	struct ivp_loop *loop = lane->loop;
	int ret;

	if (loop)
		return ivp_watch_fd(loop->watch);
	loop = calloc(1, sizeof(*loop));
	ret = loop ? 0 : -ENOMEM;
	if (loop) {
		loop->lane = lane;
		ret = ivp_watch_open(&loop->watch, &calls, loop);
	}
	if (ret) {
		free(loop);
		return ivp_fail(err, IVP_FAIL_GENERAL, ret, "lane %u: no descriptor to wait for: %s", lane->index,
				strerror(-ret));
	}
	lane->loop = loop;
	return ivp_watch_fd(loop->watch);
}

static void take_wish(void *arg)
{
	struct ivp_loop *loop = arg;

	loop->heard = loop->said;
	loop->anew = true;
}

int ivp_lane_arm(struct ivp_lane *lane, unsigned int what, struct ivp_error *err)
{
	struct ivp_loop *loop;
	int ret = ivp_lane_fd(lane, err);

	if (ret < 0)
		return ret;
	loop = lane->loop;
	/* What comes after this is news; what came before, the look finds. */
	loop->said = look(lane, what);
	ret = ivp_stream_ready(lane, what);
	if (ret)
		ivp_watch_fire(loop->watch);
	else
		ivp_watch_arm(loop->watch, take_wish);
	return ret;
}

void ivp_loop_free(struct ivp_lane *lane)
{
	if (!lane->loop)
		return;
	ivp_watch_close(lane->loop->watch);
	free(lane->loop);
	lane->loop = NULL;
}
