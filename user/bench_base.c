// SPDX-License-Identifier: MIT
/* Baselines of a guest, as cells like any other. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench_base.h"
#include "bench_order.h"
#include "bench_place.h"
#include "copy.h"
#include "error.h"
#include "wait.h"

#define HOST       "10.0.2.2" /* this host, as the guest of a user's net sees it */
#define SECTOR     512
#define COPY_TRIED 65536

enum how { MAPPED, COPIED, AS_FILE, AS_DISK, WIRED, CALLED };

/* In the order in which they are shown. */
static const struct way {
	const char *name, *title;
	enum ivp_bench_base base;
	enum how how;
} ways[] = {
	{"bar-copy", "copy into resource2_wc (the limit)", IVP_BENCH_BASE_BAR, COPIED},
	{"bar-memcpy", "memcpy, resource2_wc", IVP_BENCH_BASE_BAR, MAPPED},
	{"node", "read() and write(), node", IVP_BENCH_BASE_NODE, AS_FILE},
	{"node-memcpy", "memcpy, node", IVP_BENCH_BASE_NODE, MAPPED},
	{"virtio-serial", "virtio-serial", IVP_BENCH_BASE_SERIAL, WIRED},
	{"virtio-blk", "virtio-blk, O_DIRECT", IVP_BENCH_BASE_BLK, AS_DISK},
	{"9p", "9p", IVP_BENCH_BASE_9P, AS_FILE},
	{"tcp", "TCP by slirp", IVP_BENCH_BASE_TCP, CALLED},
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static struct {
	const struct ivp_bench_load *load;
	struct ivp_bench_place places[WAYS];
} set;

static bool is_wire(const struct way *way)
{
	return way->how == WIRED || way->how == CALLED;
}

static const struct way *way_of(const char *name)
{
	for (size_t i = 0; i < WAYS; i++)
		if (!strcmp(ways[i].name, name))
			return &ways[i];
	return NULL;
}

static void leave_out(struct ivp_bench *bench, const char *way, const char *why)
{
	struct ivp_bench_left *left = &bench->left[bench->left_count];

	if (bench->left_count == IVP_BENCH_LEFT)
		return;
	left->way = way;
	snprintf(left->why, sizeof(left->why), "%s", why);
	bench->left_count++;
}

/* ---- places ---- */

static uint64_t size_of(int fd)
{
	struct stat st;
	uint64_t size = 0;

	if (!ioctl(fd, BLKGETSIZE64, &size))
		return size;
	return fstat(fd, &st) ? 0 : (uint64_t)st.st_size;
}

/* As much of it as a ring has. */
static int map(struct ivp_bench_place *place, uint64_t window)
{
	if (place->size > window)
		place->size = window;
	place->map = mmap(NULL, place->size, PROT_READ | PROT_WRITE, MAP_SHARED, place->fd, 0);
	if (place->map != MAP_FAILED)
		return 0;
	place->map = NULL;
	return -errno;
}

/* As a lane does, which see. */
static int choose(struct ivp_bench_place *place)
{
	size_t count, len = place->size < COPY_TRIED ? place->size : COPY_TRIED;
	const struct ivp_copier *all = ivp_copiers(&count);
	void *zeros = calloc(1, len);

	if (!zeros)
		return -ENOMEM;
	place->out = ivp_copy_choose(all, count, false, place->map, zeros, len);
	place->in = ivp_copy_choose(all, count, true, zeros, place->map, len);
	free(zeros);
	return 0;
}

static int open_place(const struct way *way, struct ivp_bench_place *place, uint64_t window)
{
	const char *path = set.load->place[way->base];
	int ret = 0;

	place->fd = open(path, O_RDWR | O_CLOEXEC | (way->how == AS_DISK ? O_DIRECT : 0));
	if (place->fd < 0)
		return -errno;
	place->size = size_of(place->fd);
	if (!place->size && way->base == IVP_BENCH_BASE_NODE)
		place->size = IVP_BENCH_BASE_MEMORY;
	if (way->how == MAPPED || way->how == COPIED)
		ret = map(place, window);
	return ret || way->how != COPIED ? ret : choose(place);
}

/* ---- wires ---- */

static int call(const char *port)
{
	struct sockaddr_in far = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	inet_pton(AF_INET, HOST, &far.sin_addr);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&far, sizeof(far))) {
		int number = errno;

		close(fd);
		errno = number;
		return -1;
	}
	if (fd >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		fcntl(fd, F_SETFL, O_NONBLOCK);
	}
	return fd;
}

