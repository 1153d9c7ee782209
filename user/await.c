// SPDX-License-Identifier: MIT
/* await: what a lane can be waited for, why it may never come, and the wait; the last of it is what became of all. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>

#include "error.h"
#include "lane.h"

static bool has_room(struct ivp_lane *lane)
{
	u64 len = lane->tx.piece - IVP_RECORD_HEADER - lane->tx.grown;
	u8 __shm *span;

	return ivp_ring_reserve(&lane->tx, &span, &len) != -EAGAIN;
}

static bool has_data(struct ivp_lane *lane)
{
	const u8 __shm *span;
	u64 len;
	u32 type;

	return ivp_ring_peek(&lane->rx, &type, &span, &len) != -EAGAIN;
}

/* What our sending is told: a verdict other than "all is well, after the end" is its end, with the peer's reason. */
static int their_verdict(struct ivp_lane *lane, struct ivp_error *err)
{
	u32 verdict = ivp_lane_their_verdict(lane);
	enum ivp_failure kind = IVP_FAIL_PEER_GONE;
	int number = -EPIPE;

	if (!verdict || (verdict == IVP_VERDICT_OK && lane->ended))
		return 0;
	if (verdict == IVP_VERDICT_OK || verdict == IVP_VERDICT_DAMAGED || verdict == IVP_VERDICT_BROKEN) {
		kind = IVP_FAIL_DAMAGED;
		number = -EBADMSG;
	} else if (verdict == IVP_VERDICT_NO_SPACE || verdict == IVP_VERDICT_WRITE) {
		kind = IVP_FAIL_GENERAL;
		number = verdict == IVP_VERDICT_NO_SPACE ? -ENOSPC : -EIO;
	}
	return ivp_fail(err, kind, number, "lane %u: the other side stopped: %s", lane->index,
			verdict == IVP_VERDICT_OK ? "it confirmed more than was sent" : ivp_reason_text(verdict));
}

/* The other direction of this end has failed, and told the peer why. */
static int given_up(struct ivp_lane *lane, struct ivp_error *err)
{
	return ivp_fail(err, IVP_FAIL_GENERAL, -ECANCELED, "lane %u: was given up", lane->index);
}

/* What the states and verdicts say, when there is nothing to take from the ring. */
static int why_stop(struct ivp_lane *lane, unsigned int what, struct ivp_error *err)
{
	int ret = ivp_lane_look(lane, err);

	if (ret)
		return ret;
	if (lane->given_up)
		return given_up(lane, err);
	if (what & (IVP_WAIT_ROOM | IVP_WAIT_RESULT) || lane->their_state == IVP_STATE_ABORTED)
		ret = their_verdict(lane, err);
	if (ret || !ivp_state_over(lane->their_state))
		return ret;
	if (what & IVP_WAIT_RESULT && ivp_lane_their_verdict(lane) == IVP_VERDICT_OK)
		return 0;
	return ivp_fail(err, IVP_FAIL_PEER_GONE, -EPIPE, "lane %u: the other side closed the lane before the end",
			lane->index);
}

int ivp_lane_broken(struct ivp_lane *lane, struct ivp_error *err)
{
	int ret = why_stop(lane, 0, err);

	if (!ret)
		ret = ivp_region_check(lane->region, err);
	return ret ? ret
		   : ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "lane %u: the peer's ring is damaged: protocol violated",
			      lane->index);
}

/* One look. 1: there is what was waited for; 0: not yet; or why there never will be. */
static int look_once(struct ivp_lane *lane, unsigned int what, struct ivp_error *err)
{
	int ret;

	/* Read what is there to the end, also when its sender is gone. */
	if (what & IVP_WAIT_DATA && has_data(lane))
		return 1;
	ret = why_stop(lane, what, err);
	if (ret)
		/* The peer's last record may have come just before its last word. */
		return what & IVP_WAIT_DATA && has_data(lane) ? 1 : ret;
	if (what & IVP_WAIT_RESULT && ivp_lane_their_verdict(lane))
		return 1;
	return what & IVP_WAIT_ROOM && has_room(lane);
}

bool ivp_stream_ready(struct ivp_lane *lane, unsigned int what)
{
	return look_once(lane, what, NULL) != 0;
}

/* It may have died, or closed, right after its last word, and that says more than its death does. */
static int last_word(struct ivp_lane *lane, unsigned int what, int dead, struct ivp_error *err)
{
	int ret = look_once(lane, what, err);

	if (ret > 0)
		return 0;
	return ret ? ret : dead;
}

/* The longest record after which a rest pays; where both are near some longer ones lose by it (docs/TRIED.md). */
#define REST_AFTER 2048

/* Who has sent nothing since its last wait receives a stream. Who awaits an answer does not rest: nothing comes behind it. */
static u32 rest(struct ivp_lane *lane, unsigned int what)
{
	if (!(what & IVP_WAIT_DATA))
		return 0;
	if (!atomic_load_explicit(&lane->spoke, memory_order_relaxed))
		return lane->rx.length <= REST_AFTER ? ivp_rest() : 0;
	atomic_store_explicit(&lane->spoke, false, memory_order_relaxed);
	return 0;
}

int ivp_stream_wait(struct ivp_lane *lane, unsigned int what, struct ivp_patience *patience, struct ivp_error *err)
{
	struct ivp_doze doze = ivp_lane_doze(lane);
	int64_t deadline;
	int ret;

	/* Whoever begins with few looks is in its peer's way. */
	if (patience->ms && !doze.looks)
		doze.rest = rest(lane, what);
	/* While it spins nobody asks the clock: that took a third of a receiver's time. */
	while (!(ret = look_once(lane, what, err)) && patience->ms && ivp_doze_spin(&doze))
		;
	if (ret)
		return ret < 0 ? ret : 0;
	deadline = ivp_patience_end(patience);
	/* There is time now to show how far we are. Who waits for room alone may be another thread than who receives. */
	if (what & IVP_WAIT_DATA)
		ivp_ring_tell(&lane->rx);
	while (!(ret = look_once(lane, what, err))) {
		if (ivp_region_cancelled(lane->region))
			return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
		if (ivp_now() >= deadline)
			return ivp_fail(err, IVP_FAIL_NO_PEER, -ETIMEDOUT, "lane %u: the other side did not go on",
					lane->index);
		ret = ivp_lane_alive(lane, err);
		if (ret)
			return last_word(lane, what, ret, err);
		ivp_lane_sleep(lane, &doze, deadline, ivp_stream_ready, what);
	}
	return ret < 0 ? ret : 0;
}

int ivp_lane_wait(struct ivp_lane *lane, unsigned int what, int64_t timeout_ms, struct ivp_error *err)
{
	struct ivp_patience patience = {.ms = timeout_ms};

	return ivp_stream_wait(lane, what, &patience, err);
}

int ivp_lane_check(struct ivp_lane *lane, unsigned int what, struct ivp_error *err)
{
	int ret = why_stop(lane, what, err), dead;

	if (ret)
		return ret;
	dead = ivp_lane_alive(lane, err);
	ret = dead ? why_stop(lane, what, err) : 0;
	return ret ? ret : dead;
}

int ivp_lane_confirm(struct ivp_lane *lane, int64_t timeout_ms, struct ivp_error *err)
{
	int ret = ivp_lane_wait(lane, IVP_WAIT_RESULT, timeout_ms, err);

	return ret ? ret : their_verdict(lane, err);
}
