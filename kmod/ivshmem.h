/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to the driver.
 *
 * A struct ivshmem_device outlives its PCI function: it goes with the last open file. What touches the shared memory holds
 * ->lock for reading and looks at ->dead first; ivshmem_device_kill() sets ->dead under ->lock for writing, so that
 * afterwards nobody is, or will be, in the memory and it can be taken down. Order: mmap_lock, then ->lock; therefore under
 * ->lock no access to user memory but with page faults disabled.
 */
#ifndef IVSHMEM_H
#define IVSHMEM_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "uapi/linux/ivshmem.h"

struct eventfd_ctx;
struct ivshmem_device;
struct ivshmem_file;
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
	void **views;     /* with pages: windows onto them, made when first needed */
	struct mutex views_lock;
};

/* ivshmem_watcher.done; or an error */
enum { IVSHMEM_PENDING, IVSHMEM_CHANGED };

/* Somebody who wants to know when a word differs from what it was. All but wait is under the lock of struct ivshmem_notify. */
struct ivshmem_watcher {
	struct hlist_node node; /* on a list, or unhashed: done is what there is to know */
	u64 offset;
	u32 expected;
	int done;
	u64 shortest;             /* interval of looking, in ns */
	u64 longest;              /* 0: by the timer never */
	struct task_struct *task; /* sleeping in IVSHMEM_IOC_WAIT, or NULL: the watcher of an open file */
	wait_queue_head_t wait;   /* the open file's */
};

#define IVSHMEM_NOTIFY_BITS 6
struct ivshmem_notify {
	spinlock_t lock; /* all of this and the watchers; with interrupts off */
	bool dead;
	bool stopped;    /* the timer does not run */
	bool interrupts; /* others can wake us */
	u64 changed;     /* when somebody else's change was last seen, in ns of CLOCK_MONOTONIC */
	struct hrtimer timer;
	struct hlist_head buckets[1 << IVSHMEM_NOTIFY_BITS]; /* by offset */
};

#define IVSHMEM_VECTORS_MAX 256 /* the doorbell looks at eight bits of a vector: 257 would ring 1 */

struct ivshmem_vector {
	struct ivshmem_device *ivd;
	struct eventfd_ctx *eventfd;
	struct ivshmem_file *owner; /* of the eventfd */
};

struct ivshmem_doorbell {
	void __iomem *registers; /* NULL on plain devices */
	spinlock_t lock;         /* the eventfds */
	unsigned int count;      /* of vectors with an interrupt; 0 once the device is dead */
	struct ivshmem_vector *vectors;
};

struct ivshmem_device {
	struct device dev;
	struct cdev cdev;
	struct inode *inode; /* its i_mapping is that of every open file, so that one call revokes all mappings */
	struct rw_semaphore lock;
	bool dead;
	wait_queue_head_t wait;
	struct ivshmem_region region;
	struct ivshmem_notify notify;
	struct ivshmem_doorbell doorbell;
	u32 model;
	u32 ivposition;
	u32 vectors;
	u32 index;
	char slot[IVSHMEM_SLOT_MAX];
};

/* An open file. */
struct ivshmem_file {
	struct ivshmem_device *ivd;
	struct ivshmem_watcher watcher;
};

/* region.c: */
int ivshmem_region_create(struct ivshmem_region *r, struct device *dev, phys_addr_t start, u64 size);
void ivshmem_region_destroy(struct ivshmem_region *r);
bool ivshmem_region_mappable(const struct ivshmem_region *r);
bool ivshmem_region_fits(const struct ivshmem_region *r, unsigned long pgoff, unsigned long pages);
void *ivshmem_region_address(struct ivshmem_region *r, u64 pos);
int ivshmem_region_copy(struct ivshmem_region *r, u64 pos, void *buf, size_t len, bool write);
#define IVSHMEM_WINDOW (64 << 10) /* region_copy, and who uses an address, does not cross a multiple of this */
int ivshmem_region_reach(struct ivshmem_region *r, u64 offset);
u32 ivshmem_region_load(const struct ivshmem_region *r, u64 offset);
bool ivshmem_region_has_word(const struct ivshmem_region *r, u64 offset);

/* pages.c: */
#ifdef CONFIG_ZONE_DEVICE
bool ivshmem_pages_taken(phys_addr_t start, u64 size);
struct ivshmem_pages *ivshmem_pages_create(struct device *dev, phys_addr_t start, u64 size, u32 *reason);
void ivshmem_pages_destroy(struct ivshmem_pages *p);
void ivshmem_pages_settle(struct ivshmem_pages *p);
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
static inline void ivshmem_pages_settle(struct ivshmem_pages *p)
{
}
static inline void ivshmem_pages_exit(void)
{
}
#endif

/* mmap.c: */
int ivshmem_mmap(struct file *file, struct vm_area_struct *vma);

/* notify.c: */
u64 ivshmem_notify_interval(u64 quiet_ns, u64 shortest, u64 longest);
bool ivshmem_notify_differs(struct ivshmem_device *ivd, u64 offset, u32 expected);
void ivshmem_notify_watcher(struct ivshmem_watcher *w);
int ivshmem_notify_enlist(struct ivshmem_notify *n, struct ivshmem_watcher *w, u64 offset, u32 expected, u32 poll_us);
int ivshmem_notify_peek(struct ivshmem_notify *n, struct ivshmem_watcher *w);
int ivshmem_notify_delist(struct ivshmem_notify *n, struct ivshmem_watcher *w);
int ivshmem_notify_wake(struct ivshmem_device *ivd, u64 offset);
void ivshmem_notify_look(struct ivshmem_notify *n);
void ivshmem_notify_init(struct ivshmem_notify *n);
void ivshmem_notify_stop(struct ivshmem_notify *n);
void ivshmem_notify_start(struct ivshmem_notify *n);
void ivshmem_notify_kill(struct ivshmem_notify *n);

/* wait.c: */
int ivshmem_wait_word(struct ivshmem_device *ivd, u64 offset, u32 expected, u32 poll_us, ktime_t *deadline,
		      bool nonblock);
int ivshmem_wait_watch(struct ivshmem_device *ivd, struct ivshmem_watcher *w, u64 offset, u32 expected, u32 poll_us);
__poll_t ivshmem_wait_poll(struct file *file, poll_table *wait);

/* doorbell.c: */
int ivshmem_doorbell_ring(struct ivshmem_device *ivd, u32 peer, u32 vector);
irqreturn_t ivshmem_doorbell_interrupt(int irq, void *vector);
int ivshmem_doorbell_eventfd(struct ivshmem_file *f, u32 vector, int fd);
void ivshmem_doorbell_forget(struct ivshmem_file *f);
void ivshmem_doorbell_kill(struct ivshmem_doorbell *d);

/* pci.c: */
bool ivshmem_pci_decodes(const struct ivshmem_device *ivd);

/* ioctl.c: */
long ivshmem_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

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
