// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "sigbus.h"
#include "source.h"

/* Mapped at once: enough that making a mapping costs nothing, and little to be seen as ours. */
#define WINDOW (16 << 20)

/* Of each way, before one is chosen; the best time counts, for a piece may have to be fetched first. */
#define TRIES 4

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void unmap(struct ivp_source *source)
{
	if (!source->map)
		return;
	ivp_sigbus_forget(source->map);
	munmap(source->map, source->len);
	source->map = NULL;
}

/* No mapping from now on. */
static bool give_up(struct ivp_source *source)
{
	unmap(source);
	source->tried = 2 * TRIES;
	source->mapped = false;
	return false;
}

void ivp_source_begin(struct ivp_source *source, int fd, const struct ivp_copier *copier)
{
	off_t at = lseek(fd, 0, SEEK_CUR);

	*source = (struct ivp_source){.fd = fd, .copier = copier, .at = at < 0 ? 0 : (uint64_t)at};
	source->best_read = source->best_map = INT64_MAX;
}

void ivp_source_end(struct ivp_source *source)
{
	unmap(source);
}

/* The place in the file is nobody's, and this the shortest of calls that tell. */
static uint64_t size_of(const struct ivp_source *source)
{
	off_t end = lseek(source->fd, 0, SEEK_END);

	return end < 0 ? 0 : (uint64_t)end;
}

/* The part that begins with the next byte, and reaches no further than the file. */
static bool map_from_here(struct ivp_source *source)
{
	uint64_t size = size_of(source);

	unmap(source);
	source->start = source->at - source->at % (uint64_t)sysconf(_SC_PAGESIZE);
	if (size <= source->start)
		return false;
	source->len = size - source->start < WINDOW ? (size_t)(size - source->start) : WINDOW;
	source->map = mmap(NULL, source->len, PROT_READ, MAP_SHARED, source->fd, (off_t)source->start);
	if (source->map == MAP_FAILED)
		source->map = NULL;
	else if (!ivp_sigbus_watch(source->map, source->len, &source->lost))
		return true;
	else
		munmap(source->map, source->len);
	source->map = NULL;
	return give_up(source);
}

static bool is_mapped(const struct ivp_source *source, size_t len)
{
	return source->map && len <= source->len && source->at - source->start <= source->len - len;
}

/* False: not this way, which may be no way at all any more. */
static bool copy_mapped(struct ivp_source *source, void *to, size_t len)
{
	if (!is_mapped(source, len) && !(map_from_here(source) && is_mapped(source, len)))
		return false;
	ivp_copy_by(source->copier, to, source->map + (source->at - source->start), len);
	/* Behind a cut within a page there are zeros, and no signal. */
	if (source->lost || size_of(source) < source->at + len)
		return give_up(source);
	return true;
}

static void judge(struct ivp_source *source, bool mapped, int64_t ns, size_t len)
{
	int64_t *best = mapped ? &source->best_map : &source->best_read, time = ns * 1024 / (int64_t)len;

	if (time < *best)
		*best = time;
	source->tried++;
	/* A little less is noise, and what is mapped looks like memory of ours. */
	if (source->tried == 2 * TRIES) {
		source->mapped = source->best_map <= source->best_read / 3 * 2;
		if (!source->mapped)
			unmap(source);
	}
}

ptrdiff_t ivp_source_read(struct ivp_source *source, void *to, size_t len)
{
	bool trying = source->tried < 2 * TRIES, mapped = trying ? source->tried % 2 : source->mapped;
	int64_t began = trying ? now_ns() : 0;
	ptrdiff_t got = (ptrdiff_t)len;

	if (mapped)
		mapped = copy_mapped(source, to, len);
	if (!mapped)
		got = pread(source->fd, to, len, (off_t)source->at);
	/* A piece that could not be mapped says nothing of mappings. */
	if (got > 0 && source->tried < 2 * TRIES && mapped == source->tried % 2)
		judge(source, mapped, now_ns() - began, (size_t)got);
	if (got > 0)
		source->at += (uint64_t)got;
	return got;
}
