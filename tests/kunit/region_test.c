// SPDX-License-Identifier: GPL-2.0-only
/* kmod/region.c: the window check for any values; copies at every edge; what each kind of memory becomes. */
#include <kunit/test.h>
#include <linux/slab.h>

#include "fake.h"
#include "region.c"

static const unsigned long nasty[] = {
	0,         1,         2,         15,        16,        17,      4095,  4096, 1UL << 20,
	1UL << 31, 1UL << 32, 1UL << 51, 1UL << 52, 1UL << 63, -4096UL, -16UL, -2UL, -1UL,
};

static void window_fits_for_any_values(struct kunit *test)
{
	static const u64 sizes[] = {0, 1024, 4096, 65536, 65536 + 512, 1ULL << 32, 1ULL << 45, ~0ULL};
	unsigned int s, i, j;

	for (s = 0; s < ARRAY_SIZE(sizes); s++)
		for (i = 0; i < ARRAY_SIZE(nasty); i++)
			for (j = 0; j < ARRAY_SIZE(nasty); j++) {
				struct ivshmem_region r = {.size = sizes[s]};
				unsigned __int128 end = ((unsigned __int128)nasty[i] + nasty[j]) << PAGE_SHIFT;
				bool fits = nasty[j] && end <= sizes[s];

				KUNIT_EXPECT_EQ_MSG(test, ivshmem_region_fits(&r, nasty[i], nasty[j]), fits,
						    "%lx pages at %lx of %llx bytes", nasty[j], nasty[i], sizes[s]);
			}
}

static void window_edges(struct kunit *test)
{
	struct ivshmem_region r = {.size = 16 * PAGE_SIZE};

	KUNIT_EXPECT_TRUE(test, ivshmem_region_fits(&r, 0, 16));
	KUNIT_EXPECT_TRUE(test, ivshmem_region_fits(&r, 15, 1));
	KUNIT_EXPECT_FALSE(test, ivshmem_region_fits(&r, 0, 17));
	KUNIT_EXPECT_FALSE(test, ivshmem_region_fits(&r, 15, 2));
	KUNIT_EXPECT_FALSE(test, ivshmem_region_fits(&r, 16, 1));
	KUNIT_EXPECT_FALSE(test, ivshmem_region_fits(&r, 16, 0));
	KUNIT_EXPECT_FALSE(test, ivshmem_region_fits(&r, -1UL, 2));
}

static void words(struct kunit *test)
{
	static const u64 inside[] = {0, 4, 1024, 1536 - 4},
			 outside[] = {1, 2, 3, 1536, 1536 - 2, 1540, 1ULL << 32, 1ULL << 63, ~3ULL, ~0ULL};
	struct ivshmem_region r = {.size = 1536};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(inside); i++)
		KUNIT_EXPECT_TRUE_MSG(test, ivshmem_region_has_word(&r, inside[i]), "%llx", inside[i]);
	for (i = 0; i < ARRAY_SIZE(outside); i++)
		KUNIT_EXPECT_FALSE_MSG(test, ivshmem_region_has_word(&r, outside[i]), "%llx", outside[i]);
	r.size = 3;
	KUNIT_EXPECT_FALSE(test, ivshmem_region_has_word(&r, 0));
}

/* At every edge of a window, and at the ends, bytes go in and come out; KASAN has an eye on both buffers. */
static void copy_at_edges(struct kunit *test, struct ivshmem_region *r)
{
	static const size_t lengths[] = {1, 7, 512, 4095, 4096, IVSHMEM_WINDOW};
	u8 *in = kunit_kzalloc(test, IVSHMEM_WINDOW, GFP_KERNEL),
	   *out = kunit_kzalloc(test, IVSHMEM_WINDOW, GFP_KERNEL);
	unsigned int i;
	u64 window;

	KUNIT_ASSERT_TRUE(test, in && out);
	for (window = 0; window < r->size; window += IVSHMEM_WINDOW)
		for (i = 0; i < ARRAY_SIZE(lengths); i++) {
			u64 last = min(window + IVSHMEM_WINDOW, r->size), pos;

			if (lengths[i] > last - window)
				continue;
			pos = last - lengths[i];
			memset(in, (u8)(i + window / IVSHMEM_WINDOW + 1), lengths[i]);
			KUNIT_ASSERT_EQ(test, ivshmem_region_copy(r, pos, in, lengths[i], true), 0);
			KUNIT_ASSERT_EQ(test, ivshmem_region_copy(r, pos, out, lengths[i], false), 0);
			KUNIT_EXPECT_EQ_MSG(test, memcmp(in, out, lengths[i]), 0, "%zu bytes at %llx", lengths[i], pos);
		}
}

static void copy_of_plain_memory(struct kunit *test)
{
	struct ivshmem_region r = {.size = 3 * IVSHMEM_WINDOW / 2};

	r.ram = kunit_kzalloc(test, r.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, r.ram);
	copy_at_edges(test, &r);
}

