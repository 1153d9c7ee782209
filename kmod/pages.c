// SPDX-License-Identifier: GPL-2.0-only
/*
 * Struct pages for BAR2, and what becomes of them when somebody still holds one.
 *
 * An idle page of ours has one reference, the core's. A process's page table entry is one more and goes with the
 * mapping; so is whatever get_user_pages() or vmsplice() took, and that may stay for ever, in a pipe that nobody reads.
 * Where the kernel can, pages come in folios of 2 MiB, for mmap.c to map at a stroke; then all of these count on the head.
 * memunmap_pages() on a page in use ends in an oops, hence: wait for a while, and orphan what is still pinned then.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "ivshmem.h"

static unsigned int revoke_wait_ms = 2000;
module_param(revoke_wait_ms, uint, 0644);
MODULE_PARM_DESC(revoke_wait_ms, "how long removal waits for pages of the memory that others have pinned, in ms");

static bool pages = true;
module_param(pages, bool, 0644);
MODULE_PARM_DESC(pages, "make struct pages for the memory where possible; looked at when a device is bound");

static bool huge = true;
module_param(huge, bool, 0644);
MODULE_PARM_DESC(huge, "map 2 MiB at once where the kernel can; looked at when a device is bound");

struct ivshmem_pages {
	struct dev_pagemap map;
	struct list_head orphan;
	unsigned long pfn; /* the pages before this one are idle, and stay so once nobody maps them */
	unsigned long end;
	unsigned int order; /* of the folios */
};

static LIST_HEAD(orphans);
static DEFINE_MUTEX(orphans_lock);
static void orphans_reap(struct work_struct *work);
static DECLARE_DELAYED_WORK(orphans_work, orphans_reap);

/*
 * Does a pagemap, such as an orphan of ours, live in this range? memremap_pages() looks at the ends of a range only, and
 * with a warning at that. Pagemaps come in multiples of 2 MiB.
 */
bool ivshmem_pages_taken(phys_addr_t start, u64 size)
{
	struct dev_pagemap *map = NULL;
	u64 off;

	/* memunmap_pages() takes the pagemap out of the index first and the pages away afterwards: not in between. */
	mutex_lock(&orphans_lock);
	for (off = 0; off < size && !map; off += SZ_2M)
		map = get_dev_pagemap(PHYS_PFN(start + off));
	mutex_unlock(&orphans_lock);
	if (map)
		put_dev_pagemap(map);
	return map;
}

/* Kernels before 6.11 do not notice a range beyond the direct map that KASLR has cut short, and write over vmalloc space. */
static bool direct_map_reaches(u64 end)
{
#ifdef CONFIG_X86_64
	return end <= VMALLOC_START - PAGE_OFFSET;
#else
	return true;
#endif
}

/* IVSHMEM_REASON_ for not even trying. Trying would log a warning with a backtrace. */
static u32 why_not(phys_addr_t start, u64 size)
{
	if (!pages)
		return IVSHMEM_REASON_PARAMETER;
	if (!IS_ALIGNED(start | size, memremap_compat_align()))
		return IVSHMEM_REASON_SMALL;
	if (!direct_map_reaches(start + size))
		return IVSHMEM_REASON_DIRECT_MAP;
	/* The rest of the guest wants to live, too. */
	if ((size >> PAGE_SHIFT) * sizeof(struct page) > ((u64)si_mem_available() << PAGE_SHIFT) / 2)
		return IVSHMEM_REASON_NO_MEMORY;
	return IVSHMEM_REASON_NONE;
}

static u32 reason_of(struct device *dev, long err)
{
	switch (err) {
	case -ENOMEM:
		return IVSHMEM_REASON_NO_MEMORY;
	case -E2BIG:
	case -ERANGE:
		return IVSHMEM_REASON_DIRECT_MAP;
	}
	dev_warn(dev, "the kernel refuses struct pages for BAR2: error %ld\n", err);
	return IVSHMEM_REASON_REFUSED;
}

/* Frames from one page with a reference count of its own to the next. */
static unsigned long step(const struct ivshmem_pages *p)
{
	return 1UL << p->order;
}

/*
 * Some kernels leave the tails of a folio unmade, all but the first ones, if the memory shares a section of 128 MiB with RAM.
 * A reference to such a page would be its own and not the folio's.
 */
static bool whole(const struct ivshmem_pages *p)
{
	unsigned long pfn;

	for (pfn = p->pfn; pfn < p->end; pfn += step(p))
		if (compound_head(pfn_to_page(pfn + step(p) - 1)) != pfn_to_page(pfn))
			return false;
	return true;
}

