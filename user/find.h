/* SPDX-License-Identifier: MIT */
/* find: ivp_find() below another root than the system's, for which libudev is not asked. */
#ifndef IVP_FIND_H
#define IVP_FIND_H

#include "ivpipe.h"

int ivp_find_below(const char *root, struct ivp_found **list, size_t *count, struct ivp_error *err);

#endif
