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

/* Where a position lies: a mask, for a division by a size that the compiler does not know takes longer than a small record. */
static u64 offset(const struct ivp_ring *ring, u64 pos)
{
	return pos & (ring->size - 1);
}

static u8 __shm *place(const struct ivp_ring *ring, u64 pos)
{
	return ring->data + offset(ring, pos);
}

static u64 contiguous(const struct ivp_ring *ring, u64 pos)
{
	return ring->mirrored ? ring->size : ring->size - offset(ring, pos);
}

static u64 record_size(u64 payload)
{
	return IVP_RECORD_HEADER + ivp_round_up(payload, 8);
}

/* Much enough that announcing it costs little, and little enough that the largest record finds room in what is left. */
static u64 a_lot(const struct ivp_ring *ring)
{
	return ring->size / 8 < IVP_PIECE_MAX ? ring->size / 8 : IVP_PIECE_MAX;
}

static bool is_a_lot(const struct ivp_ring *ring)
{
	return ring->pos - ring->told + (ring->grown ? record_size(ring->grown) : 0) >= a_lot(ring);
}

/*
 * A finaliser as of splitmix64: neighbours in position or epoch share no check. Not a secret, and no defence but against
 * accidents: a peer that wants to can make any record.
 */
static u64 seal(u64 plain, u64 keyed, u64 pos)
{
	u64 mix = keyed ^ (pos * 0x9e3779b97f4a7c15ULL);

	mix = (mix ^ mix >> 30) * 0xbf58476d1ce4e5b9ULL;
	mix = (mix ^ mix >> 27) * 0x94d049bb133111ebULL;
	return plain | (mix ^ mix >> 31) << 40;
}

static u64 plain_header(u32 type, u32 length)
{
	return (u64)length | (u64)type << 32;
}

static u64 header_for(u64 epoch, u64 pos, u32 type, u32 length)
{
	u64 plain = plain_header(type, length);

	return seal(plain, epoch ^ plain, pos);
}

/* The header comes last, when it is known how long the record is. */
static void finish(struct ivp_ring *ring, enum ivp_record_type type)
{
	u8 __shm *header = place(ring, ring->pos);
	u64 padding = ivp_round_up(ring->grown, 8) - ring->grown;

	if (padding)
		ivp_wipe(place(ring, ring->pos + IVP_RECORD_HEADER + ring->grown), padding);
	ivp_store64((u64 __plain __shm *)header, header_for(ring->epoch, ring->pos, type, ring->grown));
	ring->pos += record_size(ring->grown);
	ring->grown = 0;
}

void ivp_ring_close(struct ivp_ring *ring)
{
	if (ring->grown && !ring->broken)
		finish(ring, IVP_RECORD_DATA);
}

static bool has_room(const struct ivp_ring *ring, u64 bytes)
{
	return ring->size - (ring->pos - ring->theirs) >= bytes;
}

/* Only if the room that was last seen does not do: the peer's line is fetched once per lap, not once per record. */
static int find_room(struct ivp_ring *ring, u64 bytes)
{
	int ret = 0;

	if (ring->broken || !has_room(ring, bytes))
		ret = look(ring, ring->told);
	return ret || has_room(ring, bytes) ? ret : -EAGAIN;
}

int ivp_ring_reserve(struct ivp_ring *ring, u8 __shm **span, u64 *len)
{
	u64 largest = ring->piece - IVP_RECORD_HEADER, payload = *len < largest ? *len : largest, start;
	int ret;

	if (payload > largest - ring->grown)
		ivp_ring_close(ring);
	ret = find_room(ring, record_size(ring->grown + payload));
	if (ret)
		return ret;
	start = ring->pos + IVP_RECORD_HEADER + ring->grown;
	*len = payload < contiguous(ring, start) ? payload : contiguous(ring, start);
	*span = place(ring, start);
	return 0;
}

static void tell(struct ivp_ring *ring, enum ivp_record_type type)
{
	if (!ring->held || type == IVP_RECORD_END || is_a_lot(ring))
		announce_pos(ring);
}

