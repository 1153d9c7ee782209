// SPDX-License-Identifier: GPL-2.0-only
/* kmod/ioctl.c: every argument of every command that must be refused, and what is done with one that is taken. */
#include <kunit/test.h>
#include <linux/slab.h>

#include "fake.h"
#include "ioctl.c"

#define SIZE (8 * PAGE_SIZE)

struct scene {
	struct ivshmem_device ivd;
	struct ivshmem_file f;
	struct file file;
	u32 registers[64];
};

static int init(struct kunit *test)
{
	struct scene *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	fake_device(&s->ivd, kunit_kzalloc(test, SIZE, GFP_KERNEL), SIZE);
	KUNIT_ASSERT_NOT_NULL(test, s->ivd.region.ram);
	fake_file(&s->file, &s->f, &s->ivd);
	test->priv = s;
	fake_user_borrow();
	KUNIT_ASSERT_EQ(test, clear_user(fake_user(), FAKE_USER_SIZE), 0UL);
	return 0;
}

static void end(struct kunit *test)
{
	struct scene *s = test->priv;

	ivshmem_notify_kill(&s->ivd.notify);
	fake_user_return();
}

static long call(struct scene *s, unsigned int cmd, const void *in, size_t size)
{
	if (copy_to_user(fake_user(), in, size))
		return -EFAULT;
	return ivshmem_ioctl(&s->file, cmd, (unsigned long)fake_user());
}

static long info(struct scene *s, const struct ivshmem_info *in)
{
	return call(s, IVSHMEM_IOC_INFO, in, sizeof(*in));
}

static void info_is_filled(struct kunit *test)
{
	struct scene *s = test->priv;
	struct ivshmem_info in = {.argsz = sizeof(in)}, out;

	s->ivd.model = IVSHMEM_MODEL_DOORBELL;
	s->ivd.ivposition = 0xffff;
	s->ivd.vectors = 2048;
	s->ivd.index = 1023;
	strscpy(s->ivd.slot, "0000:00:04.0", sizeof(s->ivd.slot));
	KUNIT_ASSERT_EQ(test, info(s, &in), 0L);
	KUNIT_ASSERT_EQ(test, copy_from_user(&out, fake_user(), sizeof(out)), 0UL);
	KUNIT_EXPECT_EQ(test, out.argsz, (u32)IVSHMEM_INFO_SIZE_V1);
	KUNIT_EXPECT_EQ(test, out.size, (u64)SIZE);
	KUNIT_EXPECT_EQ(test, out.features, IVSHMEM_FEATURE_MMAP | IVSHMEM_FEATURE_WAIT);
	KUNIT_EXPECT_EQ(test, out.model, (u32)IVSHMEM_MODEL_DOORBELL);
	KUNIT_EXPECT_EQ(test, out.cache, (u32)IVSHMEM_CACHE_WRITE_BACK);
	KUNIT_EXPECT_EQ(test, out.cache_reason, (u32)IVSHMEM_REASON_SMALL);
	KUNIT_EXPECT_EQ(test, out.ivposition, 0xffffu);
	KUNIT_EXPECT_EQ(test, out.vectors, 2048u);
	KUNIT_EXPECT_EQ(test, out.index, 1023u);
	KUNIT_EXPECT_STREQ(test, out.slot, "0000:00:04.0");
	KUNIT_EXPECT_EQ(test, out.flags, 0u);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(out.reserved, 0, sizeof(out.reserved)), NULL);
}

static void info_features(struct kunit *test)
{
	struct scene *s = test->priv;
	struct ivshmem_info out;

	s->ivd.region.pages = (void *)s;
	fill_info(&s->ivd, &out);
	KUNIT_EXPECT_EQ(test, out.features, IVSHMEM_FEATURE_MMAP | IVSHMEM_FEATURE_PAGES | IVSHMEM_FEATURE_WAIT);
	s->ivd.region.pages = NULL;
	s->ivd.region.io = (void __iomem *)s;
	fill_info(&s->ivd, &out);
	KUNIT_EXPECT_EQ(test, out.features, IVSHMEM_FEATURE_WAIT);
	s->ivd.doorbell.registers = (void __iomem *)s->registers;
	fill_info(&s->ivd, &out);
	KUNIT_EXPECT_EQ(test, out.features, IVSHMEM_FEATURE_WAIT | IVSHMEM_FEATURE_DOORBELL);
	s->ivd.notify.interrupts = true;
	fill_info(&s->ivd, &out);
	KUNIT_EXPECT_EQ(test, out.features,
			IVSHMEM_FEATURE_WAIT | IVSHMEM_FEATURE_DOORBELL | IVSHMEM_FEATURE_INTERRUPT);
}

