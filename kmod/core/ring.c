// SPDX-License-Identifier: GPL-2.0 OR MIT
#include "ring.h"
#include "span.h"

/* Positions are in bytes, so half a million years at 1 GB/s: no thought is given to their overflow. */

void ivp_ring_attach(struct ivp_ring *ring, u8 __shm *data, u64 size, u64 epoch, u64 __shm *announce,
		     const u64 __shm *other)
{
	memset(ring, 0, sizeof(*ring));
	ring->data = data;
	ring->size = size;
	ring->piece = size / 4 < IVP_PIECE_MAX ? size / 4 : IVP_PIECE_MAX;
	ring->epoch = epoch;
	ring->announce = announce;
	ring->other = other;
}

static int broken(struct ivp_ring *ring)
{
	ring->broken = true;
	return -EPROTO;
}

/*
 * Take over the peer's position if it lies in [theirs, limit]. Acquire: pairs with announce_pos() of the other end, so the
 * bytes (or the room) that it tells of are really there.
 */
static int look(struct ivp_ring *ring, u64 limit)
{
	u64 theirs;

	if (ring->broken)
		return -EPROTO;
	theirs = ivp_load64_acquire(ring->other);
	if (ring->combined)
		ivp_fence_combined_loads();
	if (theirs < ring->theirs || theirs > limit || theirs % 8)
		return broken(ring);
	ring->theirs = theirs;
	return 0;
}

/* Release: publishes the records before it (sender), or the end of our reading (receiver). Pairs with look(). */
static void announce_pos(struct ivp_ring *ring)
{
	ring->told = ring->pos;
	if (ring->combined)
		ivp_fence_combined_stores();
	ivp_store64_release(ring->announce, ring->pos);
	if (ring->combined)
		ivp_fence_combined_stores();
}

static u64 contiguous(const struct ivp_ring *ring, u64 pos)
{
	return ring->mirrored ? ring->size : ring->size - pos % ring->size;
}

static u64 record_size(u64 payload)
{
	return IVP_RECORD_HEADER + ivp_round_up(payload, 8);
}

/* Much enough that announcing it costs little, and little enough that the largest record finds room in what is left. */
static bool is_a_lot(const struct ivp_ring *ring)
{
	u64 untold = ring->pos - ring->told + (ring->grown ? record_size(ring->grown) : 0);

	return untold >= ring->size / 8 || untold >= IVP_PIECE_MAX;
}

/*
 * A finaliser as of splitmix64: neighbours in position or epoch share no check. Not a secret, and no defence but against
 * accidents: a peer that wants to can make any record.
 */
static u64 header_for(const struct ivp_ring *ring, u32 type, u32 length)
{
	u64 plain = (u64)length | (u64)type << 32;
	u64 mix = ring->epoch ^ (ring->pos * 0x9e3779b97f4a7c15ULL) ^ plain;

	mix = (mix ^ mix >> 30) * 0xbf58476d1ce4e5b9ULL;
	mix = (mix ^ mix >> 27) * 0x94d049bb133111ebULL;
	return plain | (mix ^ mix >> 31) << 40;
}

/* The header comes last, when it is known how long the record is. */
static void finish(struct ivp_ring *ring, enum ivp_record_type type)
{
	u8 __shm *header = ring->data + ring->pos % ring->size;
	u64 padding = ivp_round_up(ring->grown, 8) - ring->grown;

	if (padding)
		ivp_wipe(ring->data + (ring->pos + IVP_RECORD_HEADER + ring->grown) % ring->size, padding);
	ivp_store64((u64 __plain __shm *)header, header_for(ring, type, ring->grown));
	ring->pos += record_size(ring->grown);
	ring->grown = 0;
}

void ivp_ring_close(struct ivp_ring *ring)
{
	if (ring->grown && !ring->broken)
		finish(ring, IVP_RECORD_DATA);
}

