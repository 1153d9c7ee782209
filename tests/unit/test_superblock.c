// SPDX-License-Identifier: MIT
#include "span.h"
#include "superblock.h"
#include "unit.h"

#define KiB 1024ULL
#define MiB (1024 * KiB)
#define GiB (1024 * MiB)

static void lay_good(struct ivp_superblock *sb, u64 size, u32 lanes, u32 sides)
{
	assert_int_equal(ivp_superblock_lay(sb, size, lanes, sides), 0);
	sb->format_id = 1;
}

static void assert_lane_holds(const struct ivp_superblock *sb, u32 lane, u64 mapped)
{
	u64 begin = sb->lanes_offset + lane * sb->lane_stride;
	u64 places[4] = {ivp_half_offset(sb, lane, false), ivp_half_offset(sb, lane, true),
			 ivp_ring_offset(sb, lane, false), ivp_ring_offset(sb, lane, true)};
	u64 sizes[4] = {IVP_HALF_BYTES, IVP_HALF_BYTES, sb->ring_size, sb->ring_size};

	for (int i = 0; i < 4; i++) {
		assert_true(ivp_span_fits(places[i], sizes[i], mapped));
		assert_true(ivp_span_within(places[i], sizes[i], begin, sb->lane_stride));
		assert_int_equal(places[i] % sb->align, 0);
		if (i)
			assert_true(places[i] >= places[i - 1] + sizes[i - 1]);
	}
	assert_true(ivp_lane_side(sb, lane) < sb->sides);
}

/* Everything that a checked superblock vouches for lies in the mapping, aligned, and on nothing else. */
static void assert_vouched(const struct ivp_superblock *sb, u64 mapped)
{
	u64 slots_end = ivp_slot_offset(sb, sb->sides - 1, IVP_SLOTS_PER_SIDE - 1) + sizeof(struct ivp_slot);

	assert_true(ivp_slot_offset(sb, 0, 0) >= IVP_SUPERBLOCK_BYTES);
	assert_int_equal(ivp_slot_offset(sb, 0, 0) % IVP_LINE, 0);
	assert_true(slots_end <= sb->lanes_offset);
	assert_true(slots_end <= mapped);
	assert_int_not_equal(sb->format_id, 0);
	for (u32 lane = 0; lane < sb->lanes; lane++)
		assert_lane_holds(sb, lane, mapped);
}

static void no_magic_is_no_region(void **state)
{
	struct ivp_superblock sb;

	(void)state;
	lay_good(&sb, 64 * MiB, 0, 0);
	sb.magic ^= 1;
	assert_int_equal(ivp_superblock_check(&sb, 64 * MiB), -ENOENT);
	memset(&sb, 0, sizeof(sb));
	assert_int_equal(ivp_superblock_check(&sb, 64 * MiB), -ENOENT);
	memset(&sb, 0xff, sizeof(sb));
	assert_int_equal(ivp_superblock_check(&sb, 64 * MiB), -ENOENT);
}

static void the_magic_reads_as_a_word_in_memory(void **state)
{
	u64 magic = IVP_MAGIC;

	(void)state;
	assert_memory_equal(&magic, "IVPIPE\x1a\n", 8);
}

static void another_version_is_told_from_damage(void **state)
{
	struct ivp_superblock sb;

	(void)state;
	lay_good(&sb, 64 * MiB, 0, 0);
	for (int i = 0; i < 3; i++) {
		sb.version = (u32[]){0, 2, ~0u}[i];
		assert_int_equal(ivp_superblock_check(&sb, 64 * MiB), -EPROTONOSUPPORT);
	}
}

static void more_than_is_mapped_is_refused(void **state)
{
	struct ivp_superblock sb;

	(void)state;
	lay_good(&sb, 64 * MiB, 0, 0);
	assert_int_equal(ivp_superblock_check(&sb, 64 * MiB - 1), -EMSGSIZE);
	assert_int_equal(ivp_superblock_check(&sb, 4096), -EMSGSIZE);
	assert_int_equal(ivp_superblock_check(&sb, 0), -EMSGSIZE);
	assert_int_equal(ivp_superblock_check(&sb, 64 * MiB), 0);
	assert_int_equal(ivp_superblock_check(&sb, 128 * MiB), 0);
}

static void no_format_id_is_damage(void **state)
{
	struct ivp_superblock sb;

	(void)state;
	lay_good(&sb, 64 * MiB, 0, 0);
	sb.format_id = 0;
	assert_int_equal(ivp_superblock_check(&sb, 64 * MiB), -EINVAL);
}

