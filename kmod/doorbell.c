// SPDX-License-Identifier: GPL-2.0-only
/*
 * The doorbell register and its interrupts, as they are. pci.c allocates and frees; after ivshmem_doorbell_kill() an
 * interrupt that comes late finds nothing to do.
 */
#include <linux/eventfd.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>

#include "compat.h"
#include "ivshmem.h"

#define DOORBELL 0x0c
#define PEER_MAX 0xffff

/* Ordered after all that was stored before. */
int ivshmem_doorbell_ring(struct ivshmem_device *ivd, u32 peer, u32 vector)
{
	int err = -ENODEV;

	if (!ivd->doorbell.registers)
		return -EOPNOTSUPP;
	if (peer > PEER_MAX || vector >= IVSHMEM_VECTORS_MAX)
		return -EINVAL;
	down_read(&ivd->lock);
	if (!ivd->dead) {
		writel(peer << 16 | vector, ivd->doorbell.registers + DOORBELL);
		err = 0;
	}
	up_read(&ivd->lock);
	return err;
}

irqreturn_t ivshmem_doorbell_interrupt(int irq, void *arg)
{
	struct ivshmem_vector *v = arg;
	struct ivshmem_doorbell *d = &v->ivd->doorbell;
	unsigned long flags;

	spin_lock_irqsave(&d->lock, flags);
	if (v->eventfd)
		eventfd_signal(v->eventfd);
	spin_unlock_irqrestore(&d->lock, flags);
	ivshmem_notify_look(&v->ivd->notify);
	return IRQ_HANDLED;
}

/* Under ->lock. The eventfd that was there before, whose reference is the caller's. */
static struct eventfd_ctx *replace(struct ivshmem_vector *v, struct ivshmem_file *owner, struct eventfd_ctx *eventfd)
{
	struct eventfd_ctx *old = v->eventfd;

	v->eventfd = eventfd;
	v->owner = eventfd ? owner : NULL;
	return old;
}

/* Takes over the reference to the eventfd, which may be NULL. */
static int set(struct ivshmem_file *f, u32 vector, struct eventfd_ctx *eventfd)
{
	struct ivshmem_doorbell *d = &f->ivd->doorbell;
	struct eventfd_ctx *drop = eventfd;
	int err = 0;

	spin_lock_irq(&d->lock);
	if (READ_ONCE(f->ivd->dead))
		err = -ENODEV;
	else if (d->vectors[vector].eventfd && d->vectors[vector].owner != f)
		err = -EBUSY;
	else
		drop = replace(&d->vectors[vector], f, eventfd);
	spin_unlock_irq(&d->lock);
	if (drop)
		eventfd_ctx_put(drop);
	return err;
}

/* IVSHMEM_IOC_EVENTFD */
int ivshmem_doorbell_eventfd(struct ivshmem_file *f, u32 vector, int fd)
{
	unsigned int count = READ_ONCE(f->ivd->doorbell.count);
	struct eventfd_ctx *eventfd = NULL;

	if (READ_ONCE(f->ivd->dead))
		return -ENODEV;
	if (!count)
		return -EOPNOTSUPP;
	if (vector >= f->ivd->vectors || vector >= IVSHMEM_VECTORS_MAX || fd < -1)
		return -EINVAL;
	if (vector >= count)
		return -EOPNOTSUPP;
	if (fd >= 0)
		eventfd = eventfd_ctx_fdget(fd);
	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);
	return set(f, vector, eventfd);
}

/* What this file has at that vector, or with NULL anybody; then it is told that the device goes. */
static void drop(struct ivshmem_doorbell *d, unsigned int vector, const struct ivshmem_file *owner)
{
	struct eventfd_ctx *eventfd = NULL;

	spin_lock_irq(&d->lock);
	if (vector < d->count && (!owner || d->vectors[vector].owner == owner))
		eventfd = replace(&d->vectors[vector], NULL, NULL);
	if (eventfd && !owner)
		eventfd_signal(eventfd);
	spin_unlock_irq(&d->lock);
	if (eventfd)
		eventfd_ctx_put(eventfd);
}

/* The file is being closed. */
void ivshmem_doorbell_forget(struct ivshmem_file *f)
{
	struct ivshmem_doorbell *d = &f->ivd->doorbell;
	unsigned int i;

	for (i = 0; i < READ_ONCE(d->count); i++)
		drop(d, i, f);
}

/* The device is dead, and nobody sets an eventfd any more. Afterwards the vectors may be freed. */
void ivshmem_doorbell_kill(struct ivshmem_doorbell *d)
{
	unsigned int i;

	for (i = 0; i < d->count; i++)
		drop(d, i, NULL);
	spin_lock_irq(&d->lock);
	d->count = 0;
	spin_unlock_irq(&d->lock);
}
