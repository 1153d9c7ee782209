// SPDX-License-Identifier: MIT
/* stream: records in and out of a lane, the digest over them, and their end. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "digest.h"
#include "error.h"
#include "lane.h"

struct ivp_digest_state {
	struct ivp_digest_stream tx, rx; /* aligned to 64 bytes, hence not inside struct ivp_lane */
	u64 tx_bytes, rx_bytes;
	bool off; /* leave it out of what we send, and do not ask for the peer's */
};

int ivp_stream_new(struct ivp_lane *lane, struct ivp_error *err)
{
	lane->digest = aligned_alloc(64, (sizeof(*lane->digest) + 63) & ~(size_t)63);
	if (!lane->digest)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	memset(lane->digest, 0, sizeof(*lane->digest));
	ivp_digest_start(&lane->digest->tx);
	ivp_digest_start(&lane->digest->rx);
	return 0;
}

void ivp_stream_free(struct ivp_lane *lane)
{
	free(lane->digest);
	lane->digest = NULL;
}

size_t ivp_lane_piece(const struct ivp_lane *lane)
{
	return lane->tx.piece - IVP_RECORD_HEADER;
}

static int reserve(struct ivp_lane *lane, void **span, size_t *len, struct ivp_error *err)
{
	u8 __shm *at;
	u64 granted = *len;
	int ret = ivp_ring_reserve(&lane->tx, &at, &granted);

	if (ret == -EPROTO)
		return ivp_lane_broken(lane, err);
	if (!ret) {
		*span = ivp_plain(at);
		*len = granted;
	}
	/* Nobody makes room for what he does not see. */
	if (ret == -EAGAIN)
		ivp_lane_flush(lane);
	return ret;
}

int ivp_lane_reserve(struct ivp_lane *lane, void **span, size_t *len, struct ivp_error *err)
{
	ivp_ring_close(&lane->tx);
	return reserve(lane, span, len, err);
}

void ivp_lane_hold(struct ivp_lane *lane, bool hold)
{
	lane->tx.held = hold;
	if (!hold)
		ivp_lane_flush(lane);
}

void ivp_lane_flush(struct ivp_lane *lane)
{
	if (ivp_ring_flush(&lane->tx))
		ivp_lane_kick(lane);
}

/* For rest() in await.c. The line stays where it is as long as nothing changes. */
static inline void speak(struct ivp_lane *lane)
{
	if (!atomic_load_explicit(&lane->spoke, memory_order_relaxed))
		atomic_store_explicit(&lane->spoke, true, memory_order_relaxed);
}

/* ret is what the ring said to these bytes. */
static int sent(struct ivp_lane *lane, size_t len, int ret, struct ivp_error *err)
{
	if (ret)
		return ivp_lane_broken(lane, err);
	lane->sent += len;
	speak(lane);
	if (ivp_ring_all_told(&lane->tx))
		ivp_lane_kick(lane);
	return 0;
}

int ivp_lane_message_commit(struct ivp_lane *lane, size_t len, bool more, struct ivp_error *err)
{
	if (lane->region->lost)
		return ivp_region_check(lane->region, err);
	return sent(lane, len, ivp_ring_commit(&lane->tx, more ? IVP_RECORD_PART : IVP_RECORD_DATA, len), err);
}

/* Bytes of a stream, whose records mean nothing. */
static int grow(struct ivp_lane *lane, size_t len, struct ivp_error *err)
{
	if (lane->region->lost)
		return ivp_region_check(lane->region, err);
	return sent(lane, len, ivp_ring_grow(&lane->tx, len), err);
}

int ivp_lane_commit(struct ivp_lane *lane, size_t len, struct ivp_error *err)
{
	return ivp_lane_message_commit(lane, len, false, err);
}

