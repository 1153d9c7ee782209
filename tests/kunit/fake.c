// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ioport.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>

#include "fake.h"

bool fake_decodes = true;
static struct device *parent;
static struct mm_struct *mm;
static unsigned long user;

/* No parameter: suites run before the parameters of their module are read. */
phys_addr_t fake_memory(struct kunit *test)
{
	if (region_intersects(FAKE_MEMORY, FAKE_MEMORY_SIZE, IORESOURCE_MEM, IORES_DESC_RESERVED) != REGION_INTERSECTS)
		kunit_skip(test, "no memory was set aside");
	return FAKE_MEMORY;
}

struct device *fake_parent(void)
{
	return parent;
}

bool ivshmem_pci_decodes(const struct ivshmem_device *ivd)
{
	return READ_ONCE(fake_decodes);
}

void fake_device(struct ivshmem_device *ivd, void *memory, u64 size)
{
	init_rwsem(&ivd->lock);
	init_waitqueue_head(&ivd->wait);
	ivshmem_notify_init(&ivd->notify);
	spin_lock_init(&ivd->doorbell.lock);
	mutex_init(&ivd->region.views_lock);
	ivd->region.ram = memory;
	ivd->region.size = size;
	ivd->region.cache = IVSHMEM_CACHE_WRITE_BACK;
	ivd->region.reason = IVSHMEM_REASON_SMALL;
}

void fake_file(struct file *file, struct ivshmem_file *f, struct ivshmem_device *ivd)
{
	f->ivd = ivd;
	ivshmem_notify_watcher(&f->watcher);
	spin_lock_init(&file->f_lock);
	file->f_mode = FMODE_READ | FMODE_WRITE;
	file->private_data = f;
}

static int map_user(void)
{
	unsigned long at = vm_mmap(NULL, 0, 2 * FAKE_USER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0);

	if (IS_ERR_VALUE(at))
		return (int)at;
	vm_munmap(at + FAKE_USER_SIZE, FAKE_USER_SIZE);
	user = at;
	mm = get_task_mm(current);
	return 0;
}

/* The suites run while somebody loads the module: it is that process's memory. A case runs in a thread that has none. */
int fake_user_begin(void)
{
	int err = map_user();

	if (err)
		return err;
	parent =
		__root_device_register("ivshmem-kunit", NULL); /* the module has no kobject yet that it could link to */
	if (IS_ERR(parent)) {
		err = PTR_ERR(parent);
		fake_user_end();
	}
	return err;
}

void fake_user_end(void)
{
	if (!IS_ERR_OR_NULL(parent))
		root_device_unregister(parent);
	if (user)
		vm_munmap(user, FAKE_USER_SIZE);
	if (mm)
		mmput(mm);
	parent = NULL;
	user = 0;
	mm = NULL;
}

void fake_user_borrow(void)
{
	kthread_use_mm(mm);
}

void fake_user_return(void)
{
	kthread_unuse_mm(mm);
}

/* All from there on is as new: zeros, which nobody has touched. */
void fake_user_forget(unsigned long from)
{
	unsigned long at, size = FAKE_USER_SIZE - from;

	at = vm_mmap(NULL, user + from, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0);
	WARN_ON(at != user + from);
}

void __user *fake_user(void)
{
	return (void __user *)user;
}