/* The first and the last word, and those beside the borders of views, once they have been reached. */
static void load_at_edges(struct kunit *test, struct ivshmem_region *r)
{
	const u64 offsets[] = {0, VIEW - 4, VIEW, r->size - 4};
	unsigned int i;
	u32 word;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		if (!ivshmem_region_has_word(r, offsets[i]))
			continue;
		word = 0x01020304 * (i + 1);
		KUNIT_ASSERT_EQ(test, ivshmem_region_copy(r, offsets[i], &word, sizeof(word), true), 0);
		KUNIT_ASSERT_EQ(test, ivshmem_region_reach(r, offsets[i]), 0);
		KUNIT_EXPECT_EQ(test, ivshmem_region_load(r, offsets[i]), word);
	}
}

static void create_and_copy(struct kunit *test, u64 offset, u64 size, u32 cache, u32 reason)
{
	struct ivshmem_region r = {};

	KUNIT_ASSERT_EQ(test, ivshmem_region_create(&r, fake_parent(), fake_memory(test) + offset, size), 0);
	KUNIT_EXPECT_EQ(test, r.cache, cache);
	KUNIT_EXPECT_EQ(test, r.reason, reason);
	KUNIT_EXPECT_EQ(test, !!r.pages + !!r.ram + !!r.io, 1);
	KUNIT_EXPECT_EQ(test, ivshmem_region_mappable(&r), reason != IVSHMEM_REASON_SUBPAGE);
	copy_at_edges(test, &r);
	load_at_edges(test, &r);
	ivshmem_region_destroy(&r);
}

static void memory_with_pages(struct kunit *test)
{
	create_and_copy(test, 0, SZ_4M, IVSHMEM_CACHE_WRITE_BACK, IVSHMEM_REASON_NONE);
}

static void memory_too_small_for_pages(struct kunit *test)
{
	create_and_copy(test, 0, SZ_1M, IVSHMEM_CACHE_WRITE_BACK, IVSHMEM_REASON_SMALL);
}

static void memory_ill_placed_for_pages(struct kunit *test)
{
	create_and_copy(test, SZ_1M, SZ_2M, IVSHMEM_CACHE_WRITE_BACK, IVSHMEM_REASON_SMALL);
}

static void memory_by_write_combining(struct kunit *test)
{
	writeback = false;
	create_and_copy(test, 0, SZ_1M, IVSHMEM_CACHE_WRITE_COMBINE, IVSHMEM_REASON_SMALL);
	writeback = true;
}

static void memory_of_half_a_page(struct kunit *test)
{
	create_and_copy(test, 2048, 1024, IVSHMEM_CACHE_NONE, IVSHMEM_REASON_SUBPAGE);
}

static void memory_of_a_page_and_a_half(struct kunit *test)
{
	create_and_copy(test, 0, 6144, IVSHMEM_CACHE_NONE, IVSHMEM_REASON_SUBPAGE);
}

static void memory_that_is_taken(struct kunit *test)
{
	struct ivshmem_region r = {}, again = {};
	phys_addr_t start = fake_memory(test);

	KUNIT_ASSERT_EQ(test, ivshmem_region_create(&r, fake_parent(), start, SZ_4M), 0);
	KUNIT_EXPECT_EQ(test, ivshmem_region_create(&again, fake_parent(), start, SZ_4M), -EBUSY);
	KUNIT_EXPECT_EQ(test, ivshmem_region_create(&again, fake_parent(), start + SZ_2M, SZ_2M), -EBUSY);
	KUNIT_EXPECT_EQ(test, ivshmem_region_create(&again, fake_parent(), start + SZ_1M, 4096), -EBUSY);
	ivshmem_region_destroy(&r);
	KUNIT_EXPECT_EQ(test, ivshmem_region_create(&again, fake_parent(), start, SZ_4M), 0);
	ivshmem_region_destroy(&again);
}

static int suite_init(struct kunit_suite *suite)
{
	return fake_user_begin();
}

static void suite_exit(struct kunit_suite *suite)
{
	fake_user_end();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(window_fits_for_any_values),
	KUNIT_CASE(window_edges),
	KUNIT_CASE(words),
	KUNIT_CASE(copy_of_plain_memory),
	KUNIT_CASE(memory_with_pages),
	KUNIT_CASE(memory_too_small_for_pages),
	KUNIT_CASE(memory_ill_placed_for_pages),
	KUNIT_CASE(memory_by_write_combining),
	KUNIT_CASE(memory_of_half_a_page),
	KUNIT_CASE(memory_of_a_page_and_a_half),
	KUNIT_CASE(memory_that_is_taken),
	{},
};

static struct kunit_suite suite = {
	.name = "ivshmem_region",
	.suite_init = suite_init,
	.suite_exit = suite_exit,
	.test_cases = cases,
};
kunit_test_suite(suite);
