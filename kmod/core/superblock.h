/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* superblock: chooses a geometry and judges one. Touches private copies only, never the region. */
#ifndef IVP_SUPERBLOCK_H
#define IVP_SUPERBLOCK_H

#include "layout.h"

#define IVP_REGION_MIN 45056 /* two sides, two lanes, 4 KiB rings */

/*
 * Fill sb with the geometry for `size` bytes: `lanes` in all (0: as many as fit) for `sides` (0: 2). Magic and version are
 * set; format_id and checksum are the caller's. 0, or -EINVAL when it does not fit; ivp_superblock_smallest() says what would.
 */
int ivp_superblock_lay(struct ivp_superblock *sb, u64 size, u32 lanes, u32 sides);

/* The least number of bytes from `size` on that does for `lanes` lanes for `sides` sides. */
u64 ivp_superblock_smallest(u64 size, u32 lanes, u32 sides);

/*
 * May this copy be believed, with `mapped` bytes at hand? Every field is checked against the others; the checksum is the
 * caller's. -ENOENT: no magic of ours. -EPROTONOSUPPORT: another version. -EMSGSIZE: it was laid out for more bytes than are
 * mapped. -EINVAL: damaged.
 */
int ivp_superblock_check(const struct ivp_superblock *sb, u64 mapped);

/* Offsets from the start of the region; lane < sb->lanes, side < sb->sides, number < IVP_SLOTS_PER_SIDE. */
static inline u64 ivp_slot_offset(const struct ivp_superblock *sb, u32 side, u32 number)
{
	return sb->slots_offset + ((u64)side * IVP_SLOTS_PER_SIDE + number) * sizeof(struct ivp_slot);
}

static inline u64 ivp_half_offset(const struct ivp_superblock *sb, u32 lane, bool server)
{
	return sb->lanes_offset + lane * sb->lane_stride + (server ? sb->half_size : 0);
}

/* The ring that the client, or the server, sends on. */
static inline u64 ivp_ring_offset(const struct ivp_superblock *sb, u32 lane, bool server)
{
	return sb->lanes_offset + lane * sb->lane_stride + 2 * sb->half_size + (server ? sb->ring_size : 0);
}

/* The side whose clients use this lane. */
static inline u32 ivp_lane_side(const struct ivp_superblock *sb, u32 lane)
{
	return lane / (sb->lanes / sb->sides);
}

#endif
