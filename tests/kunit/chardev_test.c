// SPDX-License-Identifier: GPL-2.0-only
/* kmod/chardev.c: the calls of a file on a device whose memory is an allocation of its exact size. */
#include <kunit/test.h>
#include <linux/slab.h>

#include "chardev.c"
#include "fake.h"

#define SIZE (3 * IVSHMEM_WINDOW / 2 + 100)

struct scene {
	struct ivshmem_device ivd;
	struct ivshmem_file f;
	struct file file;
	loff_t pos;
	u8 *bytes; /* for kernel copies of what users see */
};

static int init(struct kunit *test)
{
	struct scene *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	fake_device(&s->ivd, kunit_kzalloc(test, SIZE, GFP_KERNEL), SIZE);
	fake_file(&s->file, &s->f, &s->ivd);
	s->bytes = kunit_kzalloc(test, SIZE, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, s->ivd.region.ram && s->bytes);
	test->priv = s;
	fake_user_borrow();
	return 0;
}

static void end(struct kunit *test)
{
	fake_user_return();
}

static void steps_end_at_windows(struct kunit *test)
{
	u64 pos = 77, left = 10 * IVSHMEM_WINDOW;
	size_t n;

	for (; left; pos += n, left -= n) {
		n = step_size(pos, left);
		KUNIT_ASSERT_GT(test, n, (size_t)0);
		KUNIT_ASSERT_LE(test, n, left);
		KUNIT_ASSERT_EQ(test, pos / IVSHMEM_WINDOW, (pos + n - 1) / IVSHMEM_WINDOW);
	}
	KUNIT_EXPECT_EQ(test, step_size(IVSHMEM_WINDOW - 1, SIZE_MAX), (size_t)1);
	KUNIT_EXPECT_EQ(test, step_size(~0ULL, SIZE_MAX), (size_t)1);
}

static void fill(struct scene *s, u8 first)
{
	size_t i;

	for (i = 0; i < SIZE; i++)
		((u8 *)s->ivd.region.ram)[i] = (u8)(first + i / 7);
}

static void whole_file_read(struct kunit *test)
{
	struct scene *s = test->priv;

	fill(s, 1);
	KUNIT_EXPECT_EQ(test, ivshmem_read(&s->file, fake_user(), FAKE_USER_SIZE, &s->pos), (ssize_t)SIZE);
	KUNIT_EXPECT_EQ(test, s->pos, (loff_t)SIZE);
	KUNIT_ASSERT_EQ(test, copy_from_user(s->bytes, fake_user(), SIZE), 0UL);
	KUNIT_EXPECT_EQ(test, memcmp(s->bytes, s->ivd.region.ram, SIZE), 0);
	KUNIT_EXPECT_EQ(test, ivshmem_read(&s->file, fake_user(), 1, &s->pos), (ssize_t)0);
}

static void whole_file_written(struct kunit *test)
{
	struct scene *s = test->priv;

	memset(s->bytes, 0x5a, SIZE);
	KUNIT_ASSERT_EQ(test, copy_to_user(fake_user(), s->bytes, SIZE), 0UL);
	KUNIT_EXPECT_EQ(test, ivshmem_write(&s->file, fake_user(), FAKE_USER_SIZE, &s->pos), (ssize_t)SIZE);
	KUNIT_EXPECT_EQ(test, memcmp(s->bytes, s->ivd.region.ram, SIZE), 0);
	KUNIT_EXPECT_EQ(test, ivshmem_write(&s->file, fake_user(), 1, &s->pos), (ssize_t)-ENOSPC);
	KUNIT_EXPECT_EQ(test, ivshmem_write(&s->file, fake_user(), 0, &s->pos), (ssize_t)0);
}

static void odd_places(struct kunit *test)
{
	static const loff_t places[] = {0,        1,    4095,     IVSHMEM_WINDOW - 1, IVSHMEM_WINDOW,
					SIZE - 1, SIZE, SIZE + 1, 1LL << 40,          S64_MAX};
	struct scene *s = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		ssize_t left = places[i] < SIZE ? SIZE - places[i] : 0, wanted = min_t(ssize_t, left, 70000);

		s->pos = places[i];
		KUNIT_EXPECT_EQ_MSG(test, ivshmem_read(&s->file, fake_user(), 70000, &s->pos), wanted, "at %llx",
				    places[i]);
		KUNIT_EXPECT_EQ(test, s->pos, places[i] + wanted);
		s->pos = places[i];
		KUNIT_EXPECT_EQ_MSG(test, ivshmem_write(&s->file, fake_user(), 70000, &s->pos), left ? wanted : -ENOSPC,
				    "at %llx", places[i]);
	}
}

