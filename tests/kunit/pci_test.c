// SPDX-License-Identifier: GPL-2.0-only
/* kmod/pci.c: BARs that are not what they should be, and what a device says of itself in its config space. */
#include <kunit/test.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "fake.h"

/* The driver itself is not registered here. */
#undef module_init
#undef module_exit
#define module_init(call)
#define module_exit(call)
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"
/* fake.c has another one */
#define ivshmem_pci_decodes decodes
bool decodes(const struct ivshmem_device *ivd);
#include "pci.c"

#define MSIX_AT 0x40

/* A function with a config space of its own. */
struct scene {
	struct pci_dev pdev;
	struct pci_bus bus;
	u8 config[256];
	struct ivshmem_device ivd;
};

static int config_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *val)
{
	struct scene *s = container_of(bus, struct scene, bus);

	*val = 0;
	memcpy(val, s->config + where, size);
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops ops = {
	.read = config_read,
};

static void release_nothing(struct device *dev)
{
}

static void set_bar(struct scene *s, int bar, phys_addr_t start, u64 size, unsigned long flags)
{
	s->pdev.resource[bar] = (struct resource){.start = start, .end = start + size - 1, .flags = flags};
}

static int init(struct kunit *test)
{
	struct scene *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->bus.ops = &ops;
	s->pdev.bus = &s->bus;
	device_initialize(&s->pdev.dev);
	s->pdev.dev.release = release_nothing;
	dev_set_name(&s->pdev.dev, "0000:00:04.0");
	set_bar(s, 0, 0xfe000000, 256, IORESOURCE_MEM);
	set_bar(s, 2, 0x100000000, SZ_4M, IORESOURCE_MEM);
	test->priv = s;
	return 0;
}

static void end(struct kunit *test)
{
	struct scene *s = test->priv;

	put_device(&s->pdev.dev);
}

struct bars {
	const char *name;
	int bar;
	u64 size;
	unsigned long flags;
	int error;
};
static const struct bars bars[] = {
	{"as it should be", 2, SZ_4M, IORESOURCE_MEM, 0},
	{"memory of 1 KiB", 2, 1024, IORESOURCE_MEM, 0},
	{"no memory", 2, 0, IORESOURCE_MEM, -ENOSPC},
	{"memory without an address", 2, SZ_4M, IORESOURCE_MEM | IORESOURCE_UNSET, -ENOSPC},
	{"memory of ports", 2, SZ_4M, IORESOURCE_IO, -ENODEV},
	{"no registers", 0, 0, IORESOURCE_MEM, -ENODEV},
	{"registers of ports", 0, 256, IORESOURCE_IO, -ENODEV},
	{"registers too small", 0, 128, IORESOURCE_MEM, -ENODEV},
	{"registers larger", 0, 4096, IORESOURCE_MEM, 0},
};

static void bars_name(const struct bars *b, char *name)
{
	strscpy(name, b->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(bars, bars, bars_name);

static void bars_are_checked(struct kunit *test)
{
	const struct bars *b = test->param_value;
	struct scene *s = test->priv;

	if (b->size)
		set_bar(s, b->bar, 0x100000000, b->size, b->flags);
	else
		s->pdev.resource[b->bar] = (struct resource){.flags = b->flags};
	KUNIT_EXPECT_EQ(test, check_bars(&s->pdev), b->error);
}

static void plain_device(struct kunit *test)
{
	struct scene *s = test->priv;

	KUNIT_EXPECT_EQ(test, identify(&s->pdev, &s->ivd), 0);
	KUNIT_EXPECT_EQ(test, s->ivd.model, (u32)IVSHMEM_MODEL_PLAIN);
	KUNIT_EXPECT_EQ(test, s->ivd.vectors, 0u);
	KUNIT_EXPECT_STREQ(test, s->ivd.slot, "0000:00:04.0");
}

/* An MSI-X capability with that many vectors, and registers where the test can write them. */
static void make_doorbell(struct kunit *test, struct scene *s, u16 vectors, u32 position)
{
	u32 *registers;

	s->config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
	s->config[PCI_CAPABILITY_LIST] = MSIX_AT;
	s->config[MSIX_AT] = PCI_CAP_ID_MSIX;
	*(u16 *)&s->config[MSIX_AT + PCI_MSIX_FLAGS] = vectors - 1;
	s->pdev.msix_cap = MSIX_AT;
	set_bar(s, 0, fake_memory(test), 256, IORESOURCE_MEM);
	registers = memremap(fake_memory(test), 256, MEMREMAP_WB);
	KUNIT_ASSERT_NOT_NULL(test, registers);
	registers[IVPOSITION / 4] = position;
	memunmap(registers);
}

static void doorbell_device(struct kunit *test)
{
	struct scene *s = test->priv;

	make_doorbell(test, s, 2048, 0xffff);
	KUNIT_EXPECT_EQ(test, identify(&s->pdev, &s->ivd), 0);
	KUNIT_EXPECT_EQ(test, s->ivd.model, (u32)IVSHMEM_MODEL_DOORBELL);
	KUNIT_EXPECT_EQ(test, s->ivd.vectors, 2048u);
	KUNIT_EXPECT_EQ(test, s->ivd.ivposition, 0xffffu);
}

static void doorbell_of_peer_0(struct kunit *test)
{
	struct scene *s = test->priv;

	make_doorbell(test, s, 1, 0);
	KUNIT_EXPECT_EQ(test, identify(&s->pdev, &s->ivd), 0);
	KUNIT_EXPECT_EQ(test, s->ivd.vectors, 1u);
	KUNIT_EXPECT_EQ(test, s->ivd.ivposition, 0u);
}

static const u32 positions[] = {0x10000, 1u << 31, ~0u};

static void position_name(const u32 *position, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%#x", *position);
}
KUNIT_ARRAY_PARAM(position, positions, position_name);

static void positions_that_are_none(struct kunit *test)
{
	struct scene *s = test->priv;

	make_doorbell(test, s, 1, *(const u32 *)test->param_value);
	KUNIT_EXPECT_EQ(test, identify(&s->pdev, &s->ivd), -EIO);
}

/* A capability list that points to itself, or outside: no hang, no MSI-X. */
static void capabilities_in_a_circle(struct kunit *test)
{
	struct scene *s = test->priv;

	s->config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
	s->config[PCI_CAPABILITY_LIST] = MSIX_AT;
	s->config[MSIX_AT] = PCI_CAP_ID_PM;
	s->config[MSIX_AT + 1] = MSIX_AT;
	KUNIT_EXPECT_EQ(test, identify(&s->pdev, &s->ivd), 0);
	KUNIT_EXPECT_EQ(test, s->ivd.model, (u32)IVSHMEM_MODEL_PLAIN);
}

/* Switched off; and no longer there, as a device that was torn out reads. */
static void memory_that_is_switched_off(struct kunit *test)
{
	struct scene *s = test->priv;
	u16 *command = (u16 *)&s->config[PCI_COMMAND];

	s->ivd.dev.parent = &s->pdev.dev;
	KUNIT_EXPECT_FALSE(test, decodes(&s->ivd));
	*command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	KUNIT_EXPECT_TRUE(test, decodes(&s->ivd));
	*command = ~PCI_COMMAND_MEMORY;
	KUNIT_EXPECT_FALSE(test, decodes(&s->ivd));
	*command = ~0;
	KUNIT_EXPECT_FALSE(test, decodes(&s->ivd));
}

static void plain_device_has_no_vectors(struct kunit *test)
{
	struct scene *s = test->priv;

	s->ivd.model = IVSHMEM_MODEL_PLAIN;
	KUNIT_EXPECT_EQ(test, create_vectors(&s->pdev, &s->ivd), 0);
	KUNIT_EXPECT_EQ(test, s->ivd.doorbell.count, 0u);
	KUNIT_EXPECT_FALSE(test, s->ivd.notify.interrupts);
}

static void bars_are_claimed_once(struct kunit *test)
{
	struct scene *s = test->priv;
	struct resource *res;

	set_bar(s, 2, fake_memory(test) & ~0xfffULL, SZ_2M, IORESOURCE_MEM);
	KUNIT_EXPECT_EQ(test, claim(&s->pdev, 2), 0);
	KUNIT_EXPECT_EQ(test, claim(&s->pdev, 2), -EBUSY);
	res = request_mem_region(fake_memory(test) + SZ_1M, 4096, "kunit");
	KUNIT_EXPECT_PTR_EQ(test, res, NULL);
}

static void memory_is_created_and_goes(struct kunit *test)
{
	struct scene *s = test->priv;

	set_bar(s, 2, fake_memory(test), SZ_4M, IORESOURCE_MEM);
	KUNIT_EXPECT_EQ(test, create_region(&s->pdev, &s->ivd.region), 0);
	KUNIT_EXPECT_EQ(test, s->ivd.region.size, (u64)SZ_4M);
	KUNIT_EXPECT_TRUE(test, ivshmem_pages_taken(fake_memory(test), SZ_4M));
	KUNIT_EXPECT_EQ(test, create_region(&s->pdev, &s->ivd.region), -EBUSY);
}

static void nothing_is_left_of_it(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, ivshmem_pages_taken(fake_memory(test), SZ_4M));
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
	KUNIT_CASE_PARAM(bars_are_checked, bars_gen_params),
	KUNIT_CASE(plain_device),
	KUNIT_CASE(doorbell_device),
	KUNIT_CASE(doorbell_of_peer_0),
	KUNIT_CASE_PARAM(positions_that_are_none, position_gen_params),
	KUNIT_CASE(capabilities_in_a_circle),
	KUNIT_CASE(memory_that_is_switched_off),
	KUNIT_CASE(plain_device_has_no_vectors),
	KUNIT_CASE(bars_are_claimed_once),
	KUNIT_CASE(memory_is_created_and_goes),
	KUNIT_CASE(nothing_is_left_of_it),
	{},
};

static struct kunit_suite suite = {
	.name = "ivshmem_pci",
	.suite_init = suite_init,
	.suite_exit = suite_exit,
	.init = init,
	.exit = end,
	.test_cases = cases,
};
kunit_test_suite(suite);
