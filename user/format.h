/* SPDX-License-Identifier: MIT */
/* format: lays regions out, and agrees with whoever else opens one that it is. */
#ifndef IVP_FORMAT_H
#define IVP_FORMAT_H

#include "region.h"

/* Under the format lock: find a valid superblock, or (file side, and the contents are nobody else's) lay one out; copies it
 * into region->sb and keeps the lock for reading. -ENODATA: not laid out yet, by somebody else's duty; -EAGAIN: somebody is
 * just laying it out; -EMEDIUMTYPE: somebody else's contents; -EPROTONOSUPPORT, -EMSGSIZE, -EUCLEAN (damaged and in use). */
int ivp_format_agree(struct ivp_region *region, struct ivp_error *err);

/* The checksum that belongs into it. */
u64 ivp_superblock_sum(const struct ivp_superblock *sb);

#endif