static void lengths_without_measure(struct kunit *test)
{
	struct scene *s = test->priv;

	KUNIT_EXPECT_EQ(test, ivshmem_read(&s->file, fake_user(), SIZE_MAX, &s->pos), (ssize_t)SIZE);
	s->pos = 0;
	KUNIT_EXPECT_EQ(test, ivshmem_write(&s->file, fake_user(), SIZE_MAX, &s->pos), (ssize_t)SIZE);
}

/* User memory that ends too early: what arrived before counts, and nothing if it was nothing. */
static void user_memory_ends(struct kunit *test)
{
	struct scene *s = test->priv;
	char __user *last = fake_user() + FAKE_USER_SIZE - IVSHMEM_WINDOW;

	KUNIT_EXPECT_EQ(test, ivshmem_read(&s->file, last, SIZE, &s->pos), (ssize_t)IVSHMEM_WINDOW);
	KUNIT_EXPECT_EQ(test, s->pos, (loff_t)IVSHMEM_WINDOW);
	KUNIT_EXPECT_EQ(test, ivshmem_write(&s->file, last + IVSHMEM_WINDOW, 1, &s->pos), (ssize_t)-EFAULT);
	KUNIT_EXPECT_EQ(test, ivshmem_read(&s->file, (char __user *)s->bytes, 1, &s->pos), (ssize_t)-EFAULT);
	KUNIT_EXPECT_EQ(test, ivshmem_write(&s->file, (char __user *)s->bytes, 1, &s->pos), (ssize_t)-EFAULT);
	KUNIT_EXPECT_EQ(test, s->pos, (loff_t)IVSHMEM_WINDOW);
}

static void fill_user(u8 with)
{
	u8 bytes[256];
	unsigned int i;

	memset(bytes, with, sizeof(bytes));
	for (i = 0; i < FAKE_USER_SIZE; i += sizeof(bytes))
		WARN_ON(copy_to_user(fake_user() + i, bytes, sizeof(bytes)));
}

/* In the middle of a step: exactly as many bytes as there were, none more is touched. */
static void user_memory_ends_within_a_step(struct kunit *test)
{
	static const size_t there[] = {1, 7, 4095, 4096, 4097, IVSHMEM_WINDOW + 1};
	struct scene *s = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(there); i++) {
		char __user *ubuf = fake_user() + FAKE_USER_SIZE - there[i];

		fill_user(0x33);
		fill(s, 1);
		memcpy(s->bytes, s->ivd.region.ram, SIZE);
		s->pos = 5;
		KUNIT_EXPECT_EQ(test, ivshmem_write(&s->file, ubuf, SIZE - 5, &s->pos), (ssize_t)there[i]);
		KUNIT_EXPECT_EQ(test, s->pos, (loff_t)(5 + there[i]));
		memset(s->bytes + 5, 0x33, there[i]);
		KUNIT_EXPECT_EQ(test, memcmp(s->bytes, s->ivd.region.ram, SIZE), 0);
		fill(s, 9);
		s->pos = 5;
		KUNIT_EXPECT_EQ(test, ivshmem_read(&s->file, ubuf, SIZE - 5, &s->pos), (ssize_t)there[i]);
		KUNIT_ASSERT_EQ(test, copy_from_user(s->bytes, ubuf, there[i]), 0UL);
		KUNIT_EXPECT_EQ(test, memcmp(s->bytes, (u8 *)s->ivd.region.ram + 5, there[i]), 0);
	}
}