/* The alias that this makes may be uncached (see the memory types in region.c): it is not used. */
static long make(struct ivshmem_pages *p, struct device *dev, unsigned int order)
{
	void *alias;

	p->order = order;
	if (!pagemap_set_order(&p->map, order))
		return -EOPNOTSUPP;
	alias = memremap_pages(&p->map, dev_to_node(dev));
	return PTR_ERR_OR_ZERO(alias);
}

static long make_best(struct ivshmem_pages *p, struct device *dev)
{
	unsigned int order = PMD_SHIFT - PAGE_SHIFT;

	if (huge && IS_ALIGNED(p->pfn | p->end, 1UL << order) && !make(p, dev, order)) {
		if (whole(p))
			return 0;
		memunmap_pages(&p->map);
	}
	return make(p, dev, 0);
}

/* NULL and *reason, or the pages. The caller owns the range, has asked ivshmem_pages_taken(), and has no other mapping of it. */
struct ivshmem_pages *ivshmem_pages_create(struct device *dev, phys_addr_t start, u64 size, u32 *reason)
{
	struct ivshmem_pages *p;
	long err;

	*reason = why_not(start, size);
	if (*reason != IVSHMEM_REASON_NONE)
		return NULL;
	p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p) {
		*reason = IVSHMEM_REASON_NO_MEMORY;
		return NULL;
	}
	p->map.type = MEMORY_DEVICE_GENERIC;
	p->map.nr_range = 1;
	p->map.range.start = start;
	p->map.range.end = start + size - 1;
	p->pfn = PHYS_PFN(start);
	p->end = PHYS_PFN(start + size);
	err = make_best(p, dev);
	if (!err)
		return p;
	*reason = reason_of(dev, err);
	kfree(p);
	return NULL;
}

/*
 * The core inserts a page that a fault gave it, mmap.c says when, while it holds the page's lock. Whoever made faults give no
 * more, and then came through here, finds the last ones inserted.
 */
void ivshmem_pages_settle(struct ivshmem_pages *p)
{
	unsigned long pfn;

	if (!p->order)
		return;
	for (pfn = PHYS_PFN(p->map.range.start); pfn < p->end; pfn += step(p)) {
		lock_page(pfn_to_page(pfn));
		unlock_page(pfn_to_page(pfn));
	}
}

static bool idle(struct ivshmem_pages *p)
{
	for (; p->pfn < p->end; p->pfn += step(p)) {
		if (page_ref_count(pfn_to_page(p->pfn)) != 1)
			return false;
		if (!(p->pfn % 1024))
			cond_resched();
	}
	return true;
}

static bool wait_idle(struct ivshmem_pages *p)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(READ_ONCE(revoke_wait_ms));

	while (!idle(p)) {
		if (time_after(jiffies, deadline))
			return false;
		msleep(20);
	}
	return true;
}

static void unmake(struct ivshmem_pages *p)
{
	memunmap_pages(&p->map);
	kfree(p);
}

static void orphans_reap(struct work_struct *work)
{
	struct ivshmem_pages *p, *next;

	mutex_lock(&orphans_lock);
	list_for_each_entry_safe(p, next, &orphans, orphan) {
		if (!idle(p))
			continue;
		list_del(&p->orphan);
		pr_info("ivshmem: memory at %#llx is free again\n", (u64)p->map.range.start);
		unmake(p);
		module_put(THIS_MODULE); /* ivshmem_pages_exit() waits for the end of this function */
	}
	if (!list_empty(&orphans))
		schedule_delayed_work(&orphans_work, HZ);
	mutex_unlock(&orphans_lock);
}

/* An orphan belongs to the list, and holds the module, until the last pin drops. */
static void adopt(struct ivshmem_pages *p)
{
	/*
	 * This fails while the module is being unloaded, and then nobody is left to free anything. The pagemap needs none
	 * of our code, so that leaking it is safe.
	 */
	if (!try_module_get(THIS_MODULE)) {
		pr_warn("ivshmem: memory at %#llx is still pinned: unusable until reboot\n", (u64)p->map.range.start);
		return;
	}
	pr_warn("ivshmem: memory at %#llx is still pinned: unusable until released\n", (u64)p->map.range.start);
	mutex_lock(&orphans_lock);
	list_add(&p->orphan, &orphans);
	mutex_unlock(&orphans_lock);
	schedule_delayed_work(&orphans_work, HZ);
}

/* All mappings are gone and cannot come back; consumes p. */
void ivshmem_pages_destroy(struct ivshmem_pages *p)
{
	/* A fast get_user_pages() that saw an entry before it went may take a reference yet: it runs with interrupts off. */
	synchronize_rcu();
	vm_unmap_aliases();
	if (wait_idle(p))
		unmake(p);
	else
		adopt(p);
}

void ivshmem_pages_exit(void)
{
	cancel_delayed_work_sync(&orphans_work);
}