int ivp_ring_reserve(struct ivp_ring *ring, u8 __shm **span, u64 *len)
{
	u64 largest = ring->piece - IVP_RECORD_HEADER, payload = *len < largest ? *len : largest, start;
	int ret = 0;

	if (payload > largest - ring->grown)
		ivp_ring_close(ring);
	/* Only if the room that was last seen does not do: the peer's line is fetched once per lap, not once per record. */
	if (ring->broken || ring->size - (ring->pos - ring->theirs) < record_size(ring->grown + payload))
		ret = look(ring, ring->told);
	if (ret)
		return ret;
	if (ring->size - (ring->pos - ring->theirs) < record_size(ring->grown + payload))
		return -EAGAIN;
	start = ring->pos + IVP_RECORD_HEADER + ring->grown;
	*len = payload < contiguous(ring, start) ? payload : contiguous(ring, start);
	*span = ring->data + start % ring->size;
	return 0;
}

int ivp_ring_commit(struct ivp_ring *ring, enum ivp_record_type type, u64 len)
{
	if (ring->broken)
		return -EPROTO;
	ring->grown += (u32)len;
	finish(ring, type);
	if (!ring->held || type == IVP_RECORD_END || is_a_lot(ring))
		announce_pos(ring);
	return 0;
}

int ivp_ring_grow(struct ivp_ring *ring, u64 len)
{
	if (ring->broken)
		return -EPROTO;
	ring->grown += (u32)len;
	if (!ring->held || is_a_lot(ring)) {
		finish(ring, IVP_RECORD_DATA);
		announce_pos(ring);
	}
	return 0;
}

bool ivp_ring_flush(struct ivp_ring *ring)
{
	ivp_ring_close(ring);
	if (ring->told == ring->pos)
		return false;
	announce_pos(ring);
	return true;
}

int ivp_ring_put(struct ivp_ring *ring, enum ivp_record_type type, const void *bytes, u64 len)
{
	u64 granted = len;
	u8 __shm *span;
	int ret;

	ivp_ring_close(ring);
	ret = ivp_ring_reserve(ring, &span, &granted);
	if (ret)
		return ret;
	ivp_copy_to(span, bytes, granted);
	ivp_copy_to(ring->data, (const u8 *)bytes + granted, len - granted);
	return ivp_ring_commit(ring, type, len);
}

/* Judge the record at the front and keep what it says privately. It must be there as a whole. */
static int open_record(struct ivp_ring *ring)
{
	u64 available = ring->theirs - ring->pos;
	u64 header = ivp_load64((const u64 __plain __shm *)(ring->data + ring->pos % ring->size));
	u32 length = (u32)header, type = header >> 32 & 0xff;

	if (header != header_for(ring, type, length) || type < IVP_RECORD_DATA || type > IVP_RECORD_PART)
		return broken(ring);
	if (!length || length > ring->piece - IVP_RECORD_HEADER || record_size(length) > available)
		return broken(ring);
	ring->length = length;
	ring->taken = 0;
	ring->type = type;
	return 0;
}

int ivp_ring_peek(struct ivp_ring *ring, u32 *type, const u8 __shm **span, u64 *len)
{
	u64 start;
	int ret = 0;

	if (ring->broken || (!ring->type && ring->theirs == ring->pos))
		ret = look(ring, ring->pos + ring->size);
	if (!ret && !ring->type)
		ret = ring->theirs == ring->pos ? -EAGAIN : open_record(ring);
	if (ret)
		return ret;
	start = ring->pos + IVP_RECORD_HEADER + ring->taken;
	*type = ring->type;
	*span = ring->data + start % ring->size;
	*len = ring->length - ring->taken;
	if (*len > contiguous(ring, start))
		*len = contiguous(ring, start);
	return 0;
}

int ivp_ring_copy(struct ivp_ring *ring, void *bytes, u64 len)
{
	u64 start = ring->pos + IVP_RECORD_HEADER, first = contiguous(ring, start);

	if (ring->broken || !ring->type || ring->taken || ring->length != len)
		return broken(ring);
	if (first > len)
		first = len;
	ivp_copy_from(bytes, ring->data + start % ring->size, first);
	ivp_copy_from((u8 *)bytes + first, ring->data, len - first);
	return 0;
}

u64 ivp_ring_consume(struct ivp_ring *ring, u64 len)
{
	u32 left = ring->length - ring->taken, done = len < left ? (u32)len : left;

	if (!ring->type || ring->broken)
		return 0;
	ring->taken += done;
	if (ring->taken < ring->length)
		return done;
	ring->pos += record_size(ring->length);
	ring->type = 0;
	if (ring->pos == ring->theirs || is_a_lot(ring))
		announce_pos(ring);
	return done;
}
