/* SPDX-License-Identifier: MIT */
/* find: ivp_find() below another root than the system's, for which libudev is not asked; and what can be said of one file. */
#ifndef IVP_FIND_H
#define IVP_FIND_H

#include "ivpipe.h"

/* Of one file, region or not, or not there; it is nothing for `auto`. */
void ivp_find_file(const char *path, struct ivp_found *found);

int ivp_find_below(const char *root, struct ivp_found **list, size_t *count, struct ivp_error *err);

#endif
