// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "format.h"
#include "locks.h"
#include "wait.h"

/* How long somebody may hold the format lock for writing: it takes milliseconds. */
#define FORMAT_MS 5000

/* Two beats and a bit. */
#define WATCH_MS (2 * IVP_BEAT_MS + 100)

static bool first_page_is(const struct ivp_region *region, u8 value)
{
	u8 page[IVP_SUPERBLOCK_BYTES];
	u8 differ = 0;

	ivp_copy_from(page, region->map, sizeof(page));
	for (size_t i = 0; i < sizeof(page); i++)
		differ |= page[i] ^ value;
	return !differ;
}

/* What the memory holds: 0 a superblock to believe, -ENODATA nothing, -EUCLEAN ours but damaged, or why not. */
static int judge(const struct ivp_region *region, struct ivp_superblock *sb, struct ivp_error *err)
{
	const char *path = region->address.path;
	int ret = ivp_region_read_superblock(region, sb);

	switch (ret) {
	case -ENOENT:
		if (first_page_is(region, 0))
			return ivp_fail(err, IVP_FAIL_NO_REGION, -ENODATA,
					"%s: not laid out yet: the host's side does that when it opens it, or: ivpipe "
					"format %s",
					path, path);
		if (region->address.backing != IVP_BACKING_FILE && first_page_is(region, 0xff))
			return ivp_fail(err, IVP_FAIL_NO_REGION, -ENXIO,
					"%s: reads 0xff everywhere: the device's memory is switched off", path);
		return ivp_fail(err, IVP_FAIL_NO_REGION, -EMEDIUMTYPE,
				"%s: holds somebody else's data: to overwrite it: ivpipe format --force %s", path,
				path);
	case -EPROTONOSUPPORT:
		return ivp_fail(
			err, IVP_FAIL_NO_REGION, ret,
			"%s: layout version %u, this ivpipe knows %u: to lay it out anew: ivpipe format --force %s",
			path, sb->version, IVP_LAYOUT_VERSION, path);
	case -EMSGSIZE:
		return ivp_fail(
			err, IVP_FAIL_NO_REGION, ret,
			"%s: laid out for %llu bytes, but has %llu: if that is right now: ivpipe format --force %s",
			path, (unsigned long long)sb->region_size, (unsigned long long)region->size, path);
	case -EINVAL:
		return ivp_fail(err, IVP_FAIL_NO_REGION, -EUCLEAN,
				"%s: the superblock is damaged: ivpipe format --force %s", path, path);
	default:
		return ret;
	}
}

/* A store into a hole of a full tmpfs would kill whoever makes it, the virtual machine too: have the blocks first. */
static int allocate(struct ivp_region *region, u64 len, struct ivp_error *err)
{
	if (region->address.backing != IVP_BACKING_FILE || !fallocate(region->fd, 0, 0, (off_t)len))
		return 0;
	if (errno == EOPNOTSUPP)
		return 0;
	return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "%s: %s: %llu bytes are needed where the file lies",
			region->address.path, strerror(errno), (unsigned long long)len);
}

static int no_geometry(struct ivp_region *region, u32 lanes, u32 sides, struct ivp_error *err)
{
	const char *path = region->address.path;

	if (!sides)
		sides = 2;
	if (sides > IVP_SIDES_MAX || lanes > IVP_LANES_MAX || lanes % sides)
		return ivp_fail(
			err, IVP_FAIL_USAGE, -EINVAL,
			"%s: %u lanes for %u sides: at most %u lanes and %u sides, and as many lanes for each side",
			path, lanes, sides, IVP_LANES_MAX, IVP_SIDES_MAX);
	return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "%s: %llu bytes are too few for %s: it takes %llu", path,
			(unsigned long long)region->size, lanes ? "that many lanes" : "a region",
			(unsigned long long)ivp_superblock_smallest(region->size, lanes, sides));
}

/* The magic goes first and comes last, so that nobody believes what is between; and the old id goes with it, so that whoever finds his
 * own words gone finds out why. */
