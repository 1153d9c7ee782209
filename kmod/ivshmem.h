/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to the driver.
 *
 * A struct ivshmem_device outlives its PCI function: it goes with the last open file. What touches the shared memory holds
 * ->lock for reading and looks at ->dead first; ivshmem_device_kill() sets ->dead under ->lock for writing, so that
 * afterwards nobody is, or will be, in the memory and it can be taken down. Order: mmap_lock, then ->lock; therefore no
 * access to user memory, which may fault, under ->lock.
 */
#ifndef IVSHMEM_H
#define IVSHMEM_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/rwsem.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "uapi/linux/ivshmem.h"

struct ivshmem_pages;
struct pci_dev;
struct vm_area_struct;

/* BAR2. Exactly one of pages, ram and io is set: how the kernel, and by ->cache how users, reach it. */
struct ivshmem_region {
	phys_addr_t start;
	u64 size; /* bytes */
	u32 cache;
	u32 reason;
	struct ivshmem_pages *pages;
	void *ram;        /* write-back or write-combining, without struct pages */
	void __iomem *io; /* uncached: shares its page with another BAR */
};

struct ivshmem_device {
	struct device dev;
	struct cdev cdev;
	struct inode *inode; /* its i_mapping is that of every open file, so that one call revokes all mappings */
	struct rw_semaphore lock;
	bool dead;
	wait_queue_head_t wait;
	struct ivshmem_region region;
	u32 model;
	u32 ivposition;
	u32 vectors;
	u32 index;
	char slot[IVSHMEM_SLOT_MAX];
};

/* region.c: */
int ivshmem_region_create(struct ivshmem_region *r, struct device *dev, phys_addr_t start, u64 size);
void ivshmem_region_destroy(struct ivshmem_region *r);
bool ivshmem_region_mappable(const struct ivshmem_region *r);
bool ivshmem_region_fits(const struct ivshmem_region *r, unsigned long pgoff, unsigned long pages);
int ivshmem_region_copy(struct ivshmem_region *r, u64 pos, void *buf, size_t len, bool write);
#define IVSHMEM_WINDOW (64 << 10) /* region_copy does not cross a multiple of this */

/* pages.c: */
#ifdef CONFIG_ZONE_DEVICE
bool ivshmem_pages_taken(phys_addr_t start, u64 size);
struct ivshmem_pages *ivshmem_pages_create(struct device *dev, phys_addr_t start, u64 size, u32 *reason);
void ivshmem_pages_destroy(struct ivshmem_pages *p);
void ivshmem_pages_exit(void);
#else
static inline bool ivshmem_pages_taken(phys_addr_t start, u64 size)
{
	return false;
}
static inline struct ivshmem_pages *ivshmem_pages_create(struct device *dev, phys_addr_t start, u64 size, u32 *reason)
{
	*reason = IVSHMEM_REASON_NO_PAGES;
	return NULL;
}
static inline void ivshmem_pages_destroy(struct ivshmem_pages *p)
{
}
static inline void ivshmem_pages_exit(void)
{
}
#endif

/* mmap.c: */
int ivshmem_mmap(struct file *file, struct vm_area_struct *vma);

/* chardev.c: */
extern const struct file_operations ivshmem_chardev_fops;

/* device.c: */
struct ivshmem_device *ivshmem_device_create(struct device *parent);
int ivshmem_device_add(struct ivshmem_device *ivd);
void ivshmem_device_kill(struct ivshmem_device *ivd);
int ivshmem_device_init(void);
void ivshmem_device_exit(void);

/* sysfs.c: */
extern const struct attribute_group *ivshmem_sysfs_groups[];
const char *ivshmem_sysfs_model(const struct ivshmem_device *ivd);
const char *ivshmem_sysfs_cache(const struct ivshmem_device *ivd);
const char *ivshmem_sysfs_reason(const struct ivshmem_device *ivd);

#endif /* IVSHMEM_H */
