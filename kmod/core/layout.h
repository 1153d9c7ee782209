/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * layout: the bytes of a region, version 1. docs/PROTOCOL.md says what they mean; this file says where they are.
 *
 *   0                superblock (4 KiB)
 *   slots_offset     sides x 16 listener slots of 256 bytes
 *   lanes_offset     lanes, each lane_stride bytes:
 *                      client half | server half | ring client -> server | ring server -> client
 *
 * All integers are little-endian. Every shared word has one writer (the accept word excepted, which is only ever replaced by
 * a fresh random number), and words of different writers, or of a different rhythm, lie on different 128-byte lines.
 */
#ifndef IVP_LAYOUT_H
#define IVP_LAYOUT_H

#include "deps.h"

#define IVP_MAGIC          0x0a1a455049505649ULL /* "IVPIPE\x1a\n" in memory */
#define IVP_LAYOUT_VERSION 1
#define IVP_LINE           128

#define IVP_SIDES_MAX      16
#define IVP_LANES_MAX      256
#define IVP_SLOTS_PER_SIDE 16
#define IVP_SERVICE_BYTES  32
#define IVP_FILE_BYTES     256
#define IVP_TOKEN_MIN      16
#define IVP_TOKEN_MAX      512
#define IVP_TOKEN_DEFAULT  128
#define IVP_RING_MIN       4096
#define IVP_RING_MAX       (1ULL << 30)

struct ivp_superblock {
	u64 magic;
	u32 version;
	u32 sides;
	u64 region_size; /* bytes that were laid out; a mapping must have at least these */
	u64 format_id;   /* random, never 0 */
	u32 lanes;       /* of all sides; a multiple of sides */
	u32 align;       /* of lanes and rings: 4 KiB or 64 KiB */
	u64 slots_offset;
	u64 lanes_offset;
	u64 lane_stride;
	u64 half_size; /* bytes from one half of a lane to the next */
	u64 ring_size; /* a power of two */
	u8 reserved[168];
	u64 checksum; /* XXH64, seed 0, of the bytes before */
};
#define IVP_SUPERBLOCK_BYTES 4096 /* the rest is zero */

ivp_assert(offsetof(struct ivp_superblock, version) == 8);
ivp_assert(offsetof(struct ivp_superblock, region_size) == 16);
ivp_assert(offsetof(struct ivp_superblock, format_id) == 24);
ivp_assert(offsetof(struct ivp_superblock, lanes) == 32);
ivp_assert(offsetof(struct ivp_superblock, slots_offset) == 40);
ivp_assert(offsetof(struct ivp_superblock, lanes_offset) == 48);
ivp_assert(offsetof(struct ivp_superblock, lane_stride) == 56);
ivp_assert(offsetof(struct ivp_superblock, half_size) == 64);
ivp_assert(offsetof(struct ivp_superblock, ring_size) == 72);
ivp_assert(offsetof(struct ivp_superblock, checksum) == 248);
ivp_assert(sizeof(struct ivp_superblock) == 256);

/* A listener's announcement; its first line is the listener's, the second any client's. */
struct ivp_slot {
	u64 id; /* random; 0: free. Written last */
	u32 beat;
	u32 busy;                      /* 1: serves somebody just now and takes nobody else; ask again later */
	u8 service[IVP_SERVICE_BYTES]; /* NUL-padded */
	u8 reserved1[80];
	u32 accept; /* a client that said hello stores a fresh random number here */
	u8 reserved2[124];
};

ivp_assert(offsetof(struct ivp_slot, beat) == 8);
ivp_assert(offsetof(struct ivp_slot, busy) == 12);
ivp_assert(offsetof(struct ivp_slot, service) == 16);
ivp_assert(offsetof(struct ivp_slot, accept) == IVP_LINE);
ivp_assert(sizeof(struct ivp_slot) == 256);

