/* SPDX-License-Identifier: MIT */
/* found: what ivp_find() finds in the tests: this list, and nothing of the machine that they run on. */
#ifndef FOUND_H
#define FOUND_H

#include "ivpipe.h"

extern const struct ivp_found *found_list;
extern size_t found_count;

#endif