static int measure_wire(const struct way *way, struct ivp_bench *bench, const struct ivp_bench_cell *cell,
			double values[2], struct ivp_error *err)
{
	struct ivp_bench_job job = {.piece = cell->size, .port = &ivp_bench_port_wire};
	const char *place = set.load->place[way->base];
	int ret = ivp_bench_job_memory(&job, err);

	if (ret)
		return ret;
	job.in = job.out = way->how == CALLED ? call(place) : open(place, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (job.in < 0) {
		ret = ivp_fail(err, IVP_FAIL_GENERAL, -errno, "%s: %s", way->title, strerror(errno));
	} else {
		ret = ivp_bench_order_measure(&job, bench, cell, values, err);
		close(job.in);
	}
	free(job.memory);
	return ret;
}

/* ---- cells ---- */

/* Of so many bytes at a time? */
static bool fits(const struct way *way, uint64_t size)
{
	if (is_wire(way))
		return true;
	return size <= set.places[way - ways].size && (way->how != AS_DISK || size % SECTOR == 0);
}

static bool wanted(const struct way *way, enum ivp_bench_kind kind, bool base)
{
	if (base != (way->how == COPIED) || !set.load->there[way->base])
		return false;
	return kind == IVP_BENCH_STREAM || (is_wire(way) && kind != IVP_BENCH_COPY && kind != IVP_BENCH_IDLE);
}

static bool add(struct ivp_bench *bench, enum ivp_bench_kind kind, uint64_t size, bool base)
{
	bool room = true;
	char why[80];

	for (const struct way *way = ways; room && way < ways + WAYS; way++) {
		if (!wanted(way, kind, base))
			continue;
		if (fits(way, size)) {
			room = ivp_bench_add_both(bench, kind, way->name, way->title, size, base);
			continue;
		}
		snprintf(why, sizeof(why), "not for %llu bytes at a time", (unsigned long long)size);
		leave_out(bench, way->name, why);
	}
	return room;
}

static bool has(const struct ivp_bench_cell *cell)
{
	return cell->kind != IVP_BENCH_COPY && way_of(cell->way);
}

static int measure(struct ivp_bench *bench, const struct ivp_bench_cell *cell, double values[2], struct ivp_error *err)
{
	const struct way *way = way_of(cell->way);
	char text[sizeof(err->text)];
	int ret;

	if (is_wire(way))
		ret = measure_wire(way, bench, cell, values, err);
	else
		ret = ivp_bench_place_stream(&set.places[way - ways], cell->size, !strcmp(cell->direction, "in"),
					     ivp_bench_budget(bench), values, err);
	if (!ret)
		return 0;
	memcpy(text, err->text, sizeof(text));
	return ivp_fail(err, err->kind, ret, "%s: %.200s", way->name, text);
}

const struct ivp_bench_others *ivp_bench_base_begin(struct ivp_bench *bench, const struct ivp_bench_load *load)
{
	static const struct ivp_bench_others others = {add, has, measure};
	static struct ivp_bench_load opened;

	opened = *load;
	set.load = &opened;
	for (size_t i = 0; i < WAYS; i++) {
		int ret = opened.there[ways[i].base] && !is_wire(&ways[i])
				  ? open_place(&ways[i], &set.places[i], bench->info.ring_size)
				  : 0;

		if (!ret)
			continue;
		opened.there[ways[i].base] = false;
		snprintf(opened.why[ways[i].base], sizeof(opened.why[0]), "%.100s: %s", load->place[ways[i].base],
			 strerror(-ret));
	}
	for (int i = 0; i < IVP_BENCH_BASES; i++)
		if (!opened.there[i])
			leave_out(bench, ivp_bench_base_names[i], opened.why[i][0] ? opened.why[i] : "not known");
	bench->others = true;
	return &others;
}
