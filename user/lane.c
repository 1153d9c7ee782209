// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "error.h"
#include "lane.h"
#include "locks.h"
#include "span.h"

/* What ways to copy are tried with: a piece. */
#define COPY_TRIED 65536

static u8 __shm *ring_of(const struct ivp_lane *lane, bool server)
{
	return lane->region->map + ivp_ring_offset(&lane->region->sb, lane->index, server);
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

int ivp_lane_say(struct ivp_lane *lane, const struct ivp_message *message, enum ivp_state state, int64_t deadline)
{
	if (!lane->control)
		ivp_copy_to((u8 __plain __shm *)&lane->mine->message, message, sizeof(*message));
	ivp_lane_state(lane, state);
	if (!lane->control)
		return 0;
	/* Whoever reads the message looks into the memory next. */
	ivp_fence();
	return ivp_control_send(lane->control, message, deadline);
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
	ivp_store32(&half->cpu, 0);
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
	lane->fd = ivp_region_take_lock_file(region);
	if (lane->fd < 0) {
		ret = ivp_fail_path(err, lane->fd, region->address.lock, NULL);
		free(lane);
		return ret;
	}
	ret = ivp_locks_take_write(lane->fd, ivp_lane_lock(lane, server));
	if (!ret)
		ret = ivp_random_id(&lane->epoch, err);
	if (!ret) {
		reset_half(lane);
		ret = ivp_beat_add(region->beat, &lane->mine->beat);
	}
	if (ret) {
		ivp_region_return_lock_file(region, lane->fd, ivp_lane_lock(lane, server));
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

/* Once for each region: tried on our own ring, which holds zeros, and will. Two threads that do it at once find the same. */
static int choose_copiers(struct ivp_lane *lane, struct ivp_error *err)
{
	struct ivp_region *region = lane->region;
	size_t count, len = region->sb.ring_size < COPY_TRIED ? region->sb.ring_size : COPY_TRIED;
	const struct ivp_copier *all = ivp_copiers(&count);
	void *ring = ivp_plain(ring_of(lane, lane->server)), *zeros;

	if (region->copy_out)
		return 0;
	zeros = calloc(1, len);
	if (!zeros)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	region->copy_in = ivp_copy_choose(all, count, false, ring, zeros, len);
	region->copy_out = ivp_copy_choose(all, count, region->combined, zeros, ring, len);
	free(zeros);
	return 0;
}

/* Looks without a change, one each beat, that are death. What changed last was seen up to a beat after it came to pass, and death is to
 * be known within the time. */
static u32 still_looks(int64_t timeout_ms)
{
	u32 beats = (u32)((timeout_ms + IVP_BEAT_MS - 1) / IVP_BEAT_MS);

	return beats > 3 ? beats - 1 : beats;
}

int ivp_lane_attach(struct ivp_lane *lane, const struct ivp_lane_options *options, struct ivp_error *err)
{
	int ret = choose_copiers(lane, err);

	if (ret)
		return ret;

	attach_ring(lane, &lane->tx, &lane->tx_mirror, lane->server, lane->epoch, &lane->mine->prod,
		    &lane->theirs->cons);
	attach_ring(lane, &lane->rx, &lane->rx_mirror, !lane->server, lane->their_epoch, &lane->mine->cons,
		    &lane->theirs->prod);
	lane->their_beat = ivp_load32(&lane->theirs->beat);
	lane->looked = ivp_now();
	lane->local = ivp_locks_held(lane->fd, ivp_lane_lock(lane, !lane->server), 1);
	if (options->peer_timeout_ms >= 0)
		lane->still_max = still_looks(options->peer_timeout_ms);
	lane->open = true;
	ret = ivp_stream_new(lane, err);
	return ret ? ret : ivp_lane_look(lane, err);
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
	int fd = ivp_region_take_lock_file(region);

	if (fd < 0)
		return;
	for (u32 index = 0; index < region->sb.lanes; index++) {
		sweep_end(region, fd, index, true);
		if (ivp_lane_side(&region->sb, index) == region->side)
			sweep_end(region, fd, index, false);
	}
	/* Of nothing it holds a lock. */
	ivp_region_return_lock_file(region, fd, IVP_LOCK_CLIENT(0));
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
	if (ivp_region_inherited(lane->region)) {
		/* Only that it does not keep the lock for the parent when that is dead. */
		close(lane->fd);
		return;
	}
	ivp_loop_free(lane);
	ivp_beat_remove(lane->region->beat, &lane->mine->beat);
	leave(lane);
	ivp_region_unmirror(lane->tx_mirror, lane->region->sb.ring_size);
	ivp_region_unmirror(lane->rx_mirror, lane->region->sb.ring_size);
	ivp_stream_free(lane);
	ivp_region_return_lock_file(lane->region, lane->fd, ivp_lane_lock(lane, lane->server));
	ivp_control_close(lane->control);
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

uint32_t ivp_lane_peer_verdict(const struct ivp_lane *lane)
{
	return ivp_lane_their_verdict(lane);
}

const char *ivp_lane_copier(const struct ivp_lane *lane, bool out)
{
	const struct ivp_copier *copier = out ? lane->region->copy_out : lane->region->copy_in;

	return copier->name;
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
