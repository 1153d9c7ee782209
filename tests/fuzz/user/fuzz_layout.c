// SPDX-License-Identifier: MIT
/* The superblock: whether one is believed, and what is laid out. */
#define _GNU_SOURCE
#define XXH_INLINE_ALL
#include <xxhash.h>

/* For what is static in it. */
#include "find.c"
#include "geometry.h"
#include "region.h"

static const struct {
	size_t offset, size;
} fields[] = {
#define FIELD(name)                                                                                                    \
	{                                                                                                              \
		offsetof(struct ivp_superblock, name), sizeof(((struct ivp_superblock *)0)->name)                      \
	}
	FIELD(magic),    FIELD(version),      FIELD(sides),        FIELD(region_size), FIELD(format_id),
	FIELD(lanes),    FIELD(align),        FIELD(lane_stride),  FIELD(half_size),   FIELD(ring_size),
	FIELD(checksum), FIELD(slots_offset), FIELD(lanes_offset), FIELD(reserved),
};

/* Another number, or one near by: limits are missed by one. */
static u64 other_value(struct input *input, u64 value)
{
	switch (input_below(input, 4)) {
	case 0:
		return input_number(input);
	case 1:
		return value + (u64)(int64_t)(int8_t)input_byte(input);
	case 2:
		return value + ((u64)(int64_t)(int8_t)input_byte(input) << 12);
	default:
		return input_byte(input) % 2 ? value << 1 : value >> 1;
	}
}

static void spoil(struct input *input, struct ivp_superblock *sb)
{
	for (u32 count = input_below(input, 4); count; count--) {
		u32 which = input_below(input, ARRAY_SIZE(fields));
		u8 *at = (u8 *)sb + fields[which].offset;
		size_t size = fields[which].size < 8 ? fields[which].size : 8;
		u64 value = 0;

		memcpy(&value, at, size);
		value = other_value(input, value);
		memcpy(at, &value, size);
	}
}

/* From a copy of its exact size, which the address sanitiser watches. */
static int read_back(const struct ivp_superblock *sb, u64 mapped)
{
	struct ivp_region region = {.map = malloc(sizeof(*sb)), .size = mapped};
	struct ivp_superblock copy;
	int ret;

	require(region.map);
	memcpy(region.map, sb, sizeof(*sb));
	ret = ivp_region_read_superblock(&region, &copy);
	require(!memcmp(&copy, sb, sizeof(copy)));
	free(region.map);
	return ret;
}

static void judge(struct input *input)
{
	struct ivp_superblock sb;
	bool sum_holds, good;
	u64 mapped;
	int ret;

	geometry_make(input, &sb);
	sb.checksum = XXH64(&sb, 248, 0);
	spoil(input, &sb);
	if (input_byte(input) % 4)
		sb.checksum = XXH64(&sb, 248, 0);
	mapped = other_value(input, sb.region_size);
	ret = geometry_judge(&sb, mapped);
	sum_holds = sb.checksum == XXH64(&sb, 248, 0);
	good = !ret && sum_holds;
	require(ivp_superblock_sum(&sb) == XXH64(&sb, 248, 0));
	require(ivp_superblock_check(&sb, mapped) == ret);
	require(is_superblock(&sb, mapped) == good);
	require(read_back(&sb, mapped) == ((ret && ret != -EMSGSIZE) || sum_holds ? ret : -EINVAL));
	if (!ret || ret == -EMSGSIZE)
		geometry_require_places(&sb);
}

/* As many lanes as were asked for, or as fit; for one more of each side there is no room. */
static void require_lanes(const struct ivp_superblock *sb, u64 size, u32 lanes, u32 sides)
{
	u128 more = (u128)sb->lanes + sb->sides;

	require(sb->sides == (sides ? sides : 2) && sb->region_size == size);
	if (lanes)
		require(sb->lanes == lanes);
	else
		require(more > 256 || sb->lanes_offset + more * sb->lane_stride > size);
}

/* Near the smallest that will do is where it goes wrong. */
static u64 size_to_lay(struct input *input, u32 lanes, u32 sides)
{
	u64 size = input_number(input);

	if (input_byte(input) % 2)
		size = ivp_superblock_smallest(size, lanes, sides) + (u64)(int64_t)(int8_t)input_byte(input);
	return size;
}

static void lay(struct input *input)
{
	u32 lanes = input_below(input, 300), sides = input_below(input, 20);
	bool possible = lanes <= 256 && sides <= 16 && lanes % (sides ? sides : 2) == 0;
	u64 size = possible ? size_to_lay(input, lanes, sides) : input_number(input);
	struct ivp_superblock sb;

	if (possible && size < ivp_superblock_smallest(size, lanes, sides)) {
		require(ivp_superblock_lay(&sb, size, lanes, sides) == -EINVAL);
		size = ivp_superblock_smallest(size, lanes, sides);
	}
	require(ivp_superblock_lay(&sb, size, lanes, sides) == (possible ? 0 : -EINVAL));
	if (!possible)
		return;
	sb.format_id = 1;
	require(!ivp_superblock_check(&sb, size) && !geometry_judge(&sb, size));
	require_lanes(&sb, size, lanes, sides);
	geometry_require_places(&sb);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = {bytes, size};

	do {
		if (input_byte(&input) % 2)
			lay(&input);
		else
			judge(&input);
	} while (input.left);
	return 0;
}
