/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernels 5.10 and up: the driver is written for the newest, and this file teaches the older ones. HAVE_ comes from Kbuild,
 * which looks into the headers, because distributions backport.
 */
#ifndef IVSHMEM_COMPAT_H
#define IVSHMEM_COMPAT_H

#include <linux/eventfd.h>
#include <linux/freezer.h>
#include <linux/hrtimer.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/pm.h>
#include <linux/sched.h>

#ifndef HAVE_VM_FLAGS_SET /* 6.3 */
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#ifndef HAVE_GET_DEV_PAGEMAP_PFN /* 6.18 */
#define get_dev_pagemap(pfn) get_dev_pagemap(pfn, NULL)
#endif

#ifndef HAVE_HRTIMER_SETUP /* 6.13 */
static inline void hrtimer_setup(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

#ifndef HAVE_EVENTFD_SIGNAL_ONE /* 6.8 */
#define eventfd_signal(eventfd) eventfd_signal(eventfd, 1)
#endif

#ifdef TASK_FREEZABLE /* 6.1 */
static inline int freezable_schedule_hrtimeout_range(ktime_t *expires, u64 slack, const enum hrtimer_mode mode)
{
	return schedule_hrtimeout_range(expires, slack, mode);
}
#else
#define TASK_FREEZABLE 0
#endif

#ifndef SYSTEM_SLEEP_PM_OPS /* 5.17; late 5.10 kernels have it, and a DEFINE_SIMPLE_DEV_PM_OPS() that begins with static */
#define SYSTEM_SLEEP_PM_OPS SET_SYSTEM_SLEEP_PM_OPS
#define pm_sleep_ptr(ptr)   (IS_ENABLED(CONFIG_PM_SLEEP) ? (ptr) : NULL)
#endif

#ifndef PCI_POSSIBLE_ERROR /* 5.17 */
#define PCI_POSSIBLE_ERROR(value) ((value) == (typeof(value))~0)
#endif

/* Pages in folios of this order: can the kernel? They were tried on x86 alone. */
#if defined(HAVE_FOLIO_MAPPINGS) && defined(CONFIG_X86_64) && defined(CONFIG_TRANSPARENT_HUGEPAGE) /* 6.1 */
static inline bool pagemap_set_order(struct dev_pagemap *map, unsigned int order)
{
	map->vmemmap_shift = order;
	return !order || has_transparent_hugepage();
}
#else
static inline bool pagemap_set_order(struct dev_pagemap *map, unsigned int order)
{
	return !order;
}
#endif

#endif /* IVSHMEM_COMPAT_H */
