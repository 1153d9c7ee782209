// SPDX-License-Identifier: GPL-2.0-only
/* The commands: their arguments are checked here, and their structures copied. */
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "ivshmem.h"

/* A command of another age has another size in its number. */
#define ANY_SIZE(cmd) ((cmd) & ~IOCSIZE_MASK)

/*
 * The caller's structure, which begins with argsz and has v1 bytes or more, into ours: what it has more must be zero, what
 * it has less is.
 */
static int fetch(void *to, size_t size, size_t v1, const void __user *arg)
{
	u32 argsz;
	int err;

	if (get_user(argsz, (const __u32 __user *)arg))
		return -EFAULT;
	if (argsz < v1 || argsz > PAGE_SIZE)
		return -EINVAL;
	err = copy_struct_from_user(to, size, arg, argsz);
	return err == -E2BIG ? -EINVAL : err;
}

static void fill_info(const struct ivshmem_device *ivd, struct ivshmem_info *info)
{
	const struct ivshmem_region *r = &ivd->region;

	*info = (struct ivshmem_info){
		.argsz = sizeof(*info),
		.size = r->size,
		.features = IVSHMEM_FEATURE_WAIT | (ivshmem_region_mappable(r) ? IVSHMEM_FEATURE_MMAP : 0) |
			    (r->pages ? IVSHMEM_FEATURE_PAGES : 0) |
			    (ivd->doorbell.registers ? IVSHMEM_FEATURE_DOORBELL : 0) |
			    (ivd->notify.interrupts ? IVSHMEM_FEATURE_INTERRUPT : 0),
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
	int err = fetch(&info, sizeof(info), IVSHMEM_INFO_SIZE_V1, arg);

	BUILD_BUG_ON(sizeof(info) != IVSHMEM_INFO_SIZE_V1);
	if (err)
		return err;
	if (info.flags || memchr_inv(info.reserved, 0, sizeof(info.reserved)))
		return -EINVAL;
	fill_info(ivd, &info);
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

/* NULL: for ever. */
static ktime_t *deadline_of(const struct ivshmem_wait *wait, ktime_t *deadline)
{
	if (wait->timeout_ns < 0)
		return NULL;
	*deadline = ns_to_ktime(wait->timeout_ns);
	if (!(wait->flags & IVSHMEM_WAIT_ABSOLUTE))
		*deadline = ktime_add_safe(ktime_get(), *deadline);
	return deadline;
}

static long ioctl_wait(struct file *file, struct ivshmem_device *ivd, const void __user *arg)
{
	struct ivshmem_wait wait;
	ktime_t deadline;
	int err = fetch(&wait, sizeof(wait), IVSHMEM_WAIT_SIZE_V1, arg);

	BUILD_BUG_ON(sizeof(wait) != IVSHMEM_WAIT_SIZE_V1);
	if (err)
		return err;
	if (wait.flags & ~IVSHMEM_WAIT_ABSOLUTE || wait.reserved || !ivshmem_region_has_word(&ivd->region, wait.offset))
		return -EINVAL;
	return ivshmem_wait_word(ivd, wait.offset, wait.expected, wait.poll_us, deadline_of(&wait, &deadline),
				 file->f_flags & O_NONBLOCK);
}

/* Whoever interrupts others must be allowed to write. */
static long ring(struct file *file, struct ivshmem_device *ivd, u32 peer, u32 vector)
{
	return file->f_mode & FMODE_WRITE ? ivshmem_doorbell_ring(ivd, peer, vector) : -EBADF;
}

static long ioctl_wake(struct file *file, struct ivshmem_device *ivd, const void __user *arg)
{
	struct ivshmem_wake wake;
	bool rings;
	int err = fetch(&wake, sizeof(wake), IVSHMEM_WAKE_SIZE_V1, arg);

	BUILD_BUG_ON(sizeof(wake) != IVSHMEM_WAKE_SIZE_V1);
	if (err)
		return err;
	rings = wake.flags & IVSHMEM_WAKE_RING;
	if (wake.flags & ~IVSHMEM_WAKE_RING || wake.reserved || (!rings && (wake.peer || wake.vector)) ||
	    !ivshmem_region_has_word(&ivd->region, wake.offset))
		return -EINVAL;
	if (rings)
		err = ring(file, ivd, wake.peer, wake.vector);
	return err ?: ivshmem_notify_wake(ivd, wake.offset);
}

static long ioctl_watch(struct ivshmem_file *f, const void __user *arg)
{
	struct ivshmem_watch watch;
	int err = fetch(&watch, sizeof(watch), IVSHMEM_WATCH_SIZE_V1, arg);

	BUILD_BUG_ON(sizeof(watch) != IVSHMEM_WATCH_SIZE_V1);
	if (err)
		return err;
	if (watch.reserved || watch.flags & ~IVSHMEM_WATCH_OFF)
		return -EINVAL;
	if (watch.flags & IVSHMEM_WATCH_OFF) {
		if (watch.offset || watch.expected || watch.poll_us)
			return -EINVAL;
		return min(ivshmem_notify_delist(&f->ivd->notify, &f->watcher), 0);
	}
	if (!ivshmem_region_has_word(&f->ivd->region, watch.offset))
		return -EINVAL;
	return ivshmem_wait_watch(f->ivd, &f->watcher, watch.offset, watch.expected, watch.poll_us);
}

static long ioctl_ring(struct file *file, struct ivshmem_device *ivd, const void __user *arg)
{
	struct ivshmem_ring args;
	int err = fetch(&args, sizeof(args), IVSHMEM_RING_SIZE_V1, arg);

	BUILD_BUG_ON(sizeof(args) != IVSHMEM_RING_SIZE_V1);
	if (err)
		return err;
	return args.flags ? -EINVAL : ring(file, ivd, args.peer, args.vector);
}

static long ioctl_eventfd(struct file *file, const void __user *arg)
{
	struct ivshmem_eventfd args;
	int err = fetch(&args, sizeof(args), IVSHMEM_EVENTFD_SIZE_V1, arg);

	BUILD_BUG_ON(sizeof(args) != IVSHMEM_EVENTFD_SIZE_V1);
	if (err)
		return err;
	if (args.flags)
		return -EINVAL;
	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	return ivshmem_doorbell_eventfd(file->private_data, args.vector, args.fd);
}

long ivshmem_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ivshmem_file *f = file->private_data;
	void __user *uarg = (void __user *)arg;

	if (READ_ONCE(f->ivd->dead))
		return -ENODEV;
	switch (ANY_SIZE(cmd)) {
	case ANY_SIZE(IVSHMEM_IOC_INFO):
		return ioctl_info(f->ivd, uarg);
	case ANY_SIZE(IVSHMEM_IOC_WAIT):
		return ioctl_wait(file, f->ivd, uarg);
	case ANY_SIZE(IVSHMEM_IOC_WAKE):
		return ioctl_wake(file, f->ivd, uarg);
	case ANY_SIZE(IVSHMEM_IOC_WATCH):
		return ioctl_watch(f, uarg);
	case ANY_SIZE(IVSHMEM_IOC_RING):
		return ioctl_ring(file, f->ivd, uarg);
	case ANY_SIZE(IVSHMEM_IOC_EVENTFD):
		return ioctl_eventfd(file, uarg);
	}
	return -ENOTTY;
}
