// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmod/notify.c: who is on the list, who is fired and by what, how often the timer looks, and the end of it all; on a
 * device whose memory is a few words.
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "fake.h"
#include "notify.c"

#define WORDS    1024
#define DEADLINE (20 * HZ)

struct scene {
	struct ivshmem_device ivd;
	struct ivshmem_watcher w[3];
	u32 word[WORDS];
};

static int init(struct kunit *test)
{
	struct scene *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	fake_device(&s->ivd, s->word, sizeof(s->word));
	for (i = 0; i < ARRAY_SIZE(s->w); i++)
		ivshmem_notify_watcher(&s->w[i]);
	test->priv = s;
	return 0;
}

static void end(struct kunit *test)
{
	struct scene *s = test->priv;

	if (!s->ivd.notify.dead)
		ivshmem_notify_kill(&s->ivd.notify);
	fake_decodes = true;
}

static bool listed(const struct ivshmem_watcher *w)
{
	return !hlist_unhashed(&w->node);
}

static int enlist(struct scene *s, unsigned int i, u64 offset, u32 expected, u32 poll_us)
{
	return ivshmem_notify_enlist(&s->ivd.notify, &s->w[i], offset, expected, poll_us);
}

/* The back-off, as what it is: a function of three numbers. */
static void interval_backs_off(struct kunit *test)
{
	const u64 least = us(100), most = us(10000);
	u64 quiet, before = 0, interval;

	KUNIT_EXPECT_EQ(test, ivshmem_notify_interval(0, least, most), least);
	KUNIT_EXPECT_EQ(test, ivshmem_notify_interval(PATIENCE * us(500), least, most), us(500));
	KUNIT_EXPECT_EQ(test, ivshmem_notify_interval(~0ULL, least, most), most);
	KUNIT_EXPECT_EQ(test, ivshmem_notify_interval(~0ULL, least, least), least);
	for (quiet = 1; quiet < 1ULL << 62; quiet *= 2, before = interval) {
		interval = ivshmem_notify_interval(quiet, least, most);
		KUNIT_EXPECT_GE(test, interval, max(before, least));
		KUNIT_EXPECT_LE(test, interval, most);
		KUNIT_EXPECT_LE(test, interval, max(quiet / PATIENCE, least));
	}
}

struct pace {
	const char *name;
	u32 poll_us;
	bool interrupts;
	u64 shortest, longest;
};
static const struct pace paces[] = {
	{"none asked for", 0, false, 70000, 50000000},
	{"none asked for, interrupts", 0, true, 100000000, 100000000},
	{"never", IVSHMEM_POLL_NEVER, false, 70000, 0},
	{"never, interrupts", IVSHMEM_POLL_NEVER, true, 70000, 0},
	{"too short", 1, false, 70000, 70000},
	{"the shortest", 70, false, 70000, 70000},
	{"short, interrupts", 500, true, 70000, 500000},
	{"longer than the longest", 20000, false, 70000, 20000000},
	{"as long as can be said", 0xfffffffe, false, 70000, 4294967294000},
};

static void pace_name(const struct pace *p, char *name)
{
	strscpy(name, p->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(pace, paces, pace_name);

static void pace_is_bounded(struct kunit *test)
{
	const struct pace *p = test->param_value;
	struct ivshmem_notify n = {.interrupts = p->interrupts};
	struct ivshmem_watcher w = {};

	set_pace(&n, &w, p->poll_us);
	KUNIT_EXPECT_EQ(test, w.shortest, p->shortest);
	KUNIT_EXPECT_EQ(test, w.longest, p->longest);
}

/* Parameters that make no sense: never below the floor, and the longest is not below the shortest. */
static void pace_with_odd_parameters(struct kunit *test)
{
	unsigned int least = poll_min_us, most = poll_max_us;
	struct ivshmem_notify n = {};
	struct ivshmem_watcher w = {};

	poll_min_us = 0;
	poll_max_us = 0;
	set_pace(&n, &w, 0);
	KUNIT_EXPECT_EQ(test, w.shortest, us(POLL_FLOOR_US));
	KUNIT_EXPECT_EQ(test, w.longest, us(POLL_FLOOR_US));
	poll_min_us = ~0u;
	set_pace(&n, &w, 1);
	KUNIT_EXPECT_EQ(test, w.shortest, us(~0u));
	KUNIT_EXPECT_EQ(test, w.longest, us(~0u));
	poll_min_us = least;
	poll_max_us = most;
}

static void changed_before(struct kunit *test)
{
	struct scene *s = test->priv;

	s->word[1] = 5;
	KUNIT_EXPECT_EQ(test, enlist(s, 0, 4, 4, 0), (int)IVSHMEM_CHANGED);
	KUNIT_EXPECT_FALSE(test, listed(&s->w[0]));
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&s->ivd.notify.timer));
}

