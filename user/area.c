// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>

#include "area.h"
#include "error.h"
#include "span.h"

#define HEADER   IVP_XPRA_HEADER
#define AREA_MIN 16

static struct ivp_xpra_pointers __shm *pointers_of(const struct ivp_xpra_area *area)
{
	return (struct ivp_xpra_pointers __plain __shm *)area->map;
}

static bool combined(const struct ivp_xpra_area *area)
{
	return area->region && area->region->combined;
}

int ivp_area_check(const struct ivp_xpra_area *area, bool writing, struct ivp_error *err)
{
	const struct ivp_region *region = area->region;

	if (region && region->lost)
		return ivp_fail(err, IVP_FAIL_PEER_GONE, -ESTALE,
				"%s: the memory went away: truncated, unplugged, or out of space",
				region->address.path);
	if (region && region->read_only && writing)
		return ivp_fail(err, IVP_FAIL_USAGE, -EROFS, "%s: was opened to be looked at alone",
				region->address.path);
	return 0;
}

/* ---- coming and going ---- */

static int settle(struct ivp_xpra_area *area, u8 __shm *map, u64 size, struct ivp_error *err)
{
	if ((uintptr_t)ivp_plain(map) % sizeof(u32))
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "an area for Xpra begins at a multiple of 4 bytes");
	if (size < AREA_MIN || size > IVP_XPRA_LARGEST)
		return ivp_fail(err, IVP_FAIL_NO_REGION, -EMSGSIZE,
				"an area for Xpra has %d bytes at least, and less than 4 GiB: these are %llu", AREA_MIN,
				(unsigned long long)size);
	area->map = map;
	area->size = size;
	area->own.start = ivp_load32(&pointers_of(area)->start);
	area->own.end = ivp_load32(&pointers_of(area)->end);
	return 0;
}

int ivp_xpra_attach(struct ivp_xpra_area **out, void *memory, uint64_t size, struct ivp_error *err)
{
	struct ivp_xpra_area *area = calloc(1, sizeof(*area));
	int ret;

	if (!area)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	ret = settle(area, (u8 __plain __shm *)memory, size, err);
	if (ret)
		ivp_xpra_close(area);
	else
		*out = area;
	return ret;
}

/* Pointers in the place of a magic number, and pixels in that of lanes, are the end of a region. */
static int check_owner(const struct ivp_region *region, struct ivp_error *err)
{
	struct ivp_superblock sb;

	if (ivp_region_read_superblock(region, &sb) == -ENOENT)
		return 0;
	return ivp_fail(err, IVP_FAIL_NO_REGION, -EMEDIUMTYPE,
			"%s: laid out for ivpipe: --force gives it to Xpra, and ends ivpipe's streams in it",
			region->address.path);
}

static int open_at(struct ivp_xpra_area *area, const char *spec, unsigned int flags, u64 offset, u64 size,
		   struct ivp_error *err)
{
	unsigned int open_flags =
		(flags & IVP_XPRA_READ_ONLY ? IVP_OPEN_READ_ONLY : 0) | (flags & IVP_XPRA_SIGBUS ? IVP_OPEN_SIGBUS : 0);
	struct ivp_address address;
	int ret = ivp_address_resolve(&address, spec, err);

	if (!ret)
		ret = ivp_region_map(&area->region, &address, open_flags, err);
	if (ret == -EMEDIUMTYPE)
		return ivp_fail(err, IVP_FAIL_NO_REGION, -EMSGSIZE, "%s: almost empty: Xpra takes 64 MiB at least",
				address.path);
	if (ret)
		return ret;
	if (!size && area->region->size - offset > IVP_XPRA_LARGEST)
		return ivp_fail(err, IVP_FAIL_NO_REGION, -EMSGSIZE,
				"%s: %llu bytes: Xpra takes less than 4 GiB, and its client deletes what is larger",
				address.path, (unsigned long long)area->region->size);
	if (!ivp_span_fits(offset, size, area->region->size))
		return ivp_fail(err, IVP_FAIL_NO_REGION, -EMSGSIZE, "%s: it has %llu bytes", address.path,
				(unsigned long long)area->region->size);
	if (!(flags & IVP_XPRA_FORCE) && check_owner(area->region, err))
		return -EMEDIUMTYPE;
	return settle(area, area->region->map + offset, size ? size : area->region->size - offset, err);
}

