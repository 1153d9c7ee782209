// SPDX-License-Identifier: GPL-2.0-only
/* Bugs on purpose, one a load (bug=NAME): what watches the kernel in these tests must see each of them. */
#include <linux/delay.h>
#include <linux/kmemleak.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

static char *bug = "";
module_param(bug, charp, 0444);
MODULE_PARM_DESC(bug, "which one");

/* Not known to the compiler, or it would see the bugs itself. */
static int size = 64;
module_param(size, int, 0444);
MODULE_PARM_DESC(size, "bytes in the allocations that are misused");

static u8 sink;

static void use_after_free(void)
{
	u8 *p = kmalloc(size, GFP_KERNEL);

	kfree(p);
	sink = READ_ONCE(*p);
}

static void out_of_bounds(void)
{
	u8 *p = kmalloc(size, GFP_KERNEL);

	WRITE_ONCE(p[size], 1);
	kfree(p);
}

static void out_of_bounds_vmalloc(void)
{
	u8 *p = vmalloc(PAGE_SIZE + size);

	WRITE_ONCE(p[PAGE_SIZE + size], 1);
	vfree(p);
}

static void out_of_bounds_stack(void)
{
	u8 bytes[64];
	u8 *p = bytes;

	OPTIMIZER_HIDE_VAR(p);
	sink = READ_ONCE(p[size]);
}

static void double_free(void)
{
	void *p = kmalloc(size, GFP_KERNEL);

	kfree(p);
	OPTIMIZER_HIDE_VAR(p);
	kfree(p);
}

static DEFINE_MUTEX(one);
static DEFINE_MUTEX(other);

static void lock_order(void)
{
	mutex_lock(&one);
	mutex_lock(&other);
	mutex_unlock(&other);
	mutex_unlock(&one);
	mutex_lock(&other);
	mutex_lock(&one);
	mutex_unlock(&one);
	mutex_unlock(&other);
}

static void sleep_in_atomic(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	might_sleep();
	spin_unlock(&lock);
}

static void shift(void)
{
	sink = (u8)(1 << size);
}

static void array_index(void)
{
	static u8 bytes[64];

	sink = bytes[size];
}

static void not_a_bool(void)
{
	static union {
		u8 byte;
		bool value;
	} both;

	WRITE_ONCE(both.byte, (u8)size);
	sink = *(volatile bool *)&both.value;
}

static void leak(void)
{
	void *p = kmalloc(size, GFP_KERNEL);

	memset(p, 0, size);
	OPTIMIZER_HIDE_VAR(p);
}

static void list_corruption(void)
{
	LIST_HEAD(list);
	struct list_head entry = {};

	list_add(&entry, &list);
	list.next = NULL;
	list_del(&entry);
}

static void work_freed_while_queued(void)
{
	struct delayed_work *work = kmalloc(sizeof(*work), GFP_KERNEL);

	INIT_DELAYED_WORK(work, NULL);
	schedule_delayed_work(work, 3600 * HZ);
	kfree(work); /* the check does not let it come to the use */
}

static void warning(void)
{
	WARN(size, "made up");
}

static const struct {
	const char *name;
	void (*make)(void);
} bugs[] = {
	{"use_after_free", use_after_free},
	{"out_of_bounds", out_of_bounds},
	{"out_of_bounds_vmalloc", out_of_bounds_vmalloc},
	{"out_of_bounds_stack", out_of_bounds_stack},
	{"double_free", double_free},
	{"lock_order", lock_order},
	{"sleep_in_atomic", sleep_in_atomic},
	{"shift", shift},
	{"array_index", array_index},
	{"not_a_bool", not_a_bool},
	{"leak", leak},
	{"list_corruption", list_corruption},
	{"work_freed_while_queued", work_freed_while_queued},
	{"warning", warning},
};

static int __init seeded_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bugs); i++) {
		if (strcmp(bug, bugs[i].name))
			continue;
		bugs[i].make();
		return 0;
	}
	return -EINVAL;
}

static void __exit seeded_exit(void)
{
}

module_init(seeded_init);
module_exit(seeded_exit);

MODULE_DESCRIPTION("Bugs on purpose");
MODULE_LICENSE("GPL");
