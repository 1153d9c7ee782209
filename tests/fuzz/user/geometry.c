// SPDX-License-Identifier: MIT
#include "geometry.h"

#define KiB (1ULL << 10)
#define MiB (1ULL << 20)
#define GiB (1ULL << 30)

void geometry_make(struct input *input, struct ivp_superblock *sb)
{
	u64 slots;

	memset(sb, 0, sizeof(*sb));
	sb->magic = IVP_MAGIC;
	sb->version = 1;
	sb->format_id = 1 + input_byte(input);
	sb->sides = 1 + input_below(input, 16);
	sb->lanes = sb->sides * (1 + input_below(input, 256 / sb->sides));
	sb->align = (u32)(4 * KiB << input_below(input, 9));
	sb->ring_size = 4 * KiB << input_below(input, 19);
	if (sb->ring_size < sb->align)
		sb->ring_size = sb->align;
	sb->half_size = sb->align * (1 + input_below(input, (u32)(MiB / sb->align)));
	sb->lane_stride = 2 * (sb->half_size + sb->ring_size) + sb->align * input_below(input, 4);
	sb->slots_offset = 4 * KiB + 128 * input_below(input, 1 << 16);
	slots = 4 * KiB * sb->sides;
	sb->lanes_offset = sb->slots_offset + slots;
	sb->lanes_offset += (sb->align - sb->lanes_offset % sb->align) % sb->align;
	sb->lanes_offset += (u64)sb->align * input_below(input, 4);
	sb->region_size = sb->lanes_offset + sb->lanes * sb->lane_stride + input_byte(input);
}

static bool is_power(u64 value)
{
	return __builtin_popcountll(value) == 1;
}

static bool within(u64 value, u64 least, u64 most)
{
	return value >= least && value <= most;
}

/* The table, from the top to the bottom. */
static bool table_holds(const struct ivp_superblock *sb)
{
	u128 slots_end = (u128)sb->slots_offset + (u128)sb->sides * 16 * 256;
	u128 lanes_end = (u128)sb->lanes_offset + (u128)sb->lanes * sb->lane_stride;

	return within(sb->sides, 1, 16) && sb->format_id && within(sb->lanes, 1, 256) && sb->lanes % sb->sides == 0 &&
	       is_power(sb->align) && within(sb->align, 4 * KiB, MiB) && sb->slots_offset >= 4 * KiB &&
	       sb->slots_offset % 128 == 0 && sb->lanes_offset % sb->align == 0 && slots_end <= sb->lanes_offset &&
	       sb->lane_stride % sb->align == 0 && sb->lane_stride <= 4 * GiB &&
	       (u128)sb->lane_stride >= 2 * ((u128)sb->half_size + sb->ring_size) && sb->half_size % sb->align == 0 &&
	       within(sb->half_size, 4 * KiB, MiB) && is_power(sb->ring_size) && sb->ring_size >= sb->align &&
	       within(sb->ring_size, 4 * KiB, GiB) && lanes_end <= sb->region_size;
}

int geometry_judge(const struct ivp_superblock *sb, u64 mapped)
{
	if (memcmp(&sb->magic, "IVPIPE\x1a\n", 8))
		return -ENOENT;
	if (sb->version != 1)
		return -EPROTONOSUPPORT;
	if (!table_holds(sb))
		return -EINVAL;
	return sb->region_size > mapped ? -EMSGSIZE : 0;
}

void geometry_require_places(const struct ivp_superblock *sb)
{
	u128 end = sb->slots_offset;

	for (u32 side = 0; side < sb->sides; side++)
		for (u32 number = 0; number < 16; number++, end += 256)
			require(ivp_slot_offset(sb, side, number) == end);
	require(end <= sb->lanes_offset);
	for (u32 lane = 0; lane < sb->lanes; lane++) {
		u128 at = (u128)sb->lanes_offset + (u128)lane * sb->lane_stride;

		require(at >= end);
		require(ivp_half_offset(sb, lane, false) == at);
		require(ivp_half_offset(sb, lane, true) == at + sb->half_size);
		require(ivp_ring_offset(sb, lane, false) == at + 2 * sb->half_size);
		require(ivp_ring_offset(sb, lane, true) == at + 2 * sb->half_size + sb->ring_size);
		require(ivp_lane_side(sb, lane) == lane / (sb->lanes / sb->sides));
		require(ivp_lane_side(sb, lane) < sb->sides);
		end = at + 2 * sb->half_size + 2 * sb->ring_size;
	}
	require(end <= sb->region_size);
}
