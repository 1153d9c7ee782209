// SPDX-License-Identifier: GPL-2.0-only
/* kmod/wait.c: threads that sleep on a word, what ends their sleep, and that nothing is lost in between; poll. */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "fake.h"
#include "wait.c"

#define WORDS    64
#define SLEEPERS 8
#define DEADLINE (30 * HZ)

struct sleeper {
	struct ivshmem_device *ivd;
	struct task_struct *task;
	struct completion ended;
	u64 offset;
	u32 expected;
	u32 poll_us;
	int result;
};

struct scene {
	struct ivshmem_device ivd;
	struct ivshmem_file f;
	struct file file;
	struct sleeper sleeper[SLEEPERS];
	u32 word[WORDS];
};

static int init(struct kunit *test)
{
	struct scene *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	fake_device(&s->ivd, s->word, sizeof(s->word));
	fake_file(&s->file, &s->f, &s->ivd);
	test->priv = s;
	return 0;
}

static void die(struct scene *s)
{
	down_write(&s->ivd.lock);
	s->ivd.dead = true;
	up_write(&s->ivd.lock);
	ivshmem_notify_kill(&s->ivd.notify);
}

static void end(struct kunit *test)
{
	struct scene *s = test->priv;

	if (!s->ivd.dead)
		die(s);
}

static int sleep_on(void *data)
{
	struct sleeper *sleeper = data;

	allow_signal(SIGUSR1);
	sleeper->result =
		ivshmem_wait_word(sleeper->ivd, sleeper->offset, sleeper->expected, sleeper->poll_us, NULL, false);
	complete(&sleeper->ended);
	return 0;
}

static void put_to_sleep(struct kunit *test, struct scene *s, unsigned int i, u64 offset, u32 expected, u32 poll_us)
{
	struct sleeper *sleeper = &s->sleeper[i];

	*sleeper = (struct sleeper){.ivd = &s->ivd, .offset = offset, .expected = expected, .poll_us = poll_us};
	init_completion(&sleeper->ended);
	sleeper->task = kthread_create(sleep_on, sleeper, "sleeper");
	KUNIT_ASSERT_FALSE(test, IS_ERR(sleeper->task));
	get_task_struct(sleeper->task);
	wake_up_process(sleeper->task);
}

static int woke(struct scene *s, unsigned int i)
{
	struct sleeper *sleeper = &s->sleeper[i];

	if (!wait_for_completion_timeout(&sleeper->ended, DEADLINE))
		return -EHWPOISON; /* none of ours: it sleeps on, and the memory must stay */
	put_task_struct(sleeper->task);
	return sleeper->result;
}

static unsigned int listed(struct scene *s)
{
	struct ivshmem_notify *n = &s->ivd.notify;
	unsigned int i, count = 0;
	struct hlist_node *node;

	spin_lock_irq(&n->lock);
	for (i = 0; i < ARRAY_SIZE(n->buckets); i++)
		hlist_for_each(node, &n->buckets[i]) count++;
	spin_unlock_irq(&n->lock);
	return count;
}

static bool all_listed(struct scene *s, unsigned int count)
{
	unsigned long deadline = jiffies + DEADLINE;

	while (listed(s) != count) {
		if (time_after(jiffies, deadline))
			return false;
		schedule_timeout_uninterruptible(1);
	}
	return true;
}

static void differs_already(struct kunit *test)
{
	struct scene *s = test->priv;
	ktime_t past = 1;

	s->word[1] = 9;
	KUNIT_EXPECT_EQ(test, ivshmem_wait_word(&s->ivd, 4, 8, 0, NULL, false), 0);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_word(&s->ivd, 4, 8, 0, NULL, true), 0);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_word(&s->ivd, 4, 8, 0, &past, false), 0);
}

static void does_not_differ(struct kunit *test)
{
	struct scene *s = test->priv;
	ktime_t past = 1, soon = ktime_add_ms(ktime_get(), 30), zero = 0;

	KUNIT_EXPECT_EQ(test, ivshmem_wait_word(&s->ivd, 0, 0, 0, NULL, true), -EAGAIN);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_word(&s->ivd, 0, 0, 0, &zero, false), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_word(&s->ivd, 0, 0, 0, &past, false), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_word(&s->ivd, 0, 0, 0, &soon, false), -ETIMEDOUT);
	KUNIT_EXPECT_GE(test, ktime_get(), soon);
	KUNIT_EXPECT_EQ(test, listed(s), 0u);
}

