// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "error.h"
#include "format.h"
#include "linux/ivshmem.h"
#include "locks.h"
#include "region.h"
#include "sigbus.h"
#include "wait.h"

/* Of all regions: it is held for three words. */
static pthread_mutex_t spares_lock = PTHREAD_MUTEX_INITIALIZER;

int ivp_random(void *bytes, size_t len, struct ivp_error *err)
{
	u8 *to = bytes;

	while (len) {
		ssize_t got = getrandom(to, len, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "getrandom: %s", strerror(errno));
		to += got;
		len -= (size_t)got;
	}
	return 0;
}

int ivp_random_id(u64 *id, struct ivp_error *err)
{
	int ret;

	do
		ret = ivp_random(id, sizeof(*id), err);
	while (!ret && !*id);
	return ret;
}

static const char *cache_name(u32 cache)
{
	switch (cache) {
	case IVSHMEM_CACHE_WRITE_BACK:
		return "write-back";
	case IVSHMEM_CACHE_WRITE_COMBINE:
		return "write-combine";
	case IVSHMEM_CACHE_UNCACHED:
		return "uncached";
	default:
		return "none";
	}
}

/* The node of a device that is just going: as if it were not there any more, or not there again yet. */
static int leaving(const struct ivp_region *region, struct ivp_error *err)
{
	return ivp_fail(err, IVP_FAIL_NO_REGION, -ENOENT, "%s: the device has gone", region->address.path);
}

/* Whether the driver lets us sleep. It would not on a file that never blocks, and so nodes are opened. */
static enum ivp_way way_of_node(int fd, u64 features)
{
	int flags = fcntl(fd, F_GETFL);

	if (!(features & IVSHMEM_FEATURE_WAIT) || flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK))
		return IVP_WAY_POLL;
	return IVP_WAY_DRIVER;
}

/* A node of our driver tells its size and memory type; any other character device is none of ours. */
static int measure_node(struct ivp_region *region, struct ivp_error *err)
{
	struct ivshmem_info info = {.argsz = sizeof(info)};

	if (ioctl(region->fd, IVSHMEM_IOC_INFO, &info))
		return errno == ENODEV ? leaving(region, err)
				       : ivp_fail(err, IVP_FAIL_NO_REGION, -ENODEV,
						  "%s: not a device of the ivshmem driver", region->address.path);
	if (!(info.features & IVSHMEM_FEATURE_MMAP))
		return ivp_fail(err, IVP_FAIL_NO_REGION, -ENODEV,
				"%s: its %llu bytes cannot be mapped: give the device at least 64K",
				region->address.path, (unsigned long long)info.size);
	region->size = info.size;
	region->combined = info.cache != IVSHMEM_CACHE_WRITE_BACK;
	region->way = way_of_node(region->fd, info.features);
	if (region->way == IVP_WAY_DRIVER && info.features & IVSHMEM_FEATURE_INTERRUPT)
		region->bell = IVP_BELL(info.ivposition, 0);
	snprintf(region->cache, sizeof(region->cache), "%s", cache_name(info.cache));
	return 0;
}

static int measure(struct ivp_region *region, struct ivp_error *err)
{
	struct stat st;

	if (region->address.backing == IVP_BACKING_NODE)
		return measure_node(region, err);
	if (fstat(region->fd, &st))
		return ivp_fail_path(err, -errno, region->address.path, NULL);
	region->size = (u64)st.st_size;
	region->had_name = st.st_nlink > 0;
	region->combined = region->address.combined;
	region->way = region->address.backing == IVP_BACKING_FILE ? IVP_WAY_FUTEX : IVP_WAY_POLL;
	snprintf(region->cache, sizeof(region->cache), "%s",
		 region->way == IVP_WAY_FUTEX          ? "write-back"
		 : strstr(region->address.path, "_wc") ? "write-combine"
						       : "uncached");
	return 0;
}

/* Without a driver nobody has switched the device's memory on, and reads would give 0xff. */
static int enable_decoding(const struct ivp_address *address, struct ivp_error *err)
{
	int fd = open(address->enable, O_RDWR | O_CLOEXEC), ret = 0;
	char on = '0';

	if (fd < 0)
		return ivp_fail_path(err, -errno, address->enable,
				     "without the driver a device's memory takes root: modprobe ivshmem");
	if (pread(fd, &on, 1, 0) != 1 || on == '0')
		if (pwrite(fd, "1", 1, 0) != 1)
			ret = ivp_fail_path(err, -errno, address->enable, "cannot switch the device's memory on");
	close(fd);
	return ret;
}

static const char *map_hint(const struct ivp_address *address, int number)
{
	if (address->backing != IVP_BACKING_SYSFS)
		return NULL;
	if (number == -EINVAL)
		return "a driver owns this device's memory: use /dev/ivshmemN, or unbind it";
	if (number == -EPERM)
		return "the kernel is locked down: only a signed driver may map it: modprobe ivshmem";
	return NULL;
}

