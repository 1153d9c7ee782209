// SPDX-License-Identifier: GPL-2.0-only
/* The file operations of /dev/ivshmemN, but for its commands. User memory is touched here and in ioctl.c, nowhere else. */
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ivshmem.h"

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
	struct ivshmem_file *f;

	if (READ_ONCE(ivd->dead))
		return -ENODEV;
	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f)
		return -ENOMEM;
	f->ivd = ivd;
	ivshmem_notify_watcher(&f->watcher);
	publish_size(inode, ivd->region.size);
	file->private_data = f;
	file->f_mapping = ivd->inode->i_mapping;
	file->f_mode |= FMODE_NOCMTIME; /* a write to the memory is none to the node */
	return 0;
}

static int ivshmem_release(struct inode *inode, struct file *file)
{
	struct ivshmem_file *f = file->private_data;

	ivshmem_notify_delist(&f->ivd->notify, &f->watcher);
	ivshmem_doorbell_forget(f);
	kfree(f);
	return 0;
}

static struct ivshmem_device *device_of(const struct file *file)
{
	return ((struct ivshmem_file *)file->private_data)->ivd;
}

static loff_t ivshmem_llseek(struct file *file, loff_t offset, int whence)
{
	struct ivshmem_device *ivd = device_of(file);

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
	struct ivshmem_device *ivd = device_of(file);
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
	struct ivshmem_device *ivd = device_of(file);
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

/* The memory is as synchronous as it gets; msync() and Python's flush() want to hear so. */
static int ivshmem_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct ivshmem_device *ivd = device_of(file);

	return READ_ONCE(ivd->dead) ? -ENODEV : 0;
}

const struct file_operations ivshmem_chardev_fops = {
	.owner = THIS_MODULE,
	.open = ivshmem_open,
	.release = ivshmem_release,
	.llseek = ivshmem_llseek,
	.read = ivshmem_read,
	.write = ivshmem_write,
	.unlocked_ioctl = ivshmem_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = ivshmem_mmap,
	.get_unmapped_area = thp_get_unmapped_area, /* aligned, for whole PMDs to fit */
	.poll = ivshmem_wait_poll,
	.fsync = ivshmem_fsync,
};
