// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting on words in the memory: watchers, and the timer that looks for them.
 *
 * A watcher is on its list from before its first look until it has fired, so that no change is lost. Whoever changes a word
 * and then looks for watchers does so under ->lock, as the watcher enlists and takes its first look:
 *
 *	watcher: lock; enlist; look; unlock; sleep
 *	waker:   store; lock; look at those on the list; unlock
 *
 * If the watcher has the lock first, the waker finds it on the list; if the waker has it first, its store is seen by the
 * watcher's look. Another machine's store takes no lock. It becomes visible before the interrupt that tells of it, hence
 * the barrier between enlisting and looking; and before a later look of the timer, which comes as long as somebody is on
 * the list: enlisting starts the timer, and only a scan that leaves nobody stops it. tests/model/wait.pml proves the same.
 *
 * ->lock is taken with interrupts off, since the interrupts of the doorbell look, too. A scan holds it for one bucket at a
 * time. Nothing of this sleeps, so the memory must have been reached before (ivshmem_region_reach()).
 */
#include <linux/hash.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "compat.h"
#include "ivshmem.h"

static unsigned int poll_min_us = 70;
module_param(poll_min_us, uint, 0644);
MODULE_PARM_DESC(poll_min_us, "shortest interval of looking at words that are waited for, in us (10 and up)");

static unsigned int poll_max_us = 50000;
module_param(poll_max_us, uint, 0644);
MODULE_PARM_DESC(poll_max_us, "longest interval of looking at words that are waited for, in us");

/* Below, a guest would do little else. */
#define POLL_FLOOR_US 10
/* With interrupts, for those who change words and do not ring. */
#define INTERRUPT_POLL_US 100000
/* An interval is this part of the time since the last change: it costs that much latency, and no more. */
#define PATIENCE 64
/* A scan of many watchers takes at most this part of a CPU. */
#define SCAN_SHARE 16

static u64 us(unsigned int n)
{
	return (u64)n * NSEC_PER_USEC;
}

/* After quiet_ns without a change. All in ns. */
u64 ivshmem_notify_interval(u64 quiet_ns, u64 shortest, u64 longest)
{
	return clamp(quiet_ns / PATIENCE, shortest, longest);
}

/* What a caller's poll_us means here, as bounds for its interval; longest 0: the timer does not run for it. */
static void set_pace(const struct ivshmem_notify *n, struct ivshmem_watcher *w, u32 poll_us)
{
	unsigned int least = max_t(unsigned int, READ_ONCE(poll_min_us), POLL_FLOOR_US);

	w->shortest = us(least);
	if (poll_us == IVSHMEM_POLL_NEVER)
		w->longest = 0;
	else if (poll_us)
		w->longest = us(max(poll_us, least));
	else
		w->longest = us(max(READ_ONCE(poll_max_us), least));
	if (n->interrupts && !poll_us) {
		w->shortest = us(INTERRUPT_POLL_US);
		w->longest = us(INTERRUPT_POLL_US);
	}
}

static struct ivshmem_device *device_of(struct ivshmem_notify *n)
{
	return container_of(n, struct ivshmem_device, notify);
}

/*
 * A memory that is switched off reads as all zeros or all ones, depending on the hypervisor: before such a value is
 * believed, the switch is looked at.
 */
bool ivshmem_notify_differs(struct ivshmem_device *ivd, u64 offset, u32 expected)
{
	u32 value = ivshmem_region_load(&ivd->region, offset);

	if (value == expected)
		return false;
	return (value && ~value) || ivshmem_pci_decodes(ivd);
}

static struct hlist_head *bucket_of(struct ivshmem_notify *n, u64 offset)
{
	return &n->buckets[hash_64(offset, IVSHMEM_NOTIFY_BITS)];
}

/*
 * Under ->lock; w is its owner's again. A waiter may be gone as soon as it sees ->done; its task is then kept by RCU, and
 * does not mind a wake-up that comes late.
 */
