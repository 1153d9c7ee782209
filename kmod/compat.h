/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernels 5.10 and up: the driver is written for the newest, and this file teaches the older ones. HAVE_ comes from Kbuild,
 * which looks into the headers, because distributions backport.
 */
#ifndef IVSHMEM_COMPAT_H
#define IVSHMEM_COMPAT_H

#include <linux/memremap.h>
#include <linux/mm.h>

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

#endif /* IVSHMEM_COMPAT_H */
