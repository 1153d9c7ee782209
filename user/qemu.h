/* SPDX-License-Identifier: MIT */
/* qemu: the processes that have an ivshmem device on a file, as /proc tells. */
#ifndef IVP_QEMU_H
#define IVP_QEMU_H

#include "tree.h"

/* One device of one process. */
struct ivp_qemu {
	int pid;
	char name[64];              /* of the machine, -name; "": it has none */
	char memory[IVP_TREE_PATH]; /* mem-path= */
	uint64_t size;              /* size=; 0: not said */
	bool share;
	bool virtiofs;   /* it has one of that, too */
	bool maps_seen;  /* /proc/PID/maps could be read; and then: */
	bool maps_known; /* it has the memory: */
	bool shared;     /* to be written to, and seen by others: the process may do what it likes with that file */
	bool deleted;    /* the file has no name any more */
	uint64_t inode;
};

/* At most `room`, of all processes whose command line can be read; how many. */
size_t ivp_qemu_find(const char *root, struct ivp_qemu *list, size_t room);

#endif
