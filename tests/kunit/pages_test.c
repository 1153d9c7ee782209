// SPDX-License-Identifier: GPL-2.0-only
/* kmod/pages.c: when there are struct pages, and what becomes of those that somebody still holds. */
#include <kunit/test.h>

#include "fake.h"
#include "pages.c"

static void reasons_not_to_try(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, why_not(SZ_2M, SZ_2M), (u32)IVSHMEM_REASON_NONE);
	KUNIT_EXPECT_EQ(test, why_not(SZ_2M, SZ_1M), (u32)IVSHMEM_REASON_SMALL);
	KUNIT_EXPECT_EQ(test, why_not(SZ_1M, SZ_2M), (u32)IVSHMEM_REASON_SMALL);
	KUNIT_EXPECT_EQ(test, why_not(SZ_2M + 4096, SZ_2M), (u32)IVSHMEM_REASON_SMALL);
	KUNIT_EXPECT_EQ(test, why_not(1ULL << 47, SZ_2M), (u32)IVSHMEM_REASON_DIRECT_MAP);
	KUNIT_EXPECT_EQ(test, why_not(SZ_2M, 1ULL << 47), (u32)IVSHMEM_REASON_DIRECT_MAP);
	KUNIT_EXPECT_EQ(test, why_not(SZ_2M, 1ULL << 40), (u32)IVSHMEM_REASON_NO_MEMORY);
	pages = false;
	KUNIT_EXPECT_EQ(test, why_not(SZ_2M, SZ_2M), (u32)IVSHMEM_REASON_PARAMETER);
	pages = true;
}

static void refusals_leave_nothing(struct kunit *test)
{
	u32 reason = ~0u;

	KUNIT_EXPECT_PTR_EQ(test, ivshmem_pages_create(fake_parent(), SZ_1M, SZ_1M, &reason), NULL);
	KUNIT_EXPECT_EQ(test, reason, (u32)IVSHMEM_REASON_SMALL);
}

static struct ivshmem_pages *create(struct kunit *test)
{
	u32 reason;
	struct ivshmem_pages *p = ivshmem_pages_create(fake_parent(), fake_memory(test), FAKE_MEMORY_SIZE, &reason);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_EQ(test, reason, (u32)IVSHMEM_REASON_NONE);
	return p;
}

static void expect_taken(struct kunit *test, bool taken)
{
	phys_addr_t start = fake_memory(test);

	KUNIT_EXPECT_EQ(test, ivshmem_pages_taken(start, FAKE_MEMORY_SIZE), taken);
	KUNIT_EXPECT_EQ(test, ivshmem_pages_taken(start + FAKE_MEMORY_SIZE - SZ_2M, SZ_2M), taken);
	KUNIT_EXPECT_EQ(test, ivshmem_pages_taken(start + SZ_2M, 4096), taken);
}

static void pages_come_and_go(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		struct ivshmem_pages *p = create(test);

		expect_taken(test, true);
		KUNIT_EXPECT_TRUE(test, idle(p));
		KUNIT_EXPECT_EQ(test, p->pfn, p->end);
		ivshmem_pages_destroy(p);
		expect_taken(test, false);
	}
}

static void folios_or_none(struct kunit *test)
{
	struct ivshmem_pages *p = create(test);
	struct page *page = pfn_to_page(p->pfn);

	KUNIT_EXPECT_EQ(test, p->order, (unsigned int)PMD_SHIFT - PAGE_SHIFT);
	KUNIT_EXPECT_TRUE(test, whole(p));
	KUNIT_EXPECT_PTR_EQ(test, compound_head(page + 1000), page + 512);
	ivshmem_pages_destroy(p);
	huge = false;
	p = create(test);
	huge = true;
	KUNIT_EXPECT_EQ(test, p->order, 0U);
	KUNIT_EXPECT_FALSE(test, PageCompound(page));
	expect_taken(test, true);
	ivshmem_pages_destroy(p);
	expect_taken(test, false);
}

/* The number of a page from the start that is held: the first, the last, and one between. */
static const unsigned long held[] = {0, 1000, (FAKE_MEMORY_SIZE >> PAGE_SHIFT) - 1};

static void held_name(const unsigned long *number, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "page %lu", *number);
}
KUNIT_ARRAY_PARAM(held, held, held_name);

static struct page *hold(struct ivshmem_pages *p, unsigned long number)
{
	struct page *page = pfn_to_page(PHYS_PFN(p->map.range.start) + number);

	get_page(page);
	return page;
}

static void reap_now(void)
{
	mod_delayed_work(system_wq, &orphans_work, 0);
	flush_delayed_work(&orphans_work);
}

