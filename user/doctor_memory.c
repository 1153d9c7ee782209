// SPDX-License-Identifier: MIT
/* doctor_memory: how the memory is cached, by what the driver says and by the clock; and whether it is laid out. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "doctor.h"
#include "handshake.h"
#include "locks.h"
#include "region.h"

/* The best of some small pieces counts: whatever else the machine does disturbs some of them, and hardly all. */
#define PIECE     (64 * 1024)
#define PIECES    16
#define BUDGET_NS 3000000
#define TRIES     3

/* Cached memory is as fast as any; uncached is tens of times slower. */
#define SLOWER 8

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Bytes per second. The first piece brings the pages, and does not count. */
static uint64_t time_copy(void *to, const void *from, size_t len)
{
	int64_t best = INT64_MAX, deadline = now_ns() + BUDGET_NS, began, took;

	for (int i = 0; i < 2 || (i < PIECES && now_ns() < deadline); i++) {
		began = now_ns();
		memcpy(to, from, len);
		/* Written for nobody, it would not have to be. */
		__asm__ __volatile__("" : : "r"(to) : "memory");
		took = now_ns() - began;
		if (i && took < best)
			best = took;
	}
	return len * UINT64_C(1000000000) / (uint64_t)(best > 0 ? best : 1);
}

static bool is_over(const struct ivp_region *region, uint32_t lane, bool server)
{
	return ivp_state_over(ivp_load32_acquire(&ivp_region_half(region, lane, server)->state));
}

static bool is_zero(const u8 __shm *ring, size_t len)
{
	u64 any = 0;

	for (size_t i = 0; i < len; i += 8)
		any |= ivp_load64((const u64 __plain __shm *)(ring + i));
	return !any;
}

/*
 * The client's ring of a lane of our side that nobody uses, as a client takes it: by its lock, and only if its server's end is free. It
 * holds zeros, and zeros are what is written, so that whoever comes next finds what he would have found.
 */
static void measure_write(struct ivp_region *region, uint8_t *own, size_t len, struct ivp_speed *speed)
{
	const struct ivp_superblock *sb = &region->sb;
	uint32_t side = region->address.backing == IVP_BACKING_FILE ? 0 : 1, count = sb->lanes / sb->sides;
	int fd = ivp_region_take_lock_file(region);

	memset(own, 0, len);
	for (uint32_t lane = side * count; fd >= 0 && !speed->write && lane < (side + 1) * count; lane++) {
		u8 __shm *ring = region->map + ivp_ring_offset(sb, lane, false);

		if (ivp_locks_take_write(fd, IVP_LOCK_CLIENT(lane)))
			continue;
		if (is_zero(ring, len) && !ivp_locks_held(fd, IVP_LOCK_SERVER(lane), 1) &&
		    is_over(region, lane, false) && is_over(region, lane, true))
			speed->write = time_copy(ivp_plain(ring), own, len);
		ivp_locks_drop(fd, IVP_LOCK_CLIENT(lane));
	}
	if (fd >= 0)
		close(fd);
}

static void measure_mapped(struct ivp_region *region, uint8_t *own, struct ivp_speed *speed)
{
	size_t len = PIECE;

	if (ivp_region_read_superblock(region, &region->sb) || ivp_locks_take_read(region->lock_fd, IVP_LOCK_FORMAT))
		return;
	if (region->sb.ring_size < len)
		len = region->sb.ring_size;
	speed->private = time_copy(own, own + PIECE, len);
	speed->read = time_copy(own, ivp_plain(region->map + ivp_ring_offset(&region->sb, 0, false)), len);
	if (!region->read_only)
		measure_write(region, own, len, speed);
}

/* Only of a region that is laid out: its blocks are there, and reading makes no new ones. Without leave to write, reading alone. */
static void measure(const struct ivp_found *found, struct ivp_speed *speed)
{
	unsigned int flags = IVP_OPEN_READ_ONLY | IVP_OPEN_SIGBUS;
	struct ivp_address address;
	struct ivp_region *region;
	uint8_t *own = calloc(2, PIECE);

	if (found->backing != IVP_BACKING_SYSFS && !faccessat(AT_FDCWD, found->path, R_OK | W_OK, AT_EACCESS))
		flags = IVP_OPEN_SIGBUS;
	if (own && !ivp_address_resolve(&address, found->path, NULL) &&
	    !ivp_region_map(&region, &address, flags, NULL)) {
		measure_mapped(region, own, speed);
		ivp_region_close(region);
	}
	free(own);
}

static struct ivp_speed *speed_of(const struct ivp_doctor *doctor)
{
	return &doctor->speeds[doctor->region - doctor->regions];
}

static bool is_slow(uint64_t speed, uint64_t private)
{
	return speed && speed <= private / SLOWER;
}

/* A machine that has too much to do may be late in every piece once, and hardly each time. */
static void measure_surely(const struct ivp_found *region, struct ivp_speed *speed)
{
	for (int i = 0; i < TRIES; i++) {
		memset(speed, 0, sizeof(*speed));
		measure(region, speed);
		if (!is_slow(speed->read, speed->private) && !is_slow(speed->write, speed->private))
			break;
	}
}

