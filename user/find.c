// SPDX-License-Identifier: MIT
/* find: which devices and which files are, or could be, regions. Opens for reading alone, and writes nothing. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#ifndef IVP_NO_UDEV
#include <libudev.h>
#endif

#include "error.h"
#include "find.h"
#include "format.h"
#include "superblock.h"

#define PCI_VENDOR "0x1af4"
#define PCI_DEVICE "0x1110"
#define DRIVER     "ivshmem"

/* A directory that anybody may fill does not make us grow without end. */
#define FOUND_MAX 1024

/* Where to look: the system's places, or a test's. */
struct places {
	const char *sys, *dev, *shm;
};

struct finding {
	const struct places *places;
	struct ivp_found *list;
	size_t count, room;
	bool no_memory;
};

static struct ivp_found *add(struct finding *finding, enum ivp_backing backing)
{
	struct ivp_found *found;

	if (finding->count == FOUND_MAX)
		return NULL;
	if (finding->count == finding->room) {
		size_t room = finding->room ? 2 * finding->room : 16;
		struct ivp_found *list = reallocarray(finding->list, room, sizeof(*list));

		finding->no_memory = !list;
		if (!list)
			return NULL;
		finding->list = list;
		finding->room = room;
	}
	found = &finding->list[finding->count++];
	memset(found, 0, sizeof(*found));
	found->backing = backing;
	return found;
}

static bool join(char *to, size_t size, const char *directory, const char *name)
{
	int len = snprintf(to, size, "%s/%s", directory, name);

	return len > 0 && (size_t)len < size;
}

/* First line of a small file; "" where there is none. */
static void read_line(const char *directory, const char *name, char *text, size_t size)
{
	char path[PATH_MAX];
	ssize_t len;
	int fd;

	text[0] = '\0';
	if (!join(path, sizeof(path), directory, name))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	len = read(fd, text, size - 1);
	text[len > 0 ? len : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	close(fd);
}

static bool is_superblock(const struct ivp_superblock *sb, uint64_t size)
{
	return !ivp_superblock_check(sb, size) && sb->checksum == ivp_superblock_sum(sb);
}

/* A resource of sysfs can be mapped and not read. */
static bool map_superblock(int fd, struct ivp_superblock *sb)
{
	void *at = mmap(NULL, IVP_SUPERBLOCK_BYTES, PROT_READ, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return false;
	ivp_copy_from(sb, (const u8 __plain __shm *)at, sizeof(*sb));
	munmap(at, IVP_SUPERBLOCK_BYTES);
	return true;
}

static void look_inside(struct ivp_found *found, int fd)
{
	struct ivp_superblock sb;
	bool got = false;

	found->readable = fd >= 0;
	if (found->readable && found->size >= IVP_SUPERBLOCK_BYTES)
		got = found->backing == IVP_BACKING_SYSFS ? map_superblock(fd, &sb)
							  : pread(fd, &sb, sizeof(sb), 0) == sizeof(sb);
	found->formatted = got && is_superblock(&sb, found->size);
}

static void take_stat(struct ivp_found *found, const struct stat *st)
{
	found->mode = st->st_mode & 07777;
	found->uid = st->st_uid;
	found->gid = st->st_gid;
}

/* The device's directory has a directory of our class, with one entry: ivshmemN. */
static bool find_node(const char *device, char *name, size_t size)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;

	name[0] = '\0';
	if (!join(path, sizeof(path), device, "ivshmem"))
		return false;
	directory = opendir(path);
	while (directory && !name[0] && (entry = readdir(directory)))
		if (!strncmp(entry->d_name, "ivshmem", 7) && strlen(entry->d_name) < size)
			strcpy(name, entry->d_name);
	if (directory)
		closedir(directory);
	return name[0];
}

static void read_bound(const struct places *places, struct ivp_found *found, const char *node)
{
	char class[PATH_MAX], text[32];

	found->backing = IVP_BACKING_NODE;
	snprintf(found->path, sizeof(found->path), "%s/%s", places->dev, node);
	if (snprintf(class, sizeof(class), "%s/class/ivshmem/%s", places->sys, node) >= (int)sizeof(class))
		return;
	read_line(class, "size", text, sizeof(text));
	found->size = strtoull(text, NULL, 10);
	read_line(class, "cache", found->cache, sizeof(found->cache));
	read_line(class, "cache_reason", found->cache_reason, sizeof(found->cache_reason));
}

/* Without a driver the memory is a file of sysfs. The write-combining one is there where the kernel can; it is the faster. */
static void read_unbound(struct ivp_found *found, const char *device)
{
	bool combined = join(found->path, sizeof(found->path), device, "resource2_wc") && !access(found->path, F_OK);
	struct stat st;

	if (!combined && !join(found->path, sizeof(found->path), device, "resource2"))
		found->path[0] = '\0';
	if (!stat(found->path, &st))
		found->size = (uint64_t)st.st_size;
	snprintf(found->cache, sizeof(found->cache), "%s", combined ? "write-combine" : "uncached");
	snprintf(found->cache_reason, sizeof(found->cache_reason), "the ivshmem driver is not loaded");
}

static void read_driver(struct ivp_found *found, const char *device)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	ssize_t len;

	if (!join(path, sizeof(path), device, "driver"))
		return;
	len = readlink(path, target, sizeof(target) - 1);
	target[len > 0 ? len : 0] = '\0';
	slash = strrchr(target, '/');
	if (slash)
		snprintf(found->driver, sizeof(found->driver), "%.31s", slash + 1);
}

