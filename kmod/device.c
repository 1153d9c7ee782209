// SPDX-License-Identifier: GPL-2.0-only
/* The life of a struct ivshmem_device: its class, number, node and inode, and its death. */
#include <linux/atomic.h>
#include <linux/idr.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/slab.h>
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

static void release(struct device *dev)
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
	ivshmem_notify_init(&ivd->notify);
	spin_lock_init(&ivd->doorbell.lock);
	cdev_init(&ivd->cdev, &ivshmem_chardev_fops);
	ivd->cdev.owner = THIS_MODULE;
	device_initialize(&ivd->dev);
	ivd->dev.class = &ivshmem_class;
	ivd->dev.parent = parent;
	ivd->dev.release = release;
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
	/* Or else the core would map no folio at once, for reaching past the end of the file. */
	i_size_write(ivd->inode, ivd->region.size);
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
	ivshmem_notify_kill(&ivd->notify);
	ivshmem_doorbell_kill(&ivd->doorbell);
	if (ivd->region.pages)
		ivshmem_pages_settle(ivd->region.pages);
	unmap_mapping_range(ivd->inode->i_mapping, 0, 0, 1);
	wake_up_poll(&ivd->wait, EPOLLHUP | EPOLLERR);
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

int ivshmem_device_init(void)
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
void ivshmem_device_exit(void)
{
	wait_var_event(&devices, !atomic_read(&devices));
	kern_unmount(inodes);
	class_unregister(&ivshmem_class);
	unregister_chrdev_region(first_dev, MINORS);
}