static void fire(struct ivshmem_watcher *w, int done)
{
	struct task_struct *task = w->task;

	hlist_del_init(&w->node);
	if (!task) {
		w->done = done;
		wake_up_poll(&w->wait, EPOLLIN | EPOLLRDNORM);
		return;
	}
	rcu_read_lock();
	/* Release: the last touch of the waiter, for its acquire in ivshmem_wait_word(). */
	smp_store_release(&w->done, done);
	wake_up_process(task);
	rcu_read_unlock();
}

/* Under ->lock. */
static void start_timer(struct ivshmem_notify *n, u64 now, u64 interval)
{
	u64 expires = now + interval;

	if (n->stopped || (hrtimer_is_queued(&n->timer) && ktime_to_ns(hrtimer_get_expires(&n->timer)) <= expires))
		return;
	hrtimer_start(&n->timer, ns_to_ktime(expires), HRTIMER_MODE_ABS_SOFT);
}

static u64 interval_of(const struct ivshmem_notify *n, const struct ivshmem_watcher *w, u64 now)
{
	u64 changed = READ_ONCE(n->changed);

	return ivshmem_notify_interval(now > changed ? now - changed : 0, w->shortest, w->longest);
}

/* Under ->lock. True: it has fired. */
static bool look_at(struct ivshmem_notify *n, struct ivshmem_watcher *w, u64 now)
{
	if (hlist_unhashed(&w->node) || !ivshmem_notify_differs(device_of(n), w->offset, w->expected))
		return false;
	WRITE_ONCE(n->changed, now);
	fire(w, IVSHMEM_CHANGED);
	return true;
}

/* Fires those of a bucket whose word has changed. The shortest interval that one of the others wants; 0: none does. */
static u64 scan_bucket(struct ivshmem_notify *n, struct hlist_head *bucket, u64 now)
{
	struct ivshmem_watcher *w;
	struct hlist_node *next;
	u64 interval, least = 0;

	hlist_for_each_entry_safe(w, next, bucket, node) {
		if (look_at(n, w, now) || !w->longest)
			continue;
		interval = interval_of(n, w, now);
		least = least ? min(least, interval) : interval;
	}
	return least;
}

/* Whoever enlists meanwhile has looked by itself and started the timer by itself. */
static u64 scan(struct ivshmem_notify *n, u64 now)
{
	struct hlist_head *bucket;
	u64 interval, least = 0;
	unsigned long flags;

	for (bucket = n->buckets; bucket < n->buckets + ARRAY_SIZE(n->buckets); bucket++) {
		if (hlist_empty(bucket))
			continue;
		spin_lock_irqsave(&n->lock, flags);
		interval = n->dead ? 0 : scan_bucket(n, bucket, now);
		spin_unlock_irqrestore(&n->lock, flags);
		if (interval)
			least = least ? min(least, interval) : interval;
	}
	return least;
}

static enum hrtimer_restart on_timer(struct hrtimer *timer)
{
	struct ivshmem_notify *n = container_of(timer, struct ivshmem_notify, timer);
	u64 began = ktime_get_ns(), interval = scan(n, began), now = ktime_get_ns();
	unsigned long flags;

	if (!interval)
		return HRTIMER_NORESTART;
	spin_lock_irqsave(&n->lock, flags);
	start_timer(n, now, max(interval, (now - began) * SCAN_SHARE));
	spin_unlock_irqrestore(&n->lock, flags);
	return HRTIMER_NORESTART;
}

/* Something may have changed: everybody looks. From any context. */
void ivshmem_notify_look(struct ivshmem_notify *n)
{
	/* What the interrupt tells of first, then who is on the lists: pairs with the barrier in ivshmem_notify_enlist(). */
	smp_mb();
	scan(n, ktime_get_ns());
}

/*
 * On the list, instead of what w was there for before, with a first look. IVSHMEM_PENDING: somebody else will fire it;
 * IVSHMEM_CHANGED; or -ENODEV. The offset lies in the memory and has been reached.
 */
