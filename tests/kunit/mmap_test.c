// SPDX-License-Identifier: GPL-2.0-only
/* kmod/mmap.c: what mmap refuses, and what it leaves untouched then; what a fault refuses. */
#include <kunit/test.h>
#include <linux/slab.h>

#include "fake.h"
#include "mmap.c"

#define PAGES 64UL
#define AT    0x10000000UL

/* A device of PAGES pages, a file of it, and a mapping of all of it that nobody made. */
struct scene {
	struct ivshmem_device ivd;
	struct ivshmem_file f;
	struct file file;
	struct vm_area_struct vma;
};

#define SHARED (VM_READ | VM_WRITE | VM_SHARED | VM_MAYSHARE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)

static int init(struct kunit *test)
{
	struct scene *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	fake_device(&s->ivd, s, PAGES * PAGE_SIZE);
	fake_file(&s->file, &s->f, &s->ivd);
	s->vma.vm_start = AT;
	s->vma.vm_end = AT + PAGES * PAGE_SIZE;
	s->vma.vm_flags = SHARED;
	s->vma.vm_page_prot = PAGE_SHARED;
	test->priv = s;
	return 0;
}

static void expect_refused(struct kunit *test, struct scene *s, int error)
{
	unsigned long flags = s->vma.vm_flags;

	KUNIT_EXPECT_EQ(test, ivshmem_mmap(&s->file, &s->vma), error);
	KUNIT_EXPECT_PTR_EQ(test, s->vma.vm_ops, NULL);
	KUNIT_EXPECT_PTR_EQ(test, s->vma.vm_private_data, NULL);
	KUNIT_EXPECT_EQ(test, s->vma.vm_flags, flags);
}

static void expect_mapped(struct kunit *test, struct scene *s, unsigned long set, unsigned long clear)
{
	KUNIT_EXPECT_EQ(test, ivshmem_mmap(&s->file, &s->vma), 0);
	KUNIT_EXPECT_PTR_EQ(test, s->vma.vm_ops, &vm_ops);
	KUNIT_EXPECT_PTR_EQ(test, s->vma.vm_private_data, &s->ivd);
	KUNIT_EXPECT_EQ(test, s->vma.vm_flags & set, set);
	KUNIT_EXPECT_EQ(test, s->vma.vm_flags & clear, 0UL);
}

static void mapping_of_pages(struct kunit *test)
{
	struct scene *s = test->priv;

	s->ivd.region.ram = NULL;
	s->ivd.region.pages = (void *)s;
	expect_mapped(test, s, VM_DONTEXPAND | VM_DONTDUMP | VM_MIXEDMAP, VM_MAYEXEC | VM_PFNMAP | VM_IO);
}

/* A mapping and whether it takes folios: then it must not be VM_MIXEDMAP, and else it must. */
struct place {
	const char *name;
	unsigned long start, pgoff, pages;
	bool fits;
};
#define HUGE_PAGES (PMD_SIZE >> PAGE_SHIFT)
static const struct place places[] = {
	{"one folio", 0, 0, HUGE_PAGES, true},
	{"the second", 0, HUGE_PAGES, HUGE_PAGES, true},
	{"more before it", -1UL, HUGE_PAGES - 1, HUGE_PAGES + 1, true},
	{"more after it", 0, 0, HUGE_PAGES + 3, true},
	{"one page less", 0, 0, HUGE_PAGES - 1},
	{"another page less", 1, 1, HUGE_PAGES - 1},
	{"two halves", HUGE_PAGES / 2, HUGE_PAGES / 2, HUGE_PAGES},
	{"almost two", 1, 1, 2 * HUGE_PAGES - 2},
	{"not where it should be", 1, 0, 2 * HUGE_PAGES},
	{"nor the memory", 0, 1, 2 * HUGE_PAGES - 1},
	{"one page", 0, 0, 1},
};

