// SPDX-License-Identifier: MIT
#include <string.h>
#include <unistd.h>

#include "holes.h"

/* What file systems allocate, and so the least that a hole can save. */
#define BLOCK 4096

/* Of len bytes, those up to the end of the block that they begin in. */
static size_t in_block(uint64_t at, size_t len)
{
	size_t room = BLOCK - (size_t)(at % BLOCK);

	return len < room ? len : room;
}

static bool all_zero(const char *bytes, size_t len)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, len - 1);
}

/* The longest run from the beginning of blocks, or parts of one, that are zeros, or of those that are not. */
static size_t run(uint64_t at, const char *from, size_t len, bool zeros)
{
	size_t pos = 0;

	while (pos < len) {
		size_t part = in_block(at + pos, len - pos);

		if (all_zero(from + pos, part) != zeros)
			break;
		pos += part;
	}
	return pos;
}

ptrdiff_t ivp_holes_write(struct ivp_holes *holes, const char *from, size_t len)
{
	ptrdiff_t put = (ptrdiff_t)run(holes->at, from, len, true);

	if (!put)
		put = pwrite(holes->fd, from, run(holes->at, from, len, false), (off_t)holes->at);
	if (put > 0)
		holes->at += (uint64_t)put;
	return put;
}

int ivp_holes_end(const struct ivp_holes *holes)
{
	return ftruncate(holes->fd, (off_t)holes->at);
}
