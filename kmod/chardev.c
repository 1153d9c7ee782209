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

/* Bytes for the next step of a transfer: up to the end of the window that pos lies in. */
static size_t step_size(u64 pos, size_t left)
{
	return min_t(size_t, left, IVSHMEM_WINDOW - pos % IVSHMEM_WINDOW);
}

/*
 * Bytes moved until user memory was not there: with the lock held it is used as far as it is mapped, and not waited for. The
 * calls that do not check, for copy_from_user() would fill with zeros what it could not copy.
 */
static ssize_t copy_mapped(struct ivshmem_region *r, u64 pos, char __user *ubuf, size_t len, bool write)
{
	void *at = ivshmem_region_address(r, pos);
	size_t left;

	if (IS_ERR_OR_NULL(at))
		return PTR_ERR(at);
	pagefault_disable();
	left = write ? __copy_from_user_inatomic(at, ubuf, len) : __copy_to_user_inatomic(ubuf, at, len);
	pagefault_enable();
	return len - left;
}

static ssize_t step_mapped(struct ivshmem_device *ivd, u64 pos, char __user *ubuf, size_t len, bool write)
{
	ssize_t moved = -ENODEV;

	down_read(&ivd->lock);
	if (!ivd->dead)
		moved = copy_mapped(&ivd->region, pos, ubuf, len, write);
	up_read(&ivd->lock);
	return moved;
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

/* Through a buffer, which is made when first needed: user memory comes in, and memory that is no memory goes through it, too. */
static ssize_t step_bounced(struct ivshmem_device *ivd, u64 pos, void **bounce, char __user *ubuf, size_t len,
			    bool write)
{
	size_t left = 0;
	int err;

	if (!*bounce)
		*bounce = kvmalloc(IVSHMEM_WINDOW, GFP_KERNEL);
	if (!*bounce)
		return -ENOMEM;
	if (write)
		left = copy_from_user(*bounce, ubuf, len);
	err = locked_copy(ivd, pos, *bounce, len - left, write);
	if (err)
		return err;
	if (!write)
		left = copy_to_user(ubuf, *bounce, len);
	return left == len ? -EFAULT : len - left;
}

/*
 * The lock that keeps the memory there must not be held while user memory, which might be a mapping of this very device,
 * comes in by a fault. What is there already is copied at once, and the rest through a buffer. What was transferred before an
 * error counts.
 */
static ssize_t transfer(struct ivshmem_device *ivd, char __user *ubuf, size_t len, u64 pos, bool write)
{
	void *bounce = NULL;
	size_t n, done = 0;
	ssize_t moved = access_ok(ubuf, len) ? 0 : -EFAULT;

	while (moved >= 0 && done < len) {
		n = step_size(pos + done, len - done);
		moved = step_mapped(ivd, pos + done, ubuf + done, n, write);
		if (!moved)
			moved = step_bounced(ivd, pos + done, &bounce, ubuf + done, n, write);
		if (moved < 0)
			break;
		done += moved;
		if (fatal_signal_pending(current))
			moved = -EINTR;
		cond_resched();
	}
	kvfree(bounce);
	return done ?: moved;
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