static void info_refuses(struct kunit *test)
{
	static const u32 sizes[] = {0, 1, 4, IVSHMEM_INFO_SIZE_V1 - 1, PAGE_SIZE + 1, 1u << 31, ~0u};
	struct scene *s = test->priv;
	struct ivshmem_info in = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		in.argsz = sizes[i];
		KUNIT_EXPECT_EQ_MSG(test, info(s, &in), (long)-EINVAL, "argsz %u", sizes[i]);
	}
	in.argsz = sizeof(in);
	in.flags = 1;
	KUNIT_EXPECT_EQ(test, info(s, &in), (long)-EINVAL);
	in.flags = 0;
	for (i = 0; i < ARRAY_SIZE(in.reserved); i++) {
		in.reserved[i] = 1ULL << 63;
		KUNIT_EXPECT_EQ(test, info(s, &in), (long)-EINVAL);
		in.reserved[i] = 0;
	}
	KUNIT_EXPECT_EQ(test, info(s, &in), 0L);
}

/* A caller of a later age: more than this driver knows, which must be zero, up to a page. */
static void info_of_a_later_age(struct kunit *test)
{
	struct scene *s = test->priv;
	struct ivshmem_info in = {.argsz = PAGE_SIZE};
	u8 __user *tail = fake_user() + sizeof(in);
	u8 byte;

	KUNIT_ASSERT_EQ(test, clear_user(fake_user(), PAGE_SIZE), 0UL);
	KUNIT_EXPECT_EQ(test, info(s, &in), 0L);
	KUNIT_ASSERT_EQ(test, put_user(1, tail + PAGE_SIZE - sizeof(in) - 1), 0);
	KUNIT_EXPECT_EQ(test, info(s, &in), (long)-EINVAL);
	in.argsz--;
	KUNIT_EXPECT_EQ(test, info(s, &in), 0L);
	KUNIT_EXPECT_EQ(test, get_user(byte, tail), 0);
	KUNIT_EXPECT_EQ(test, byte, 0);
}

static void ioctl_numbers(struct kunit *test)
{
	struct scene *s = test->priv;
	struct ivshmem_info in = {.argsz = sizeof(in)};
	unsigned long arg = (unsigned long)fake_user();

	KUNIT_ASSERT_EQ(test, copy_to_user(fake_user(), &in, sizeof(in)), 0UL);
	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, 0, arg), (long)-ENOTTY);
	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, ~0u, arg), (long)-ENOTTY);
	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, _IOWR(IVSHMEM_IOC_MAGIC, 0x1f, struct ivshmem_info), arg),
			(long)-ENOTTY);
	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, _IOR(IVSHMEM_IOC_MAGIC, 0, struct ivshmem_info), arg),
			(long)-ENOTTY);
	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, _IOWR(IVSHMEM_IOC_MAGIC, 0, u8[4000]), arg), 0L);
}

static void ioctl_addresses(struct kunit *test)
{
	struct scene *s = test->priv;
	unsigned long end = (unsigned long)fake_user() + FAKE_USER_SIZE;
	struct ivshmem_info in = {.argsz = sizeof(in)};

	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, IVSHMEM_IOC_INFO, 0), (long)-EFAULT);
	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, IVSHMEM_IOC_INFO, end), (long)-EFAULT);
	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, IVSHMEM_IOC_INFO, (unsigned long)&in), (long)-EFAULT);
	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, IVSHMEM_IOC_INFO, ~0UL), (long)-EFAULT);
	KUNIT_ASSERT_EQ(test, put_user((u32)sizeof(in), (u32 __user *)(end - 8)), 0);
	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, IVSHMEM_IOC_INFO, end - 8), (long)-EFAULT);
}

/* What all commands have in common: a size, and fields that must be zero. */
struct command {
	const char *name;
	unsigned int cmd;
	u32 size;
	u32 flags;    /* that are known */
	int reserved; /* offset of a field that must be zero, or -1 */
	long result;
};

