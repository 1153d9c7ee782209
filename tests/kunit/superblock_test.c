// SPDX-License-Identifier: GPL-2.0-only
/* kmod/core/superblock.c: what it lays out it believes, and what it believes stays inside of the mapping. */
#include <kunit/test.h>
#include <linux/prandom.h>

#include "core/superblock.c"

typedef unsigned __int128 wide;

/* Everything that a superblock lets us address, in numbers that do not overflow. */
static bool inside(const struct ivp_superblock *sb, u64 mapped)
{
	wide slots_end = (wide)sb->slots_offset + (wide)sb->sides * IVP_SLOTS_PER_SIDE * sizeof(struct ivp_slot);
	wide lanes_end = (wide)sb->lanes_offset + (wide)sb->lanes * sb->lane_stride;
	wide lane = 2 * (wide)sb->half_size + 2 * (wide)sb->ring_size;

	return sb->slots_offset >= IVP_SUPERBLOCK_BYTES && slots_end <= sb->lanes_offset && lanes_end <= mapped &&
	       lane <= sb->lane_stride && sb->half_size >= sizeof(struct ivp_half) && sb->sides && sb->lanes &&
	       sb->lanes % sb->sides == 0;
}

/* Offsets are computed by the inline functions: the last byte of each kind lies where it should. */
static void expect_offsets(struct kunit *test, const struct ivp_superblock *sb)
{
	u32 last = sb->lanes - 1;

	KUNIT_EXPECT_LE(test, ivp_slot_offset(sb, sb->sides - 1, IVP_SLOTS_PER_SIDE - 1) + sizeof(struct ivp_slot),
			sb->lanes_offset);
	KUNIT_EXPECT_LE(test, ivp_half_offset(sb, last, true) + sb->half_size, ivp_ring_offset(sb, last, false));
	KUNIT_EXPECT_LE(test, ivp_ring_offset(sb, last, true) + sb->ring_size, sb->region_size);
	KUNIT_EXPECT_EQ(test, ivp_lane_side(sb, 0), 0u);
	KUNIT_EXPECT_EQ(test, ivp_lane_side(sb, last), sb->sides - 1);
}

static void lay(struct kunit *test, struct ivp_superblock *sb, u64 size)
{
	KUNIT_ASSERT_EQ(test, ivp_superblock_lay(sb, size, 0, 0), 0);
	sb->format_id = 1;
}

static void expect_laid(struct kunit *test, u64 size, u32 lanes, u32 sides)
{
	struct ivp_superblock sb;

	if (ivp_superblock_lay(&sb, size, lanes, sides))
		return;
	sb.format_id = 1;
	KUNIT_EXPECT_EQ_MSG(test, ivp_superblock_check(&sb, size), 0, "%llu bytes, %u lanes, %u sides", size, lanes,
			    sides);
	KUNIT_EXPECT_TRUE_MSG(test, inside(&sb, size), "%llu bytes, %u lanes, %u sides", size, lanes, sides);
	KUNIT_EXPECT_EQ(test, ivp_superblock_check(&sb, size - 1), -EMSGSIZE);
	if (lanes)
		KUNIT_EXPECT_EQ(test, sb.lanes, lanes);
	expect_offsets(test, &sb);
}

static void laid_is_believed(struct kunit *test)
{
	static const u32 lanes[] = {0, 2, 3, 4, 16, 30, 256}, sides[] = {0, 1, 2, 3, 16};
	unsigned int shift, i, j;

	for (shift = 12; shift < 48; shift++)
		for (i = 0; i < ARRAY_SIZE(lanes); i++)
			for (j = 0; j < ARRAY_SIZE(sides); j++) {
				expect_laid(test, 1ULL << shift, lanes[i], sides[j]);
				expect_laid(test, (1ULL << shift) + 4096 * 3, lanes[i], sides[j]);
				expect_laid(test, (1ULL << shift) - 1, lanes[i], sides[j]);
			}
}

