/* SPDX-License-Identifier: MIT */
/* word: sleeping on a word of a region until another end counts it up, and waking who sleeps. For the library's own files. */
#ifndef IVP_WORD_H
#define IVP_WORD_H

#include "region.h"
#include "wait.h"

/* How to wait for somebody who is on this kernel or not. */
enum ivp_way ivp_word_way(const struct ivp_region *region, bool local);

/* Sleep unless the word is not `seen` any more: until somebody on this kernel wakes us, the driver saw it change, or ms have
 * passed; perhaps for less. doze: how patiently to look for one who cannot wake us; NULL: he can. */
void ivp_word_sleep(struct ivp_region *region, const u32 __shm *word, u32 seen, struct ivp_doze *doze, int64_t ms);

/* The word was changed: wake who sleeps on it on this kernel. */
void ivp_word_wake(const struct ivp_region *region, const u32 __shm *word);

/* Interrupt another machine, if that is what both devices can: bell is what a peer on it announced, and unchecked. */
void ivp_word_ring(const struct ivp_region *region, u32 bell);

#endif