static int lay(struct ivp_region *region, u32 lanes, u32 sides, struct ivp_error *err)
{
	struct ivp_superblock sb;
	struct ivp_superblock __shm *there = (struct ivp_superblock __plain __shm *)region->map;
	int ret = ivp_superblock_lay(&sb, region->size, lanes, sides);

	if (ret)
		return no_geometry(region, lanes, sides, err);
	ret = allocate(region, sb.lanes_offset + sb.lanes * sb.lane_stride, err);
	if (!ret)
		ret = ivp_random_id(&sb.format_id, err);
	if (ret)
		return ret;
	sb.checksum = ivp_superblock_sum(&sb);
	ivp_store64(&there->magic, 0);
	ivp_store64(&there->format_id, 0);
	ivp_fence();
	ivp_wipe(region->map, sb.lanes_offset);
	for (u32 lane = 0; lane < sb.lanes; lane++) {
		ivp_wipe(region->map + ivp_half_offset(&sb, lane, false), IVP_HALF_BYTES);
		ivp_wipe(region->map + ivp_half_offset(&sb, lane, true), IVP_HALF_BYTES);
	}
	ivp_copy_to(region->map + sizeof(sb.magic), (u8 *)&sb + sizeof(sb.magic), sizeof(sb) - sizeof(sb.magic));
	ivp_fence_combined_stores();
	ivp_store64_release(&there->magic, sb.magic);
	region->sb = sb;
	return 0;
}

/* The lock is ours alone. Contents that are nobody's, or damaged ones of ours, may be laid out by the side of the file. */
static int agree_alone(struct ivp_region *region, struct ivp_error *err)
{
	int ret = judge(region, &region->sb, err);

	if ((ret == -ENODATA || ret == -EUCLEAN) && region->address.backing == IVP_BACKING_FILE)
		ret = lay(region, 0, 0, err);
	/* Nobody asked for a number of lanes here: it is the region that is too small. */
	if (ret == -EINVAL && err)
		err->kind = IVP_FAIL_NO_REGION;
	/* Becomes a lock for reading at once, with no moment in which there is none. */
	if (!ret)
		ret = ivp_locks_take_read(region->lock_fd, IVP_LOCK_FORMAT);
	if (ret)
		ivp_locks_drop(region->lock_fd, IVP_LOCK_FORMAT);
	return ret;
}

static int agree_with_others(struct ivp_region *region, struct ivp_error *err)
{
	int64_t deadline = ivp_deadline(FORMAT_MS);
	struct ivp_doze doze = {0};
	int ret;

	while ((ret = ivp_locks_take_read(region->lock_fd, IVP_LOCK_FORMAT)) == -EAGAIN) {
		if (ivp_now() >= deadline || ivp_region_cancelled(region))
			return ivp_fail(err, IVP_FAIL_NO_REGION, ret,
					"%s: somebody is laying it out and does not finish", region->address.path);
		ivp_doze(&doze);
	}
	if (!ret)
		ret = judge(region, &region->sb, err);
	if (ret)
		ivp_locks_drop(region->lock_fd, IVP_LOCK_FORMAT);
	return ret;
}

int ivp_format_agree(struct ivp_region *region, struct ivp_error *err)
{
	int ret = region->read_only ? -EAGAIN : ivp_locks_take_write(region->lock_fd, IVP_LOCK_FORMAT);

	if (!ret)
		return agree_alone(region, err);
	if (ret != -EAGAIN)
		return ivp_fail_path(err, ret, region->address.lock, "cannot be locked");
	return agree_with_others(region, err);
}

