// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmod/doorbell.c: what is written to the register, and whose eventfd is told of an interrupt; with registers that are
 * memory, and eventfds that count their references.
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "compat.h"
#include "fake.h"

#define EVENTFDS 4

struct eventfd_ctx {
	int references;
	int signals;
};

static struct eventfd_ctx eventfds[EVENTFDS];

static struct eventfd_ctx *fake_fdget(int fd)
{
	if (fd >= EVENTFDS)
		return ERR_PTR(-EBADF);
	eventfds[fd].references++;
	return &eventfds[fd];
}

static void fake_put(struct eventfd_ctx *eventfd)
{
	eventfd->references--;
}

static void fake_signal(struct eventfd_ctx *eventfd)
{
	eventfd->signals++;
}

#define eventfd_ctx_fdget fake_fdget
#define eventfd_ctx_put   fake_put
#undef eventfd_signal
#define eventfd_signal fake_signal
#include "doorbell.c"

#define VECTORS 3

struct scene {
	struct ivshmem_device ivd;
	struct ivshmem_file f, other;
	struct file file;
	struct ivshmem_vector vectors[VECTORS];
	u32 registers[64];
	u32 word[16];
};

static int init(struct kunit *test)
{
	struct scene *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	memset(eventfds, 0, sizeof(eventfds));
	fake_device(&s->ivd, s->word, sizeof(s->word));
	fake_file(&s->file, &s->other, &s->ivd);
	fake_file(&s->file, &s->f, &s->ivd);
	for (i = 0; i < VECTORS; i++)
		s->vectors[i].ivd = &s->ivd;
	s->ivd.vectors = VECTORS;
	s->ivd.doorbell.registers = (void __iomem *)s->registers;
	s->ivd.doorbell.vectors = s->vectors;
	s->ivd.doorbell.count = VECTORS;
	test->priv = s;
	return 0;
}

static void die(struct scene *s)
{
	s->ivd.dead = true;
	ivshmem_notify_kill(&s->ivd.notify);
	ivshmem_doorbell_kill(&s->ivd.doorbell);
}

static void end(struct kunit *test)
{
	struct scene *s = test->priv;
	unsigned int i;

	if (!s->ivd.dead)
		die(s);
	for (i = 0; i < EVENTFDS; i++)
		KUNIT_EXPECT_EQ_MSG(test, eventfds[i].references, 0, "eventfd %u", i);
}

struct ring {
	u32 peer, vector;
	int error;
};
static const struct ring rings[] = {
	{0, 0, 0},           {1, 2, 0},
	{0xffff, 0xff, 0},   {0x10000, 0, -EINVAL},
	{~0u, 0, -EINVAL},   {1u << 31, 0, -EINVAL},
	{0, 0x100, -EINVAL}, {0, 0x101, -EINVAL},
	{0, ~0u, -EINVAL},
};

static void ring_name(const struct ring *r, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "peer %#x vector %#x", r->peer, r->vector);
}
KUNIT_ARRAY_PARAM(ring, rings, ring_name);

static void rung(struct kunit *test)
{
	const struct ring *r = test->param_value;
	struct scene *s = test->priv;
	u32 *doorbell = &s->registers[DOORBELL / 4];

	*doorbell = 0xdeadbeef;
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_ring(&s->ivd, r->peer, r->vector), r->error);
	KUNIT_EXPECT_EQ(test, *doorbell, r->error ? 0xdeadbeef : r->peer << 16 | r->vector);
}

static void nothing_to_ring(struct kunit *test)
{
	struct scene *s = test->priv;

	s->ivd.doorbell.registers = NULL;
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_ring(&s->ivd, 0, 0), -EOPNOTSUPP);
	s->ivd.doorbell.registers = (void __iomem *)s->registers;
	s->ivd.dead = true;
	s->registers[DOORBELL / 4] = 5;
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_ring(&s->ivd, 1, 1), -ENODEV);
	KUNIT_EXPECT_EQ(test, s->registers[DOORBELL / 4], 5u);
	s->ivd.dead = false;
}

static void vectors_are_checked(struct kunit *test)
{
	static const u32 bad[] = {VECTORS, VECTORS + 1, 255, 256, 257, 1u << 31, ~0u};
	struct scene *s = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, ivshmem_doorbell_eventfd(&s->f, bad[i], 0), -EINVAL, "%u", bad[i]);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 0, -2), -EINVAL);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 0, INT_MIN), -EINVAL);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 0, EVENTFDS), -EBADF);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 0, INT_MAX), -EBADF);
	KUNIT_EXPECT_EQ(test, eventfds[0].references, 0);
}

/* A device may have more than can be rung, and fewer interrupts than it has vectors. */
static void fewer_interrupts_than_vectors(struct kunit *test)
{
	struct scene *s = test->priv;

	s->ivd.vectors = 2048;
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, VECTORS - 1, 0), 0);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, VECTORS, 0), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 255, 0), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 256, 0), -EINVAL);
	ivshmem_doorbell_forget(&s->f);
	s->ivd.doorbell.count = 0;
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 0, 0), -EOPNOTSUPP);
}

