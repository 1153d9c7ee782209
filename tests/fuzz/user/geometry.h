/* SPDX-License-Identifier: MIT */
/* geometry: superblocks that hold, any that docs/PROTOCOL.md allows, and what that page says of one. */
#ifndef GEOMETRY_H
#define GEOMETRY_H

#include "fuzz.h"
#include "superblock.h"

/* Sums of what a superblock says may be more than 64 bits hold. */
typedef unsigned __int128 u128;

/* One that holds, whose region is too large to be there. */
void geometry_make(struct input *input, struct ivp_superblock *sb);

/* As ivp_superblock_check() has to answer. */
int geometry_judge(const struct ivp_superblock *sb, u64 mapped);

/* The places of everything in it, one after the other and all in the region, are those that the helpers tell. */
void geometry_require_places(const struct ivp_superblock *sb);

#endif