int ivp_lane_message_peek(struct ivp_lane *lane, const void **span, size_t *len, bool *more, struct ivp_error *err)
{
	const u8 __shm *at;
	u64 there;
	u32 type;
	int ret = ivp_ring_peek(&lane->rx, &type, &at, &there);

	if (ret == -EPROTO)
		return ivp_lane_broken(lane, err);
	if (!ret) {
		*span = ivp_plain(at);
		*len = type == IVP_RECORD_END ? 0 : there;
		/* Or the record goes on at the ring's other end. */
		*more = type == IVP_RECORD_PART || there < lane->rx.length - lane->rx.taken;
	}
	return ret;
}

int ivp_lane_peek(struct ivp_lane *lane, const void **span, size_t *len, struct ivp_error *err)
{
	bool more;

	return ivp_lane_message_peek(lane, span, len, &more, err);
}

int ivp_lane_consume(struct ivp_lane *lane, size_t len, struct ivp_error *err)
{
	u64 told = lane->rx.told;

	/* Zero pages may have come in the place of what was read: that is no data. */
	if (lane->region->lost)
		return ivp_region_check(lane->region, err);
	/* The end stays at the front. */
	if (lane->rx.type != IVP_RECORD_END)
		lane->received += ivp_ring_consume(&lane->rx, len);
	if (lane->rx.told != told)
		ivp_lane_kick(lane);
	return 0;
}

void ivp_lane_no_digest(struct ivp_lane *lane)
{
	lane->digest->off = true;
}

ptrdiff_t ivp_stream_write(struct ivp_lane *lane, const void *bytes, size_t len, bool message, struct ivp_error *err)
{
	struct ivp_digest_state *digest = lane->digest;
	size_t granted = len;
	void *span = NULL;
	int ret;

	if (!len)
		return 0;
	ret = message ? ivp_lane_reserve(lane, &span, &granted, err) : reserve(lane, &span, &granted, err);
	if (ret)
		return ret;
	/* Digested from the caller's memory: what lies in the ring is anybody's. */
	if (!digest->off) {
		ivp_digest_add(&digest->tx, bytes, granted);
		digest->tx_bytes += granted;
	}
	ivp_copy_by(lane->region->copy_in, span, bytes, granted);
	ret = message ? ivp_lane_message_commit(lane, granted, granted < len, err) : grow(lane, granted, err);
	return ret ? ret : (ptrdiff_t)granted;
}

ptrdiff_t ivp_lane_write(struct ivp_lane *lane, const void *bytes, size_t len, struct ivp_error *err)
{
	return ivp_stream_write(lane, bytes, len, false, err);
}

int ivp_stream_put_many(struct ivp_lane *lane, const struct iovec *messages, u32 count, struct ivp_error *err)
{
	struct ivp_digest_state *digest = lane->digest;
	u64 told = lane->tx.told, sum = 0;
	int done = lane->region->combined ? 0 : ivp_ring_put_many(&lane->tx, messages, count, &sum);

	if (done == -EPROTO)
		return ivp_lane_broken(lane, err);
	if (lane->region->lost)
		return ivp_region_check(lane->region, err);
	lane->sent += sum;
	if (sum)
		speak(lane);
	if (!digest->off) {
		for (int i = 0; i < done; i++)
			ivp_digest_add(&digest->tx, messages[i].iov_base, messages[i].iov_len);
		digest->tx_bytes += sum;
	}
	if (lane->tx.told != told)
		ivp_lane_kick(lane);
	if (done == -EAGAIN)
		ivp_lane_flush(lane);
	return done;
}

static int damaged(struct ivp_lane *lane, struct ivp_error *err, const char *what)
{
	return ivp_fail(err, IVP_FAIL_DAMAGED, -EBADMSG, "lane %u: the data arrived damaged: %s", lane->index, what);
}

/* A sender that left the digest out left nothing in its place. Else one word, overwritten, would be enough to switch it off. */
static bool without_digest(const struct ivp_end *end)
{
	static const u8 nothing[sizeof(end->digest)];

	return end->kind == IVP_DIGEST_NONE && !end->reserved && !memcmp(end->digest, nothing, sizeof(nothing));
}

