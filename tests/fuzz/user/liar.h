/* SPDX-License-Identifier: MIT */
/* liar: comes between any two loads of the ring's, which is compiled with this in front of it. */
#ifndef LIAR_H
#define LIAR_H

#include "deps.h"

/* What lies there, after whatever a liar has to do before. */
u64 liar_load64(const u64 *p);

#define ivp_load64(p)         liar_load64(p)
#define ivp_load64_acquire(p) liar_load64(p)

#endif
