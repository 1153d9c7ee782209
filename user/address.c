// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "address.h"
#include "error.h"

static int copy_path(char *to, size_t size, const char *from, struct ivp_error *err)
{
	if (strlen(from) >= size)
		return ivp_fail(err, IVP_FAIL_USAGE, -ENAMETOOLONG, "%.40s...: the path is longer than %zu bytes", from,
				size - 1);
	memcpy(to, from, strlen(from) + 1);
	return 0;
}

/* A sysfs resource: the locks are on resource2, also where resource2_wc is mapped. */
static int resolve_sysfs(struct ivp_address *address, const char *path, struct ivp_error *err)
{
	const char *slash = strrchr(path, '/');
	int directory = slash ? (int)(slash - path) : 0;
	size_t longest = sizeof(address->lock) - sizeof("/resource2");

	if (!slash || (size_t)directory > longest)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "%s: not the path of a PCI device's resource", path);
	address->backing = IVP_BACKING_SYSFS;
	address->combined = true;
	snprintf(address->lock, sizeof(address->lock), "%.*s/resource2", directory, path);
	snprintf(address->enable, sizeof(address->enable), "%.*s/enable", directory, path);
	return 0;
}

static bool is_resource(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;

	return !strcmp(base, "resource2") || !strcmp(base, "resource2_wc");
}

static int resolve_path(struct ivp_address *address, const char *path, struct ivp_error *err)
{
	struct stat st;
	int ret = copy_path(address->path, sizeof(address->path), path, err);

	if (!ret)
		ret = copy_path(address->lock, sizeof(address->lock), path, err);
	if (ret)
		return ret;
	if (stat(path, &st))
		return ivp_fail_path(err, -errno, path,
				     errno == ENOENT ? "ivpipe list shows the regions there are" : NULL);
	if (S_ISREG(st.st_mode) && is_resource(path))
		return resolve_sysfs(address, path, err);
	if (S_ISREG(st.st_mode))
		address->backing = IVP_BACKING_FILE;
	else if (S_ISCHR(st.st_mode))
		address->backing = IVP_BACKING_NODE;
	else
		return ivp_fail(err, IVP_FAIL_NO_REGION, -ENODEV, "%s: neither a file nor a device: not a region",
				path);
	return 0;
}

/* "/dev/shm/a (64M), /dev/ivshmem0", for an error. */
static void name_all(char *text, size_t size, const struct ivp_found *found, size_t count)
{
	size_t used = 0;

	for (size_t i = 0; i < count && used < size; i++)
		if (found[i].automatic && found[i].path[0])
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", found[i].path);
}

static int resolve_auto(struct ivp_address *address, struct ivp_error *err)
{
	const struct ivp_found *only = NULL;
	struct ivp_found *found;
	size_t count, usable = 0;
	char names[256] = "";
	int ret = ivp_find(&found, &count, err);

	if (ret)
		return ret;
	for (size_t i = 0; i < count; i++) {
		if (!found[i].automatic || !found[i].path[0])
			continue;
		only = &found[i];
		usable++;
	}
	if (usable == 1) {
		ret = resolve_path(address, only->path, err);
	} else if (usable) {
		name_all(names, sizeof(names), found, count);
		ret = ivp_fail(err, IVP_FAIL_NO_REGION, -EBUSY, "auto: several regions: choose one with -r: %s", names);
	} else {
		ret = ivp_fail(
			err, IVP_FAIL_NO_REGION, -ENOENT,
			"auto: no ivshmem device and no region in /dev/shm that is safe to take: name one with -r");
	}
	free(found);
	return ret;
}

int ivp_address_resolve(struct ivp_address *address, const char *spec, struct ivp_error *err)
{
	memset(address, 0, sizeof(*address));
	if (!spec || !*spec || !strcmp(spec, "auto"))
		return resolve_auto(address, err);
	return resolve_path(address, spec, err);
}