/* What is not mapped yet comes by a fault, and what was mapped before it goes without. */
static void user_memory_comes_late(struct kunit *test)
{
	struct scene *s = test->priv;

	fill(s, 3);
	fake_user_forget(FAKE_USER_SIZE / 8);
	KUNIT_EXPECT_EQ(test, step_mapped(&s->ivd, 0, fake_user() + FAKE_USER_SIZE / 8, 1, false), (ssize_t)0);
	KUNIT_EXPECT_EQ(test, ivshmem_read(&s->file, fake_user(), SIZE, &s->pos), (ssize_t)SIZE);
	KUNIT_ASSERT_EQ(test, copy_from_user(s->bytes, fake_user(), SIZE), 0UL);
	KUNIT_EXPECT_EQ(test, memcmp(s->bytes, s->ivd.region.ram, SIZE), 0);
	fake_user_forget(FAKE_USER_SIZE / 8);
	s->pos = 0;
	KUNIT_EXPECT_EQ(test, ivshmem_write(&s->file, fake_user(), SIZE, &s->pos), (ssize_t)SIZE);
	memset(s->bytes + FAKE_USER_SIZE / 8, 0, SIZE - FAKE_USER_SIZE / 8);
	KUNIT_EXPECT_EQ(test, memcmp(s->bytes, s->ivd.region.ram, SIZE), 0);
}

/* Nothing is there but what calls of its own move: every byte goes through a buffer. */
static void memory_that_is_none(struct kunit *test)
{
	struct scene *s = test->priv;
	void *ram = s->ivd.region.ram;

	fill(s, 7);
	s->ivd.region.ram = NULL;
	s->ivd.region.io = (void __iomem __force *)ram;
	KUNIT_EXPECT_EQ(test, ivshmem_read(&s->file, fake_user(), SIZE, &s->pos), (ssize_t)SIZE);
	KUNIT_ASSERT_EQ(test, copy_from_user(s->bytes, fake_user(), SIZE), 0UL);
	KUNIT_EXPECT_EQ(test, memcmp(s->bytes, ram, SIZE), 0);
	s->pos = 0;
	fill_user(0x44);
	KUNIT_EXPECT_EQ(test, ivshmem_write(&s->file, fake_user(), SIZE, &s->pos), (ssize_t)SIZE);
	memset(s->bytes, 0x44, SIZE);
	KUNIT_EXPECT_EQ(test, memcmp(s->bytes, ram, SIZE), 0);
}

static void seeking(struct kunit *test)
{
	struct scene *s = test->priv;

	KUNIT_EXPECT_EQ(test, ivshmem_llseek(&s->file, 0, SEEK_END), (loff_t)SIZE);
	KUNIT_EXPECT_EQ(test, ivshmem_llseek(&s->file, -1, SEEK_END), (loff_t)SIZE - 1);
	KUNIT_EXPECT_EQ(test, ivshmem_llseek(&s->file, 1, SEEK_CUR), (loff_t)SIZE);
	KUNIT_EXPECT_EQ(test, ivshmem_llseek(&s->file, 1, SEEK_CUR), (loff_t)-EINVAL);
	KUNIT_EXPECT_EQ(test, ivshmem_llseek(&s->file, 1, SEEK_END), (loff_t)-EINVAL);
	KUNIT_EXPECT_EQ(test, ivshmem_llseek(&s->file, -1, SEEK_SET), (loff_t)-EINVAL);
	KUNIT_EXPECT_EQ(test, ivshmem_llseek(&s->file, S64_MAX, SEEK_SET), (loff_t)-EINVAL);
	KUNIT_EXPECT_EQ(test, ivshmem_llseek(&s->file, S64_MIN, SEEK_CUR), (loff_t)-EINVAL);
	KUNIT_EXPECT_EQ(test, ivshmem_llseek(&s->file, 0, 77), (loff_t)-EINVAL);
	KUNIT_EXPECT_EQ(test, s->file.f_pos, (loff_t)SIZE);
}

static void nothing_to_write_back(struct kunit *test)
{
	struct scene *s = test->priv;

	KUNIT_EXPECT_EQ(test, ivshmem_fsync(&s->file, 0, LLONG_MAX, 0), 0);
}

