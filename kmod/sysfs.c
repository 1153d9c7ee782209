// SPDX-License-Identifier: GPL-2.0-only
/* The attributes of /sys/class/ivshmem/ivshmemN, documented in docs/ABI/sysfs-class-ivshmem, and the words they use. */
#include <linux/device.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "ivshmem.h"

const char *ivshmem_sysfs_model(const struct ivshmem_device *ivd)
{
	return ivd->model == IVSHMEM_MODEL_DOORBELL ? "doorbell" : "plain";
}

const char *ivshmem_sysfs_cache(const struct ivshmem_device *ivd)
{
	static const char *const words[] = {
		[IVSHMEM_CACHE_NONE] = "none",
		[IVSHMEM_CACHE_WRITE_BACK] = "write-back",
		[IVSHMEM_CACHE_WRITE_COMBINE] = "write-combine",
		[IVSHMEM_CACHE_UNCACHED] = "uncached",
	};

	return words[ivd->region.cache];
}

const char *ivshmem_sysfs_reason(const struct ivshmem_device *ivd)
{
	static const char *const words[] = {
		[IVSHMEM_REASON_NONE] = "none",
		[IVSHMEM_REASON_SMALL] = "small",
		[IVSHMEM_REASON_DIRECT_MAP] = "direct-map",
		[IVSHMEM_REASON_NO_MEMORY] = "no-memory",
		[IVSHMEM_REASON_NO_PAGES] = "no-pages",
		[IVSHMEM_REASON_SUBPAGE] = "subpage",
		[IVSHMEM_REASON_PARAMETER] = "parameter",
		[IVSHMEM_REASON_REFUSED] = "refused",
	};

	return words[ivd->region.reason];
}

static struct ivshmem_device *of(struct device *dev)
{
	return container_of(dev, struct ivshmem_device, dev);
}

#define ATTRIBUTE(name, format, value)                                                                                 \
	static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *buf)                       \
	{                                                                                                              \
		return sysfs_emit(buf, format "\n", value);                                                            \
	}                                                                                                              \
	static DEVICE_ATTR_RO(name)

ATTRIBUTE(size, "%llu", of(dev)->region.size);
ATTRIBUTE(model, "%s", ivshmem_sysfs_model(of(dev)));
ATTRIBUTE(cache, "%s", ivshmem_sysfs_cache(of(dev)));
ATTRIBUTE(cache_reason, "%s", ivshmem_sysfs_reason(of(dev)));
ATTRIBUTE(ivposition, "%u", of(dev)->ivposition);
ATTRIBUTE(vectors, "%u", of(dev)->vectors);
ATTRIBUTE(index, "%u", of(dev)->index);

/* Without colons, unlike the PCI address: udev makes the name of a link from it, and some programs split paths at colons. */
static ssize_t slot_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	char slot[IVSHMEM_SLOT_MAX];

	memcpy(slot, of(dev)->slot, sizeof(slot));
	strreplace(slot, ':', '-');
	return sysfs_emit(buf, "%s\n", slot);
}
static DEVICE_ATTR_RO(slot);

static struct attribute *attrs[] = {
	&dev_attr_size.attr,         &dev_attr_model.attr,      &dev_attr_cache.attr,
	&dev_attr_cache_reason.attr, &dev_attr_ivposition.attr, &dev_attr_vectors.attr,
	&dev_attr_index.attr,        &dev_attr_slot.attr,       NULL,
};
static const struct attribute_group group = {
	.attrs = attrs,
};

const struct attribute_group *ivshmem_sysfs_groups[] = {&group, NULL};
