// SPDX-License-Identifier: GPL-2.0-only
/* kmod/core/span.h: no offset and length, whatever they are, pass for what they are not. */
#include <kunit/test.h>
#include <linux/module.h>

#include "core/span.h"

static const u64 nasty[] = {
	0,
	1,
	2,
	7,
	8,
	9,
	4095,
	4096,
	4097,
	(1ULL << 31) - 1,
	1ULL << 31,
	~0u,
	1ULL << 32,
	(1ULL << 32) + 1,
	(1ULL << 63) - 1,
	1ULL << 63,
	(1ULL << 63) + 1,
	-4096ULL,
	-8ULL,
	-2ULL,
	-1ULL,
};
#define NASTY ARRAY_SIZE(nasty)

/* The same question in numbers so wide that nothing overflows. */
static bool fits_wide(u64 offset, u64 len, u64 size)
{
	return (unsigned __int128)offset + len <= size;
}

static void fits_edges(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, ivp_span_fits(0, 0, 0));
	KUNIT_EXPECT_TRUE(test, ivp_span_fits(4096, 0, 4096));
	KUNIT_EXPECT_TRUE(test, ivp_span_fits(0, 4096, 4096));
	KUNIT_EXPECT_FALSE(test, ivp_span_fits(1, 4096, 4096));
	KUNIT_EXPECT_FALSE(test, ivp_span_fits(4097, 0, 4096));
	KUNIT_EXPECT_FALSE(test, ivp_span_fits(-8ULL, 16, 4096));
	KUNIT_EXPECT_FALSE(test, ivp_span_fits(16, -8ULL, 4096));
	KUNIT_EXPECT_FALSE(test, ivp_span_fits(1ULL << 63, 1ULL << 63, 4096));
}

static void fits_for_any_values(struct kunit *test)
{
	unsigned int i, j, k;

	for (i = 0; i < NASTY; i++)
		for (j = 0; j < NASTY; j++)
			for (k = 0; k < NASTY; k++)
				KUNIT_EXPECT_EQ_MSG(test, ivp_span_fits(nasty[i], nasty[j], nasty[k]),
						    fits_wide(nasty[i], nasty[j], nasty[k]), "%llx %llx %llx", nasty[i],
						    nasty[j], nasty[k]);
}

static void within_for_any_values(struct kunit *test)
{
	const u64 inner = 4096, len = 8192;
	unsigned int i, j;

	for (i = 0; i < NASTY; i++)
		for (j = 0; j < NASTY; j++)
			KUNIT_EXPECT_EQ_MSG(test, ivp_span_within(nasty[i], nasty[j], inner, len),
					    nasty[i] >= inner && fits_wide(nasty[i], nasty[j], inner + len),
					    "%llx %llx", nasty[i], nasty[j]);
}

static void within_edges(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, ivp_span_within(100, 50, 100, 50));
	KUNIT_EXPECT_FALSE(test, ivp_span_within(99, 50, 100, 50));
	KUNIT_EXPECT_FALSE(test, ivp_span_within(101, 50, 100, 50));
	KUNIT_EXPECT_FALSE(test, ivp_span_within(100, 51, 100, 50));
	KUNIT_EXPECT_FALSE(test, ivp_span_within(100, -1ULL, 100, 50));
}

static void power_of_two(struct kunit *test)
{
	unsigned int i;

	KUNIT_EXPECT_FALSE(test, ivp_power_of_two(0));
	for (i = 0; i < 64; i++)
		KUNIT_EXPECT_TRUE(test, ivp_power_of_two(1ULL << i));
	for (i = 2; i < 64; i++) {
		KUNIT_EXPECT_FALSE(test, ivp_power_of_two((1ULL << i) - 1));
		KUNIT_EXPECT_FALSE(test, ivp_power_of_two((1ULL << i) + 1));
	}
}

static void round_up_to_step(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, ivp_round_up(0, 8), 0ULL);
	KUNIT_EXPECT_EQ(test, ivp_round_up(1, 8), 8ULL);
	KUNIT_EXPECT_EQ(test, ivp_round_up(8, 8), 8ULL);
	KUNIT_EXPECT_EQ(test, ivp_round_up(9, 8), 16ULL);
	KUNIT_EXPECT_EQ(test, ivp_round_up(~0u, 8), 1ULL << 32);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(fits_edges),
	KUNIT_CASE(fits_for_any_values),
	KUNIT_CASE(within_edges),
	KUNIT_CASE(within_for_any_values),
	KUNIT_CASE(power_of_two),
	KUNIT_CASE(round_up_to_step),
	{},
};

static struct kunit_suite suite = {
	.name = "ivp_span",
	.test_cases = cases,
};
kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit suites of the ivpipe core");
MODULE_LICENSE("GPL");