#define FIELD(name)                                                                                                    \
	{                                                                                                              \
		offsetof(struct ivp_superblock, name), sizeof(((struct ivp_superblock *)0)->name)                      \
	}
static const struct {
	size_t offset, size;
} fields[] = {
	FIELD(version),      FIELD(sides),       FIELD(region_size), FIELD(format_id),
	FIELD(lanes),        FIELD(align),       FIELD(magic),       FIELD(slots_offset),
	FIELD(lanes_offset), FIELD(lane_stride), FIELD(half_size),   FIELD(ring_size),
};

static void set_field(struct ivp_superblock *sb, size_t field, u64 value)
{
	memcpy((u8 *)sb + fields[field].offset, &value, fields[field].size);
}

static void assert_refused_or_vouched(const struct ivp_superblock *sb, u64 mapped)
{
	if (!ivp_superblock_check(sb, mapped))
		assert_vouched(sb, mapped);
}

static void any_one_field_wrong_is_refused_or_harmless(void **state)
{
	static const u64 values[] = {
		0,
		1,
		2,
		3,
		7,
		8,
		127,
		128,
		255,
		256,
		257,
		4095,
		4096,
		4097,
		65535,
		65536,
		1 << 20,
		1 << 30,
		1ULL << 31,
		1ULL << 32,
		(1ULL << 32) + 1,
		1ULL << 62,
		1ULL << 63,
		~0ULL,
		~0ULL - 7,
		~0ULL - 4095,
		~0ULL - 65535,
	};
	static const u64 sizes[] = {IVP_REGION_MIN, MiB, 4 * MiB, 64 * MiB, 8 * GiB};
	struct ivp_superblock good, bad;
	u64 seed = 2;

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		lay_good(&good, sizes[s], 0, 2);
		for (size_t f = 0; f < ARRAY_SIZE(fields); f++) {
			for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
				bad = good;
				set_field(&bad, f, values[v]);
				assert_refused_or_vouched(&bad, sizes[s]);
			}
			for (int i = 0; i < 1000; i++) {
				bad = good;
				set_field(&bad, f, unit_nasty(&seed));
				assert_refused_or_vouched(&bad, sizes[s]);
			}
		}
	}
}

static void any_fields_wrong_are_refused_or_harmless(void **state)
{
	struct ivp_superblock bad;
	u64 seed = 3;

	(void)state;
	for (int i = 0; i < 300000; i++) {
		u64 size = MiB << unit_random(&seed) % 7;

		lay_good(&bad, size, 0, 1 + unit_random(&seed) % 4);
		for (u64 n = 1 + unit_random(&seed) % 4; n; n--)
			set_field(&bad, 1 + unit_random(&seed) % (ARRAY_SIZE(fields) - 1), unit_nasty(&seed));
		bad.magic = IVP_MAGIC;
		assert_refused_or_vouched(&bad, size);
	}
}

static void assert_laid_well(u64 size, u32 lanes, u32 sides)
{
	struct ivp_superblock sb;
	int ret;

	memset(&sb, 0xa5, sizeof(sb));
	ret = ivp_superblock_lay(&sb, size, lanes, sides);
	if (ret) {
		assert_int_equal(ret, -EINVAL);
		return;
	}
	sb.format_id = 1;
	assert_int_equal(ivp_superblock_check(&sb, size), 0);
	assert_vouched(&sb, size);
	assert_int_equal(sb.sides, sides ? sides : 2);
	assert_int_equal(sb.region_size, size);
	assert_int_equal(sb.align, size >= 4 * MiB ? 64 * KiB : 4 * KiB);
	if (lanes)
		assert_int_equal(sb.lanes, lanes);
	for (size_t i = 0; i < sizeof(sb.reserved); i++)
		assert_int_equal(sb.reserved[i], 0);
}

static void every_size_is_laid_out_well_or_refused(void **state)
{
	static const u32 per_side[] = {0, 1, 2, 3, 16, 100};
	u64 seed = 4;

	(void)state;
	for (u64 size = KiB; size <= 8 * GiB; size *= 2)
		for (u32 sides = 0; sides <= IVP_SIDES_MAX + 1; sides++)
			for (size_t i = 0; i < ARRAY_SIZE(per_side); i++) {
				u32 lanes = per_side[i] * (sides ? sides : 2);

				assert_laid_well(size, lanes, sides);
				assert_laid_well(size - 1, lanes, sides);
				assert_laid_well(size + 1, lanes, sides);
				assert_laid_well(size + unit_random(&seed) % size, lanes, sides);
			}
}