/* Fired, it stays so although the word changes back; until it is armed again. */
static void stays_fired(struct kunit *test)
{
	struct scene *s = test->priv;
	struct ivshmem_notify *n = &s->ivd.notify;

	KUNIT_EXPECT_EQ(test, enlist(s, 0, 0, 0, IVSHMEM_POLL_NEVER), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_EQ(test, ivshmem_notify_peek(n, &s->w[0]), (int)IVSHMEM_PENDING);
	s->word[0] = 1;
	KUNIT_EXPECT_EQ(test, ivshmem_notify_peek(n, &s->w[0]), (int)IVSHMEM_CHANGED);
	KUNIT_EXPECT_FALSE(test, listed(&s->w[0]));
	s->word[0] = 0;
	KUNIT_EXPECT_EQ(test, ivshmem_notify_peek(n, &s->w[0]), (int)IVSHMEM_CHANGED);
	KUNIT_EXPECT_EQ(test, enlist(s, 0, 0, 0, IVSHMEM_POLL_NEVER), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_EQ(test, ivshmem_notify_delist(n, &s->w[0]), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_FALSE(test, listed(&s->w[0]));
}

static void last_look(struct kunit *test)
{
	struct scene *s = test->priv;

	KUNIT_EXPECT_EQ(test, enlist(s, 0, 8, 0, IVSHMEM_POLL_NEVER), (int)IVSHMEM_PENDING);
	s->word[2] = 7;
	KUNIT_EXPECT_EQ(test, ivshmem_notify_delist(&s->ivd.notify, &s->w[0]), (int)IVSHMEM_CHANGED);
	KUNIT_EXPECT_EQ(test, ivshmem_notify_delist(&s->ivd.notify, &s->w[0]), (int)IVSHMEM_PENDING);
}

static void armed_again_elsewhere(struct kunit *test)
{
	struct scene *s = test->priv;

	KUNIT_EXPECT_EQ(test, enlist(s, 0, 0, 0, IVSHMEM_POLL_NEVER), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_EQ(test, enlist(s, 0, 4, 0, IVSHMEM_POLL_NEVER), (int)IVSHMEM_PENDING);
	s->word[0] = 1;
	KUNIT_EXPECT_EQ(test, ivshmem_notify_wake(&s->ivd, 0), 0);
	KUNIT_EXPECT_EQ(test, s->w[0].done, (int)IVSHMEM_PENDING);
	s->word[1] = 1;
	KUNIT_EXPECT_EQ(test, ivshmem_notify_wake(&s->ivd, 4), 0);
	KUNIT_EXPECT_EQ(test, s->w[0].done, (int)IVSHMEM_CHANGED);
}

/* Another word, which lies in the same bucket. */
static u64 neighbour(struct scene *s, u64 offset)
{
	u64 other = offset;

	do
		other += 4;
	while (bucket_of(&s->ivd.notify, other) != bucket_of(&s->ivd.notify, offset));
	return other;
}

static void woken_by_offset(struct kunit *test)
{
	struct scene *s = test->priv;
	u64 other = neighbour(s, 4);

	KUNIT_ASSERT_LT(test, other, (u64)sizeof(s->word));
	KUNIT_EXPECT_EQ(test, enlist(s, 0, 4, 0, IVSHMEM_POLL_NEVER), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_EQ(test, enlist(s, 1, other, 0, IVSHMEM_POLL_NEVER), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_EQ(test, enlist(s, 2, 4, 0, IVSHMEM_POLL_NEVER), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_EQ(test, ivshmem_notify_wake(&s->ivd, 4), 0); /* nothing has changed */
	KUNIT_EXPECT_TRUE(test, listed(&s->w[0]) && listed(&s->w[1]) && listed(&s->w[2]));
	s->word[1] = 1;
	s->word[other / 4] = 1;
	KUNIT_EXPECT_EQ(test, ivshmem_notify_wake(&s->ivd, 4), 0);
	KUNIT_EXPECT_EQ(test, s->w[0].done, (int)IVSHMEM_CHANGED);
	KUNIT_EXPECT_EQ(test, s->w[1].done, (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_EQ(test, s->w[2].done, (int)IVSHMEM_CHANGED);
	ivshmem_notify_look(&s->ivd.notify); /* as an interrupt does: everybody */
	KUNIT_EXPECT_EQ(test, s->w[1].done, (int)IVSHMEM_CHANGED);
}

/* Only all zeros and all ones are doubted, as what a memory reads that is switched off. */
static void memory_switched_off(struct kunit *test)
{
	struct scene *s = test->priv;
	struct ivshmem_device *ivd = &s->ivd;

	fake_decodes = false;
	s->word[0] = ~0u;
	s->word[2] = 3;
	KUNIT_EXPECT_FALSE(test, ivshmem_notify_differs(ivd, 0, 1));
	KUNIT_EXPECT_FALSE(test, ivshmem_notify_differs(ivd, 4, 1));
	KUNIT_EXPECT_TRUE(test, ivshmem_notify_differs(ivd, 8, 1));
	KUNIT_EXPECT_FALSE(test, ivshmem_notify_differs(ivd, 8, 3));
	KUNIT_EXPECT_EQ(test, enlist(s, 0, 0, 1, IVSHMEM_POLL_NEVER), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_EQ(test, ivshmem_notify_wake(ivd, 0), 0);
	KUNIT_EXPECT_TRUE(test, listed(&s->w[0]));
	fake_decodes = true;
	KUNIT_EXPECT_TRUE(test, ivshmem_notify_differs(ivd, 0, 1));
	KUNIT_EXPECT_TRUE(test, ivshmem_notify_differs(ivd, 4, 1));
	KUNIT_EXPECT_EQ(test, ivshmem_notify_peek(&ivd->notify, &s->w[0]), (int)IVSHMEM_CHANGED);
}

static bool comes(const int *done, int wanted)
{
	unsigned long deadline = jiffies + DEADLINE;

	while (READ_ONCE(*done) != wanted) {
		if (time_after(jiffies, deadline))
			return false;
		schedule_timeout_uninterruptible(1);
	}
	return true;
}

static bool timer_ends(struct ivshmem_notify *n)
{
	unsigned long deadline = jiffies + DEADLINE;

	while (hrtimer_active(&n->timer)) {
		if (time_after(jiffies, deadline))
			return false;
		schedule_timeout_uninterruptible(1);
	}
	return true;
}

/* Nobody says a word: the timer finds it, and rests when nobody is left. */
static void seen_by_the_timer(struct kunit *test)
{
	struct scene *s = test->priv;

	KUNIT_EXPECT_EQ(test, enlist(s, 0, 0, 0, 0), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_EQ(test, enlist(s, 1, 4, 0, 1000), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_TRUE(test, hrtimer_active(&s->ivd.notify.timer));
	WRITE_ONCE(s->word[0], 1);
	KUNIT_EXPECT_TRUE(test, comes(&s->w[0].done, IVSHMEM_CHANGED));
	KUNIT_EXPECT_EQ(test, READ_ONCE(s->w[1].done), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_TRUE(test, hrtimer_active(&s->ivd.notify.timer));
	WRITE_ONCE(s->word[1], 1);
	KUNIT_EXPECT_TRUE(test, comes(&s->w[1].done, IVSHMEM_CHANGED));
	KUNIT_EXPECT_TRUE(test, timer_ends(&s->ivd.notify));
}

static void no_timer_for_never(struct kunit *test)
{
	struct scene *s = test->priv;

	KUNIT_EXPECT_EQ(test, enlist(s, 0, 0, 0, IVSHMEM_POLL_NEVER), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&s->ivd.notify.timer));
	KUNIT_EXPECT_EQ(test, enlist(s, 1, 4, 0, 0), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_TRUE(test, hrtimer_active(&s->ivd.notify.timer));
	KUNIT_EXPECT_EQ(test, ivshmem_notify_delist(&s->ivd.notify, &s->w[1]), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_TRUE(test, timer_ends(&s->ivd.notify));
	KUNIT_EXPECT_TRUE(test, listed(&s->w[0]));
}

/* One in no hurry is there first: the timer comes sooner for the second. */
static void timer_hastens(struct kunit *test)
{
	struct scene *s = test->priv;
	struct hrtimer *timer = &s->ivd.notify.timer;
	ktime_t late;

	s->ivd.notify.interrupts = true;
	KUNIT_EXPECT_EQ(test, enlist(s, 0, 0, 0, 0), (int)IVSHMEM_PENDING);
	late = hrtimer_get_expires(timer);
	KUNIT_EXPECT_EQ(test, enlist(s, 1, 4, 0, 100), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_LT(test, ktime_to_ns(hrtimer_get_expires(timer)), ktime_to_ns(late));
}

static void suspended(struct kunit *test)
{
	struct scene *s = test->priv;
	struct ivshmem_notify *n = &s->ivd.notify;

	KUNIT_EXPECT_EQ(test, enlist(s, 0, 0, 0, 0), (int)IVSHMEM_PENDING);
	ivshmem_notify_stop(n);
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&n->timer));
	KUNIT_EXPECT_EQ(test, enlist(s, 1, 4, 0, 0), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&n->timer));
	s->word[0] = 1;
	ivshmem_notify_start(n);
	KUNIT_EXPECT_TRUE(test, comes(&s->w[0].done, IVSHMEM_CHANGED));
	KUNIT_EXPECT_TRUE(test, listed(&s->w[1]));
}

static void death(struct kunit *test)
{
	struct scene *s = test->priv;
	struct ivshmem_notify *n = &s->ivd.notify;

	KUNIT_EXPECT_EQ(test, enlist(s, 0, 0, 0, 0), (int)IVSHMEM_PENDING);
	KUNIT_EXPECT_EQ(test, enlist(s, 1, 400, 0, IVSHMEM_POLL_NEVER), (int)IVSHMEM_PENDING);
	s->word[2] = 1;
	KUNIT_EXPECT_EQ(test, enlist(s, 2, 8, 0, 0), (int)IVSHMEM_CHANGED);
	ivshmem_notify_kill(n);
	s->ivd.region.ram = NULL; /* whoever looks now, oopses */
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&n->timer));
	KUNIT_EXPECT_EQ(test, s->w[0].done, -ENODEV);
	KUNIT_EXPECT_EQ(test, s->w[1].done, -ENODEV);
	KUNIT_EXPECT_FALSE(test, listed(&s->w[0]) || listed(&s->w[1]));
	KUNIT_EXPECT_EQ(test, ivshmem_notify_peek(n, &s->w[2]), -ENODEV);
	KUNIT_EXPECT_EQ(test, enlist(s, 0, 0, 0, 0), -ENODEV);
	KUNIT_EXPECT_FALSE(test, listed(&s->w[0]) || hrtimer_active(&n->timer));
	KUNIT_EXPECT_EQ(test, ivshmem_notify_delist(n, &s->w[1]), -ENODEV);
	KUNIT_EXPECT_EQ(test, ivshmem_notify_wake(&s->ivd, 0), -ENODEV);
	ivshmem_notify_look(n);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(interval_backs_off),
	KUNIT_CASE_PARAM(pace_is_bounded, pace_gen_params),
	KUNIT_CASE(pace_with_odd_parameters),
	KUNIT_CASE(changed_before),
	KUNIT_CASE(stays_fired),
	KUNIT_CASE(last_look),
	KUNIT_CASE(armed_again_elsewhere),
	KUNIT_CASE(woken_by_offset),
	KUNIT_CASE(memory_switched_off),
	KUNIT_CASE(seen_by_the_timer),
	KUNIT_CASE(no_timer_for_never),
	KUNIT_CASE(timer_hastens),
	KUNIT_CASE(suspended),
	KUNIT_CASE(death),
	{},
};

static struct kunit_suite suite = {
	.name = "ivshmem_notify",
	.init = init,
	.exit = end,
	.test_cases = cases,
};
kunit_test_suite(suite);
