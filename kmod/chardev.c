// SPDX-License-Identifier: GPL-2.0-only
/* The file operations of /dev/ivshmemN. User memory is touched here and nowhere else. */
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ivshmem.h"

/* An INFO of another age has another size in its number. */
#define ANY_SIZE(cmd) ((cmd) & ~IOCSIZE_MASK)

/*
 * The region's size becomes the node's, for programs that size a file before they map it. Only on an inode that is made
 * of nothing but itself: another file system might write it to a disk.
 */
static void publish_size(struct inode *inode, u64 size)
{
	if (inode->i_sb->s_magic != TMPFS_MAGIC && inode->i_sb->s_magic != RAMFS_MAGIC)
		return;
	inode_lock(inode);
	i_size_write(inode, size);
	inode_unlock(inode);
}

/* The cdev, which holds the device, is held by the open file. */
static int ivshmem_open(struct inode *inode, struct file *file)
{
	struct ivshmem_device *ivd = container_of(inode->i_cdev, struct ivshmem_device, cdev);

	if (READ_ONCE(ivd->dead))
		return -ENODEV;
	publish_size(inode, ivd->region.size);
	file->private_data = ivd;
	file->f_mapping = ivd->inode->i_mapping;
	return 0;
}

static loff_t ivshmem_llseek(struct file *file, loff_t offset, int whence)
{
	struct ivshmem_device *ivd = file->private_data;

	if (READ_ONCE(ivd->dead))
		return -ENODEV;
	return fixed_size_llseek(file, offset, whence, ivd->region.size);
}

static int locked_copy(struct ivshmem_device *ivd, u64 pos, void *buf, size_t len, bool write)
{
	int err = -ENODEV;

	down_read(&ivd->lock);
	if (!ivd->dead)
		err = ivshmem_region_copy(&ivd->region, pos, buf, len, write);
	up_read(&ivd->lock);
	return err;
}

/* Bytes for the next step of a transfer: up to the end of the window that pos lies in. */
static size_t step_size(u64 pos, size_t left)
{
	return min_t(size_t, left, IVSHMEM_WINDOW - pos % IVSHMEM_WINDOW);
}

static int step(struct ivshmem_device *ivd, u64 pos, void *bounce, char __user *ubuf, size_t len, bool write)
{
	int err;

	if (write && copy_from_user(bounce, ubuf, len))
		return -EFAULT;
	err = locked_copy(ivd, pos, bounce, len, write);
	if (!err && !write && copy_to_user(ubuf, bounce, len))
		return -EFAULT;
	return err;
}

/*
 * Through a bounce buffer: the lock that keeps the memory there must not be held while user memory, which might be a
 * mapping of this very device, is touched. What was transferred before an error counts.
 */
static ssize_t transfer(struct ivshmem_device *ivd, char __user *ubuf, size_t len, u64 pos, bool write)
{
	void *bounce = kvmalloc(min_t(size_t, len, IVSHMEM_WINDOW), GFP_KERNEL);
	size_t n, done = 0;
	int err = bounce ? 0 : -ENOMEM;

	while (!err && done < len) {
		n = step_size(pos + done, len - done);
		err = step(ivd, pos + done, bounce, ubuf + done, n, write);
		if (err)
			break;
		done += n;
		if (fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	kvfree(bounce);
	return done ?: err;
}

static ssize_t ivshmem_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct ivshmem_device *ivd = file->private_data;
	u64 size = ivd->region.size;
	ssize_t n;

	if (READ_ONCE(ivd->dead))
		return -ENODEV;
	if (*pos >= size || !len)
		return 0;
	n = transfer(ivd, buf, min_t(u64, len, size - *pos), *pos, false);
	if (n > 0)
		*pos += n;
	return n;
}

static ssize_t ivshmem_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	struct ivshmem_device *ivd = file->private_data;
	u64 size = ivd->region.size;
	ssize_t n;

	if (READ_ONCE(ivd->dead))
		return -ENODEV;
	if (!len)
		return 0;
	if (*pos >= size)
		return -ENOSPC;
	n = transfer(ivd, (char __user *)buf, min_t(u64, len, size - *pos), *pos, true);
	if (n > 0)
		*pos += n;
	return n;
}

static void fill_info(const struct ivshmem_device *ivd, struct ivshmem_info *info)
{
	const struct ivshmem_region *r = &ivd->region;

	*info = (struct ivshmem_info){
		.argsz = sizeof(*info),
		.size = r->size,
		.features = (ivshmem_region_mappable(r) ? IVSHMEM_FEATURE_MMAP : 0) |
			    (r->pages ? IVSHMEM_FEATURE_PAGES : 0),
		.model = ivd->model,
		.cache = r->cache,
		.cache_reason = r->reason,
		.ivposition = ivd->ivposition,
		.vectors = ivd->vectors,
		.index = ivd->index,
	};
	memcpy(info->slot, ivd->slot, sizeof(info->slot));
}

static long ioctl_info(struct ivshmem_device *ivd, void __user *arg)
{
	struct ivshmem_info info;
	u32 argsz;

	BUILD_BUG_ON(sizeof(info) != IVSHMEM_INFO_SIZE_V1);
	if (get_user(argsz, (__u32 __user *)arg))
		return -EFAULT;
	if (argsz < IVSHMEM_INFO_SIZE_V1 || argsz > PAGE_SIZE)
		return -EINVAL;
	switch (copy_struct_from_user(&info, sizeof(info), arg, argsz)) {
	case 0:
		break;
	case -E2BIG: /* something is set in fields that this driver does not know */
		return -EINVAL;
	default:
		return -EFAULT;
	}
	if (info.flags || memchr_inv(info.reserved, 0, sizeof(info.reserved)))
		return -EINVAL;
	fill_info(ivd, &info);
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long ivshmem_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ivshmem_device *ivd = file->private_data;

	if (READ_ONCE(ivd->dead))
		return -ENODEV;
	switch (ANY_SIZE(cmd)) {
	case ANY_SIZE(IVSHMEM_IOC_INFO):
		return ioctl_info(ivd, (void __user *)arg);
	}
	return -ENOTTY;
}

static __poll_t ivshmem_poll(struct file *file, poll_table *wait)
{
	struct ivshmem_device *ivd = file->private_data;

	poll_wait(file, &ivd->wait, wait);
	return READ_ONCE(ivd->dead) ? EPOLLHUP | EPOLLERR : 0;
}

/* The memory is as synchronous as it gets; msync() and Python's flush() want to hear so. */
static int ivshmem_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct ivshmem_device *ivd = file->private_data;

	return READ_ONCE(ivd->dead) ? -ENODEV : 0;
}

const struct file_operations ivshmem_chardev_fops = {
	.owner = THIS_MODULE,
	.open = ivshmem_open,
	.llseek = ivshmem_llseek,
	.read = ivshmem_read,
	.write = ivshmem_write,
	.unlocked_ioctl = ivshmem_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = ivshmem_mmap,
	.poll = ivshmem_poll,
	.fsync = ivshmem_fsync,
};