static void woken(struct kunit *test)
{
	struct scene *s = test->priv;

	put_to_sleep(test, s, 0, 0, 0, IVSHMEM_POLL_NEVER);
	KUNIT_EXPECT_TRUE(test, all_listed(s, 1));
	KUNIT_EXPECT_EQ(test, ivshmem_notify_wake(&s->ivd, 0), 0); /* for nothing: it sleeps on */
	KUNIT_EXPECT_EQ(test, listed(s), 1u);
	WRITE_ONCE(s->word[0], 1);
	KUNIT_EXPECT_EQ(test, ivshmem_notify_wake(&s->ivd, 0), 0);
	KUNIT_EXPECT_EQ(test, woke(s, 0), 0);
}

static void woken_by_the_timer(struct kunit *test)
{
	struct scene *s = test->priv;

	put_to_sleep(test, s, 0, 0, 0, 0);
	KUNIT_EXPECT_TRUE(test, all_listed(s, 1));
	WRITE_ONCE(s->word[0], 1);
	KUNIT_EXPECT_EQ(test, woke(s, 0), 0);
}

static void many_on_one_word(struct kunit *test)
{
	struct scene *s = test->priv;
	unsigned int i;

	for (i = 0; i < SLEEPERS; i++)
		put_to_sleep(test, s, i, 0, 0, IVSHMEM_POLL_NEVER);
	KUNIT_EXPECT_TRUE(test, all_listed(s, SLEEPERS));
	WRITE_ONCE(s->word[0], 1);
	KUNIT_EXPECT_EQ(test, ivshmem_notify_wake(&s->ivd, 0), 0);
	for (i = 0; i < SLEEPERS; i++)
		KUNIT_EXPECT_EQ(test, woke(s, i), 0);
	KUNIT_EXPECT_EQ(test, listed(s), 0u);
}

static void interrupted(struct kunit *test)
{
	struct scene *s = test->priv;

	put_to_sleep(test, s, 0, 0, 0, IVSHMEM_POLL_NEVER);
	KUNIT_EXPECT_TRUE(test, all_listed(s, 1));
	KUNIT_EXPECT_EQ(test, send_sig(SIGUSR1, s->sleeper[0].task, 1), 0);
	KUNIT_EXPECT_EQ(test, woke(s, 0), -EINTR);
	KUNIT_EXPECT_EQ(test, listed(s), 0u);
}

static void device_goes(struct kunit *test)
{
	struct scene *s = test->priv;
	ktime_t past = 1;
	unsigned int i;

	for (i = 0; i < SLEEPERS; i++)
		put_to_sleep(test, s, i, 4 * i, 0, i % 2 ? 0 : IVSHMEM_POLL_NEVER);
	KUNIT_EXPECT_TRUE(test, all_listed(s, SLEEPERS));
	die(s);
	for (i = 0; i < SLEEPERS; i++)
		KUNIT_EXPECT_EQ(test, woke(s, i), -ENODEV);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_word(&s->ivd, 0, 1, 0, NULL, false), -ENODEV);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_word(&s->ivd, 0, 0, 0, &past, false), -ENODEV);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_watch(&s->ivd, &s->f.watcher, 0, 0, 0), -ENODEV);
}

/*
 * Store and wake at any moment before, within and after the enlisting: with no timer, each that is lost sleeps for ever. The
 * pause moves through the time that a sleeper needs to fall asleep.
 */
static void nothing_is_lost(struct kunit *test)
{
	struct scene *s = test->priv;
	u32 round;

	for (round = 0; round < 1000; round++) {
		put_to_sleep(test, s, 0, 0, round, IVSHMEM_POLL_NEVER);
		udelay(round % 97);
		WRITE_ONCE(s->word[0], round + 1);
		KUNIT_ASSERT_EQ(test, ivshmem_notify_wake(&s->ivd, 0), 0);
		KUNIT_ASSERT_EQ(test, woke(s, 0), 0);
	}
}