static bool say_speed(const struct ivp_doctor *doctor, struct ivp_finding *finding, const char *what, uint64_t speed)
{
	uint64_t private = speed_of(doctor)->private;

	if (!is_slow(speed, private))
		return false;
	ivp_finding_evidence(finding, "%s: %s %" PRIu64 " MB/s, private memory %" PRIu64 " MB/s: 1/%" PRIu64,
			     doctor->region->path, what, speed / 1000000, private / 1000000, private / speed);
	ivp_finding_remedy(
		finding, doctor->region->backing == IVP_BACKING_FILE
				 ? "put the memory into /dev/shm: ivpipe setup"
				 : "use the node of the ivshmem module, with 2 MiB or more; then see its cache_reason");
	return true;
}

static bool slow_read(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	measure_surely(doctor->region, speed_of(doctor));
	return say_speed(doctor, finding, "reads", speed_of(doctor)->read);
}

static bool slow_write(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	return say_speed(doctor, finding, "writes", speed_of(doctor)->write);
}

/* docs/ABI/sysfs-class-ivshmem has the reasons. */
static const char *better(const char *reason)
{
	static const struct {
		const char *reason, *remedy;
	} table[] = {
		{"small", "give the device 2 MiB or more, a power of two, on the host"},
		{"direct-map",
		 "give the virtual machine fewer bits of address space (phys-bits), or the device less memory"},
		{"no-memory", "give the virtual machine more RAM: 1/64 of the device's memory has to be free"},
		{"no-pages", "take a kernel with CONFIG_ZONE_DEVICE, as Debian's are"},
		{"subpage", "give the device 2 MiB or more, a power of two, on the host"},
		{"parameter",
		 "take pages=0 out of /etc/modprobe.d, then: sudo modprobe -r ivshmem; sudo modprobe ivshmem"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcmp(table[i].reason, reason))
			return table[i].remedy;
	return "sudo dmesg | grep ivshmem";
}

static bool say_cache(const struct ivp_doctor *doctor, struct ivp_finding *finding, const char *cache)
{
	const struct ivp_found *node = doctor->region;

	if (node->backing != IVP_BACKING_NODE || strcmp(node->cache, cache))
		return false;
	ivp_finding_evidence(finding, "%s/sys/class/ivshmem/%s/cache: %s, cache_reason: %s", doctor->root,
			     strrchr(node->path, '/') + 1, cache, node->cache_reason);
	ivp_finding_remedy(finding, "%s", better(node->cache_reason));
	return true;
}

static bool combined(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	return say_cache(doctor, finding, "write-combine");
}

static bool uncached(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	return say_cache(doctor, finding, "uncached");
}

static bool unmapped(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	return say_cache(doctor, finding, "none");
}

/* For whoever may: root. */
static bool by_sysfs(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	const struct ivp_found *device = doctor->region;

	if (device->backing != IVP_BACKING_SYSFS || faccessat(AT_FDCWD, device->path, R_OK | W_OK, AT_EACCESS))
		return false;
	ivp_finding_evidence(finding, "%s: %s%s", device->path, device->cache,
			     strcmp(device->cache, "uncached") ? ", slow to read" : ", slow to read and to write");
	ivp_finding_remedy(finding, "use the node of the ivshmem module, /dev/ivshmemN: sudo modprobe ivshmem");
	return true;
}

/* Opened as `info` does; what that says has its own remedy at the end. */
static int try_open(const struct ivp_doctor *doctor, struct ivp_error *err)
{
	const struct ivp_open_options options = {.flags = IVP_OPEN_READ_ONLY | IVP_OPEN_SIGBUS, .side = IVP_SIDE_AUTO};
	struct ivp_region *region;
	int ret = ivp_region_open(&region, doctor->region->path, &options, err);

	if (!ret)
		ivp_region_close(region);
	return ret;
}

/* Why not is in the text, and what to do, after the last colon. What has its own check is not said here. */
static bool say_open(struct ivp_finding *finding, const struct ivp_error *err)
{
	const char *command = strstr(err->text, "ivpipe format");

	ivp_finding_evidence(finding, "%s", err->text);
	ivp_finding_remedy(finding, "%s", command ? command : "see above");
	return true;
}

static bool no_layout(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	struct ivp_error err;

	return try_open(doctor, &err) == -ENODATA && say_open(finding, &err);
}

static bool not_ours(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	struct ivp_error err;
	int ret = try_open(doctor, &err);

	if (ret != -EMEDIUMTYPE && ret != -EPROTONOSUPPORT && ret != -EMSGSIZE && ret != -EUCLEAN)
		return false;
	return say_open(finding, &err);
}

const struct ivp_check ivp_doctor_memory[] = {
	{50, IVP_ABOUT_DEVICE, IVP_FAIL_GENERAL, "the memory is write-combining: slow to read", combined},
	{51, IVP_ABOUT_DEVICE, IVP_FAIL_GENERAL, "the memory is uncached: slow", uncached},
	{52, IVP_ABOUT_DEVICE, IVP_FAIL_NO_REGION, "the memory cannot be mapped", unmapped},
	{53, IVP_ABOUT_DEVICE, IVP_FAIL_GENERAL, "the memory is mapped through sysfs", by_sysfs},
	{54, IVP_ABOUT_REGION, IVP_FAIL_GENERAL, "reading is slow: the memory looks uncached", slow_read},
	{55, IVP_ABOUT_REGION, IVP_FAIL_GENERAL, "writing is slow: the memory looks uncached", slow_write},
	{60, IVP_ABOUT_REGION, IVP_FAIL_NONE, "nobody has laid the region out yet", no_layout},
	{61, IVP_ABOUT_REGION, IVP_FAIL_NO_REGION, "the contents are no region of this size and version", not_ours},
	{0},
};
