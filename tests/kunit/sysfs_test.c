// SPDX-License-Identifier: GPL-2.0-only
/* kmod/sysfs.c: a word for every number that the header has, and what the attributes print. */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "sysfs.c"

static void every_cache_has_a_word(struct kunit *test)
{
	struct ivshmem_device *ivd = kunit_kzalloc(test, sizeof(*ivd), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ivd);
	for (; ivd->region.cache <= IVSHMEM_CACHE_UNCACHED; ivd->region.cache++)
		KUNIT_EXPECT_NOT_NULL(test, ivshmem_sysfs_cache(ivd));
}

static void every_reason_has_a_word(struct kunit *test)
{
	struct ivshmem_device *ivd = kunit_kzalloc(test, sizeof(*ivd), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ivd);
	for (; ivd->region.reason <= IVSHMEM_REASON_REFUSED; ivd->region.reason++)
		KUNIT_EXPECT_NOT_NULL(test, ivshmem_sysfs_reason(ivd));
}

static void models(struct kunit *test)
{
	struct ivshmem_device *ivd = kunit_kzalloc(test, sizeof(*ivd), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ivd);
	ivd->model = IVSHMEM_MODEL_PLAIN;
	KUNIT_EXPECT_STREQ(test, ivshmem_sysfs_model(ivd), "plain");
	ivd->model = IVSHMEM_MODEL_DOORBELL;
	KUNIT_EXPECT_STREQ(test, ivshmem_sysfs_model(ivd), "doorbell");
}

static void expect_shown(struct kunit *test, struct ivshmem_device *ivd, const struct device_attribute *attr,
			 const char *text)
{
	char *page = (char *)get_zeroed_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	attr->show(&ivd->dev, NULL, page);
	KUNIT_EXPECT_STREQ(test, page, text);
	free_page((unsigned long)page);
}

static void attributes(struct kunit *test)
{
	struct ivshmem_device *ivd = kunit_kzalloc(test, sizeof(*ivd), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ivd);
	ivd->region.size = ~0ULL;
	ivd->ivposition = 65535;
	ivd->vectors = 2048;
	ivd->index = 1023;
	strscpy(ivd->slot, "0000:00:1f.7", sizeof(ivd->slot));
	expect_shown(test, ivd, &dev_attr_size, "18446744073709551615\n");
	expect_shown(test, ivd, &dev_attr_ivposition, "65535\n");
	expect_shown(test, ivd, &dev_attr_vectors, "2048\n");
	expect_shown(test, ivd, &dev_attr_index, "1023\n");
	expect_shown(test, ivd, &dev_attr_slot, "0000-00-1f.7\n");
	expect_shown(test, ivd, &dev_attr_cache, "none\n");
	KUNIT_EXPECT_STREQ(test, ivd->slot, "0000:00:1f.7");
}

static void longest_slot(struct kunit *test)
{
	struct ivshmem_device *ivd = kunit_kzalloc(test, sizeof(*ivd), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ivd);
	strscpy(ivd->slot, "::::::::::::::::::::::::::::::::::::", sizeof(ivd->slot));
	expect_shown(test, ivd, &dev_attr_slot, "-------------------------------\n");
}

static struct kunit_case cases[] = {
	KUNIT_CASE(every_cache_has_a_word),
	KUNIT_CASE(every_reason_has_a_word),
	KUNIT_CASE(models),
	KUNIT_CASE(attributes),
	KUNIT_CASE(longest_slot),
	{},
};

static struct kunit_suite suite = {
	.name = "ivshmem_sysfs",
	.test_cases = cases,
};
kunit_test_suite(suite);
