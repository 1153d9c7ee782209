// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "error.h"
#include "lane.h"
#include "locks.h"
#include "span.h"

/* A peer on this kernel is asked for by its lock: no need to do so more often. */
#define LOCAL_LOOK_MS 50

static u64 lock_of(const struct ivp_lane *lane, bool server)
{
	return server ? IVP_LOCK_SERVER(lane->index) : IVP_LOCK_CLIENT(lane->index);
}

static u8 __shm *ring_of(const struct ivp_lane *lane, bool server)
{
	return lane->region->map + ivp_ring_offset(&lane->region->sb, lane->index, server);
}

/* Under the lock: two that count the word up at once would count it back. */
static void wake_peer(struct ivp_lane *lane)
{
	ivp_store32_release(&lane->mine->word, ivp_load32(&lane->mine->word) + 1);
	/* Elsewhere its own driver sees that, at once if it is told. */
	if (lane->local)
		ivp_word_wake(lane->region, &lane->mine->word);
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

void ivp_lane_state(struct ivp_lane *lane, enum ivp_state state)
{
	if (lane->region->combined)
		ivp_fence_combined_stores();
	/* Publishes the half, the message and the ring that were written before. Pairs with the acquire in look_at_peer() and in
	 * the handshake's waits. */
	ivp_store32_release(&lane->mine->state, state);
	if (lane->region->combined)
		ivp_fence_combined_stores();
	ivp_lane_kick(lane);
}

void ivp_lane_say(struct ivp_lane *lane, const struct ivp_message *message, enum ivp_state state)
{
	ivp_copy_to((u8 __plain __shm *)&lane->mine->message, message, sizeof(*message));
	ivp_lane_state(lane, state);
}

/*
 * Whoever takes an end stores idle, then its epoch, then its message, then the state that goes with it. So a state that is
 * loaded after the epoch is not of an earlier session than that; and if the epoch has not changed after the copy, no byte of
 * the copy is of a later one. Each acquire pairs with the release that stored the value.
 */
bool ivp_lane_hear(struct ivp_region *region, const struct ivp_half __shm *half, struct ivp_heard *heard)
{
	heard->epoch = ivp_load64_acquire(&half->epoch);
	heard->state = ivp_load32_acquire(&half->state);
	if (region->combined)
		ivp_fence_combined_loads();
	ivp_copy_from(&heard->message, (const u8 __plain __shm *)&half->message, sizeof(heard->message));
	ivp_fence();
	return ivp_load64(&half->epoch) == heard->epoch;
}

/* Our half, as new. The epoch comes last: until it stands there the peer takes nothing else for ours. */
static void reset_half(struct ivp_lane *lane)
{
	struct ivp_half __shm *half = lane->mine;

	ivp_store32_release(&half->state, IVP_STATE_IDLE);
	ivp_store64(&half->prod, 0);
	ivp_store64(&half->cons, 0);
	ivp_store32(&half->want, 0);
	ivp_store32(&half->verdict, 0);
	ivp_store32(&half->side, lane->region->side);
	ivp_store32(&half->bell, lane->region->bell);
	ivp_wipe((u8 __plain __shm *)&half->message, sizeof(half->message));
	ivp_wipe(ring_of(lane, lane->server), lane->region->sb.ring_size);
	ivp_store64_release(&half->epoch, lane->epoch);
}

int ivp_lane_take(struct ivp_lane **out, struct ivp_region *region, u32 index, bool server, struct ivp_error *err)
{
	struct ivp_lane *lane = calloc(1, sizeof(*lane));
	int ret;

	if (!lane)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	pthread_mutex_init(&lane->lock, NULL);
	lane->region = region;
	lane->index = index;
	lane->server = server;
	lane->mine = ivp_region_half(region, index, server);
	lane->theirs = ivp_region_half(region, index, !server);
	lane->size = -1;
	lane->fd = ivp_locks_open(region->address.lock, true);
	if (lane->fd < 0) {
		ret = ivp_fail_path(err, lane->fd, region->address.lock, NULL);
		free(lane);
		return ret;
	}
	ret = ivp_locks_take_write(lane->fd, lock_of(lane, server));
	if (!ret)
		ret = ivp_random_id(&lane->epoch, err);
	if (!ret) {
		reset_half(lane);
		ret = ivp_beat_add(region->beat, &lane->mine->beat);
	}
	if (ret) {
		close(lane->fd);
		free(lane);
		return ret == -EAGAIN ? ret
				      : ivp_fail(err, IVP_FAIL_GENERAL, ret, "lane %u: %s", index, strerror(-ret));
	}
	*out = lane;
	return 0;
}

static void attach_ring(struct ivp_lane *lane, struct ivp_ring *ring, u8 __shm **mirror, bool server, u64 epoch,
			u64 __shm *announce, const u64 __shm *other)
{
	const struct ivp_superblock *sb = &lane->region->sb;

	*mirror = ivp_region_mirror(lane->region, ivp_ring_offset(sb, lane->index, server), sb->ring_size);
	ivp_ring_attach(ring, *mirror ? *mirror : ring_of(lane, server), sb->ring_size, epoch, announce, other);
	ring->mirrored = *mirror;
	ring->combined = lane->region->combined;
}

int ivp_lane_attach(struct ivp_lane *lane, const struct ivp_lane_options *options, struct ivp_error *err)
{
	int ret;

	attach_ring(lane, &lane->tx, &lane->tx_mirror, lane->server, lane->epoch, &lane->mine->prod,
		    &lane->theirs->cons);
	attach_ring(lane, &lane->rx, &lane->rx_mirror, !lane->server, lane->their_epoch, &lane->mine->cons,
		    &lane->theirs->prod);
	lane->their_beat = ivp_load32(&lane->theirs->beat);
	lane->looked = ivp_now();
	lane->local = ivp_locks_held(lane->fd, lock_of(lane, !lane->server), 1);
	if (options->peer_timeout_ms >= 0)
		lane->still_max = (u32)((options->peer_timeout_ms + IVP_BEAT_MS - 1) / IVP_BEAT_MS);
	lane->open = true;
	ret = ivp_stream_new(lane, err);
	return ret ? ret : ivp_lane_look(lane, err);
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
	if (ivp_load64(&lane->mine->epoch) != lane->epoch) {
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
	held = ivp_locks_held(lane->fd, lock_of(lane, !lane->server), 1);
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
			lane->local ? "its process ended" : "it gave no sign of life");
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

void ivp_lane_sleep(struct ivp_lane *lane, struct ivp_doze *doze, int64_t deadline,
		    bool (*ready)(struct ivp_lane *, unsigned int), unsigned int what)
{
	int64_t ms;
	u32 seen;

	if (ivp_word_way(lane->region, lane->local) == IVP_WAY_POLL) {
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
	if (ms > 0 && !ready(lane, what))
		ivp_word_sleep(lane->region, &lane->theirs->word, seen, peer_wakes(lane) ? NULL : doze, ms);
	say_awake(lane);
}

u32 ivp_lane_their_verdict(const struct ivp_lane *lane)
{
	return ivp_load32(&lane->theirs->verdict);
}

int ivp_lane_hide_token(struct ivp_lane *lane, struct ivp_message *message, u32 bytes, struct ivp_error *err)
{
	u64 ring = lane->region->sb.ring_size, where;
	int ret = ivp_random(&where, sizeof(where), err);

	if (!ret)
		ret = ivp_random(message->token, bytes, err);
	if (ret)
		return ret;
	/* The remainder favours no place by more than 2^-30: this is a place to look, not a secret. */
	where %= ring - bytes + 1;
	message->token_bytes = bytes;
	message->token_index = ivp_ring_offset(&lane->region->sb, lane->index, lane->server) + where;
	ivp_copy_to(ring_of(lane, lane->server) + where, message->token, bytes);
	return 0;
}

void ivp_lane_wipe_token(struct ivp_lane *lane)
{
	ivp_wipe(ring_of(lane, lane->server), lane->region->sb.ring_size);
}

bool ivp_lane_find_token(const struct ivp_lane *lane, const struct ivp_message *message)
{
	u8 there[IVP_TOKEN_MAX];

	ivp_copy_from(there, lane->region->map + message->token_index, message->token_bytes);
	return ivp_token_equal(there, message->token, message->token_bytes);
}

/* If nobody holds this end: whoever left it in the middle is dead. Saying so lets the next one take the lane at once. */
static void sweep_end(struct ivp_region *region, int fd, u32 index, bool server)
{
	struct ivp_half __shm *half = ivp_region_half(region, index, server);
	u64 byte = server ? IVP_LOCK_SERVER(index) : IVP_LOCK_CLIENT(index);

	if (ivp_state_over(ivp_load32(&half->state)) || ivp_load32(&half->side) != region->side)
		return;
	if (ivp_locks_take_write(fd, byte))
		return;
	if (!ivp_state_over(ivp_load32(&half->state)))
		ivp_store32_release(&half->state, IVP_STATE_CLOSED);
	ivp_locks_drop(fd, byte);
}

void ivp_lane_sweep(struct ivp_region *region)
{
	int fd = ivp_locks_open(region->address.lock, true);

	if (fd < 0)
		return;
	for (u32 index = 0; index < region->sb.lanes; index++) {
		sweep_end(region, fd, index, true);
		if (ivp_lane_side(&region->sb, index) == region->side)
			sweep_end(region, fd, index, false);
	}
	close(fd);
}

int ivp_lane_options_check(struct ivp_lane_options *options, u8 *service, struct ivp_error *err)
{
	const char *name = options->service ? options->service : "default";

	memset(service, 0, IVP_SERVICE_BYTES);
	if (strlen(name) < IVP_SERVICE_BYTES)
		memcpy(service, name, strlen(name));
	if (!ivp_service_valid(service))
		return ivp_fail(
			err, IVP_FAIL_USAGE, -EINVAL,
			"service '%.40s': takes 1 to 31 of the characters A-Z a-z 0-9 . _ -, and no dot in front",
			name);
	if (!options->token_bytes)
		options->token_bytes = IVP_TOKEN_DEFAULT;
	if (options->token_bytes < IVP_TOKEN_MIN || options->token_bytes > IVP_TOKEN_MAX)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "a token has %u to %u bytes, not %u", IVP_TOKEN_MIN,
				IVP_TOKEN_MAX, options->token_bytes);
	if (!options->timeout_ms)
		options->timeout_ms = 5000;
	if (!options->peer_timeout_ms)
		options->peer_timeout_ms = 3000;
	return 0;
}

bool ivp_lane_still_says(const struct ivp_lane *lane, enum ivp_state state)
{
	/* Pairs with the fence in leave(). */
	ivp_fence();
	return ivp_load32(&lane->theirs->state) == state && ivp_load64(&lane->theirs->epoch) == lane->their_epoch;
}

/* Nobody reads what is left in the rings: the next user must not find it. After a peer's death nobody else wipes its ring. */
static void leave(struct ivp_lane *lane)
{
	if (lane->taken_over || lane->region->lost)
		return;
	/* In the middle of the handshake the state goes first: who then finds no token any more finds out why, too. */
	if (!lane->open && ivp_load32(&lane->mine->state) != IVP_STATE_ABORTED) {
		ivp_lane_state(lane, IVP_STATE_CLOSED);
		ivp_fence();
	}
	ivp_wipe(ring_of(lane, lane->server), lane->region->sb.ring_size);
	if (lane->gone)
		ivp_wipe(ring_of(lane, !lane->server), lane->region->sb.ring_size);
	if (!ivp_state_over(ivp_load32(&lane->mine->state)))
		ivp_lane_state(lane, IVP_STATE_CLOSED);
}

void ivp_lane_close(struct ivp_lane *lane)
{
	if (!lane)
		return;
	ivp_beat_remove(lane->region->beat, &lane->mine->beat);
	leave(lane);
	ivp_region_unmirror(lane->tx_mirror, lane->region->sb.ring_size);
	ivp_region_unmirror(lane->rx_mirror, lane->region->sb.ring_size);
	ivp_stream_free(lane);
	close(lane->fd);
	pthread_mutex_destroy(&lane->lock);
	free(lane);
}

void ivp_lane_verdict(struct ivp_lane *lane, enum ivp_verdict verdict)
{
	if (lane->taken_over)
		return;
	ivp_store32_release(&lane->mine->verdict, verdict);
	ivp_lane_kick(lane);
}

void ivp_lane_abort(struct ivp_lane *lane, enum ivp_verdict why)
{
	lane->given_up = true;
	if (lane->taken_over)
		return;
	ivp_store32(&lane->mine->verdict, why);
	ivp_lane_state(lane, IVP_STATE_ABORTED);
}

const char *ivp_lane_file(const struct ivp_lane *lane)
{
	return lane->file;
}

int64_t ivp_lane_size(const struct ivp_lane *lane)
{
	return lane->size;
}

uint32_t ivp_lane_index(const struct ivp_lane *lane)
{
	return lane->index;
}

bool ivp_lane_peer_local(const struct ivp_lane *lane)
{
	return lane->local;
}

const char *ivp_state_name(uint32_t state)
{
	static const char *const names[IVP_STATES] = {"idle", "hello",  "welcome", "refused",
						      "open", "closed", "aborted"};

	return state < IVP_STATES ? names[state] : "nonsense";
}

static void describe_end(struct ivp_region *region, u32 index, bool server, struct ivp_end_info *info)
{
	const struct ivp_half __shm *half = ivp_region_half(region, index, server);

	info->state = ivp_load32_acquire(&half->state);
	info->local = ivp_locks_held(region->lock_fd, server ? IVP_LOCK_SERVER(index) : IVP_LOCK_CLIENT(index), 1);
	info->beat = ivp_load32(&half->beat);
	info->epoch = ivp_load64(&half->epoch);
	info->sent = ivp_load64(&half->prod);
	info->received = ivp_load64(&half->cons);
}

int ivp_region_lane(struct ivp_region *region, uint32_t index, struct ivp_lane_info *info)
{
	if (index >= region->sb.lanes)
		return -EINVAL;
	info->index = index;
	info->side = ivp_lane_side(&region->sb, index);
	describe_end(region, index, false, &info->client);
	describe_end(region, index, true, &info->server);
	return 0;
}
