// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmod/device.c: the life and death of a device whose memory is real and whose hardware is not; in the order in which the
 * driver's remove() and what it left with devm_ do it: kill, then the memory, then the last reference.
 */
#include <kunit/test.h>
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "device.c"
#include "fake.h"

#define DEADLINE (20 * HZ)

static struct ivshmem_device *create(struct kunit *test, u64 size)
{
	struct ivshmem_device *ivd = ivshmem_device_create(fake_parent());

	KUNIT_ASSERT_FALSE(test, IS_ERR(ivd));
	KUNIT_ASSERT_EQ(test, ivshmem_region_create(&ivd->region, fake_parent(), fake_memory(test), size), 0);
	KUNIT_ASSERT_EQ(test, ivshmem_device_add(ivd), 0);
	return ivd;
}

static void destroy(struct ivshmem_device *ivd)
{
	ivshmem_device_kill(ivd);
	ivshmem_region_destroy(&ivd->region);
	put_device(&ivd->dev);
}

static bool all_gone(void)
{
	return wait_var_event_timeout(&devices, !atomic_read(&devices), DEADLINE);
}

static struct file *open_node(struct kunit *test, const struct ivshmem_device *ivd)
{
	char path[32];
	struct file *file;

	snprintf(path, sizeof(path), "/dev/%s", dev_name(&ivd->dev));
	file = filp_open(path, O_RDWR, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	return file;
}

static void never_added(struct kunit *test)
{
	struct ivshmem_device *ivd = ivshmem_device_create(fake_parent());

	KUNIT_ASSERT_FALSE(test, IS_ERR(ivd));
	KUNIT_EXPECT_EQ(test, atomic_read(&devices), 1);
	put_device(&ivd->dev);
	KUNIT_EXPECT_TRUE(test, all_gone());
}

static void numbers_are_used_again(struct kunit *test)
{
	struct ivshmem_device *ivd[3];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		ivd[i] = ivshmem_device_create(fake_parent());
		KUNIT_ASSERT_FALSE(test, IS_ERR(ivd[i]));
		KUNIT_ASSERT_EQ(test, ivshmem_device_add(ivd[i]), 0);
		KUNIT_EXPECT_EQ(test, ivd[i]->index, i);
	}
	ivshmem_device_kill(ivd[1]);
	put_device(&ivd[1]->dev);
	ivd[1] = ivshmem_device_create(fake_parent());
	KUNIT_ASSERT_FALSE(test, IS_ERR(ivd[1]));
	KUNIT_ASSERT_EQ(test, ivshmem_device_add(ivd[1]), 0);
	KUNIT_EXPECT_EQ(test, ivd[1]->index, 1u);
	for (i = 0; i < 3; i++) {
		ivshmem_device_kill(ivd[i]);
		put_device(&ivd[i]->dev);
	}
	KUNIT_EXPECT_TRUE(test, all_gone());
}

static void numbers_run_out(struct kunit *test)
{
	struct ivshmem_device *ivd = ivshmem_device_create(fake_parent());
	int i;

	KUNIT_ASSERT_FALSE(test, IS_ERR(ivd));
	for (i = 0; i < MINORS; i++)
		KUNIT_EXPECT_EQ(test, ida_alloc_max(&minors, MINORS - 1, GFP_KERNEL), i);
	KUNIT_EXPECT_EQ(test, ivshmem_device_add(ivd), -ENOSPC);
	ida_free(&minors, MINORS - 1);
	KUNIT_EXPECT_EQ(test, ivshmem_device_add(ivd), 0);
	KUNIT_EXPECT_EQ(test, ivd->index, MINORS - 1u);
	ivshmem_device_kill(ivd);
	for (i = 0; i < MINORS - 1; i++)
		ida_free(&minors, i);
	put_device(&ivd->dev);
	KUNIT_EXPECT_TRUE(test, ida_is_empty(&minors));
	KUNIT_EXPECT_TRUE(test, all_gone());
}

