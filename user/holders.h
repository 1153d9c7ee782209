/* SPDX-License-Identifier: MIT */
/* holders: the processes that have a file open or mapped, as far as this user may look into them. */
#ifndef IVP_HOLDERS_H
#define IVP_HOLDERS_H

#include <sys/types.h>

#include "tree.h"

/* The one bound: of all files together. What is beyond it is not known. */
#define IVP_HOLDERS 256

/* Which file: what stat(2) says, and its path as /proc/PID/maps would have it. */
struct ivp_held {
	dev_t device;
	ino_t inode; /* 0: nobody has it */
	const char *path;
};

struct ivp_holder {
	size_t file; /* its place in the list that was asked for */
	int pid;
	char name[32]; /* as the process calls itself: its own word */
};

struct ivp_holders {
	size_t count;
	bool all; /* nobody else has any of them */
	struct ivp_holder list[IVP_HOLDERS];
};

/* Of all processes but this one; below a root as in tree.h. Ordered by process. */
void ivp_holders_find(const char *root, const struct ivp_held *files, size_t count, struct ivp_holders *holders);

#endif