#define COMMAND(name, NAME, known, where, becomes)                                                                     \
	{                                                                                                              \
#name, IVSHMEM_IOC_##NAME, IVSHMEM_##NAME##_SIZE_V1, known, where, becomes                             \
	}
static const struct command commands[] = {
	COMMAND(wait, WAIT, IVSHMEM_WAIT_ABSOLUTE, offsetof(struct ivshmem_wait, reserved), -ETIMEDOUT),
	COMMAND(wake, WAKE, IVSHMEM_WAKE_RING, offsetof(struct ivshmem_wake, reserved), 0),
	COMMAND(watch, WATCH, IVSHMEM_WATCH_OFF, offsetof(struct ivshmem_watch, reserved), 0),
	COMMAND(ring, RING, 0, -1, -EOPNOTSUPP),
	COMMAND(eventfd, EVENTFD, 0, -1, -EOPNOTSUPP),
};

static void command_name(const struct command *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(command, commands, command_name);

/* All zero but for these. */
static long try(struct scene *s, const struct command *c, u32 argsz, u32 flags, unsigned int byte)
{
	u8 in[PAGE_SIZE / 8] = {};

	memcpy(in, &argsz, sizeof(argsz));
	memcpy(in + 4, &flags, sizeof(flags));
	if (byte)
		in[byte] = 0x80;
	return call(s, c->cmd, in, sizeof(in));
}

static void sizes_and_flags(struct kunit *test)
{
	static const u32 sizes[] = {0, 1, 4, 8, PAGE_SIZE + 1, 1u << 31, ~0u};
	const struct command *c = test->param_value;
	struct scene *s = test->priv;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, try(s, c, c->size, 0, 0), c->result);
	KUNIT_EXPECT_EQ(test, try(s, c, c->size - 1, 0, 0), (long)-EINVAL);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		KUNIT_EXPECT_EQ_MSG(test, try(s, c, sizes[i], 0, 0), (long)-EINVAL, "argsz %u", sizes[i]);
	for (i = 0; i < 32; i++)
		if (!(c->flags & 1u << i))
			KUNIT_EXPECT_EQ_MSG(test, try(s, c, c->size, 1u << i, 0), (long)-EINVAL, "flag %u", i);
	if (c->reserved >= 0)
		for (i = 0; i < 8; i++)
			KUNIT_EXPECT_EQ(test, try(s, c, c->size, 0, c->reserved + i), (long)-EINVAL);
	/* A caller of a later age: what we do not know must be zero. */
	KUNIT_EXPECT_EQ(test, try(s, c, c->size + 8, 0, 0), c->result);
	KUNIT_EXPECT_EQ(test, try(s, c, c->size + 8, 0, c->size), (long)-EINVAL);
	KUNIT_EXPECT_EQ(test, try(s, c, c->size + 8, 0, c->size + 7), (long)-EINVAL);
	KUNIT_EXPECT_EQ(test, try(s, c, c->size, 0, c->size), c->result); /* not looked at */
	KUNIT_EXPECT_EQ(test, try(s, c, PAGE_SIZE, 0, 0), c->result);
}

static void addresses_of_all(struct kunit *test)
{
	const struct command *c = test->param_value;
	struct scene *s = test->priv;
	unsigned long end = (unsigned long)fake_user() + FAKE_USER_SIZE;
	u32 kernel = c->size;

	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, c->cmd, 0), (long)-EFAULT);
	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, c->cmd, end), (long)-EFAULT);
	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, c->cmd, (unsigned long)&kernel), (long)-EFAULT);
	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, c->cmd, ~0UL), (long)-EFAULT);
	KUNIT_ASSERT_EQ(test, put_user(c->size, (u32 __user *)(end - 8)), 0);
	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, c->cmd, end - 8), (long)-EFAULT);
}

static void the_dead_answer_enodev(struct kunit *test)
{
	const struct command *c = test->param_value;
	struct scene *s = test->priv;

	s->ivd.dead = true;
	KUNIT_EXPECT_EQ(test, try(s, c, c->size, 0, 0), (long)-ENODEV);
	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, c->cmd, 0), (long)-ENODEV);
	KUNIT_EXPECT_EQ(test, ivshmem_ioctl(&s->file, 0, 0), (long)-ENODEV);
}