static void smallest_fits_exactly(struct kunit *test)
{
	static const u32 counts[][2] = {{2, 2}, {0, 0}, {4, 2}, {16, 16}, {32, 16}, {64, 2}, {256, 2}, {256, 16}};
	struct ivp_superblock sb;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		u64 size = ivp_superblock_smallest(0, counts[i][0], counts[i][1]);

		KUNIT_EXPECT_EQ_MSG(test, ivp_superblock_lay(&sb, size, counts[i][0], counts[i][1]), 0,
				    "%u lanes, %u sides", counts[i][0], counts[i][1]);
	}
	KUNIT_EXPECT_EQ(test, ivp_superblock_smallest(0, 2, 2), (u64)IVP_REGION_MIN);
	KUNIT_EXPECT_EQ(test, ivp_superblock_lay(&sb, IVP_REGION_MIN - 1, 0, 0), -EINVAL);
}

static void impossible_wishes(struct kunit *test)
{
	struct ivp_superblock sb;

	KUNIT_EXPECT_EQ(test, ivp_superblock_lay(&sb, 0, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, ivp_superblock_lay(&sb, 4096, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, ivp_superblock_lay(&sb, 1 << 30, 0, IVP_SIDES_MAX + 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, ivp_superblock_lay(&sb, 1 << 30, IVP_LANES_MAX + 2, 2), -EINVAL);
	KUNIT_EXPECT_EQ(test, ivp_superblock_lay(&sb, 1 << 30, 3, 2), -EINVAL);
	KUNIT_EXPECT_EQ(test, ivp_superblock_lay(&sb, 1 << 30, ~0u, ~0u), -EINVAL);
	KUNIT_EXPECT_EQ(test, ivp_superblock_lay(&sb, 1 << 20, 256, 2), -EINVAL);
}

/* One lie at a time, in a superblock for 64 MiB that is otherwise good. */
struct lie {
	const char *name;
	size_t offset, bytes;
	u64 value;
	int error;
};
#define LIE(field, number, error)                                                                                      \
	{                                                                                                              \
#field " = " #number, offsetof(struct ivp_superblock, field),                                          \
			sizeof(((struct ivp_superblock *)0)->field), number, error                                     \
	}

static const struct lie lies[] = {
	LIE(magic, 0, -ENOENT),
	LIE(magic, IVP_MAGIC + 1, -ENOENT),
	LIE(magic, 0x4956504950451a0aULL, -ENOENT), /* the other byte order */
	LIE(version, 0, -EPROTONOSUPPORT),
	LIE(version, IVP_LAYOUT_VERSION + 1, -EPROTONOSUPPORT),
	LIE(version, ~0u, -EPROTONOSUPPORT),
	LIE(format_id, 0, -EINVAL),
	LIE(sides, 0, -EINVAL),
	LIE(sides, IVP_SIDES_MAX + 1, -EINVAL),
	LIE(sides, ~0u, -EINVAL),
	LIE(lanes, 0, -EINVAL),
	LIE(lanes, 1, -EINVAL),
	LIE(lanes, IVP_LANES_MAX + 2, -EINVAL),
	LIE(lanes, ~0u, -EINVAL),
	LIE(align, 0, -EINVAL),
	LIE(align, 8, -EINVAL),
	LIE(align, 4097, -EINVAL),
	LIE(align, 2 << 20, -EINVAL),
	LIE(align, 1u << 31, -EINVAL),
	LIE(ring_size, 0, -EINVAL),
	LIE(ring_size, IVP_RING_MIN / 2, -EINVAL),
	LIE(ring_size, IVP_RING_MIN + 8, -EINVAL),
	LIE(ring_size, 2 * IVP_RING_MAX, -EINVAL),
	LIE(ring_size, 1ULL << 63, -EINVAL),
	LIE(ring_size, ~0ULL, -EINVAL),
	LIE(half_size, 0, -EINVAL),
	LIE(half_size, IVP_HALF_BYTES - 1, -EINVAL),
	LIE(half_size, IVP_HALF_BYTES + 8, -EINVAL),
	LIE(half_size, 2 << 20, -EINVAL),
	LIE(half_size, ~0ULL, -EINVAL),
	LIE(lane_stride, 0, -EINVAL),
	LIE(lane_stride, 4096, -EINVAL),
	LIE(lane_stride, 1ULL << 63, -EINVAL),
	LIE(lane_stride, -65536ULL, -EINVAL),
	LIE(lane_stride, 8 * IVP_RING_MAX, -EINVAL),
	LIE(slots_offset, 0, -EINVAL),
	LIE(slots_offset, IVP_SUPERBLOCK_BYTES - IVP_LINE, -EINVAL),
	LIE(slots_offset, IVP_SUPERBLOCK_BYTES + 8, -EINVAL),
	LIE(slots_offset, -128ULL, -EINVAL),
	LIE(slots_offset, 1ULL << 63, -EINVAL),
	LIE(lanes_offset, 0, -EINVAL),
	LIE(lanes_offset, IVP_SUPERBLOCK_BYTES, -EINVAL),
	LIE(lanes_offset, -65536ULL, -EINVAL),
	LIE(lanes_offset, 1ULL << 63, -EINVAL),
	LIE(lanes_offset, 64 << 20, -EINVAL),
	LIE(region_size, 0, -EINVAL),
	LIE(region_size, 4096, -EINVAL),
	LIE(region_size, (64 << 20) + 1, -EMSGSIZE),
	LIE(region_size, ~0ULL, -EMSGSIZE),
};

static void lie_name(const struct lie *lie, char *name)
{
	strscpy(name, lie->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(lie, lies, lie_name);

static void one_lie(struct kunit *test)
{
	const struct lie *lie = test->param_value;
	struct ivp_superblock *sb = kunit_kzalloc(test, sizeof(*sb), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sb);
	lay(test, sb, 64 << 20);
	KUNIT_ASSERT_EQ(test, ivp_superblock_check(sb, 64 << 20), 0);
	memcpy((u8 *)sb + lie->offset, &lie->value, lie->bytes);
	KUNIT_EXPECT_EQ(test, ivp_superblock_check(sb, 64 << 20), lie->error);
}

static u64 any_value(struct rnd_state *rnd, u64 was)
{
	u64 random = (u64)prandom_u32_state(rnd) << 32 | prandom_u32_state(rnd);

	switch (prandom_u32_state(rnd) % 6) {
	case 0:
		return random;
	case 1:
		return 1ULL << random % 64;
	case 2:
		return -(1ULL << random % 64);
	case 3:
		return was * 2;
	case 4:
		return was / 2;
	default:
		return was + (random % 3 - 1) * 4096;
	}
}

/* Several lies at a time, by a seed, so that a failure can be seen again: refused, or harmless. */
static void many_lies(struct kunit *test)
{
	static const u8 fields[] = {16, 40, 48, 56, 64, 72}, halves[] = {12, 32, 36};
	u64 size = 64 << 20, value, accepted = 0;
	struct ivp_superblock sb;
	struct rnd_state rnd;
	unsigned int round, i;
	u32 word;

	prandom_seed_state(&rnd, 20);
	for (round = 0; round < 100000; round++) {
		lay(test, &sb, size);
		for (i = prandom_u32_state(&rnd) % 3 + 1; i; i--) {
			u8 at = fields[prandom_u32_state(&rnd) % ARRAY_SIZE(fields)];

			memcpy(&value, (u8 *)&sb + at, 8);
			value = any_value(&rnd, value);
			memcpy((u8 *)&sb + at, &value, 8);
			at = halves[prandom_u32_state(&rnd) % ARRAY_SIZE(halves)];
			memcpy(&word, (u8 *)&sb + at, 4);
			word = prandom_u32_state(&rnd) % 4 ? word : (u32)any_value(&rnd, word);
			memcpy((u8 *)&sb + at, &word, 4);
		}
		if (ivp_superblock_check(&sb, size))
			continue;
		accepted++;
		KUNIT_ASSERT_TRUE_MSG(test, inside(&sb, size), "round %u", round);
	}
	KUNIT_EXPECT_GT(test, accepted, 0ULL);
	kunit_info(test, "%llu of 100000 accepted, all harmless", accepted);
}

static void mapped_less_than_laid(struct kunit *test)
{
	struct ivp_superblock sb;

	lay(test, &sb, 16 << 20);
	KUNIT_EXPECT_EQ(test, ivp_superblock_check(&sb, (16 << 20) - 1), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, ivp_superblock_check(&sb, 0), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, ivp_superblock_check(&sb, 1ULL << 40), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(laid_is_believed),
	KUNIT_CASE(smallest_fits_exactly),
	KUNIT_CASE(impossible_wishes),
	KUNIT_CASE_PARAM(one_lie, lie_gen_params),
	KUNIT_CASE(many_lies),
	KUNIT_CASE(mapped_less_than_laid),
	{},
};

static struct kunit_suite suite = {
	.name = "ivp_superblock",
	.test_cases = cases,
};
kunit_test_suite(suite);