static void open_file_outlives_it(struct kunit *test)
{
	struct ivshmem_device *ivd = create(test, SZ_4M);
	struct file *file = open_node(test, ivd);
	loff_t pos = 0;
	char byte;

	KUNIT_EXPECT_EQ(test, vfs_llseek(file, 0, SEEK_END), (loff_t)SZ_4M);
	KUNIT_EXPECT_EQ(test, i_size_read(file_inode(file)), (loff_t)SZ_4M);
	KUNIT_EXPECT_EQ(test, vfs_poll(file, NULL), (__poll_t)0);
	destroy(ivd);
	KUNIT_EXPECT_EQ(test, atomic_read(&devices), 1);
	KUNIT_EXPECT_EQ(test, file->f_op->read(file, (char __user *)&byte, 1, &pos), (ssize_t)-ENODEV);
	KUNIT_EXPECT_EQ(test, vfs_llseek(file, 0, SEEK_SET), (loff_t)-ENODEV);
	KUNIT_EXPECT_EQ(test, vfs_fsync(file, 0), -ENODEV);
	KUNIT_EXPECT_EQ(test, vfs_poll(file, NULL), (__poll_t)(EPOLLHUP | EPOLLERR));
	KUNIT_EXPECT_TRUE(test, IS_ERR(filp_open("/dev/ivshmem0", O_RDWR, 0)));
	fput(file);
	KUNIT_EXPECT_TRUE(test, all_gone());
}

/* A device of the same number comes while files of the old one are open: nobody mixes them up. */
static void number_taken_by_the_next(struct kunit *test)
{
	struct ivshmem_device *ivd = create(test, SZ_4M);
	struct file *old = open_node(test, ivd), *file;

	destroy(ivd);
	ivd = create(test, SZ_2M);
	KUNIT_EXPECT_EQ(test, ivd->index, 0u);
	file = open_node(test, ivd);
	KUNIT_EXPECT_EQ(test, vfs_llseek(old, 0, SEEK_END), (loff_t)-ENODEV);
	KUNIT_EXPECT_EQ(test, vfs_llseek(file, 0, SEEK_END), (loff_t)SZ_2M);
	destroy(ivd);
	KUNIT_EXPECT_EQ(test, vfs_llseek(file, 0, SEEK_END), (loff_t)-ENODEV);
	fput(old);
	fput(file);
	KUNIT_EXPECT_TRUE(test, all_gone());
}

static int wakes(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	complete(entry->private);
	return 1;
}

static void death_wakes_those_who_wait(struct kunit *test)
{
	struct ivshmem_device *ivd = ivshmem_device_create(fake_parent());
	DECLARE_COMPLETION_ONSTACK(woken);
	struct wait_queue_entry entry;

	KUNIT_ASSERT_FALSE(test, IS_ERR(ivd));
	KUNIT_ASSERT_EQ(test, ivshmem_device_add(ivd), 0);
	init_waitqueue_func_entry(&entry, wakes);
	entry.private = &woken;
	add_wait_queue(&ivd->wait, &entry);
	ivshmem_device_kill(ivd);
	KUNIT_EXPECT_TRUE(test, completion_done(&woken));
	remove_wait_queue(&ivd->wait, &entry);
	put_device(&ivd->dev);
	KUNIT_EXPECT_TRUE(test, all_gone());
}

/* A process's mapping, made and touched by a borrowed one; its last page is the one that is told of. */
static u8 __user *map(struct kunit *test, struct file *file, u64 size)
{
	unsigned long at = vm_mmap(file, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, 0);

	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(at));
	return (u8 __user *)at;
}

static void mapped(struct kunit *test, u64 size)
{
	struct ivshmem_device *ivd = create(test, size);
	struct file *file = open_node(test, ivd);
	u8 __user *at;
	u64 off;
	u8 byte;

	fake_user_borrow();
	at = map(test, file, size);
	for (off = 0; off < size; off += PAGE_SIZE)
		KUNIT_EXPECT_EQ(test, put_user((u8)(off >> PAGE_SHIFT), at + off), 0);
	for (off = 0; off < size; off += PAGE_SIZE) {
		KUNIT_EXPECT_EQ(test, get_user(byte, at + off), 0);
		KUNIT_EXPECT_EQ(test, byte, (u8)(off >> PAGE_SHIFT));
	}
	destroy(ivd);
	for (off = 0; off < size; off += SZ_512K)
		KUNIT_EXPECT_EQ(test, get_user(byte, at + off), -EFAULT);
	KUNIT_EXPECT_EQ(test, atomic_read(&devices), 1);
	fput(file);
	KUNIT_EXPECT_EQ(test, atomic_read(&devices), 1); /* the mapping holds the file */
	vm_munmap((unsigned long)at, size);
	fake_user_return();
	KUNIT_EXPECT_TRUE(test, all_gone());
}

static void mapping_of_pages_is_revoked(struct kunit *test)
{
	mapped(test, SZ_4M);
}

static void mapping_of_frames_is_revoked(struct kunit *test)
{
	mapped(test, SZ_1M);
}