int ivshmem_notify_enlist(struct ivshmem_notify *n, struct ivshmem_watcher *w, u64 offset, u32 expected, u32 poll_us)
{
	u64 now = ktime_get_ns();
	int done;

	spin_lock_irq(&n->lock);
	hlist_del_init(&w->node);
	w->offset = offset;
	w->expected = expected;
	w->done = n->dead ? -ENODEV : IVSHMEM_PENDING;
	set_pace(n, w, poll_us);
	if (!n->dead) {
		hlist_add_head(&w->node, bucket_of(n, offset));
		/* An interrupt passes over an empty list without the lock: it sees w there, or w sees what it tells of. */
		smp_mb();
		if (!look_at(n, w, now) && w->longest)
			start_timer(n, now, interval_of(n, w, now));
	}
	done = w->done;
	spin_unlock_irq(&n->lock);
	return done;
}

/* Looks for w, if nobody else has seen a change before. As ivshmem_notify_enlist(). */
int ivshmem_notify_peek(struct ivshmem_notify *n, struct ivshmem_watcher *w)
{
	int done;

	spin_lock_irq(&n->lock);
	look_at(n, w, ktime_get_ns());
	done = n->dead ? -ENODEV : w->done;
	spin_unlock_irq(&n->lock);
	return done;
}

/* Off the list, with a last look: w is as new. As ivshmem_notify_enlist(). */
int ivshmem_notify_delist(struct ivshmem_notify *n, struct ivshmem_watcher *w)
{
	int done;

	spin_lock_irq(&n->lock);
	look_at(n, w, ktime_get_ns());
	hlist_del_init(&w->node);
	done = n->dead ? -ENODEV : w->done;
	w->done = IVSHMEM_PENDING;
	spin_unlock_irq(&n->lock);
	return done;
}

/*
 * IVSHMEM_IOC_WAKE; the offset was checked. No change is noted: watchers that are woken need no timer.
 */
int ivshmem_notify_wake(struct ivshmem_device *ivd, u64 offset)
{
	struct ivshmem_notify *n = &ivd->notify;
	struct ivshmem_watcher *w;
	struct hlist_node *next;
	int err;

	/* What was stored before is seen by whoever looks, on this machine or another. */
	virt_mb();
	spin_lock_irq(&n->lock);
	hlist_for_each_entry_safe(w, next, bucket_of(n, offset), node) {
		if (w->offset == offset && ivshmem_notify_differs(ivd, offset, w->expected))
			fire(w, IVSHMEM_CHANGED);
	}
	err = n->dead ? -ENODEV : 0;
	spin_unlock_irq(&n->lock);
	return err;
}

void ivshmem_notify_watcher(struct ivshmem_watcher *w)
{
	INIT_HLIST_NODE(&w->node);
	init_waitqueue_head(&w->wait);
}

void ivshmem_notify_init(struct ivshmem_notify *n)
{
	spin_lock_init(&n->lock);
	hrtimer_setup(&n->timer, on_timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
}

/* No look by the timer until ivshmem_notify_start(): the machine goes to sleep. Watchers stay. */
void ivshmem_notify_stop(struct ivshmem_notify *n)
{
	spin_lock_irq(&n->lock);
	n->stopped = true;
	spin_unlock_irq(&n->lock);
	hrtimer_cancel(&n->timer);
}

/* What changed meanwhile is seen at once. */
void ivshmem_notify_start(struct ivshmem_notify *n)
{
	spin_lock_irq(&n->lock);
	n->stopped = false;
	start_timer(n, ktime_get_ns(), 0);
	spin_unlock_irq(&n->lock);
}

/* Nobody looks at the memory after this; waiters return ENODEV. */
void ivshmem_notify_kill(struct ivshmem_notify *n)
{
	struct hlist_head *bucket;

	ivshmem_notify_stop(n);
	spin_lock_irq(&n->lock);
	n->dead = true;
	for (bucket = n->buckets; bucket < n->buckets + ARRAY_SIZE(n->buckets); bucket++) {
		while (!hlist_empty(bucket))
			fire(hlist_entry(bucket->first, struct ivshmem_watcher, node), -ENODEV);
	}
	spin_unlock_irq(&n->lock);
}
