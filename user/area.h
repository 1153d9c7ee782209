/* SPDX-License-Identifier: MIT */
/* area: one end of Xpra's memory, for area.c and token.c. */
#ifndef IVP_AREA_H
#define IVP_AREA_H

#include "ivpipe-xpra.h"
#include "region.h"

/* The two pointers at the beginning. */
struct ivp_xpra_pointers {
	u32 start; /* the reader's */
	u32 end;   /* the writer's */
};
ivp_assert(sizeof(struct ivp_xpra_pointers) == IVP_XPRA_HEADER);

struct ivp_xpra_area {
	u8 __shm *map;
	u64 size;
	struct ivp_region *region;    /* what is mapped, to be closed with us; NULL: the caller's memory */
	struct ivp_xpra_pointers own; /* what this end announced last, or found when it came */
	u32 next;                     /* what a commit announces; 0: nothing was reserved */
};

/* -ESTALE: the memory went away; -EROFS: it is to be written, and was opened to be looked at. */
int ivp_area_check(const struct ivp_xpra_area *area, bool writing, struct ivp_error *err);

#endif
