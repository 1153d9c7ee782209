/* SPDX-License-Identifier: MIT */
/* address: what the user calls a region, made into what to open, to map and to lock. Writes nothing. */
#ifndef IVP_ADDRESS_H
#define IVP_ADDRESS_H

#include "ivpipe.h"

struct ivp_address {
	enum ivp_backing backing;
	char path[256];   /* to open and to map */
	char lock[256];   /* whose inode carries the locks: always the same one, however the region is mapped */
	char enable[256]; /* sysfs: the attribute that switches memory decoding on; else "" */
	bool combined;    /* not write-back, as far as the name tells */
};

/* A path, or "auto". -ENOENT, -ENODEV (not a region), -EBUSY (auto: several), -EACCES. */
int ivp_address_resolve(struct ivp_address *address, const char *spec, struct ivp_error *err);

#endif