static const u64 bad_words[] = {1, 2, 3, SIZE - 2, SIZE, SIZE + 4, 1ULL << 32, 1ULL << 63, ~3ULL, ~0ULL};

static void words_outside(struct kunit *test)
{
	struct scene *s = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad_words); i++) {
		u64 offset = bad_words[i];
		struct ivshmem_wait wait = {.argsz = sizeof(wait), .offset = offset, .expected = 1};
		struct ivshmem_wake wake = {.argsz = sizeof(wake), .offset = offset};
		struct ivshmem_watch watch = {.argsz = sizeof(watch), .offset = offset, .expected = 1};

		KUNIT_EXPECT_EQ_MSG(test, call(s, IVSHMEM_IOC_WAIT, &wait, sizeof(wait)), (long)-EINVAL, "%llx",
				    offset);
		KUNIT_EXPECT_EQ_MSG(test, call(s, IVSHMEM_IOC_WAKE, &wake, sizeof(wake)), (long)-EINVAL, "%llx",
				    offset);
		KUNIT_EXPECT_EQ_MSG(test, call(s, IVSHMEM_IOC_WATCH, &watch, sizeof(watch)), (long)-EINVAL, "%llx",
				    offset);
	}
}

static void waiting(struct kunit *test)
{
	struct scene *s = test->priv;
	struct ivshmem_wait wait = {.argsz = sizeof(wait), .offset = SIZE - 4, .timeout_ns = 1000000};
	u32 *word = s->ivd.region.ram + SIZE - 4;

	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_WAIT, &wait, sizeof(wait)), (long)-ETIMEDOUT);
	wait.flags = IVSHMEM_WAIT_ABSOLUTE; /* long ago */
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_WAIT, &wait, sizeof(wait)), (long)-ETIMEDOUT);
	s->file.f_flags = O_NONBLOCK;
	wait.timeout_ns = -1;
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_WAIT, &wait, sizeof(wait)), (long)-EAGAIN);
	s->file.f_flags = 0;
	*word = 1;
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_WAIT, &wait, sizeof(wait)), 0L);
	s->file.f_mode = FMODE_READ; /* is enough */
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_WAIT, &wait, sizeof(wait)), 0L);
}

/* The largest number that can be said is far away, and not in the past. */
static void deadlines(struct kunit *test)
{
	struct ivshmem_wait wait = {.timeout_ns = S64_MAX};
	ktime_t deadline;

	KUNIT_ASSERT_PTR_EQ(test, deadline_of(&wait, &deadline), &deadline);
	KUNIT_EXPECT_GT(test, deadline, ktime_add_ns(ktime_get(), S64_MAX / 4));
	wait.flags = IVSHMEM_WAIT_ABSOLUTE;
	KUNIT_ASSERT_PTR_EQ(test, deadline_of(&wait, &deadline), &deadline);
	KUNIT_EXPECT_EQ(test, ktime_to_ns(deadline), S64_MAX);
	wait.timeout_ns = 5;
	KUNIT_ASSERT_PTR_EQ(test, deadline_of(&wait, &deadline), &deadline);
	KUNIT_EXPECT_EQ(test, ktime_to_ns(deadline), 5LL);
	wait.timeout_ns = -1;
	KUNIT_EXPECT_PTR_EQ(test, deadline_of(&wait, &deadline), NULL);
	wait.timeout_ns = S64_MIN;
	KUNIT_EXPECT_PTR_EQ(test, deadline_of(&wait, &deadline), NULL);
}

static void watching(struct kunit *test)
{
	struct scene *s = test->priv;
	struct ivshmem_watch watch = {.argsz = sizeof(watch), .offset = 4, .poll_us = IVSHMEM_POLL_NEVER};
	struct ivshmem_watch off = {.argsz = sizeof(off), .flags = IVSHMEM_WATCH_OFF}, bad;

	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_WATCH, &watch, sizeof(watch)), 0L);
	KUNIT_EXPECT_FALSE(test, hlist_unhashed(&s->f.watcher.node));
	bad = off;
	bad.offset = 4;
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_WATCH, &bad, sizeof(bad)), (long)-EINVAL);
	bad = off;
	bad.expected = 1;
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_WATCH, &bad, sizeof(bad)), (long)-EINVAL);
	bad = off;
	bad.poll_us = 1;
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_WATCH, &bad, sizeof(bad)), (long)-EINVAL);
	KUNIT_EXPECT_FALSE(test, hlist_unhashed(&s->f.watcher.node)); /* as it was */
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_WATCH, &off, sizeof(off)), 0L);
	KUNIT_EXPECT_TRUE(test, hlist_unhashed(&s->f.watcher.node));
}

