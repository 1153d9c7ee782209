/* SPDX-License-Identifier: MIT */
/* modules: which of a kernel's modules have to be loaded, and in which order, so that one of them can be. */
#ifndef IVP_MODULES_H
#define IVP_MODULES_H

#include <stdio.h>

#include "ivpipe.h"

#define IVP_MODULES_MAX 48

struct ivp_modules {
	char directory[320];          /* of one kernel's; "": none is known */
	char *files[IVP_MODULES_MAX]; /* below the directory, in the order in which they are loaded */
	size_t count;
};

/* The release of a kernel image, as its head has it. 0 or -ENOENT: it has none. */
int ivp_modules_release(FILE *image, char *release, size_t size);
/* Where the modules for an image are: beside it, or where this machine has its own. */
void ivp_modules_find(struct ivp_modules *modules, const char *image);

/* The same as what `modules.dep` and `modules.builtin` have in their lines: what this name needs, and then itself. 0, also for one
 * that is built in; -ENOENT: there is no such module; -ENOSPC. builtin NULL: there is no such file. */
int ivp_modules_need(struct ivp_modules *modules, FILE *dep, FILE *builtin, const char *name);
/* By the files in the directory. */
int ivp_modules_add(struct ivp_modules *modules, const char *name);
void ivp_modules_free(struct ivp_modules *modules);

#endif