int ivp_xpra_open(struct ivp_xpra_area **out, const char *address, unsigned int flags, uint64_t offset, uint64_t size,
		  struct ivp_error *err)
{
	struct ivp_xpra_area *area = calloc(1, sizeof(*area));
	int ret;

	if (!area)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	ret = open_at(area, address, flags, offset, size, err);
	if (ret)
		ivp_xpra_close(area);
	else
		*out = area;
	return ret;
}

void ivp_xpra_close(struct ivp_xpra_area *area)
{
	if (!area)
		return;
	ivp_region_close(area->region);
	free(area);
}

uint64_t ivp_xpra_size(const struct ivp_xpra_area *area)
{
	return area->size;
}

/* ---- pointers ---- */

/* Below the first byte of data is the first byte of data, for all versions. */
static u64 position(u32 pointer)
{
	return pointer < HEADER ? HEADER : pointer;
}

/* What the ring has for a writer at `end`: how much before the memory's end, or before the reader, and how much in all. */
static void measure(const struct ivp_xpra_area *area, u64 start, u64 end, u64 *first, u64 *room)
{
	*first = (end < start ? start : area->size) - end;
	*room = *first + (end < start ? 0 : start - HEADER);
}

int ivp_xpra_look(const struct ivp_xpra_area *area, struct ivp_xpra_status *status, struct ivp_error *err)
{
	struct ivp_xpra_pointers __shm *shared = pointers_of(area);
	u64 first, room;

	*status = (struct ivp_xpra_status){.size = area->size};
	status->start = ivp_load32_acquire(&shared->start);
	status->end = ivp_load32_acquire(&shared->end);
	status->sane = status->start <= area->size && status->end <= area->size;
	if (status->sane) {
		measure(area, position(status->start), position(status->end), &first, &room);
		status->used = area->size - HEADER - room;
		status->room = room ? room - 1 : 0;
	}
	return ivp_area_check(area, false, err);
}

int ivp_xpra_prepare(struct ivp_xpra_area *area, struct ivp_error *err)
{
	struct ivp_xpra_pointers __shm *shared = pointers_of(area);
	int ret = ivp_area_check(area, true, err);

	if (ret)
		return ret;
	ivp_store32(&shared->start, 0);
	ivp_store32(&shared->end, 0);
	/* Before a packet that the caller sends next. */
	ivp_fence();
	area->own = (struct ivp_xpra_pointers){0};
	area->next = 0;
	return ivp_area_check(area, false, err);
}

/* ---- writing ---- */

/* How many chunks; 0: no room. */
static int lay(const struct ivp_xpra_area *area, u64 start, u64 end, u64 len, struct ivp_xpra_chunk *chunks)
{
	u64 first, room;

	measure(area, start, end, &first, &room);
	if (len >= room)
		return 0;
	chunks[0] = (struct ivp_xpra_chunk){.offset = (u32)end, .length = (u32)len};
	if (len < first)
		return 1;
	if (2 * room >= area->size && room >= 3 * len && len < start - HEADER) {
		/* Half of the ring is empty: what is left at the end is not worth two pieces. */
		chunks[0].offset = HEADER;
		return 1;
	}
	chunks[0].length = (u32)first;
	chunks[1] = (struct ivp_xpra_chunk){.offset = HEADER, .length = (u32)(len - first)};
	return 2;
}

int ivp_xpra_reserve(struct ivp_xpra_area *area, size_t len, struct ivp_xpra_chunk chunks[2], struct ivp_error *err)
{
	struct ivp_xpra_pointers __shm *shared = pointers_of(area);
	/* Pairs with the release by which the reader stores it: what it has read was read before. */
	u32 their_start = ivp_load32_acquire(&shared->start);
	int count;

	area->next = 0;
	count = ivp_area_check(area, true, err);
	if (count)
		return count;
	if (!len)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "nothing to write");
	if (len >= area->size - HEADER)
		return ivp_fail(err, IVP_FAIL_GENERAL, -EMSGSIZE, "%zu bytes are more than an area of %llu can hold",
				len, (unsigned long long)area->size);
	if (ivp_load32(&shared->end) != area->own.end)
		return ivp_fail(err, IVP_FAIL_PEER_GONE, -ESTALE, "somebody else writes to this area, too");
	if (their_start > area->size || area->own.end > area->size)
		return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO,
				"the pointers of this area, %u and %u, lie outside of it", their_start, area->own.end);
	count = lay(area, position(their_start), position(area->own.end), len, chunks);
	if (!count)
		return ivp_fail(err, IVP_FAIL_GENERAL, -EAGAIN, "no room for %zu bytes until the reader has read", len);
	area->next = chunks[count - 1].offset + chunks[count - 1].length;
	return count;
}