static void set_replaced_and_cleared(struct kunit *test)
{
	struct scene *s = test->priv;
	struct ivshmem_vector *v = &s->vectors[1];

	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 1, -1), 0); /* none there */
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, eventfds[0].references, 1);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 1, 0), 0); /* the same once more */
	KUNIT_EXPECT_EQ(test, eventfds[0].references, 1);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 1, 2), 0);
	KUNIT_EXPECT_EQ(test, eventfds[0].references, 0);
	KUNIT_EXPECT_EQ(test, eventfds[2].references, 1);
	KUNIT_EXPECT_PTR_EQ(test, v->eventfd, &eventfds[2]);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 1, EVENTFDS), -EBADF); /* leaves what is there */
	KUNIT_EXPECT_PTR_EQ(test, v->eventfd, &eventfds[2]);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 1, -1), 0);
	KUNIT_EXPECT_EQ(test, eventfds[2].references, 0);
	KUNIT_EXPECT_PTR_EQ(test, v->eventfd, NULL);
	KUNIT_EXPECT_PTR_EQ(test, v->owner, NULL);
}

static void somebody_else_has_it(struct kunit *test)
{
	struct scene *s = test->priv;

	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->other, 0, 1), -EBUSY);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->other, 0, -1), -EBUSY);
	KUNIT_EXPECT_EQ(test, eventfds[1].references, 0);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->other, 1, 1), 0);
	ivshmem_doorbell_forget(&s->f); /* its file is closed */
	KUNIT_EXPECT_EQ(test, eventfds[0].references, 0);
	KUNIT_EXPECT_EQ(test, eventfds[1].references, 1);
	KUNIT_EXPECT_EQ(test, eventfds[0].signals + eventfds[1].signals, 0);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->other, 0, 2), 0);
	ivshmem_doorbell_forget(&s->other);
	KUNIT_EXPECT_EQ(test, eventfds[1].references + eventfds[2].references, 0);
}

/* An interrupt tells the eventfd of its vector, if there is one, and makes everybody look. */
static void interrupts(struct kunit *test)
{
	struct scene *s = test->priv;
	struct ivshmem_watcher *w = &s->f.watcher;

	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 1, 1), 0);
	KUNIT_EXPECT_EQ(test, (int)ivshmem_doorbell_interrupt(0, &s->vectors[1]), (int)IRQ_HANDLED);
	KUNIT_EXPECT_EQ(test, (int)ivshmem_doorbell_interrupt(0, &s->vectors[1]), (int)IRQ_HANDLED);
	KUNIT_EXPECT_EQ(test, eventfds[0].signals, 0);
	KUNIT_EXPECT_EQ(test, eventfds[1].signals, 2);
	KUNIT_EXPECT_EQ(test, ivshmem_notify_enlist(&s->ivd.notify, w, 4, 0, IVSHMEM_POLL_NEVER), (int)IVSHMEM_PENDING);
	s->word[1] = 1;
	KUNIT_EXPECT_EQ(test, (int)ivshmem_doorbell_interrupt(0, &s->vectors[2]), (int)IRQ_HANDLED);
	KUNIT_EXPECT_EQ(test, w->done, (int)IVSHMEM_CHANGED);
	KUNIT_EXPECT_EQ(test, eventfds[0].signals + eventfds[1].signals, 2);
}

/* Whoever has an eventfd is told once that the device goes; an interrupt that comes late finds nothing. */
static void death(struct kunit *test)
{
	struct scene *s = test->priv;

	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->other, 2, 2), 0);
	die(s);
	KUNIT_EXPECT_EQ(test, eventfds[0].signals, 1);
	KUNIT_EXPECT_EQ(test, eventfds[2].signals, 1);
	KUNIT_EXPECT_EQ(test, eventfds[0].references + eventfds[2].references, 0);
	KUNIT_EXPECT_EQ(test, (int)ivshmem_doorbell_interrupt(0, &s->vectors[0]), (int)IRQ_HANDLED);
	KUNIT_EXPECT_EQ(test, eventfds[0].signals, 1);
	KUNIT_EXPECT_EQ(test, ivshmem_doorbell_eventfd(&s->f, 0, 0), -ENODEV);
	s->ivd.doorbell.vectors = NULL; /* they are freed now */
	ivshmem_doorbell_forget(&s->f);
	KUNIT_EXPECT_EQ(test, set(&s->f, 0, fake_fdget(0)), -ENODEV); /* it was checked before the device died */
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(rung, ring_gen_params),
	KUNIT_CASE(nothing_to_ring),
	KUNIT_CASE(vectors_are_checked),
	KUNIT_CASE(fewer_interrupts_than_vectors),
	KUNIT_CASE(set_replaced_and_cleared),
	KUNIT_CASE(somebody_else_has_it),
	KUNIT_CASE(interrupts),
	KUNIT_CASE(death),
	{},
};

static struct kunit_suite suite = {
	.name = "ivshmem_doorbell",
	.init = init,
	.exit = end,
	.test_cases = cases,
};
kunit_test_suite(suite);