static bool free_again(phys_addr_t start)
{
	unsigned long deadline = jiffies + DEADLINE;

	while (ivshmem_pages_taken(start, SZ_4M)) { /* it goes when the driver looks, once a second */
		if (time_after(jiffies, deadline))
			return false;
		schedule_timeout_uninterruptible(1);
	}
	return true;
}

static void page_pinned_for_longer(struct kunit *test)
{
	struct ivshmem_device *ivd = create(test, SZ_4M);
	struct file *file = open_node(test, ivd);
	struct ivshmem_region again = {};
	struct page *page = NULL;
	u8 __user *at;

	fake_user_borrow();
	at = map(test, file, SZ_4M);
	KUNIT_EXPECT_EQ(test, get_user_pages_fast((unsigned long)at + SZ_2M, 1, FOLL_WRITE, &page), 1);
	destroy(ivd);
	KUNIT_EXPECT_EQ(test, ivshmem_region_create(&again, fake_parent(), fake_memory(test), SZ_4M), -EBUSY);
	if (page)
		put_page(page);
	KUNIT_EXPECT_TRUE(test, free_again(fake_memory(test)));
	vm_munmap((unsigned long)at, SZ_4M);
	fput(file);
	fake_user_return();
	KUNIT_EXPECT_TRUE(test, all_gone());
}

/* Reads until the device is dead, and says so once it has begun. */
struct reader {
	struct file *file;
	struct completion began;
	int error;
};

static int read_on(void *data)
{
	struct reader *reader = data;
	loff_t pos;

	fake_user_borrow();
	do {
		pos = 0;
		reader->error = reader->file->f_op->read(reader->file, fake_user(), FAKE_USER_SIZE, &pos);
		complete(&reader->began);
	} while (reader->error > 0 && !kthread_should_stop());
	fake_user_return();
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static int touch_on(void *data)
{
	struct reader *reader = data;
	unsigned long at;
	u8 byte;

	fake_user_borrow();
	at = vm_mmap(reader->file, 0, SZ_4M, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	do {
		/* Throw the entries away, so that there is always a fault under way. */
		reader->error = IS_ERR_VALUE(at) ? (int)at : get_user(byte, (u8 __user *)at + SZ_2M);
		unmap_mapping_range(reader->file->f_mapping, 0, 0, 1);
		complete(&reader->began);
	} while (!reader->error && !kthread_should_stop());
	if (!IS_ERR_VALUE(at))
		vm_munmap(at, SZ_4M);
	fake_user_return();
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void dies_under(struct kunit *test, int (*thread)(void *), int error)
{
	struct ivshmem_device *ivd = create(test, SZ_4M);
	struct reader reader = {.file = open_node(test, ivd)};
	struct task_struct *task;

	init_completion(&reader.began);
	task = kthread_run(thread, &reader, "reader");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	KUNIT_EXPECT_GT(test, wait_for_completion_timeout(&reader.began, DEADLINE), 0UL);
	destroy(ivd);
	KUNIT_EXPECT_EQ(test, kthread_stop(task), 0);
	if (reader.error <= 0)
		KUNIT_EXPECT_EQ(test, reader.error, error);
	fput(reader.file);
	KUNIT_EXPECT_TRUE(test, all_gone());
}

static void dies_under_a_reader(struct kunit *test)
{
	unsigned int round;

	for (round = 0; round < 25; round++)
		dies_under(test, read_on, -ENODEV);
}

static void dies_under_faults(struct kunit *test)
{
	unsigned int round;

	for (round = 0; round < 25; round++)
		dies_under(test, touch_on, -EFAULT);
}

static int suite_init(struct kunit_suite *suite)
{
	int err = fake_user_begin();

	return err ?: ivshmem_device_init();
}

static void suite_exit(struct kunit_suite *suite)
{
	ivshmem_device_exit();
	fake_user_end();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(never_added),
	KUNIT_CASE(numbers_are_used_again),
	KUNIT_CASE(numbers_run_out),
	KUNIT_CASE(open_file_outlives_it),
	KUNIT_CASE(number_taken_by_the_next),
	KUNIT_CASE(death_wakes_those_who_wait),
	KUNIT_CASE(mapping_of_pages_is_revoked),
	KUNIT_CASE(mapping_of_frames_is_revoked),
	KUNIT_CASE(page_pinned_for_longer),
	KUNIT_CASE(dies_under_a_reader),
	KUNIT_CASE(dies_under_faults),
	{},
};

static struct kunit_suite suite = {
	.name = "ivshmem_device",
	.suite_init = suite_init,
	.suite_exit = suite_exit,
	.test_cases = cases,
};
kunit_test_suite(suite);
