// SPDX-License-Identifier: GPL-2.0-only
/* What processes do with words: IVSHMEM_IOC_WAIT, IVSHMEM_IOC_WATCH, and poll. Offsets were checked before. */
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "ivshmem.h"

static unsigned int spin_us = 10;
module_param(spin_us, uint, 0644);
MODULE_PARM_DESC(spin_us, "how long a waiter looks by itself before it sleeps, in us (1000 at most)");

#define SPIN_MAX_US 1000

/* Looks without sleeping: true when the word differs, false when the time for looking is over. */
static bool spin(struct ivshmem_device *ivd, u64 offset, u32 expected, const ktime_t *deadline)
{
	u64 now = ktime_get_ns(), end = now + min_t(u64, READ_ONCE(spin_us), SPIN_MAX_US) * NSEC_PER_USEC;

	if (deadline)
		end = min_t(u64, end, ktime_to_ns(*deadline));
	while (!ivshmem_notify_differs(ivd, offset, expected)) {
		if (now >= end || need_resched() || signal_pending(current))
			return false;
		cpu_relax();
		now = ktime_get_ns();
	}
	WRITE_ONCE(ivd->notify.changed, now);
	return true;
}

/* IVSHMEM_CHANGED, IVSHMEM_PENDING if it is time to sleep, or an error. From here on the word can be looked at. */
static int first_looks(struct ivshmem_device *ivd, u64 offset, u32 expected, const ktime_t *deadline, bool nonblock)
{
	int ret = -ENODEV;

	down_read(&ivd->lock);
	if (!ivd->dead)
		ret = ivshmem_region_reach(&ivd->region, offset);
	if (!ret && nonblock)
		ret = ivshmem_notify_differs(ivd, offset, expected) ? IVSHMEM_CHANGED : -EAGAIN;
	else if (!ret)
		ret = spin(ivd, offset, expected, deadline) ? IVSHMEM_CHANGED : IVSHMEM_PENDING;
	up_read(&ivd->lock);
	return ret;
}

/* Until w has fired. A machine that goes to sleep does not end it. */
static int sleep(struct ivshmem_watcher *w, ktime_t *deadline)
{
	int err = 0;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE | TASK_FREEZABLE);
		if (READ_ONCE(w->done) || err)
			break;
		if (signal_pending(current))
			err = -EINTR;
		else if (!freezable_schedule_hrtimeout_range(deadline, current->timer_slack_ns, HRTIMER_MODE_ABS))
			err = -ETIMEDOUT;
	}
	__set_current_state(TASK_RUNNING);
	return err;
}

/* IVSHMEM_IOC_WAIT. A NULL deadline, of CLOCK_MONOTONIC, never comes. */
int ivshmem_wait_word(struct ivshmem_device *ivd, u64 offset, u32 expected, u32 poll_us, ktime_t *deadline,
		      bool nonblock)
{
	struct ivshmem_watcher w = {.task = current};
	int done, err = 0;

	done = first_looks(ivd, offset, expected, deadline, nonblock);
	if (done == IVSHMEM_PENDING)
		done = ivshmem_notify_enlist(&ivd->notify, &w, offset, expected, poll_us);
	if (done == IVSHMEM_PENDING) {
		err = sleep(&w, deadline);
		/* Acquire: pairs with the release when w fires, after which nobody but us touches it. */
		done = smp_load_acquire(&w.done) ?: ivshmem_notify_delist(&ivd->notify, &w);
	}
	return done == IVSHMEM_PENDING ? err : min(done, 0);
}

/* IVSHMEM_IOC_WATCH */
int ivshmem_wait_watch(struct ivshmem_device *ivd, struct ivshmem_watcher *w, u64 offset, u32 expected, u32 poll_us)
{
	int err = -ENODEV;

	down_read(&ivd->lock);
	if (!ivd->dead)
		err = ivshmem_region_reach(&ivd->region, offset);
	up_read(&ivd->lock);
	return err ?: min(ivshmem_notify_enlist(&ivd->notify, w, offset, expected, poll_us), 0);
}

/* Those who poll are woken when w fires, and when the device goes. */
__poll_t ivshmem_wait_poll(struct file *file, poll_table *wait)
{
	struct ivshmem_file *f = file->private_data;

	poll_wait(file, &f->ivd->wait, wait);
	poll_wait(file, &f->watcher.wait, wait);
	/* Before those who wait are told: what calls answer from now on, poll does. */
	if (READ_ONCE(f->ivd->dead))
		return EPOLLHUP | EPOLLERR;
	switch (ivshmem_notify_peek(&f->ivd->notify, &f->watcher)) {
	case IVSHMEM_PENDING:
		return 0;
	case IVSHMEM_CHANGED:
		return EPOLLIN | EPOLLRDNORM;
	}
	return EPOLLHUP | EPOLLERR;
}