static int map(struct ivp_region *region, struct ivp_error *err)
{
	int prot = PROT_READ | (region->read_only ? 0 : PROT_WRITE);
	void *at;

	if (region->size < IVP_SUPERBLOCK_BYTES)
		return ivp_fail(err, IVP_FAIL_NO_REGION, -EMEDIUMTYPE,
				"%s: %llu bytes are too few for a region: it takes %u", region->address.path,
				(unsigned long long)region->size, IVP_REGION_MIN);
	at = mmap(NULL, region->size, prot, MAP_SHARED, region->fd, 0);
	if (at == MAP_FAILED)
		return ivp_fail_path(err, -errno, region->address.path, map_hint(&region->address, -errno));
	/* Two producers on one ring are none. */
	madvise(at, region->size, MADV_DONTFORK);
	region->map = (u8 __plain __shm *)at;
	return 0;
}

static int open_files(struct ivp_region *region, struct ivp_error *err)
{
	const struct ivp_address *address = &region->address;
	int flags = (region->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int ret = 0;

	if (address->backing == IVP_BACKING_SYSFS && !region->read_only)
		ret = enable_decoding(address, err);
	if (ret)
		return ret;
	region->fd = open(address->path, flags);
	if (region->fd < 0 && address->backing == IVP_BACKING_NODE && (errno == ENODEV || errno == ENXIO))
		return leaving(region, err);
	if (region->fd < 0)
		return ivp_fail_path(err, -errno, address->path,
				     errno == EACCES ? "your user may not open it: see its owner, group and mode"
						     : NULL);
	region->lock_fd = ivp_locks_open(address->lock, !region->read_only);
	if (region->lock_fd < 0)
		return ivp_fail_path(err, region->lock_fd, address->lock, NULL);
	return 0;
}

static int open_spares(struct ivp_region *region, struct ivp_error *err)
{
	for (size_t i = 0; i < IVP_SPARES; i++) {
		region->spare[i] = ivp_locks_open(region->address.lock, true);
		if (region->spare[i] < 0)
			return ivp_fail_path(err, region->spare[i], region->address.lock, NULL);
	}
	return 0;
}

int ivp_region_take_lock_file(struct ivp_region *region)
{
	int fd = -1;

	pthread_mutex_lock(&spares_lock);
	for (size_t i = 0; i < IVP_SPARES && fd < 0; i++) {
		fd = region->spare[i];
		region->spare[i] = -1;
	}
	pthread_mutex_unlock(&spares_lock);
	return fd >= 0 ? fd : ivp_locks_open(region->address.lock, true);
}

void ivp_region_return_lock_file(struct ivp_region *region, int fd, u64 byte)
{
	ivp_locks_drop(fd, byte);
	if (region->enclosed) {
		pthread_mutex_lock(&spares_lock);
		for (size_t i = 0; i < IVP_SPARES && fd >= 0; i++) {
			if (region->spare[i] >= 0)
				continue;
			region->spare[i] = fd;
			fd = -1;
		}
		pthread_mutex_unlock(&spares_lock);
	}
	if (fd >= 0)
		close(fd);
}

int ivp_region_map(struct ivp_region **out, const struct ivp_address *address, unsigned int flags,
		   struct ivp_error *err)
{
	struct ivp_region *region = calloc(1, sizeof(*region));
	int ret;

	if (!region)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	region->address = *address;
	region->owner = getpid();
	region->fd = region->lock_fd = -1;
	for (size_t i = 0; i < IVP_SPARES; i++)
		region->spare[i] = -1;
	region->read_only = flags & IVP_OPEN_READ_ONLY;
	region->enclosed = flags & IVP_OPEN_ENCLOSED;
	ret = open_files(region, err);
	if (!ret && flags & IVP_OPEN_ENCLOSED && !region->read_only)
		ret = open_spares(region, err);
	if (!ret)
		ret = measure(region, err);
	if (!ret)
		ret = map(region, err);
	if (!ret && flags & IVP_OPEN_SIGBUS) {
		ret = ivp_sigbus_install();
		if (!ret)
			ret = ivp_sigbus_watch(ivp_plain(region->map), region->size, &region->lost);
		if (ret)
			ivp_fail(err, IVP_FAIL_GENERAL, ret, "SIGBUS handler: %s", strerror(-ret));
		region->watched = !ret;
	}
	if (ret)
		ivp_region_close(region);
	else
		*out = region;
	return ret;
}

static void let_go(struct ivp_region *region)
{
	ivp_beat_close(region->beat);
	if (!region->map)
		return;
	ivp_sigbus_forget(ivp_plain(region->map));
	munmap(ivp_plain(region->map), region->size);
}

void ivp_region_close(struct ivp_region *region)
{
	if (!region)
		return;
	if (!ivp_region_inherited(region))
		let_go(region);
	if (region->lock_fd >= 0)
		close(region->lock_fd);
	for (size_t i = 0; i < IVP_SPARES; i++)
		if (region->spare[i] >= 0)
			close(region->spare[i]);
	if (region->fd >= 0)
		close(region->fd);
	free(region);
}

u64 ivp_superblock_sum(const struct ivp_superblock *sb)
{
	return XXH64(sb, offsetof(struct ivp_superblock, checksum), 0);
}

int ivp_region_read_superblock(const struct ivp_region *region, struct ivp_superblock *sb)
{
	int ret;

	ivp_copy_from(sb, region->map, sizeof(*sb));
	ret = ivp_superblock_check(sb, region->size);
	if ((!ret || ret == -EMSGSIZE) && sb->checksum != ivp_superblock_sum(sb))
		return -EINVAL;
	return ret;
}

u8 __shm *ivp_region_mirror(struct ivp_region *region, u64 offset, u64 len)
{
	u64 page = (u64)sysconf(_SC_PAGESIZE);
	int prot = PROT_READ | PROT_WRITE;
	u8 *at;

	if (offset % page || len % page)
		return NULL;
	at = mmap(NULL, 2 * len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	if (mmap(at, len, prot, MAP_SHARED | MAP_FIXED, region->fd, (off_t)offset) == MAP_FAILED ||
	    mmap(at + len, len, prot, MAP_SHARED | MAP_FIXED, region->fd, (off_t)offset) == MAP_FAILED ||
	    (region->watched && ivp_sigbus_watch(at, 2 * len, &region->lost))) {
		munmap(at, 2 * len);
		return NULL;
	}
	madvise(at, 2 * len, MADV_DONTFORK);
	return (u8 __plain __shm *)at;
}

void ivp_region_unmirror(u8 __shm *mirror, u64 len)
{
	if (!mirror)
		return;
	ivp_sigbus_forget(ivp_plain(mirror));
	munmap(ivp_plain(mirror), 2 * len);
}

int ivp_region_check(struct ivp_region *region, struct ivp_error *err)
{
	const struct ivp_superblock __shm *sb = (const struct ivp_superblock __plain __shm *)region->map;
	u64 id = ivp_load64(&sb->format_id);
	struct stat st;

	if (region->lost)
		return ivp_fail(err, IVP_FAIL_PEER_GONE, -ESTALE,
				"%s: the memory went away: truncated, unplugged, or out of space",
				region->address.path);
	if (region->had_name && !fstat(region->fd, &st) && !st.st_nlink)
		return ivp_fail(err, IVP_FAIL_PEER_GONE, -ESTALE, "%s: the file was deleted", region->address.path);
	if (id != region->sb.format_id)
		return ivp_fail(err, IVP_FAIL_PEER_GONE, -ESTALE, "%s: the region was laid out anew, or overwritten",
				region->address.path);
	return 0;
}

static int settle_side(struct ivp_region *region, int side, struct ivp_error *err)
{
	if (side == IVP_SIDE_AUTO)
		side = region->address.backing == IVP_BACKING_FILE || region->sb.sides < 2 ? 0 : 1;
	if (side < 0 || (u32)side >= region->sb.sides)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "%s: side %d: the region has %u, 0 to %u",
				region->address.path, side, region->sb.sides, region->sb.sides - 1);
	region->side = (u32)side;
	return 0;
}

static void tell(const struct ivp_open_options *options, bool *told, const struct ivp_error *why)
{
	if (options->notice && !*told)
		options->notice(options->notice_arg, why->text);
	*told = true;
}

/* One try: everything that may be otherwise a moment later answers -ENOENT, -ENODATA or -EAGAIN. */
static int try_open(struct ivp_region **out, const char *spec, const struct ivp_open_options *options,
		    struct ivp_error *err)
{
	struct ivp_region *region;
	struct ivp_address address;
	int ret = ivp_address_resolve(&address, spec, err);

	if (!ret)
		ret = ivp_region_map(&region, &address, options->flags, err);
	if (ret)
		return ret;
	region->cancel = options->cancel;
	ret = ivp_format_agree(region, err);
	if (!ret)
		ret = settle_side(region, options->side, err);
	if (!ret && !region->read_only)
		ret = ivp_beat_open(&region->beat);
	if (ret)
		ivp_region_close(region);
	else
		*out = region;
	return ret;
}

int ivp_region_open(struct ivp_region **region, const char *spec, const struct ivp_open_options *options,
		    struct ivp_error *err)
{
	int64_t deadline = ivp_deadline(options->wait_ms);
	struct ivp_error own = {0};
	bool told = false;

	for (;;) {
		struct ivp_doze doze = {.looks = ~0u / 2, .longest_us = 50000};
		int ret = try_open(region, spec, options, &own);

		if (!ret)
			return 0;
		if (err)
			*err = own;
		if ((ret != -ENOENT && ret != -ENODATA && ret != -EAGAIN) || ivp_now() >= deadline)
			return ret;
		tell(options, &told, &own);
		if (options->cancel && *options->cancel)
			return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
		ivp_doze(&doze);
	}
}

void ivp_region_describe(const struct ivp_region *region, struct ivp_region_info *info)
{
	memset(info, 0, sizeof(*info));
	memcpy(info->path, region->address.path, sizeof(info->path));
	info->backing = region->address.backing;
	memcpy(info->cache, region->cache, sizeof(info->cache));
	info->size = region->size;
	info->format_id = region->sb.format_id;
	info->version = region->sb.version;
	info->sides = region->sb.sides;
	info->side = region->side;
	info->lanes = region->sb.lanes;
	info->ring_size = region->sb.ring_size;
}
