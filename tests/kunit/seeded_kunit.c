// SPDX-License-Identifier: GPL-2.0-only
/* A suite that fails, so that one that does not means something. */
#include <kunit/test.h>
#include <linux/module.h>

static void passes(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 1, 1);
}

static void fails(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 1, 2);
}

static const int numbers[] = {1, 2};
KUNIT_ARRAY_PARAM(number, numbers, NULL);

static void fails_for_one(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, *(const int *)test->param_value, 1);
}

static void is_skipped(struct kunit *test)
{
	kunit_skip(test, "on purpose");
}

static struct kunit_case cases[] = {
	KUNIT_CASE(passes),
	KUNIT_CASE(fails),
	KUNIT_CASE_PARAM(fails_for_one, number_gen_params),
	KUNIT_CASE(is_skipped),
	{},
};

static struct kunit_suite suite = {
	.name = "seeded",
	.test_cases = cases,
};
kunit_test_suite(suite);

MODULE_DESCRIPTION("A suite that fails on purpose");
MODULE_LICENSE("GPL");
