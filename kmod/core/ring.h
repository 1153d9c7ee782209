/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * ring: a single-producer, single-consumer byte ring that carries records, shared with a peer who may lie.
 *
 * Each end keeps its own position privately, in bytes since the session began, and announces it in its half: not each time, for
 * an announcement costs the other end a cache miss. The other end's
 * is loaded once per look and refused, for good, if it is impossible: going backwards, beyond what was announced, more than
 * a ring ahead, or not a multiple of 8. After that every call answers -EPROTO; memory outside the ring is never touched.
 *
 * A record is a header of 8 bytes {length 32, type 8, check 24 bits} and its payload, padded to 8. The check depends on the
 * sender's epoch and on the position, so that bytes of an earlier session, or of the previous lap, are not taken for a record.
 */
#ifndef IVP_RING_H
#define IVP_RING_H

#include "layout.h"

struct ivp_ring {
	u8 __shm *data;
	u64 size;               /* a power of two */
	u64 piece;              /* largest record with its header, a multiple of 8 */
	u64 epoch;              /* of the sender */
	u64 pos;                /* ours: produced or consumed */
	u64 told;               /* the last one of ours that was announced */
	u64 theirs;             /* the last one of the peer's that was accepted */
	u64 __shm *announce;    /* where ours is told */
	const u64 __shm *other; /* where theirs is told */
	u32 grown;              /* sending: payload so far of a record that is not closed yet */
	u32 length;             /* receiving: payload of the record at the front */
	u32 taken;              /* receiving: how much of it was consumed */
	u32 type;               /* receiving: its type; 0 while none was looked at */
	bool mirrored;          /* mapped twice in a row: a span may run over the end */
	bool combined;          /* not write-back: publish and observe with fences */
	bool held;              /* sending: announce a lot of records at once, or at a flush */
	bool broken;            /* the peer lied */
};

/* data is ring_size bytes (twice, if mirrored); announce and other are positions in the two halves, both zero by now. */
void ivp_ring_attach(struct ivp_ring *ring, u8 __shm *data, u64 size, u64 epoch, u64 __shm *announce,
		     const u64 __shm *other);

/*
 * Sender: room for a record's payload, or for more of the one that grows. *len in: bytes wanted, at least 1; out: granted, at
 * *span. Waits for the whole wish, or a full piece, rather than cut what is sent into crumbs. -EAGAIN, -EPROTO.
 */
int ivp_ring_reserve(struct ivp_ring *ring, u8 __shm **span, u64 *len);

/* Sender: the first len bytes of what was last reserved are a record of this type: publish it, unless records are held. -EPROTO. */
int ivp_ring_commit(struct ivp_ring *ring, enum ivp_record_type type, u64 len);

/*
 * Sender: the first len bytes of what was last reserved, as data whose borders mean nothing: while records are held they grow
 * together to one, which costs both ends less than many. -EPROTO.
 */
int ivp_ring_grow(struct ivp_ring *ring, u64 len);

/* Sender: what is reserved next is a record of its own. */
void ivp_ring_close(struct ivp_ring *ring);

/* Has the peer been told of all that there is? */
static inline bool ivp_ring_all_told(const struct ivp_ring *ring)
{
	return ring->told == ring->pos && !ring->grown;
}

/* Publish what is held; whether anything was. */
bool ivp_ring_flush(struct ivp_ring *ring);

/* Sender: a whole small record at once, also over the edge of a ring that is not mirrored. -EAGAIN, -EPROTO. */
int ivp_ring_put(struct ivp_ring *ring, enum ivp_record_type type, const void *bytes, u64 len);

/* Records up to here, and up to the largest that the ring takes, are short: beyond, it is the copy that counts, not the call. */
#define IVP_SHORT 1024

/*
 * Sender: the first ones of these as a record each, as far as they are short, not empty, and find room; told at once, unless
 * records are held. How many, which may be 0 where the first is too large or empty, with *sum bytes; -EAGAIN no room for it; -EPROTO.
 */
int ivp_ring_put_many(struct ivp_ring *ring, const struct ivp_vec *records, u32 count, u64 *sum);

/*
 * Receiver: the payloads of the first records, whole, each to its room in turn, and its length to *lens: as far as there are any of
 * type data that are short, and find room. How many, which may be 0 where there is a record of another kind; -EAGAIN
 * none; -EPROTO, which comes after those that were right. *sum: bytes of all.
 */
int ivp_ring_take_many(struct ivp_ring *ring, const struct ivp_vec *rooms, size_t *lens, u32 count, u64 *sum);

/* Receiver: copy the payload of the record that was peeked at, which must be whole and have len bytes; it stays. -EPROTO. */
int ivp_ring_copy(struct ivp_ring *ring, void *bytes, u64 len);

/*
 * Receiver: the unconsumed payload of the record at the front, as far as it is contiguous, at least 1 byte; *type
 * says what it is. -EAGAIN: none; -EPROTO.
 */
int ivp_ring_peek(struct ivp_ring *ring, u32 *type, const u8 __shm **span, u64 *len);

/*
 * Receiver: done with len bytes of the record that was peeked at, or with what is left of it; how many that was. Its room is given
 * back an eighth of the ring at a time, for the peer's processor is on its way to our line to see what we send: told of each record, a
 * round trip takes half as long again.
 */
u64 ivp_ring_consume(struct ivp_ring *ring, u64 len);

/* Give back what room was not: for who looks, since nobody waits for so little. */
void ivp_ring_tell(struct ivp_ring *ring);

#endif
