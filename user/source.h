/* SPDX-License-Identifier: MIT */
/*
 * source: a file's bytes one after the other, by pread(2) or out of a mapping, whichever is faster here: a kernel that copies by
 * rep movsb takes five times as long where an emulator plays it, and a real processor is slower at taking the faults of a mapping.
 */
#ifndef IVP_SOURCE_H
#define IVP_SOURCE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "copy.h"

struct ivp_source {
	int fd;
	const struct ivp_copier *copier; /* out of the mapping */
	uint64_t at;                     /* of the next byte */
	char *map;                       /* a part of the file, or NULL */
	uint64_t start;                  /* of that part */
	size_t len;
	volatile sig_atomic_t lost;  /* the file ended within it */
	unsigned int tried;          /* pieces; both ways take turns at first */
	int64_t best_read, best_map; /* ns for 1 KiB */
	bool mapped;                 /* what came of that */
};

/* From where the descriptor stands on. That is the caller's alone, and so is the place in it: it is not kept up. */
void ivp_source_begin(struct ivp_source *source, int fd, const struct ivp_copier *copier);

/* As read(2), of a regular file, which others may write, cut and make longer meanwhile. Bytes are looked at once. Takes the handler that
 * ivp_sigbus_install() installs. */
ptrdiff_t ivp_source_read(struct ivp_source *source, void *to, size_t len);

void ivp_source_end(struct ivp_source *source);

#endif
