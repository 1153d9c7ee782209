/* SPDX-License-Identifier: MIT */
/* beat: one thread a region that counts up the beat words of all its lanes and listeners, which proves life, not progress. */
#ifndef IVP_BEAT_H
#define IVP_BEAT_H

#include "deps.h"

struct ivp_beat;

/* The thread starts with the first word and takes no signals. 0 or -errno. */
int ivp_beat_open(struct ivp_beat **beat);
void ivp_beat_close(struct ivp_beat *beat);

/* Count this word up, now and every IVP_BEAT_MS from now on, until it is removed; after that it is not touched again. */
int ivp_beat_add(struct ivp_beat *beat, u32 __shm *word);
void ivp_beat_remove(struct ivp_beat *beat, u32 __shm *word);

/* Count a word that was added up once more, for somebody who asked. */
void ivp_beat_now(struct ivp_beat *beat, u32 __shm *word);

#endif
