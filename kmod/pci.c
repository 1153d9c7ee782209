// SPDX-License-Identifier: GPL-2.0-only
/* The PCI function: BAR0 registers, BAR1 MSI-X (doorbell devices only), BAR2 memory. */
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>

#include "compat.h"
#include "ivshmem.h"

#define BAR_REGISTERS 0
#define BAR_MEMORY    2

#define REGISTERS_SIZE 256
#define IVPOSITION     0x08
#define IVPOSITION_MAX 0xffff

static int check_bars(struct pci_dev *pdev)
{
	if (!pci_resource_len(pdev, BAR_MEMORY) || pci_resource_flags(pdev, BAR_MEMORY) & IORESOURCE_UNSET) {
		dev_err(&pdev->dev,
			"BAR2 got no address: the hot-plug port's window is too small (see pref64-reserve=)\n");
		return -ENOSPC;
	}
	if (!(pci_resource_flags(pdev, BAR_MEMORY) & IORESOURCE_MEM) ||
	    !(pci_resource_flags(pdev, BAR_REGISTERS) & IORESOURCE_MEM) ||
	    pci_resource_len(pdev, BAR_REGISTERS) < REGISTERS_SIZE) {
		dev_err(&pdev->dev, "BAR0 or BAR2 is not what an ivshmem device has\n");
		return -ENODEV;
	}
	return 0;
}

static void unclaim(void *res)
{
	release_mem_region(((struct resource *)res)->start, resource_size(res));
}

/*
 * Not pci_request_region(), which manages its release on some kernels and on others not. Exclusive, so that nobody maps the
 * memory through sysfs or /dev/mem with another type of caching.
 */
static int claim(struct pci_dev *pdev, int bar)
{
	struct resource *res;

	res = request_mem_region_exclusive(pci_resource_start(pdev, bar), pci_resource_len(pdev, bar), "ivshmem");
	if (!res) {
		dev_err(&pdev->dev, "BAR%d is in use\n", bar);
		return -EBUSY;
	}
	return devm_add_action_or_reset(&pdev->dev, unclaim, res);
}

static void destroy_region(void *r)
{
	ivshmem_region_destroy(r);
}

static int create_region(struct pci_dev *pdev, struct ivshmem_region *r)
{
	int err = ivshmem_region_create(r, &pdev->dev, pci_resource_start(pdev, BAR_MEMORY),
					pci_resource_len(pdev, BAR_MEMORY));

	if (err) {
		dev_err(&pdev->dev, "cannot map BAR2: %s\n",
			err == -EBUSY ? "pages of it are still pinned" : "no memory");
		return err;
	}
	return devm_add_action_or_reset(&pdev->dev, destroy_region, r);
}

/* Is the memory there, at this moment? A read of it says nothing of the sort. From any context, on a device that is not dead. */
bool ivshmem_pci_decodes(const struct ivshmem_device *ivd)
{
	u16 command;

	pci_read_config_word(to_pci_dev(ivd->dev.parent), PCI_COMMAND, &command);
	return command & PCI_COMMAND_MEMORY && !PCI_POSSIBLE_ERROR(command);
}

/* IVPosition 0 may be either kind's; what tells them apart is MSI-X. */
static int identify(struct pci_dev *pdev, struct ivshmem_device *ivd)
{
	void __iomem *registers;

	strscpy(ivd->slot, pci_name(pdev), sizeof(ivd->slot));
	ivd->model = IVSHMEM_MODEL_PLAIN;
	if (!pci_find_capability(pdev, PCI_CAP_ID_MSIX))
		return 0;
	registers = pcim_iomap(pdev, BAR_REGISTERS, REGISTERS_SIZE);
	if (!registers)
		return -ENOMEM;
	ivd->doorbell.registers = registers;
	ivd->model = IVSHMEM_MODEL_DOORBELL;
	ivd->vectors = max(0, pci_msix_vec_count(pdev));
	ivd->ivposition = readl(registers + IVPOSITION);
	if (ivd->ivposition > IVPOSITION_MAX) {
		dev_err(&pdev->dev, "IVPosition reads %#x\n", ivd->ivposition);
		return -EIO;
	}
	return 0;
}

static void free_vectors(void *pdev)
{
	pci_free_irq_vectors(pdev);
}

/* Their holders are told by ivshmem_device_kill(); what is requested here goes before the memory does. */
static int request_vectors(struct pci_dev *pdev, struct ivshmem_device *ivd, unsigned int count)
{
	struct ivshmem_doorbell *d = &ivd->doorbell;
	unsigned int i;
	int err;

	d->vectors = devm_kcalloc(&pdev->dev, count, sizeof(*d->vectors), GFP_KERNEL);
	if (!d->vectors)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		d->vectors[i].ivd = ivd;
		err = devm_request_irq(&pdev->dev, pci_irq_vector(pdev, i), ivshmem_doorbell_interrupt, 0, "ivshmem",
				       &d->vectors[i]);
		if (err)
			return err;
	}
	d->count = count;
	ivd->notify.interrupts = true;
	return 0;
}

