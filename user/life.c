// SPDX-License-Identifier: MIT
/* life: is the peer still there and still who it was; sleeping until it says something; and waking it. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>

#include "error.h"
#include "lane.h"
#include "locks.h"

/* A peer on this kernel is asked for by its lock: no need to do so more often. */
#define LOCAL_LOOK_MS 50

/* Under the lock: two that count the word up at once would count it back. */
static void wake_peer(struct ivp_lane *lane)
{
	ivp_store32_release(&lane->mine->word, ivp_load32(&lane->mine->word) + 1);
	/* Elsewhere its own driver sees that, at once if it is told. */
	if (lane->local)
		ivp_word_wake(lane->region, &lane->mine->word);
	else if (lane->control)
		ivp_control_kick(lane->control);
	else
		ivp_word_ring(lane->region, ivp_load32(&lane->theirs->bell));
}

void ivp_lane_kick(struct ivp_lane *lane)
{
	u32 sleep;

	/* Orders what was published before against the look at `want`: pairs with the fence in ivp_lane_sleep(), so that either
	 * the peer sees what was published, or we see that it sleeps. */
	ivp_fence();
	sleep = ivp_load32(&lane->theirs->want);
	/* Who was kicked is about to wake, and then looks at all that there is: one kick a sleep, however much is published. */
	if (!sleep || sleep == lane->kicked)
		return;
	pthread_mutex_lock(&lane->lock);
	if (sleep != lane->kicked) {
		lane->kicked = sleep;
		wake_peer(lane);
	}
	pthread_mutex_unlock(&lane->lock);
}

/* Two threads may have loaded states in one order and come here in the other: each is judged as it stands now, in turn. */
static int follow_state(struct ivp_lane *lane, struct ivp_error *err)
{
	u32 before, state;
	int ret = 0;

	pthread_mutex_lock(&lane->lock);
	before = lane->their_state;
	/* Acquire: pairs with ivp_lane_state() of the peer. */
	state = ivp_load32_acquire(&lane->theirs->state);
	if (!ivp_state_follows(before, state))
		ret = ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO,
			       "lane %u: the peer went from %s to %s: protocol violated", lane->index,
			       ivp_state_name(before), ivp_state_name(state));
	else
		lane->their_state = state;
	pthread_mutex_unlock(&lane->lock);
	return ret;
}

int ivp_lane_look(struct ivp_lane *lane, struct ivp_error *err)
{
	/* Acquire: pairs with ivp_lane_state() of the peer, whose epoch lies in the same line. */
	u32 state = ivp_load32_acquire(&lane->theirs->state);

	if (lane->region->lost)
		return ivp_region_check(lane->region, err);
	/* Acquire: pairs with the fence of who lays the region out anew, whose first deed it is to take the format id away. */
	if (ivp_load64_acquire(&lane->mine->epoch) != lane->epoch) {
		lane->taken_over = true;
		if (ivp_region_check(lane->region, err))
			return -ESTALE;
		return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO,
				"lane %u: another user writes this end of the lane: give each machine its own --side",
				lane->index);
	}
	if (!lane->open)
		return 0;
	if (ivp_load64(&lane->theirs->epoch) != lane->their_epoch)
		return ivp_fail(err, IVP_FAIL_PEER_GONE, -EPIPE, "lane %u: the peer is gone: its end was taken over",
				lane->index);
	return state == lane->their_state ? 0 : follow_state(lane, err);
}

/* Another kernel's processes prove their life by their beat, judged by our own clock. A late look counts once, so whoever was
 * suspended himself declares nobody dead. */
static bool beats(struct ivp_lane *lane)
{
	u32 beat = ivp_load32(&lane->theirs->beat);

	if (beat != lane->their_beat)
		lane->still = 0;
	else
		lane->still++;
	lane->their_beat = beat;
	return !lane->still_max || lane->still < lane->still_max;
}

/* Is it time to look after the peer? One of two threads does. */
static bool look_is_due(struct ivp_lane *lane)
{
	return ivp_now() - lane->looked >= (lane->local ? LOCAL_LOOK_MS : IVP_BEAT_MS);
}

