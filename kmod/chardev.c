// SPDX-License-Identifier: GPL-2.0-only
/* /dev/ivshmemN: the life of a struct ivshmem_device, and the file operations. */
#include <linux/atomic.h>
#include <linux/idr.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/poll.h>
#include <linux/pseudo_fs.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait_bit.h>

#include "ivshmem.h"

#define MINORS 1024

static dev_t first_dev;
static DEFINE_IDA(minors);
static struct vfsmount *inodes;
static atomic_t devices = ATOMIC_INIT(0);

static struct class ivshmem_class = {
	.name = "ivshmem",
	.dev_groups = ivshmem_sysfs_groups,
};

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

static int locked_read(struct ivshmem_device *ivd, u64 pos, void *buf, size_t len)
{
	int err = -ENODEV;

	down_read(&ivd->lock);
	if (!ivd->dead)
		err = ivshmem_region_read(&ivd->region, pos, buf, len);
	up_read(&ivd->lock);
	return err;
}

static int locked_write(struct ivshmem_device *ivd, u64 pos, const void *buf, size_t len)
{
	int err = -ENODEV;

	down_read(&ivd->lock);
	if (!ivd->dead)
		err = ivshmem_region_write(&ivd->region, pos, buf, len);
	up_read(&ivd->lock);
	return err;
}

/* Bytes for the next step of a transfer: up to the end of the window that pos lies in. */
static size_t step_size(u64 pos, size_t left)
{
	return min_t(size_t, left, IVSHMEM_WINDOW - pos % IVSHMEM_WINDOW);
}

/*
 * Through a bounce buffer: the lock that keeps the memory there must not be held while user memory, which might be a
 * mapping of this very device, is touched. What was transferred before an error counts.
 */
static ssize_t transfer(struct ivshmem_device *ivd, char __user *ubuf, size_t len, u64 pos, bool write)
{
	void *bounce = kvmalloc(min_t(size_t, len, IVSHMEM_WINDOW), GFP_KERNEL);
	size_t done = 0;
	int err = bounce ? 0 : -ENOMEM;

	while (!err && done < len) {
		size_t n = step_size(pos + done, len - done);

		if (write)
			err = copy_from_user(bounce, ubuf + done, n) ? -EFAULT
								     : locked_write(ivd, pos + done, bounce, n);
		else
			err = locked_read(ivd, pos + done, bounce, n)
				      ?: (copy_to_user(ubuf + done, bounce, n) ? -EFAULT : 0);
		if (!err)
			done += n;
		if (!err && fatal_signal_pending(current))
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

static const struct file_operations fops = {
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

static void ivshmem_release(struct device *dev)
{
	struct ivshmem_device *ivd = container_of(dev, struct ivshmem_device, dev);

	iput(ivd->inode);
	kfree(ivd);
	if (atomic_dec_and_test(&devices))
		wake_up_var(&devices);
}

/* A device without memory, that nobody can open yet; put_device(&->dev) ends it. */
struct ivshmem_device *ivshmem_device_create(struct device *parent)
{
	struct ivshmem_device *ivd = kzalloc(sizeof(*ivd), GFP_KERNEL);
	struct inode *inode = ivd ? alloc_anon_inode(inodes->mnt_sb) : ERR_PTR(-ENOMEM);

	if (IS_ERR(inode)) {
		kfree(ivd);
		return ERR_CAST(inode);
	}
	ivd->inode = inode;
	init_rwsem(&ivd->lock);
	init_waitqueue_head(&ivd->wait);
	cdev_init(&ivd->cdev, &fops);
	ivd->cdev.owner = THIS_MODULE;
	device_initialize(&ivd->dev);
	ivd->dev.class = &ivshmem_class;
	ivd->dev.parent = parent;
	ivd->dev.release = ivshmem_release;
	atomic_inc(&devices);
	return ivd;
}

/* The node appears: everything else of the device is ready. ivshmem_device_kill() takes it away again. */
int ivshmem_device_add(struct ivshmem_device *ivd)
{
	int err, minor = ida_alloc_max(&minors, MINORS - 1, GFP_KERNEL);

	if (minor < 0)
		return minor;
	ivd->index = minor;
	ivd->dev.devt = MKDEV(MAJOR(first_dev), minor);
	err = dev_set_name(&ivd->dev, "ivshmem%d", minor);
	if (!err)
		err = cdev_device_add(&ivd->cdev, &ivd->dev);
	if (err)
		ida_free(&minors, minor);
	return err;
}

/* From here on every call answers ENODEV and every access SIGBUS; nobody is in the memory when this returns. */
void ivshmem_device_kill(struct ivshmem_device *ivd)
{
	down_write(&ivd->lock);
	WRITE_ONCE(ivd->dead, true);
	up_write(&ivd->lock);
	unmap_mapping_range(ivd->inode->i_mapping, 0, 0, 1);
	wake_up_all(&ivd->wait);
	cdev_device_del(&ivd->cdev, &ivd->dev);
	ida_free(&minors, ivd->index);
}

static int inodes_init(struct fs_context *fc)
{
	return init_pseudo(fc, 0x69767368) ? 0 : -ENOMEM;
}

/*
 * Where the devices' inodes live, as those of drm and vfio do. No owner: the mount would keep the module from being
 * unloaded, and it is gone before the module is.
 */
static struct file_system_type inodes_type = {
	.name = "ivshmem",
	.init_fs_context = inodes_init,
	.kill_sb = kill_anon_super,
};

int ivshmem_chardev_init(void)
{
	int err = alloc_chrdev_region(&first_dev, 0, MINORS, "ivshmem");

	if (err)
		return err;
	err = class_register(&ivshmem_class);
	if (err)
		goto unregister_region;
	inodes = kern_mount(&inodes_type);
	if (!IS_ERR(inodes))
		return 0;
	err = PTR_ERR(inodes);
	class_unregister(&ivshmem_class);
unregister_region:
	unregister_chrdev_region(first_dev, MINORS);
	return err;
}

/* No device is bound and no file open, but somebody in the kernel may hold a device for a moment longer. */
void ivshmem_chardev_exit(void)
{
	wait_var_event(&devices, !atomic_read(&devices));
	kern_unmount(inodes);
	class_unregister(&ivshmem_class);
	unregister_chrdev_region(first_dev, MINORS);
}