/* States of an end of a lane; which may follow which is ivp_state_follows()'s to say. */
enum ivp_state {
	IVP_STATE_IDLE = 0,    /* nobody, or somebody who is just laying out the half */
	IVP_STATE_HELLO = 1,   /* client: my hello is there */
	IVP_STATE_WELCOME = 2, /* server: my welcome is there */
	IVP_STATE_REFUSED = 3, /* server: my refusal is there */
	IVP_STATE_OPEN = 4,    /* client: my ready is there; server: I saw it */
	IVP_STATE_CLOSED = 5,  /* over, in order */
	IVP_STATE_ABORTED = 6, /* over, for the reason in `verdict` */
	IVP_STATES
};

enum ivp_message_type {
	IVP_MESSAGE_HELLO = 1,
	IVP_MESSAGE_WELCOME = 2,
	IVP_MESSAGE_REFUSAL = 3,
	IVP_MESSAGE_READY = 4,
};

/* Why a hello or a welcome is refused, or a stream not well received. One list, so that a number has one meaning. */
enum ivp_reason {
	IVP_REASON_NONE = 0,
	IVP_REASON_OK = 1,
	IVP_REASON_MESSAGE = 2,   /* malformed: wrong type, reserved bytes set, text not terminated */
	IVP_REASON_VERSION = 3,   /* another version of layout or protocol */
	IVP_REASON_FORMAT = 4,    /* another format id: not this region, or laid out anew meanwhile */
	IVP_REASON_LANE = 5,      /* lane or side do not belong together, or are not there */
	IVP_REASON_EPOCH = 6,     /* the message is not of this session */
	IVP_REASON_SERVICE = 7,   /* the listener offers another service */
	IVP_REASON_WINDOW = 8,    /* token_index or token_bytes leave the client's sending ring */
	IVP_REASON_TOKEN = 9,     /* the memory does not hold the token: both ends do not see the same bytes */
	IVP_REASON_BUSY = 10,     /* the lane's server end is taken */
	IVP_REASON_LISTENER = 11, /* not the listener that was asked */
	IVP_REASON_DAMAGED = 20,
	IVP_REASON_NO_SPACE = 21,
	IVP_REASON_WRITE = 22,
	IVP_REASON_READ = 23,
	IVP_REASON_CLOSED = 24,
	IVP_REASON_INTERRUPT = 25,
	IVP_REASON_BROKEN = 26,
};

struct ivp_message {
	u32 type;
	u32 version;
	u64 features; /* none defined: 0 */
	u64 format_id;
	u64 listener_id;
	u64 epoch;      /* of the sender */
	u64 peer_epoch; /* of the end that is answered; 0 in a hello */
	u32 side;       /* of the sender */
	u32 lane;
	u32 reason;      /* refusal only */
	u32 token_bytes; /* hello and welcome: 16 to 512 */
	u64 token_index; /* offset of the token from the start of the region */
	u64 size;        /* hello: bytes to come, ~0 unknown */
	u8 service[IVP_SERVICE_BYTES];
	u8 reserved0[8];
	u8 file[IVP_FILE_BYTES]; /* hello: a name to show, NUL-terminated */
	u8 token[IVP_TOKEN_MAX]; /* little-endian, zero after token_bytes */
	u8 reserved1[136];
};

ivp_assert(offsetof(struct ivp_message, features) == 8);
ivp_assert(offsetof(struct ivp_message, format_id) == 16);
ivp_assert(offsetof(struct ivp_message, listener_id) == 24);
ivp_assert(offsetof(struct ivp_message, epoch) == 32);
ivp_assert(offsetof(struct ivp_message, peer_epoch) == 40);
ivp_assert(offsetof(struct ivp_message, side) == 48);
ivp_assert(offsetof(struct ivp_message, lane) == 52);
ivp_assert(offsetof(struct ivp_message, reason) == 56);
ivp_assert(offsetof(struct ivp_message, token_bytes) == 60);
ivp_assert(offsetof(struct ivp_message, token_index) == 64);
ivp_assert(offsetof(struct ivp_message, size) == 72);
ivp_assert(offsetof(struct ivp_message, service) == 80);
ivp_assert(offsetof(struct ivp_message, file) == 120);
ivp_assert(offsetof(struct ivp_message, token) == 376);
ivp_assert(sizeof(struct ivp_message) == 1024);