static void place_name(const struct place *place, char *name)
{
	strscpy(name, place->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(place, places, place_name);

static void mapping_of_folios(struct kunit *test)
{
	const struct place *place = test->param_value;
	struct page *folio = alloc_pages(GFP_KERNEL | __GFP_COMP, PMD_SHIFT - PAGE_SHIFT);
	struct scene *s = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, folio);
	s->ivd.region.ram = NULL;
	s->ivd.region.pages = (void *)s;
	s->ivd.region.start = page_to_phys(folio);
	s->ivd.region.size = 2 * PMD_SIZE;
	s->vma.vm_start = AT + place->start * PAGE_SIZE;
	s->vma.vm_end = s->vma.vm_start + place->pages * PAGE_SIZE;
	s->vma.vm_pgoff = place->pgoff;
	if (place->fits)
		expect_mapped(test, s, VM_DONTEXPAND, VM_MIXEDMAP | VM_PFNMAP);
	else
		expect_mapped(test, s, VM_DONTEXPAND | VM_MIXEDMAP, VM_PFNMAP);
	__free_pages(folio, PMD_SHIFT - PAGE_SHIFT);
}

static void mapping_of_frames(struct kunit *test)
{
	expect_mapped(test, test->priv, VM_DONTEXPAND | VM_DONTDUMP | VM_PFNMAP | VM_IO, VM_MAYEXEC | VM_MIXEDMAP);
}

static void mapping_read_only(struct kunit *test)
{
	struct scene *s = test->priv;

	s->vma.vm_flags = VM_READ | VM_MAYSHARE | VM_MAYREAD | VM_MAYEXEC; /* as of a file opened read-only */
	expect_mapped(test, s, VM_DONTEXPAND | VM_DONTDUMP, VM_MAYEXEC | VM_WRITE | VM_MAYWRITE);
}

static void private_is_refused(struct kunit *test)
{
	struct scene *s = test->priv;

	s->vma.vm_flags &= ~(VM_SHARED | VM_MAYSHARE);
	expect_refused(test, s, -EINVAL);
}

static void exec_is_refused(struct kunit *test)
{
	struct scene *s = test->priv;

	s->vma.vm_flags |= VM_EXEC;
	expect_refused(test, s, -EPERM);
}

static void the_dead_are_refused(struct kunit *test)
{
	struct scene *s = test->priv;

	s->ivd.dead = true;
	expect_refused(test, s, -ENODEV);
}

static void memory_without_pages_of_its_own(struct kunit *test)
{
	struct scene *s = test->priv;

	s->ivd.region.ram = NULL;
	s->ivd.region.io = (void __iomem *)s;
	expect_refused(test, s, -ENODEV);
}

struct window {
	const char *name;
	unsigned long pgoff, pages;
	bool good;
};
static const struct window windows[] = {
	{"all", 0, PAGES, true},
	{"the last page", PAGES - 1, 1, true},
	{"a page too much", 0, PAGES + 1},
	{"a page too far", 1, PAGES},
	{"the page after", PAGES, 1},
	{"2^20 pages after", PAGES + (1UL << 20), 1},
	{"offset 2^52 pages", 1UL << 52, 1},
	{"offset 2^63 pages", 1UL << 63, 1},
	{"offset -1", -1UL, 1},
	{"offset -1, two pages", -1UL, 2},
	{"offset -PAGES, all", -PAGES, PAGES},
	{"2^34 pages", 0, 1UL << 34},
};

static void window_name(const struct window *window, char *name)
{
	strscpy(name, window->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(window, windows, window_name);

static void place(struct scene *s, const struct window *window)
{
	s->vma.vm_pgoff = window->pgoff;
	s->vma.vm_end = AT + window->pages * PAGE_SIZE;
}

static void windows_of_a_mapping(struct kunit *test)
{
	const struct window *window = test->param_value;
	struct scene *s = test->priv;

	place(s, window);
	if (window->good)
		expect_mapped(test, s, VM_DONTEXPAND, VM_MAYEXEC);
	else
		expect_refused(test, s, -EINVAL);
}

static void expect_sigbus(struct kunit *test, struct scene *s, unsigned long address)
{
	struct vm_fault vmf = {.vma = &s->vma, .address = address};

	KUNIT_EXPECT_EQ(test, fault(&vmf), (vm_fault_t)VM_FAULT_SIGBUS);
	KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&s->ivd.lock));
}

/* Should a mapping reach past the end after all, the fault refuses it, and touches no page table. */
static void faults_past_the_end(struct kunit *test)
{
	const struct window *window = test->param_value;
	struct scene *s = test->priv;

	if (window->good)
		return;
	place(s, window);
	s->vma.vm_private_data = &s->ivd;
	expect_sigbus(test, s, s->vma.vm_end - PAGE_SIZE);
}

static void faults_of_the_dead(struct kunit *test)
{
	struct scene *s = test->priv;

	s->vma.vm_private_data = &s->ivd;
	s->ivd.dead = true;
	expect_sigbus(test, s, AT);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(mapping_of_pages),
	KUNIT_CASE_PARAM(mapping_of_folios, place_gen_params),
	KUNIT_CASE(mapping_of_frames),
	KUNIT_CASE(mapping_read_only),
	KUNIT_CASE(private_is_refused),
	KUNIT_CASE(exec_is_refused),
	KUNIT_CASE(the_dead_are_refused),
	KUNIT_CASE(memory_without_pages_of_its_own),
	KUNIT_CASE_PARAM(windows_of_a_mapping, window_gen_params),
	KUNIT_CASE_PARAM(faults_past_the_end, window_gen_params),
	KUNIT_CASE(faults_of_the_dead),
	{},
};

static struct kunit_suite suite = {
	.name = "ivshmem_mmap",
	.init = init,
	.test_cases = cases,
};
kunit_test_suite(suite);