/* All beats of the region, added up with their places, so that any change shows. */
static u64 beats(const struct ivp_region *region, const struct ivp_superblock *sb)
{
	u64 sum = 0;

	for (u32 lane = 0; lane < sb->lanes; lane++)
		for (int server = 0; server < 2; server++) {
			const struct ivp_half __shm *half =
				(const struct ivp_half __plain __shm *)(region->map +
									ivp_half_offset(sb, lane, server));
			sum += (u64)ivp_load32(&half->beat) * (2 * lane + (u32)server + 1);
		}
	for (u32 i = 0; i < sb->sides * IVP_SLOTS_PER_SIDE; i++) {
		const struct ivp_slot __shm *slot =
			(const struct ivp_slot __plain __shm *)(region->map + ivp_slot_offset(sb, 0, i));
		sum += (u64)ivp_load32(&slot->beat) * (0x10000 + i);
	}
	return sum;
}

static int check_unused(struct ivp_region *region, struct ivp_error *err)
{
	struct ivp_doze doze = {.looks = ~0u / 2, .longest_us = 20000};
	struct ivp_superblock sb;
	int64_t deadline = ivp_deadline(WATCH_MS);
	u64 before;

	if (ivp_locks_held(region->lock_fd, 0, IVP_LOCK_SLOT(IVP_SIDES_MAX, 0)))
		return ivp_fail(err, IVP_FAIL_GENERAL, -EBUSY,
				"%s: in use by a process on this machine: end it, or add --force",
				region->address.path);
	if (ivp_region_read_superblock(region, &sb))
		return 0;
	for (before = beats(region, &sb); ivp_now() < deadline; ivp_doze(&doze))
		if (beats(region, &sb) != before)
			return ivp_fail(err, IVP_FAIL_GENERAL, -EBUSY,
					"%s: in use by another machine: end it there, or add --force",
					region->address.path);
	return 0;
}

static int check_foreign(struct ivp_region *region, struct ivp_error *err)
{
	struct ivp_superblock sb;
	struct ivp_error why;
	int ret = judge(region, &sb, &why);

	if (ret != -EMEDIUMTYPE && ret != -EPROTONOSUPPORT && ret != -ENXIO)
		return 0;
	if (err)
		*err = why;
	return ret;
}

static int format_mapped(struct ivp_region *region, const struct ivp_format_options *options, struct ivp_error *err)
{
	int ret = 0;

	if (options->size && options->size != region->size)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "%s: has %llu bytes, not %llu: leave --size out",
				region->address.path, (unsigned long long)region->size,
				(unsigned long long)options->size);
	if (!options->force) {
		ret = check_foreign(region, err);
		if (!ret)
			ret = check_unused(region, err);
		if (!ret && ivp_locks_take_write(region->lock_fd, IVP_LOCK_FORMAT))
			ret = ivp_fail(err, IVP_FAIL_GENERAL, -EBUSY, "%s: in use: end that, or add --force",
				       region->address.path);
	}
	return ret ? ret : lay(region, options->lanes, options->sides, err);
}

static int create(const char *path, u64 size, struct ivp_error *err)
{
	int fd, ret = 0;

	if (!size)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "%s: --create needs a --size, such as 64M", path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0660);
	if (fd < 0)
		return ivp_fail_path(err, -errno, path,
				     errno == EEXIST ? "leave --create out to lay out what is there" : NULL);
	if (ftruncate(fd, (off_t)size)) {
		ret = ivp_fail_path(err, -errno, path, "cannot be made that large");
		unlink(path);
	}
	close(fd);
	return ret;
}

int ivp_format(const char *spec, const struct ivp_format_options *options, struct ivp_region_info *made,
	       struct ivp_error *err)
{
	struct ivp_region *region;
	struct ivp_address address;
	int ret = options->create ? create(spec, options->size, err) : 0;

	if (ret)
		return ret;
	ret = ivp_address_resolve(&address, spec, err);
	if (ret == -ENOENT && err)
		ivp_fail(err, IVP_FAIL_NO_REGION, ret,
			 "%s: no such file: to make it: ivpipe format --create --size 64M %s", spec, spec);
	if (!ret)
		ret = ivp_region_map(&region, &address, 0, err);
	if (!ret) {
		ret = format_mapped(region, options, err);
		if (!ret && made)
			ivp_region_describe(region, made);
		ivp_region_close(region);
	}
	if (ret && options->create)
		unlink(spec);
	return ret;
}
