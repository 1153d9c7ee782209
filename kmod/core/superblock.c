// SPDX-License-Identifier: GPL-2.0 OR MIT
#include "superblock.h"
#include "span.h"

#define KiB 1024ULL
#define MiB (1024 * KiB)

/* 64 KiB, so that guests with pages of that size can map single rings; small regions cannot afford it. */
static u32 align_for(u64 size)
{
	return size >= 4 * MiB ? 64 * KiB : 4 * KiB;
}

/* Rings that stay in a cache beat larger ones, and many lanes beat few: so they grow slowly with the region. */
static u64 ring_for(u64 size)
{
	if (size >= 64 * MiB)
		return 512 * KiB;
	if (size >= 16 * MiB)
		return 256 * KiB;
	if (size >= 4 * MiB)
		return 64 * KiB;
	return size >= MiB ? 32 * KiB : 16 * KiB;
}

static u64 lanes_start(u32 sides, u32 align)
{
	return ivp_round_up(IVP_SUPERBLOCK_BYTES + (u64)sides * IVP_SLOTS_PER_SIDE * sizeof(struct ivp_slot), align);
}

static u64 stride_for(u64 ring, u32 align)
{
	return 2 * (u64)align + 2 * ring;
}

static u32 lanes_that_fit(u64 size, u32 sides, u32 align, u64 ring)
{
	u64 start = lanes_start(sides, align), count;

	if (start > size)
		return 0;
	count = (size - start) / stride_for(ring, align);
	if (count > IVP_LANES_MAX)
		count = IVP_LANES_MAX;
	return (u32)(count - count % sides);
}

u64 ivp_superblock_smallest(u64 size, u32 lanes, u32 sides)
{
	u64 least;

	if (!sides)
		sides = 2;
	if (lanes < sides)
		lanes = sides;
	least = lanes_start(sides, 4 * KiB) + lanes * stride_for(IVP_RING_MIN, 4 * KiB);
	/* From there on halves and rings are larger, and as many lanes may need more than a smaller region had. */
	if (align_for(size) > 4 * KiB || align_for(least) > 4 * KiB)
		least = lanes_start(sides, 64 * KiB) + lanes * stride_for(64 * KiB, 64 * KiB);
	return size > least ? size : least;
}

int ivp_superblock_lay(struct ivp_superblock *sb, u64 size, u32 lanes, u32 sides)
{
	u32 align = align_for(size), wanted;
	u64 ring;

	if (!sides)
		sides = 2;
	if (sides > IVP_SIDES_MAX || lanes > IVP_LANES_MAX || lanes % sides)
		return -EINVAL;
	wanted = lanes ? lanes : sides;
	for (ring = ring_for(size); lanes_that_fit(size, sides, align, ring) < wanted; ring /= 2)
		if (ring / 2 < IVP_RING_MIN || ring / 2 < align)
			return -EINVAL;
	memset(sb, 0, sizeof(*sb));
	sb->magic = IVP_MAGIC;
	sb->version = IVP_LAYOUT_VERSION;
	sb->sides = sides;
	sb->region_size = size;
	sb->lanes = lanes ? lanes : lanes_that_fit(size, sides, align, ring);
	sb->align = align;
	sb->slots_offset = IVP_SUPERBLOCK_BYTES;
	sb->lanes_offset = lanes_start(sides, align);
	sb->lane_stride = stride_for(ring, align);
	sb->half_size = align;
	sb->ring_size = ring;
	return 0;
}

static bool counts_hold(const struct ivp_superblock *sb)
{
	return sb->sides >= 1 && sb->sides <= IVP_SIDES_MAX && sb->lanes >= sb->sides && sb->lanes <= IVP_LANES_MAX &&
	       sb->lanes % sb->sides == 0 && sb->format_id;
}

/* Bounded first, so that the sums below cannot overflow. */
static bool sizes_hold(const struct ivp_superblock *sb)
{
	return ivp_power_of_two(sb->align) && sb->align >= 4096 && sb->align <= MiB &&
	       ivp_power_of_two(sb->ring_size) && sb->ring_size >= IVP_RING_MIN && sb->ring_size >= sb->align &&
	       sb->ring_size <= IVP_RING_MAX && sb->half_size >= IVP_HALF_BYTES && sb->half_size <= MiB &&
	       sb->half_size % sb->align == 0 && sb->lane_stride >= 2 * (sb->half_size + sb->ring_size) &&
	       sb->lane_stride <= 4 * IVP_RING_MAX && sb->lane_stride % sb->align == 0;
}

static bool places_hold(const struct ivp_superblock *sb)
{
	u64 slots = (u64)sb->sides * IVP_SLOTS_PER_SIDE * sizeof(struct ivp_slot);

	return sb->slots_offset >= IVP_SUPERBLOCK_BYTES && sb->slots_offset % IVP_LINE == 0 &&
	       ivp_span_fits(sb->slots_offset, slots, sb->lanes_offset) && sb->lanes_offset % sb->align == 0 &&
	       ivp_span_fits(sb->lanes_offset, sb->lanes * sb->lane_stride, sb->region_size);
}

int ivp_superblock_check(const struct ivp_superblock *sb, u64 mapped)
{
	if (sb->magic != IVP_MAGIC)
		return -ENOENT;
	if (sb->version != IVP_LAYOUT_VERSION)
		return -EPROTONOSUPPORT;
	if (!counts_hold(sb) || !sizes_hold(sb) || !places_hold(sb))
		return -EINVAL;
	return sb->region_size <= mapped ? 0 : -EMSGSIZE;
}