int ivp_xpra_commit(struct ivp_xpra_area *area, struct ivp_error *err)
{
	if (!area->next)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "nothing was reserved");
	if (combined(area))
		ivp_fence_combined_stores();
	area->own.end = area->next;
	area->next = 0;
	/* Publishes the bytes, with the packet that the caller sends next; the reader takes its positions from there alone. */
	ivp_store32_release(&pointers_of(area)->end, area->own.end);
	return ivp_area_check(area, false, err);
}

void *ivp_xpra_at(const struct ivp_xpra_area *area, const struct ivp_xpra_chunk *chunk)
{
	if (!ivp_span_within(chunk->offset, chunk->length, HEADER, area->size - HEADER))
		return NULL;
	return ivp_plain(area->map + chunk->offset);
}

int ivp_xpra_write(struct ivp_xpra_area *area, const void *bytes, size_t len, struct ivp_xpra_chunk chunks[2],
		   struct ivp_error *err)
{
	int count = ivp_xpra_reserve(area, len, chunks, err), ret;
	const u8 *from = bytes;

	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		ivp_copy_to(area->map + chunks[i].offset, from, chunks[i].length);
		from += chunks[i].length;
	}
	ret = ivp_xpra_commit(area, err);
	return ret ? ret : count;
}

/* ---- reading ---- */

static int check_chunks(const struct ivp_xpra_area *area, const struct ivp_xpra_chunk *chunks, size_t count, u64 *total,
			struct ivp_error *err)
{
	int ret = ivp_area_check(area, true, err);

	*total = 0;
	if (ret)
		return ret;
	if (!count || count > IVP_XPRA_CHUNKS_MAX)
		return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "a picture in %zu chunks", count);
	for (size_t i = 0; i < count; i++) {
		if (!ivp_span_within(chunks[i].offset, chunks[i].length, HEADER, area->size - HEADER))
			return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "a chunk of %u bytes at %u, in an area of %llu",
					chunks[i].length, chunks[i].offset, (unsigned long long)area->size);
		*total += chunks[i].length;
	}
	if (*total > area->size - HEADER)
		return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "chunks of %llu bytes in an area of %llu",
				(unsigned long long)*total, (unsigned long long)area->size);
	return 0;
}

/* The chunks were checked. */
static int release(struct ivp_xpra_area *area, const struct ivp_xpra_chunk *last, struct ivp_error *err)
{
	struct ivp_xpra_pointers __shm *shared = pointers_of(area);

	if (ivp_load32(&shared->start) != area->own.start)
		return ivp_fail(err, IVP_FAIL_PEER_GONE, -ESTALE, "somebody else reads from this area, too");
	area->own.start = last->offset + last->length;
	/* After the last load of what the writer may now overwrite; pairs with its acquire. */
	ivp_store32_release(&shared->start, area->own.start);
	return ivp_area_check(area, false, err);
}

int ivp_xpra_release(struct ivp_xpra_area *area, const struct ivp_xpra_chunk *chunks, size_t count,
		     struct ivp_error *err)
{
	u64 total;
	int ret = check_chunks(area, chunks, count, &total, err);

	return ret ? ret : release(area, &chunks[count - 1], err);
}

ptrdiff_t ivp_xpra_read(struct ivp_xpra_area *area, const struct ivp_xpra_chunk *chunks, size_t count, void *bytes,
			size_t len, struct ivp_error *err)
{
	u8 *to = bytes;
	u64 total;
	int ret = check_chunks(area, chunks, count, &total, err);

	if (ret)
		return ret;
	if (total > len)
		return ivp_fail(err, IVP_FAIL_USAGE, -EMSGSIZE, "a picture of %llu bytes, and room for %zu",
				(unsigned long long)total, len);
	if (combined(area))
		ivp_fence_combined_loads();
	for (size_t i = 0; i < count; i++) {
		ivp_copy_from(to, area->map + chunks[i].offset, chunks[i].length);
		to += chunks[i].length;
	}
	ret = release(area, &chunks[count - 1], err);
	return ret ? ret : (ptrdiff_t)total;
}
