/* SPDX-License-Identifier: MIT */
/* setup: what a hypervisor has to be told for a virtual machine to have an ivshmem device, and the file that it takes. */
#ifndef IVP_SETUP_H
#define IVP_SETUP_H

#include <stdint.h>

#include "tree.h"

struct ivp_setup {
	const char *name; /* of the memory: [A-Za-z0-9_-], so that it is a word everywhere */
	const char *user, *hypervisor;
	uint64_t size;
	bool applied; /* the file is made */
	char path[IVP_TREE_PATH];
};

struct ivp_hypervisor {
	const char *name;
	const char *prefix; /* of the file's path, before the name */
	uint64_t least;     /* bytes that it can say */
	void (*show)(const struct ivp_setup *setup);
};

/* NULL: none of that name. */
const struct ivp_hypervisor *ivp_setup_find(const char *name);

#endif
