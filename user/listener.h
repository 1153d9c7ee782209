/* SPDX-License-Identifier: MIT */
/* listener: what a client sees of those who wait. For the library's own files. */
#ifndef IVP_LISTENER_H
#define IVP_LISTENER_H

#include "region.h"

/* One announcement, copied out of its slot. */
struct ivp_announced {
	u64 id; /* 0: free */
	u32 side, number, beat;
	bool local; /* its lock is held on this kernel */
	bool busy;  /* it serves somebody, and will be back */
	u8 service[IVP_SERVICE_BYTES];
};

/* false if the slot is free, or holds nonsense. */
bool ivp_listener_read(struct ivp_region *region, u32 side, u32 number, struct ivp_announced *announced);

#endif