/* A watcher of the word, which a wake that is refused must leave alone. */
static void waking_and_ringing(struct kunit *test)
{
	struct scene *s = test->priv;
	struct ivshmem_watch watch = {.argsz = sizeof(watch), .poll_us = IVSHMEM_POLL_NEVER};
	struct ivshmem_wake wake = {.argsz = sizeof(wake), .peer = 7};
	u32 *word = s->ivd.region.ram, *doorbell = &s->registers[3];

	KUNIT_ASSERT_EQ(test, call(s, IVSHMEM_IOC_WATCH, &watch, sizeof(watch)), 0L);
	*word = 1;
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_WAKE, &wake, sizeof(wake)), (long)-EINVAL);
	wake.flags = IVSHMEM_WAKE_RING;
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_WAKE, &wake, sizeof(wake)), (long)-EOPNOTSUPP);
	s->ivd.doorbell.registers = (void __iomem *)s->registers;
	s->file.f_mode = FMODE_READ;
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_WAKE, &wake, sizeof(wake)), (long)-EBADF);
	s->file.f_mode |= FMODE_WRITE;
	wake.vector = 256;
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_WAKE, &wake, sizeof(wake)), (long)-EINVAL);
	KUNIT_EXPECT_EQ(test, *doorbell, 0u);
	KUNIT_EXPECT_FALSE(test, hlist_unhashed(&s->f.watcher.node));
	wake.vector = 255;
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_WAKE, &wake, sizeof(wake)), 0L);
	KUNIT_EXPECT_EQ(test, *doorbell, 7u << 16 | 255u);
	KUNIT_EXPECT_TRUE(test, hlist_unhashed(&s->f.watcher.node));
}

static void interrupting_needs_write_access(struct kunit *test)
{
	struct scene *s = test->priv;
	struct ivshmem_ring ring = {.argsz = sizeof(ring), .peer = 1};
	struct ivshmem_eventfd event = {.argsz = sizeof(event), .fd = -1};
	struct ivshmem_wake wake = {.argsz = sizeof(wake)};

	s->ivd.doorbell.registers = (void __iomem *)s->registers;
	s->file.f_mode = FMODE_READ;
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_RING, &ring, sizeof(ring)), (long)-EBADF);
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_EVENTFD, &event, sizeof(event)), (long)-EBADF);
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_WAKE, &wake, sizeof(wake)), 0L);
	KUNIT_EXPECT_EQ(test, s->registers[3], 0u);
	s->file.f_mode = FMODE_WRITE;
	KUNIT_EXPECT_EQ(test, call(s, IVSHMEM_IOC_RING, &ring, sizeof(ring)), 0L);
	KUNIT_EXPECT_EQ(test, s->registers[3], 1u << 16);
}

static int suite_init(struct kunit_suite *suite)
{
	return fake_user_begin();
}

static void suite_exit(struct kunit_suite *suite)
{
	fake_user_end();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(info_is_filled),
	KUNIT_CASE(info_features),
	KUNIT_CASE(info_refuses),
	KUNIT_CASE(info_of_a_later_age),
	KUNIT_CASE(ioctl_numbers),
	KUNIT_CASE(ioctl_addresses),
	KUNIT_CASE_PARAM(sizes_and_flags, command_gen_params),
	KUNIT_CASE_PARAM(addresses_of_all, command_gen_params),
	KUNIT_CASE_PARAM(the_dead_answer_enodev, command_gen_params),
	KUNIT_CASE(words_outside),
	KUNIT_CASE(waiting),
	KUNIT_CASE(deadlines),
	KUNIT_CASE(watching),
	KUNIT_CASE(waking_and_ringing),
	KUNIT_CASE(interrupting_needs_write_access),
	{},
};

static struct kunit_suite suite = {
	.name = "ivshmem_ioctl",
	.suite_init = suite_init,
	.suite_exit = suite_exit,
	.init = init,
	.exit = end,
	.test_cases = cases,
};
kunit_test_suite(suite);