/* Under the lock. */
static int look_after(struct ivp_lane *lane, struct ivp_error *err)
{
	bool held;
	int ret;

	if (!look_is_due(lane))
		return 0;
	lane->looked = ivp_now();
	ret = ivp_region_check(lane->region, err);
	if (ret)
		return ret;
	if (lane->control && ivp_control_ended(lane->control)) {
		lane->hung_up = true;
		lane->gone = true;
		return 0;
	}
	held = ivp_locks_held(lane->fd, ivp_lane_lock(lane, !lane->server), 1);
	if (held)
		lane->local = true;
	if (held || (!lane->local && beats(lane)))
		return 0;
	lane->gone = true;
	return 0;
}

int ivp_lane_alive(struct ivp_lane *lane, struct ivp_error *err)
{
	int ret = 0;

	if (look_is_due(lane)) {
		pthread_mutex_lock(&lane->lock);
		ret = look_after(lane, err);
		pthread_mutex_unlock(&lane->lock);
	}
	if (ret || !lane->gone)
		return ret;
	return ivp_fail(err, IVP_FAIL_PEER_GONE, -EPIPE, "lane %u: the peer is gone: %s", lane->index,
			lane->hung_up ? "its end of the control connection was closed"
			: lane->local ? "its process ended"
				      : "it gave no sign of life");
}

/* How long nobody need look after the peer, and before the deadline. */
static int64_t quiet_ms(const struct ivp_lane *lane, int64_t deadline)
{
	int64_t now = ivp_now();
	int64_t ms = lane->local ? IVP_BEAT_MS : lane->looked + IVP_BEAT_MS - now;

	return ms < deadline - now ? ms : deadline - now;
}

/* Whoever can be interrupted can interrupt: on the same kernel, or by a doorbell, the peer wakes us. */
static bool peer_wakes(const struct ivp_lane *lane)
{
	return lane->local || (lane->region->bell && ivp_load32(&lane->theirs->bell));
}

/* What it says of itself may be old, or a lie: it costs us a sleep, or some spinning. */
struct ivp_doze ivp_lane_doze(struct ivp_lane *lane)
{
	int cpu = lane->local ? sched_getcpu() : -1;

	if (ivp_word_way(lane->region, lane->local) == IVP_WAY_POLL)
		return (struct ivp_doze){.extra = IVP_DOZE_UNWOKEN};
	if (cpu < 0)
		return (struct ivp_doze){0};
	if (ivp_load32(&lane->mine->cpu) != 1 + (u32)cpu)
		ivp_store32(&lane->mine->cpu, 1 + (u32)cpu);
	return ivp_load32(&lane->theirs->cpu) == 1 + (u32)cpu ? ivp_doze_weary() : (struct ivp_doze){0};
}

/* The peer is told that we sleep, by a number that no other sleep has. Where two threads do, a kick wakes both. */
static void say_asleep(struct ivp_lane *lane)
{
	pthread_mutex_lock(&lane->lock);
	lane->sleepers++;
	if (!++lane->sleeps)
		lane->sleeps = 1;
	ivp_store32(&lane->mine->want, lane->sleeps);
	pthread_mutex_unlock(&lane->lock);
}

static void say_awake(struct ivp_lane *lane)
{
	pthread_mutex_lock(&lane->lock);
	if (!--lane->sleepers)
		ivp_store32(&lane->mine->want, 0);
	pthread_mutex_unlock(&lane->lock);
}

/* A connection that has ended ends every sleep at once: then it is time to look why. */
static void control_sleep(struct ivp_lane *lane, int64_t ms)
{
	ivp_control_sleep(lane->control, ms);
	if (ivp_control_ended(lane->control))
		lane->looked = 0;
}

void ivp_lane_sleep(struct ivp_lane *lane, struct ivp_doze *doze, int64_t deadline,
		    bool (*ready)(struct ivp_lane *, unsigned int), unsigned int what)
{
	int64_t ms;
	u32 seen;

	bool controlled = lane->control && !lane->local;

	if (!controlled && ivp_word_way(lane->region, lane->local) == IVP_WAY_POLL) {
		ivp_doze(doze);
		return;
	}
	if (ivp_doze_spin(doze))
		return;
	ms = quiet_ms(lane, deadline);
	seen = ivp_load32_acquire(&lane->theirs->word);
	say_asleep(lane);
	/* Pairs with the fence in ivp_lane_kick(). */
	ivp_fence();
	if (ms > 0 && !ready(lane, what)) {
		if (controlled)
			control_sleep(lane, ms);
		else
			ivp_word_sleep(lane->region, &lane->theirs->word, seen, peer_wakes(lane) ? NULL : doze, ms);
	}
	say_awake(lane);
}