static void the_dead_answer_enodev(struct kunit *test)
{
	struct scene *s = test->priv;

	s->ivd.dead = true;
	KUNIT_EXPECT_EQ(test, ivshmem_read(&s->file, fake_user(), 1, &s->pos), (ssize_t)-ENODEV);
	KUNIT_EXPECT_EQ(test, ivshmem_write(&s->file, fake_user(), 1, &s->pos), (ssize_t)-ENODEV);
	KUNIT_EXPECT_EQ(test, ivshmem_llseek(&s->file, 0, SEEK_SET), (loff_t)-ENODEV);
	KUNIT_EXPECT_EQ(test, ivshmem_fsync(&s->file, 0, LLONG_MAX, 0), -ENODEV);
	KUNIT_EXPECT_EQ(test, transfer(&s->ivd, fake_user(), 1, 0, false), (ssize_t)-ENODEV);
	KUNIT_EXPECT_EQ(test, s->pos, (loff_t)0);
}

/* The size goes to nodes on file systems that are made of memory, and to no other. */
static void size_of_the_node(struct kunit *test)
{
	struct {
		unsigned long magic;
		bool sized;
	} kinds[] = {{TMPFS_MAGIC, true}, {RAMFS_MAGIC, true}, {0xef53, false}, {0, false}};
	struct super_block *sb = kunit_kzalloc(test, sizeof(*sb), GFP_KERNEL);
	struct inode *inode = kunit_kzalloc(test, sizeof(*inode), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_TRUE(test, sb && inode);
	inode->i_sb = sb;
	init_rwsem(&inode->i_rwsem);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		sb->s_magic = kinds[i].magic;
		i_size_write(inode, 0);
		publish_size(inode, SIZE);
		KUNIT_EXPECT_EQ_MSG(test, i_size_read(inode), (loff_t)(kinds[i].sized ? SIZE : 0), "%lx",
				    kinds[i].magic);
	}
}

/* An open file is made, and leaves no watcher and no memory behind. */
static void opened_and_closed(struct kunit *test)
{
	struct scene *s = test->priv;
	struct super_block *sb = kunit_kzalloc(test, sizeof(*sb), GFP_KERNEL);
	struct inode *inode = kunit_kzalloc(test, sizeof(*inode), GFP_KERNEL);
	struct file file = {};
	struct ivshmem_file *f;

	KUNIT_ASSERT_TRUE(test, sb && inode);
	inode->i_sb = sb;
	inode->i_cdev = &s->ivd.cdev;
	s->ivd.inode = inode;
	inode->i_mapping = &inode->i_data;
	KUNIT_ASSERT_EQ(test, ivshmem_open(inode, &file), 0);
	KUNIT_EXPECT_PTR_EQ(test, file.f_mapping, &inode->i_data);
	f = file.private_data;
	KUNIT_EXPECT_PTR_EQ(test, f->ivd, &s->ivd);
	KUNIT_EXPECT_EQ(test, ivshmem_wait_watch(&s->ivd, &f->watcher, 0, 0, IVSHMEM_POLL_NEVER), 0);
	KUNIT_EXPECT_FALSE(test, hlist_unhashed(&f->watcher.node));
	KUNIT_EXPECT_EQ(test, ivshmem_release(inode, &file), 0);
	ivshmem_notify_look(&s->ivd.notify); /* would look at what is freed */
	s->ivd.dead = true;
	KUNIT_EXPECT_EQ(test, ivshmem_open(inode, &file), -ENODEV);
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
	KUNIT_CASE(steps_end_at_windows),
	KUNIT_CASE(whole_file_read),
	KUNIT_CASE(whole_file_written),
	KUNIT_CASE(odd_places),
	KUNIT_CASE(lengths_without_measure),
	KUNIT_CASE(user_memory_ends),
	KUNIT_CASE(user_memory_ends_within_a_step),
	KUNIT_CASE(user_memory_comes_late),
	KUNIT_CASE(memory_that_is_none),
	KUNIT_CASE(seeking),
	KUNIT_CASE(nothing_to_write_back),
	KUNIT_CASE(the_dead_answer_enodev),
	KUNIT_CASE(size_of_the_node),
	KUNIT_CASE(opened_and_closed),
	{},
};

static struct kunit_suite suite = {
	.name = "ivshmem_chardev",
	.suite_init = suite_init,
	.suite_exit = suite_exit,
	.init = init,
	.exit = end,
	.test_cases = cases,
};
kunit_test_suite(suite);