/* One end's half of a lane: written by that end alone. */
struct ivp_half {
	/* line 0, the busy one: looked at with every piece */
	u64 epoch; /* random, of this end in this session; never 0 while in use */
	u32 state; /* enum ivp_state */
	u32 reserved0;
	u64 prod; /* bytes produced into the ring that this end sends on */
	u64 cons; /* bytes consumed from the ring that it receives on */
	u8 reserved1[96];
	/* line 1: waiting and living */
	u32 word; /* counted up to wake the peer */
	u32 want; /* 0: awake; else the number of this sleep: count up your word, once for each, after publishing */
	u32 beat; /* counted up four times a second while this end lives */
	u32 side; /* of this end */
	u32 bell; /* how to interrupt this end's machine: IVP_BELL(), or 0: not at all */
	u32 cpu;  /* 1 + the processor on which this end last began to wait for one of the same kernel; 0: not said */
	u8 reserved2[104];
	/* line 2: what became of it */
	u32 verdict; /* enum ivp_reason: of what was received, or of an abort */
	u8 reserved3[124];
	u8 reserved4[128];
	/* line 4 */
	struct ivp_message message;
};
#define IVP_HALF_BYTES 4096 /* the rest is zero */

/* ivp_half.bell: 1 + (peer id << 8 | vector), of an ivshmem doorbell. */
#define IVP_BELL(peer, vector) (1 + ((u32)(peer) << 8 | (vector)))
#define IVP_BELL_MAX           IVP_BELL(0xffff, 0xff)

ivp_assert(offsetof(struct ivp_half, state) == 8);
ivp_assert(offsetof(struct ivp_half, prod) == 16);
ivp_assert(offsetof(struct ivp_half, cons) == 24);
ivp_assert(offsetof(struct ivp_half, word) == IVP_LINE);
ivp_assert(offsetof(struct ivp_half, want) == IVP_LINE + 4);
ivp_assert(offsetof(struct ivp_half, beat) == IVP_LINE + 8);
ivp_assert(offsetof(struct ivp_half, side) == IVP_LINE + 12);
ivp_assert(offsetof(struct ivp_half, bell) == IVP_LINE + 16);
ivp_assert(offsetof(struct ivp_half, cpu) == IVP_LINE + 20);
ivp_assert(offsetof(struct ivp_half, verdict) == 2 * IVP_LINE);
ivp_assert(offsetof(struct ivp_half, message) == 4 * IVP_LINE);
ivp_assert(sizeof(struct ivp_half) <= IVP_HALF_BYTES);

/* Records in a ring begin at multiples of 8, carry at least one byte, and are padded with zero to a multiple of 8. */
enum ivp_record_type {
	IVP_RECORD_DATA = 1, /* bytes; to who keeps messages apart: the end of one */
	IVP_RECORD_END = 2,
	IVP_RECORD_PART = 3, /* bytes of a message that goes on in the next record */
};
#define IVP_RECORD_HEADER 8
#define IVP_PIECE_MAX     65536 /* header and payload of the largest record; never more than a quarter of the ring */

/* Payload of the end record. */
struct ivp_end {
	u64 bytes; /* of all data records */
	u32 kind;  /* enum ivp_digest */
	u32 reserved;
	u8 digest[16]; /* XXH128_canonical_t of the data, or zero */
};
enum ivp_digest {
	IVP_DIGEST_NONE = 0,
	IVP_DIGEST_XXH128 = 1, /* XXH3, 128 bits, seed 0, canonical (big-endian) form */
};
ivp_assert(sizeof(struct ivp_end) == 32);

/* Locks: open-file-description locks on single bytes of the region's file, or of the device's node or resource2. */
#define IVP_LOCK_FORMAT             0
#define IVP_LOCK_CLIENT(lane)       (1 + 2 * (u64)(lane))
#define IVP_LOCK_SERVER(lane)       (2 + 2 * (u64)(lane))
#define IVP_LOCK_SLOT(side, number) (1024 + (u64)(side)*IVP_SLOTS_PER_SIDE + (number))

/* Rhythm, in milliseconds. */
#define IVP_BEAT_MS 250

#endif
