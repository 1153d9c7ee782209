// SPDX-License-Identifier: MIT
/*
 * Devices and files are found in a made-up tree, so that no device is needed: by reading it (find_test) and by libudev
 * (find_udev_test), which looks nowhere but in /sys, and so sees the tree there, in a namespace of its own.
 */
#define _GNU_SOURCE
#include <limits.h>
#ifndef IVP_NO_UDEV
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#endif

#include "../../user/find.c"
#include "check.h"
#include "made.h"

/* One whose checksum is another's. */
static void damaged(const char *path, off_t size)
{
	int fd;

	region(path, size, size);
	fd = open(at(path), O_WRONLY);
	if (fd < 0 || pwrite(fd, "x", 1, offsetof(struct ivp_superblock, checksum)) != 1)
		abort();
	close(fd);
}

static void device(const char *slot, const char *vendor, const char *id, const char *driver)
{
	char path[128], target[128];

	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/vendor", slot);
	text(path, "%s", vendor);
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/device", slot);
	text(path, "%s", id);
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/subsystem", slot);
	if (symlink("../../../../bus/pci", at(path)))
		abort();
	if (!driver)
		return;
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/driver", slot);
	snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver);
	if (symlink(target, at(path)))
		abort();
}

static void make_devices(void)
{
	device("0000:00:03.0", "0x1af4\n", "0x1000\n", "virtio-pci");
	device("0000:00:04.0", "0x1af4\n", "0x1110\n", "ivshmem");
	directories("sys/bus/pci/devices/0000:00:04.0/ivshmem/ivshmem7/");
	directories("sys/class/ivshmem/ivshmem7/");
	text("sys/class/ivshmem/ivshmem7/size", "1048576\n");
	text("sys/class/ivshmem/ivshmem7/cache", "write-back\n");
	text("sys/class/ivshmem/ivshmem7/cache_reason", "none\n");
	region("dev/ivshmem7", 1 << 20, 1 << 20);
	device("0000:00:05.0", "0x1af4\n", "0x1110\n", "kvmfr");
	region("sys/bus/pci/devices/0000:00:05.0/resource2", 1 << 20, 1 << 20);
	device("0000:00:06.0", "0x1af4\n", "0x1110\n", NULL);
	region("sys/bus/pci/devices/0000:00:06.0/resource2", 2 << 20, 2 << 20);
	device("0000:00:07.0", "0x1af4\n", "0x1110\n", NULL);
	bytes("sys/bus/pci/devices/0000:00:07.0/resource2", "", 0, 4 << 20);
	bytes("sys/bus/pci/devices/0000:00:07.0/resource2_wc", "", 0, 4 << 20);
}

static void make_files(void)
{
	region("dev/shm/good", 1 << 20, 1 << 20);
	damaged("dev/shm/damaged", 1 << 20);
	region("dev/shm/open-to-all", 1 << 20, 1 << 20);
	bytes("dev/shm/zero", "", 0, 1 << 20);
	text("dev/shm/short", "x");
	region("elsewhere", 1 << 20, 1 << 20);
	directories("dev/shm/directory/");
	if (chmod(at("dev/shm/open-to-all"), 0666) || symlink(at("elsewhere"), at("dev/shm/link")) ||
	    mkfifo(at("dev/shm/fifo"), 0600))
		abort();
}

static void check_devices(const struct ivp_found *found)
{
	check(!strcmp(found[0].slot, "0000:00:04.0") && found[0].backing == IVP_BACKING_NODE &&
		      !strcmp(found[0].path, at("dev/ivshmem7")) && found[0].size == 1 << 20 && found[0].automatic,
	      "a bound device has its node and its size");
	check(!strcmp(found[0].cache, "write-back") && !strcmp(found[0].cache_reason, "none") && found[0].formatted &&
		      !strcmp(found[0].driver, "ivshmem"),
	      "and what the driver says");
	check(!strcmp(found[1].driver, "kvmfr") && !found[1].path[0] && !found[1].automatic && !found[1].formatted,
	      "somebody else's driver has it");
	check(!strcmp(found[2].path, at("sys/bus/pci/devices/0000:00:06.0/resource2")) && found[2].size == 2 << 20 &&
		      found[2].formatted && found[2].readable && found[2].automatic && !found[2].driver[0],
	      "without a driver it is resource2");
	check(!strcmp(found[3].path, at("sys/bus/pci/devices/0000:00:07.0/resource2_wc")) && !found[3].formatted &&
		      !strcmp(found[3].cache, "write-combine"),
	      "or resource2_wc where there is one");
}

#ifndef IVP_NO_UDEV
/* In the place of libc's: libudev would not take the tree for a /sys. */
int fstatfs(int fd, struct statfs *st)
{
	(void)fd;
	memset(st, 0, sizeof(*st));
	st->f_type = SYSFS_MAGIC;
	return 0;
}

static bool show_in_sys(void)
{
	return !unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) &&
	       !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) && !mount(at("sys"), "/sys", NULL, MS_BIND, NULL);
}

static bool find_devices(struct finding *finding)
{
	bool shown = show_in_sys();

	if (shown)
		check(find_by_udev(finding), "libudev finds devices");
	else
		check_skip("libudev finds devices", "no mount namespaces here");
	return shown;
}
#else
static bool find_devices(struct finding *finding)
{
	find_in_sysfs(finding);
	return true;
}
#endif

int main(void)
{
	char sys[PATH_MAX], dev[PATH_MAX], shm[PATH_MAX], command[PATH_MAX];
	const struct places places = {sys, dev, shm};
	struct finding finding = {.places = &places};
	struct ivp_found *found = NULL;
	size_t count = 0;
	bool known;

	if (!mkdtemp(top))
		abort();
	snprintf(root, sizeof(root), "%s", top);
	snprintf(sys, sizeof(sys), "%s", at("sys"));
	snprintf(dev, sizeof(dev), "%s", at("dev"));
	snprintf(shm, sizeof(shm), "%s", at("dev/shm"));
	find_in_sysfs(&finding);
	find_files(&finding);
	check(!finish(&finding, &found, &count, NULL) && !count, "nothing, where there is not even a directory");
	directories("dev/shm/");
	make_devices();
	make_files();
	known = find_devices(&finding);
	find_files(&finding);
	check(!finish(&finding, &found, &count, NULL) && (!known || count == 6), "four devices and two files");
	if (count == 6) {
		check_devices(found);
		check(!strcmp(found[4].path, at("dev/shm/good")) && found[4].automatic, "a region of our own");
		check(!strcmp(found[5].path, at("dev/shm/open-to-all")) && !found[5].automatic && found[5].formatted,
		      "one that everybody may write is not for auto");
	}
	free(found);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command) || check_done();
}