/* One PCI device, however it was enumerated: the same result with libudev and without. */
static void add_device(struct finding *finding, const char *slot)
{
	struct ivp_found *found = add(finding, IVP_BACKING_SYSFS);
	char device[128], node[32];
	struct stat st;
	int fd;

	if (!found)
		return;
	snprintf(device, sizeof(device), "%s/bus/pci/devices/%.31s", finding->places->sys, slot);
	snprintf(found->slot, sizeof(found->slot), "%.31s", slot);
	read_driver(found, device);
	if (!strcmp(found->driver, DRIVER) && find_node(device, node, sizeof(node)))
		read_bound(finding->places, found, node);
	else if (!found->driver[0])
		read_unbound(found, device);
	if (!found->path[0])
		return;
	if (!stat(found->path, &st))
		take_stat(found, &st);
	found->automatic = true;
	fd = open(found->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	look_inside(found, fd);
	if (fd >= 0)
		close(fd);
}

static bool is_ivshmem(const char *devices, const char *slot)
{
	char path[PATH_MAX], vendor[16], device[16];

	if (!join(path, sizeof(path), devices, slot))
		return false;
	read_line(path, "vendor", vendor, sizeof(vendor));
	read_line(path, "device", device, sizeof(device));
	return !strcmp(vendor, PCI_VENDOR) && !strcmp(device, PCI_DEVICE);
}

static void find_in_sysfs(struct finding *finding)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;

	if (!join(path, sizeof(path), finding->places->sys, "bus/pci/devices"))
		return;
	directory = opendir(path);
	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.' && is_ivshmem(path, entry->d_name))
			add_device(finding, entry->d_name);
	if (directory)
		closedir(directory);
}

#ifndef IVP_NO_UDEV
static bool scan(struct udev_enumerate *scanner)
{
	return udev_enumerate_add_match_subsystem(scanner, "pci") >= 0 &&
	       udev_enumerate_add_match_sysattr(scanner, "vendor", PCI_VENDOR) >= 0 &&
	       udev_enumerate_add_match_sysattr(scanner, "device", PCI_DEVICE) >= 0 &&
	       udev_enumerate_scan_devices(scanner) >= 0;
}

static bool find_by_udev(struct finding *finding)
{
	struct udev *udev = udev_new();
	struct udev_enumerate *scanner = udev ? udev_enumerate_new(udev) : NULL;
	struct udev_list_entry *entry;
	bool done = scanner && scan(scanner);

	if (done)
		udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(scanner))
			add_device(finding, strrchr(udev_list_entry_get_name(entry), '/') + 1);
	udev_enumerate_unref(scanner);
	udev_unref(udev);
	return done;
}
#endif

/* Not getgrnam(): that reads whatever nsswitch.conf names, over the network too, and cannot be linked statically. */
static gid_t group_kvm(void)
{
	FILE *file = fopen("/etc/group", "re");
	struct group *group;
	gid_t gid = (gid_t)-1;

	while (file && gid == (gid_t)-1 && (group = fgetgrent(file)))
		if (!strcmp(group->gr_name, "kvm"))
			gid = group->gr_gid;
	if (file)
		fclose(file);
	return gid;
}