/* Without interrupts a doorbell device is a plain one that can ring. */
static int create_vectors(struct pci_dev *pdev, struct ivshmem_device *ivd)
{
	int err, count;

	if (ivd->model != IVSHMEM_MODEL_DOORBELL)
		return 0;
	pci_set_master(pdev);
	count = pci_alloc_irq_vectors(pdev, 1, min_t(u32, ivd->vectors, IVSHMEM_VECTORS_MAX), PCI_IRQ_MSIX);
	if (count < 0) {
		dev_warn(&pdev->dev, "no interrupts, waiters look by themselves: error %d\n", count);
		return 0;
	}
	err = devm_add_action_or_reset(&pdev->dev, free_vectors, pdev);
	return err ?: request_vectors(pdev, ivd, count);
}

static void put_device_of(void *ivd)
{
	put_device(&((struct ivshmem_device *)ivd)->dev);
}

static void announce(struct pci_dev *pdev, const struct ivshmem_device *ivd)
{
	const struct ivshmem_region *r = &ivd->region;
	bool best = r->reason == IVSHMEM_REASON_NONE;

	dev_info(&pdev->dev, "%s: %llu KiB, %s, cache %s%s%s%s\n", dev_name(&ivd->dev), r->size >> 10,
		 ivshmem_sysfs_model(ivd), ivshmem_sysfs_cache(ivd),
		 best ? "" : " (no struct pages: ", best ? "" : ivshmem_sysfs_reason(ivd), best ? "" : ")");
}

static int ivshmem_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct ivshmem_device *ivd;
	int err = check_bars(pdev);

	if (err)
		return err;
	ivd = ivshmem_device_create(&pdev->dev);
	if (IS_ERR(ivd))
		return PTR_ERR(ivd);
	err = devm_add_action_or_reset(&pdev->dev, put_device_of, ivd);
	if (err)
		return err;
	err = pcim_enable_device(pdev);
	if (err)
		return err;
	err = claim(pdev, BAR_REGISTERS);
	if (err)
		return err;
	err = claim(pdev, BAR_MEMORY);
	if (err)
		return err;
	err = identify(pdev, ivd);
	if (err)
		return err;
	err = create_region(pdev, &ivd->region);
	if (err)
		return err;
	err = create_vectors(pdev, ivd);
	if (err)
		return err;
	pci_set_drvdata(pdev, ivd);
	err = ivshmem_device_add(ivd);
	if (err)
		return err;
	announce(pdev, ivd);
	return 0;
}

/* The rest goes in reverse order by what probe has left with devm_ and pcim_. */
static void ivshmem_pci_remove(struct pci_dev *pdev)
{
	ivshmem_device_kill(pci_get_drvdata(pdev));
}

/* The kernel saves and restores the function with its interrupts; what sleeps in the driver sleeps on. */
static int ivshmem_pci_suspend(struct device *dev)
{
	ivshmem_notify_stop(&((struct ivshmem_device *)dev_get_drvdata(dev))->notify);
	return 0;
}

static int ivshmem_pci_resume(struct device *dev)
{
	ivshmem_notify_start(&((struct ivshmem_device *)dev_get_drvdata(dev))->notify);
	return 0;
}

static const struct dev_pm_ops pm_ops = {SYSTEM_SLEEP_PM_OPS(ivshmem_pci_suspend, ivshmem_pci_resume)};

/* Before another kernel takes over: nobody looks at the memory, and nothing interrupts. */
static void ivshmem_pci_shutdown(struct pci_dev *pdev)
{
	ivshmem_notify_stop(&((struct ivshmem_device *)pci_get_drvdata(pdev))->notify);
	pci_clear_master(pdev);
}

/* Any subsystem and revision: other hypervisors make this device, too. */
static const struct pci_device_id ids[] = {{PCI_DEVICE(0x1af4, 0x1110)}, {}};
MODULE_DEVICE_TABLE(pci, ids);

static struct pci_driver driver = {
	.name = "ivshmem",
	.id_table = ids,
	.probe = ivshmem_pci_probe,
	.remove = ivshmem_pci_remove,
	.shutdown = ivshmem_pci_shutdown,
	.driver.pm = pm_sleep_ptr(&pm_ops),
};

static int __init ivshmem_init(void)
{
	int err = ivshmem_device_init();

	if (err)
		return err;
	err = pci_register_driver(&driver);
	if (err)
		ivshmem_device_exit();
	return err;
}

static void __exit ivshmem_exit(void)
{
	pci_unregister_driver(&driver);
	ivshmem_pages_exit();
	ivshmem_device_exit();
}

module_init(ivshmem_init);
module_exit(ivshmem_exit);

MODULE_DESCRIPTION("QEMU inter-VM shared memory device");
MODULE_AUTHOR("ivpipe contributors");
MODULE_VERSION(IVSHMEM_VERSION);
MODULE_LICENSE("GPL");
