/* SPDX-License-Identifier: MIT */
/*
 * copy: the fastest way that this machine has to move bytes into a region, and out of it. Which that is no table knows: what is best
 * on a processor is the worst where an emulator plays it (rep movsb under TCG moves byte by byte), and memory that is not write-back
 * is read well by streaming loads alone. So the ways are timed, once for each region.
 */
#ifndef IVP_COPY_H
#define IVP_COPY_H

#include "deps.h"

struct ivp_copier {
	const char *name;
	/* As memcpy(). All of them do the same. */
	void (*copy)(void *to, const void *from, size_t len);
	bool (*there)(void); /* does this processor have it? NULL: every one */
	bool combined;       /* worth a look only where the source is not write-back */
	bool whole;          /* takes whole lines over from another processor without reading them first */
	size_t few;          /* below this, what it costs to begin with decides, and the C library's costs least */
};

/* All there are for this machine type, the C library's first; *count of them. */
const struct ivp_copier *ivp_copiers(size_t *count);

/*
 * The first of `count`, unless another one moves `len` bytes in two thirds of its time or less; or one that takes whole lines over is
 * not slower, for what that saves cannot be seen by one process: between two, writes of 4 KiB went from 38 to 60 GB/s. Writes to `to`. Takes
 * some 20 us, and a few ms on memory that is slow: who was not tried by then is not taken.
 */
const struct ivp_copier *ivp_copy_choose(const struct ivp_copier *copiers, size_t count, bool combined, void *to,
					 const void *from, size_t len);

static inline void ivp_copy_by(const struct ivp_copier *copier, void *to, const void *from, size_t len)
{
	if (len < copier->few)
		memcpy(to, from, len);
	else
		copier->copy(to, from, len);
}

#endif