static void the_smallest_size_is_the_smallest(void **state)
{
	struct ivp_superblock sb;

	(void)state;
	for (u32 sides = 1; sides <= IVP_SIDES_MAX; sides++)
		for (u32 lanes = sides; lanes <= IVP_LANES_MAX; lanes += sides) {
			u64 size = ivp_superblock_smallest(0, lanes, sides);

			assert_int_equal(ivp_superblock_lay(&sb, size, lanes, sides), 0);
			assert_int_equal(ivp_superblock_lay(&sb, size - 1, lanes, sides), -EINVAL);
		}
	assert_int_equal(ivp_superblock_smallest(0, 0, 0), IVP_REGION_MIN);
}

/* From 4 MiB up halves and rings are larger, and more bytes may hold fewer lanes: what is told has to do nevertheless. */
static void a_larger_size_that_would_do_is_told(void **state)
{
	static const u64 sizes[] = {4 * MiB - 1, 4 * MiB, 8 * MiB, 16 * MiB, 64 * MiB, 128 * MiB};
	struct ivp_superblock sb;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		for (u32 lanes = 2; lanes <= IVP_LANES_MAX; lanes += 2) {
			u64 size = ivp_superblock_smallest(sizes[i], lanes, 2);

			assert_int_equal(ivp_superblock_lay(&sb, size, lanes, 2), 0);
			if (size > sizes[i])
				assert_int_equal(ivp_superblock_lay(&sb, sizes[i], lanes, 2), -EINVAL);
		}
	assert_true(ivp_superblock_smallest(8 * MiB, 200, 2) > 8 * MiB);
}

static void impossible_numbers_are_refused(void **state)
{
	struct ivp_superblock sb;

	(void)state;
	assert_int_equal(ivp_superblock_lay(&sb, 64 * MiB, 0, 17), -EINVAL);
	assert_int_equal(ivp_superblock_lay(&sb, 64 * MiB, 0, ~0u), -EINVAL);
	assert_int_equal(ivp_superblock_lay(&sb, 8 * GiB, 257, 1), -EINVAL);
	assert_int_equal(ivp_superblock_lay(&sb, 8 * GiB, ~0u, 1), -EINVAL);
	assert_int_equal(ivp_superblock_lay(&sb, 64 * MiB, 3, 2), -EINVAL);
	assert_int_equal(ivp_superblock_lay(&sb, IVP_REGION_MIN - 1, 0, 0), -EINVAL);
	assert_int_equal(ivp_superblock_lay(&sb, 0, 0, 0), -EINVAL);
}

static void defaults_are_what_the_protocol_says(void **state)
{
	struct ivp_superblock sb;

	(void)state;
	lay_good(&sb, 256 * MiB, 0, 0);
	assert_int_equal(sb.ring_size, 512 * KiB);
	assert_int_equal(sb.lanes % 2, 0);
	lay_good(&sb, 16 * MiB, 0, 0);
	assert_int_equal(sb.ring_size, 256 * KiB);
	lay_good(&sb, 8 * GiB, 0, 0);
	assert_int_equal(sb.lanes, IVP_LANES_MAX);
}

static void sides_share_the_lanes_evenly(void **state)
{
	(void)state;
	for (u32 sides = 1; sides <= IVP_SIDES_MAX; sides++) {
		struct ivp_superblock sb;
		u32 count[IVP_SIDES_MAX] = {0};

		lay_good(&sb, 256 * MiB, 0, sides);
		for (u32 lane = 0; lane < sb.lanes; lane++)
			count[ivp_lane_side(&sb, lane)]++;
		for (u32 side = 0; side < sides; side++)
			assert_int_equal(count[side], sb.lanes / sides);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_magic_is_no_region),
		cmocka_unit_test(the_magic_reads_as_a_word_in_memory),
		cmocka_unit_test(another_version_is_told_from_damage),
		cmocka_unit_test(more_than_is_mapped_is_refused),
		cmocka_unit_test(no_format_id_is_damage),
		cmocka_unit_test(any_one_field_wrong_is_refused_or_harmless),
		cmocka_unit_test(any_fields_wrong_are_refused_or_harmless),
		cmocka_unit_test(every_size_is_laid_out_well_or_refused),
		cmocka_unit_test(the_smallest_size_is_the_smallest),
		cmocka_unit_test(a_larger_size_that_would_do_is_told),
		cmocka_unit_test(impossible_numbers_are_refused),
		cmocka_unit_test(defaults_are_what_the_protocol_says),
		cmocka_unit_test(sides_share_the_lanes_evenly),
	};

	return cmocka_run_group_tests_name("superblock", tests, NULL, NULL);
}