static void page_that_stays_held(struct kunit *test)
{
	struct ivshmem_pages *p = create(test);
	struct page *page = hold(p, *(const unsigned long *)test->param_value);
	int users = module_refcount(THIS_MODULE);

	revoke_wait_ms = 20;
	ivshmem_pages_destroy(p);
	revoke_wait_ms = 2000;
	KUNIT_EXPECT_FALSE(test, list_empty(&orphans));
	KUNIT_EXPECT_EQ(test, module_refcount(THIS_MODULE), users + 1);
	expect_taken(test, true);
	reap_now();
	KUNIT_EXPECT_FALSE(test, list_empty(&orphans));
	expect_taken(test, true);
	put_page(page);
	reap_now();
	KUNIT_EXPECT_TRUE(test, list_empty(&orphans));
	KUNIT_EXPECT_EQ(test, module_refcount(THIS_MODULE), users);
	expect_taken(test, false);
}

static struct page *released_later;
static bool released;

static void release_it(struct work_struct *work)
{
	WRITE_ONCE(released, true);
	if (PageLocked(released_later))
		unlock_page(released_later);
	put_page(released_later);
}
static DECLARE_DELAYED_WORK(release_work, release_it);

/* Removal waits for a page that is let go within the bound, and then nothing is left over. */
static void page_that_is_let_go(struct kunit *test)
{
	struct ivshmem_pages *p = create(test);

	released_later = hold(p, *(const unsigned long *)test->param_value);
	schedule_delayed_work(&release_work, msecs_to_jiffies(30));
	ivshmem_pages_destroy(p);
	flush_delayed_work(&release_work);
	KUNIT_EXPECT_TRUE(test, list_empty(&orphans));
	expect_taken(test, false);
}

/* A page that the core is about to insert. */
static void page_that_is_inserted_late(struct kunit *test)
{
	struct ivshmem_pages *p = create(test);

	ivshmem_pages_settle(p);
	released_later = hold(p, *(const unsigned long *)test->param_value);
	lock_page(released_later);
	released = false;
	schedule_delayed_work(&release_work, msecs_to_jiffies(30));
	ivshmem_pages_settle(p);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(released));
	flush_delayed_work(&release_work);
	ivshmem_pages_destroy(p);
	expect_taken(test, false);
}

static void every_page_held(struct kunit *test)
{
	struct ivshmem_pages *p = create(test);
	unsigned long i, count = FAKE_MEMORY_SIZE >> PAGE_SHIFT;
	struct page *first = pfn_to_page(PHYS_PFN(p->map.range.start));

	for (i = 0; i < count; i++)
		get_page(first + i);
	revoke_wait_ms = 0;
	ivshmem_pages_destroy(p);
	revoke_wait_ms = 2000;
	for (i = 0; i < count; i++) {
		if (!(i % 256))
			reap_now();
		KUNIT_ASSERT_FALSE(test, list_empty(&orphans));
		put_page(first + i);
	}
	reap_now();
	KUNIT_EXPECT_TRUE(test, list_empty(&orphans));
	expect_taken(test, false);
}

/* A range whose pages are being unmade is still taken: the kernel has a warning for whoever makes others there meanwhile. */
static void pages_while_an_orphan_goes(struct kunit *test)
{
	unsigned long pfn = PHYS_PFN(fake_memory(test)), deadline = jiffies + 60 * HZ;
	unsigned int round;

	for (round = 0; round < 20; round++) {
		struct ivshmem_pages *p = create(test);
		struct page *page = hold(p, 0);

		revoke_wait_ms = 0;
		ivshmem_pages_destroy(p);
		revoke_wait_ms = 2000;
		put_page(page);
		mod_delayed_work(system_unbound_wq, &orphans_work, 0);
		while (ivshmem_pages_taken(PFN_PHYS(pfn), FAKE_MEMORY_SIZE) && time_before(jiffies, deadline))
			cond_resched();
		KUNIT_EXPECT_FALSE_MSG(test, pfn_valid(pfn), "round %u", round);
		flush_delayed_work(&orphans_work);
	}
}

static int suite_init(struct kunit_suite *suite)
{
	return fake_user_begin();
}

static void suite_exit(struct kunit_suite *suite)
{
	ivshmem_pages_exit();
	fake_user_end();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(reasons_not_to_try),
	KUNIT_CASE(refusals_leave_nothing),
	KUNIT_CASE(pages_come_and_go),
	KUNIT_CASE(folios_or_none),
	KUNIT_CASE_PARAM(page_that_stays_held, held_gen_params),
	KUNIT_CASE_PARAM(page_that_is_let_go, held_gen_params),
	KUNIT_CASE_PARAM(page_that_is_inserted_late, held_gen_params),
	KUNIT_CASE(every_page_held),
	KUNIT_CASE(pages_while_an_orphan_goes),
	{},
};

static struct kunit_suite suite = {
	.name = "ivshmem_pages",
	.suite_init = suite_init,
	.suite_exit = suite_exit,
	.test_cases = cases,
};
kunit_test_suite(suite);