static void polled(struct kunit *test)
{
	struct scene *s = test->priv;
	struct ivshmem_watcher *w = &s->f.watcher;

	KUNIT_EXPECT_EQ(test, ivshmem_wait_poll(&s->file, NULL), (__poll_t)0);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_watch(&s->ivd, w, 0, 0, IVSHMEM_POLL_NEVER), 0);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_poll(&s->file, NULL), (__poll_t)0);
	s->word[0] = 1;
	KUNIT_EXPECT_EQ(test, ivshmem_wait_poll(&s->file, NULL), (__poll_t)(EPOLLIN | EPOLLRDNORM));
	s->word[0] = 0;
	KUNIT_EXPECT_EQ(test, ivshmem_wait_poll(&s->file, NULL), (__poll_t)(EPOLLIN | EPOLLRDNORM));
	KUNIT_EXPECT_EQ(test, ivshmem_wait_watch(&s->ivd, w, 0, 0, IVSHMEM_POLL_NEVER), 0);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_poll(&s->file, NULL), (__poll_t)0);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_watch(&s->ivd, w, 0, 7, IVSHMEM_POLL_NEVER), 0);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_poll(&s->file, NULL), (__poll_t)(EPOLLIN | EPOLLRDNORM));
	die(s);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_poll(&s->file, NULL), (__poll_t)(EPOLLHUP | EPOLLERR));
}

/* As soon as calls answer ENODEV, though the watchers have not been told yet. */
static void polled_while_it_goes(struct kunit *test)
{
	struct scene *s = test->priv;

	s->word[0] = 1;
	KUNIT_EXPECT_EQ(test, ivshmem_wait_watch(&s->ivd, &s->f.watcher, 0, 0, IVSHMEM_POLL_NEVER), 0);
	WRITE_ONCE(s->ivd.dead, true);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_poll(&s->file, NULL), (__poll_t)(EPOLLHUP | EPOLLERR));
}

static int wakes(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	*(__poll_t *)entry->private |= key_to_poll(key);
	return 1;
}

/* Those who poll are woken when the word changes, and again when the device goes. */
static void pollers_are_woken(struct kunit *test)
{
	struct scene *s = test->priv;
	struct wait_queue_entry entry;
	__poll_t events = 0;

	init_waitqueue_func_entry(&entry, wakes);
	entry.private = &events;
	add_wait_queue(&s->f.watcher.wait, &entry);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_watch(&s->ivd, &s->f.watcher, 0, 0, IVSHMEM_POLL_NEVER), 0);
	s->word[0] = 1;
	KUNIT_EXPECT_EQ(test, ivshmem_notify_wake(&s->ivd, 0), 0);
	KUNIT_EXPECT_EQ(test, events, (__poll_t)(EPOLLIN | EPOLLRDNORM));
	events = 0;
	KUNIT_EXPECT_EQ(test, ivshmem_wait_watch(&s->ivd, &s->f.watcher, 0, 1, IVSHMEM_POLL_NEVER), 0);
	die(s);
	KUNIT_EXPECT_NE(test, events, (__poll_t)0);
	remove_wait_queue(&s->f.watcher.wait, &entry);
}

/* How long a waiter looks by itself is bounded, whatever the parameter says. */
static void spins_for_a_moment(struct kunit *test)
{
	struct scene *s = test->priv;
	ktime_t began = ktime_get(), past = 1;
	unsigned int before = spin_us;

	spin_us = ~0u;
	KUNIT_EXPECT_FALSE(test, spin(&s->ivd, 0, 0, NULL));
	KUNIT_EXPECT_GE(test, ktime_us_delta(ktime_get(), began), 0LL);
	KUNIT_EXPECT_LT(test, ktime_ms_delta(ktime_get(), began), 20000LL);
	KUNIT_EXPECT_FALSE(test, spin(&s->ivd, 0, 0, &past));
	spin_us = 0;
	KUNIT_EXPECT_FALSE(test, spin(&s->ivd, 0, 0, NULL));
	KUNIT_EXPECT_TRUE(test, spin(&s->ivd, 0, 1, NULL));
	spin_us = before;
}

static struct kunit_case cases[] = {
	KUNIT_CASE(differs_already),
	KUNIT_CASE(does_not_differ),
	KUNIT_CASE(woken),
	KUNIT_CASE(woken_by_the_timer),
	KUNIT_CASE(many_on_one_word),
	KUNIT_CASE(interrupted),
	KUNIT_CASE(device_goes),
	KUNIT_CASE(nothing_is_lost),
	KUNIT_CASE(polled),
	KUNIT_CASE(pollers_are_woken),
	KUNIT_CASE(spins_for_a_moment),
	KUNIT_CASE(polled_while_it_goes),
	{},
};

static struct kunit_suite suite = {
	.name = "ivshmem_wait",
	.init = init,
	.exit = end,
	.test_cases = cases,
};
kunit_test_suite(suite);