/* In a directory that anybody may write to, a region that `auto` takes must not be a stranger's bait. */
static bool is_trusted(const struct stat *st, gid_t kvm)
{
	bool owned = st->st_uid == geteuid() || st->st_uid == 0 || (kvm != (gid_t)-1 && st->st_gid == kvm);

	return owned && !(st->st_mode & S_IWOTH);
}

/* fd was opened without following a link; what is not a region leaves no entry. */
static void add_file(struct finding *finding, int fd, const char *name, gid_t kvm)
{
	struct ivp_found *found;
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return;
	found = add(finding, IVP_BACKING_FILE);
	if (!found)
		return;
	take_stat(found, &st);
	found->size = (uint64_t)st.st_size;
	look_inside(found, fd);
	found->automatic = is_trusted(&st, kvm);
	snprintf(found->cache, sizeof(found->cache), "write-back");
	if (!found->formatted || !join(found->path, sizeof(found->path), finding->places->shm, name))
		finding->count--;
}

/* What is not a regular file is not opened: that could wait, or do something. */
void ivp_find_file(const char *path, struct ivp_found *found)
{
	struct stat st;
	int fd = -1;

	*found = (struct ivp_found){.backing = IVP_BACKING_FILE};
	snprintf(found->path, sizeof(found->path), "%s", path);
	if (stat(path, &st))
		return;
	if (S_ISREG(st.st_mode)) {
		fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		snprintf(found->cache, sizeof(found->cache), "write-back");
	}
	take_stat(found, &st);
	found->size = (uint64_t)st.st_size;
	look_inside(found, fd);
	if (fd >= 0)
		close(fd);
}

static void find_files(struct finding *finding)
{
	DIR *directory = opendir(finding->places->shm);
	gid_t kvm = group_kvm();
	struct dirent *entry;
	struct stat st;

	while (directory && (entry = readdir(directory))) {
		int fd;

		if (fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
			continue;
		fd = openat(dirfd(directory), entry->d_name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			continue;
		add_file(finding, fd, entry->d_name, kvm);
		close(fd);
	}
	if (directory)
		closedir(directory);
}

/* Devices first, by their place; then files by their name. */
static int compare(const void *left, const void *right)
{
	const struct ivp_found *a = left, *b = right;
	bool file_a = a->backing == IVP_BACKING_FILE, file_b = b->backing == IVP_BACKING_FILE;

	if (file_a != file_b)
		return file_a - file_b;
	return file_a ? strcmp(a->path, b->path) : strcmp(a->slot, b->slot);
}

static int finish(struct finding *finding, struct ivp_found **list, size_t *count, struct ivp_error *err)
{
	if (finding->no_memory) {
		free(finding->list);
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	}
	if (finding->count)
		qsort(finding->list, finding->count, sizeof(*finding->list), compare);
	*list = finding->list;
	*count = finding->count;
	return 0;
}

int ivp_find(struct ivp_found **list, size_t *count, struct ivp_error *err)
{
	static const struct places system = {"/sys", "/dev", "/dev/shm"};
	struct finding finding = {.places = &system};

#ifndef IVP_NO_UDEV
	if (!find_by_udev(&finding))
#endif
		find_in_sysfs(&finding);
	find_files(&finding);
	return finish(&finding, list, count, err);
}

int ivp_find_below(const char *root, struct ivp_found **list, size_t *count, struct ivp_error *err)
{
	char sys[PATH_MAX], dev[PATH_MAX], shm[PATH_MAX];
	const struct places places = {sys, dev, shm};
	struct finding finding = {.places = &places};

	if (!join(sys, sizeof(sys), root, "sys") || !join(dev, sizeof(dev), root, "dev") ||
	    !join(shm, sizeof(shm), root, "dev/shm"))
		return ivp_fail(err, IVP_FAIL_USAGE, -ENAMETOOLONG, "%.40s...: too long a path", root);
	find_in_sysfs(&finding);
	find_files(&finding);
	return finish(&finding, list, count, err);
}