/* The end record is at the front: copy it, then hold length and digest against what we counted ourselves. */
static int check_end(struct ivp_lane *lane, struct ivp_digest_state *digest, struct ivp_error *err)
{
	u8 ours[IVP_DIGEST_BYTES];
	struct ivp_end end;

	if (ivp_ring_copy(&lane->rx, &end, sizeof(end)))
		return ivp_lane_broken(lane, err);
	if (lane->region->lost)
		return ivp_region_check(lane->region, err);
	if (end.bytes != lane->received)
		return damaged(lane, err, "its length differs from what the sender counted");
	if (without_digest(&end) || digest->rx_bytes != lane->received)
		return 0;
	ivp_digest_finish(&digest->rx, ours);
	if (end.kind != IVP_DIGEST_XXH128 || end.reserved || memcmp(end.digest, ours, sizeof(end.digest)))
		return damaged(lane, err, "its digest differs from the sender's");
	return 0;
}

ptrdiff_t ivp_stream_read(struct ivp_lane *lane, void *bytes, size_t len, bool *more, struct ivp_error *err)
{
	struct ivp_digest_state *digest = lane->digest;
	const void *span = NULL;
	size_t there = 0;
	int ret;

	ret = ivp_lane_message_peek(lane, &span, &there, more, err);
	if (ret)
		return ret;
	if (!there)
		return check_end(lane, digest, err);
	if (bytes && len < there) {
		there = len;
		*more = true;
	}
	/* What nobody gets need not be copied to be digested. */
	if (bytes)
		ivp_copy_by(lane->region->copy_out, bytes, span, there);
	if (!digest->off) {
		ivp_digest_add(&digest->rx, bytes ? bytes : span, there);
		digest->rx_bytes += there;
	}
	ret = ivp_lane_consume(lane, there, err);
	return ret ? ret : (ptrdiff_t)there;
}

int ivp_stream_take_many(struct ivp_lane *lane, const struct iovec *rooms, size_t *lens, u32 count,
			 struct ivp_error *err)
{
	struct ivp_digest_state *digest = lane->digest;
	u64 told = lane->rx.told, sum = 0;
	int done = lane->region->combined ? 0 : ivp_ring_take_many(&lane->rx, rooms, lens, count, &sum);

	if (done == -EPROTO)
		return ivp_lane_broken(lane, err);
	/* Zero pages may have come in the place of what was read: that is no data. */
	if (lane->region->lost)
		return ivp_region_check(lane->region, err);
	lane->received += sum;
	if (!digest->off) {
		for (int i = 0; i < done; i++)
			ivp_digest_add(&digest->rx, rooms[i].iov_base, lens[i]);
		digest->rx_bytes += sum;
	}
	if (lane->rx.told != told)
		ivp_lane_kick(lane);
	return done;
}

ptrdiff_t ivp_lane_read(struct ivp_lane *lane, void *bytes, size_t len, struct ivp_error *err)
{
	const void *span;
	size_t there;
	bool more;
	int ret;

	if (len)
		return ivp_stream_read(lane, bytes, len, &more, err);
	/* The end can be read into no bytes. */
	ret = ivp_lane_peek(lane, &span, &there, err);
	if (!ret && there)
		ret = ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "a read of no bytes, where there are some");
	return ret ? ret : check_end(lane, lane->digest, err);
}

int ivp_lane_end(struct ivp_lane *lane, struct ivp_error *err)
{
	struct ivp_digest_state *digest = lane->digest;
	struct ivp_end end = {.bytes = lane->sent};
	int ret;

	if (lane->region->lost)
		return ivp_region_check(lane->region, err);
	if (!digest->off && digest->tx_bytes == lane->sent) {
		end.kind = IVP_DIGEST_XXH128;
		ivp_digest_finish(&digest->tx, end.digest);
	}
	ret = ivp_ring_put(&lane->tx, IVP_RECORD_END, &end, sizeof(end));
	if (ret)
		return ret == -EPROTO ? ivp_lane_broken(lane, err) : ret;
	lane->ended = true;
	ivp_lane_kick(lane);
	return 0;
}