int ivp_ring_commit(struct ivp_ring *ring, enum ivp_record_type type, u64 len)
{
	if (ring->broken)
		return -EPROTO;
	ring->grown += (u32)len;
	finish(ring, type);
	tell(ring, type);
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

/* A whole record wherever it lies, which nobody is told of yet. -EAGAIN, -EPROTO. */
static int put_record(struct ivp_ring *ring, enum ivp_record_type type, const u8 *bytes, u64 len)
{
	u64 start = ring->pos + IVP_RECORD_HEADER, first = contiguous(ring, start);
	int ret = find_room(ring, record_size(len));

	if (ret)
		return ret;
	first = first < len ? first : len;
	ivp_copy_to(place(ring, start), bytes, first);
	ivp_copy_to(ring->data, bytes + first, len - first);
	ring->grown = (u32)len;
	finish(ring, type);
	return 0;
}

int ivp_ring_put(struct ivp_ring *ring, enum ivp_record_type type, const void *bytes, u64 len)
{
	int ret;

	ivp_ring_close(ring);
	ret = put_record(ring, type, bytes, len);
	if (!ret)
		tell(ring, type);
	return ret;
}

/* The most that a short record carries: in a small ring that is the largest there can be. */
static u64 most_short(const struct ivp_ring *ring)
{
	u64 largest = ring->piece - IVP_RECORD_HEADER;

	return largest < IVP_SHORT ? largest : IVP_SHORT;
}

static bool is_short(u64 len, u64 most)
{
	return len - 1 < most;
}

/* From here on to the limit, or to the end of the ring where it matters. */
static u64 run_end(const struct ivp_ring *ring, u64 limit)
{
	u64 edge = ring->pos + contiguous(ring, ring->pos);

	return limit < edge ? limit : edge;
}

/* What records of data that have one length have in common. */
struct kind {
	u64 length, size, plain;
};

static struct kind kind_of(u64 length)
{
	struct kind kind = {length, record_size(length), plain_header(IVP_RECORD_DATA, (u32)length)};

	kind.size = ivp_no_guess(kind.size);
	return kind;
}

/*
 * The ones that can be put one after the other into the room that was last seen, and are not yet a lot: positions stay in registers,
 * which is what makes it fast. Where it ends, the general way knows on.
 */
static u32 put_run(struct ivp_ring *ring, const struct ivp_vec *records, u32 count, u64 *sum)
{
	const u64 epoch = ring->epoch, mask = ring->size - 1, enough = ring->told + a_lot(ring);
	const u64 most = most_short(ring), end = run_end(ring, ring->theirs + ring->size);
	u8 __shm *const data = ring->data;
	const struct ivp_vec *record = records, *after = records + count;
	struct kind kind = kind_of(8);
	u64 pos = ring->pos, total = 0;

	for (; record < after && pos < enough; record++) {
		u64 len = record->iov_len;
		u8 __shm *at = data + (pos & mask);

		if (len != kind.length) {
			if (!is_short(len, most))
				break;
			kind = kind_of(len);
		}
		if (kind.size > end - pos)
			break;
		ivp_store64((u64 __plain __shm *)(at + kind.size - 8), 0);
		ivp_copy_short((u8 __plain *)at + IVP_RECORD_HEADER, record->iov_base, len);
		ivp_store64((u64 __plain __shm *)at, seal(kind.plain, epoch ^ kind.plain, pos));
		pos += kind.size;
		total += len;
	}
	ring->pos = pos;
	*sum += total;
	return (u32)(record - records);
}

int ivp_ring_put_many(struct ivp_ring *ring, const struct ivp_vec *records, u32 count, u64 *sum)
{
	u32 done = 0;
	int ret = ring->broken ? -EPROTO : 0;

	*sum = 0;
	ivp_ring_close(ring);
	while (!ret && done < count && is_short(records[done].iov_len, most_short(ring))) {
		ret = put_record(ring, IVP_RECORD_DATA, records[done].iov_base, records[done].iov_len);
		if (ret)
			break;
		*sum += records[done++].iov_len;
		done += put_run(ring, records + done, count - done, sum);
		if (is_a_lot(ring))
			announce_pos(ring);
	}
	if (done && !ring->held && ring->told != ring->pos)
		announce_pos(ring);
	return done ? (int)done : ret;
}

/* Judge the record at the front and keep what it says privately. It must be there as a whole. */
static int open_record(struct ivp_ring *ring)
{
	u64 available = ring->theirs - ring->pos;
	u64 header = ivp_load64((const u64 __plain __shm *)place(ring, ring->pos));
	u32 length = (u32)header, type = header >> 32 & 0xff;

	if (header != header_for(ring->epoch, ring->pos, type, length) || type < IVP_RECORD_DATA ||
	    type > IVP_RECORD_PART)
		return broken(ring);
	if (!length || length > ring->piece - IVP_RECORD_HEADER || record_size(length) > available)
		return broken(ring);
	ring->length = length;
	ring->taken = 0;
	ring->type = type;
	return 0;
}

/* The record at the front is judged, and kept privately: 0, -EAGAIN, -EPROTO. */
static int find_record(struct ivp_ring *ring)
{
	int ret = 0;

	if (ring->broken || (!ring->type && ring->theirs == ring->pos))
		ret = look(ring, ring->pos + ring->size);
	if (!ret && !ring->type)
		ret = ring->theirs == ring->pos ? -EAGAIN : open_record(ring);
	return ret;
}

int ivp_ring_peek(struct ivp_ring *ring, u32 *type, const u8 __shm **span, u64 *len)
{
	u64 start;
	int ret = find_record(ring);

	if (ret)
		return ret;
	start = ring->pos + IVP_RECORD_HEADER + ring->taken;
	*type = ring->type;
	*span = place(ring, start);
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
	ivp_copy_from(bytes, place(ring, start), first);
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
	if (is_a_lot(ring))
		announce_pos(ring);
	return done;
}

/*
 * The records that lie one after the other, whole and short, each of which finds room. Whatever else there is, or does not hold, is
 * judged by open_record(). Most are as long as the one before, and then the processor need not wait for the length to know where
 * the next one is.
 */
static u32 take_run(struct ivp_ring *ring, const struct ivp_vec *rooms, size_t *lens, u32 count, u64 *sum)
{
	const u64 epoch = ring->epoch, mask = ring->size - 1, enough = ring->told + a_lot(ring);
	const u64 most = most_short(ring), end = run_end(ring, ring->theirs);
	const u8 __shm *const data = ring->data;
	struct kind kind = kind_of(8);
	u64 pos = ring->pos, total = 0;
	const struct ivp_vec *room = rooms, *after = rooms + count;

	for (; room < after && pos < enough && pos != end; room++) {
		const u8 __shm *at = data + (pos & mask);
		u64 header = ivp_load64((const u64 __plain __shm *)at);

		if ((u32)header != kind.length) {
			if (!is_short((u32)header, most))
				break;
			kind = kind_of((u32)header);
		}
		if (header != seal(kind.plain, epoch ^ kind.plain, pos))
			break;
		if (kind.length > room->iov_len || kind.size > end - pos)
			break;
		ivp_copy_short(room->iov_base, (const u8 __plain *)at + IVP_RECORD_HEADER, kind.length);
		*lens++ = kind.length;
		pos += kind.size;
		total += kind.length;
	}
	ring->pos = pos;
	*sum += total;
	return (u32)(room - rooms);
}

/* The next one wherever it lies: 1, or 0 where it is none of these. */
static int take_next(struct ivp_ring *ring, const struct ivp_vec *room, size_t *len)
{
	int ret = find_record(ring);

	if (ret)
		return ret;
	if (ring->type != IVP_RECORD_DATA || ring->taken || !is_short(ring->length, most_short(ring)) ||
	    ring->length > room->iov_len)
		return 0;
	*len = ring->length;
	ivp_ring_copy(ring, room->iov_base, ring->length);
	ivp_ring_consume(ring, ring->length);
	return 1;
}

int ivp_ring_take_many(struct ivp_ring *ring, const struct ivp_vec *rooms, size_t *lens, u32 count, u64 *sum)
{
	u32 done = 0;
	int ret = 0;

	*sum = 0;
	while (done < count) {
		ret = take_next(ring, &rooms[done], &lens[done]);
		if (ret <= 0)
			break;
		*sum += lens[done++];
		done += take_run(ring, rooms + done, lens + done, count - done, sum);
		if (is_a_lot(ring))
			announce_pos(ring);
	}
	return done ? (int)done : ret;
}

void ivp_ring_tell(struct ivp_ring *ring)
{
	if (ring->told != ring->pos && !ring->broken)
		announce_pos(ring);
}
