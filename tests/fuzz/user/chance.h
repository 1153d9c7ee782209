/* SPDX-License-Identifier: MIT */
/*
 * chance: nothing is left to it. In place of the library's clock, its waiting and its random numbers (see the Makefile): time
 * stands still but where somebody waits for what does not come, and then passes at once; the same numbers come in each run.
 */
#ifndef CHANCE_H
#define CHANCE_H

#include <stdint.h>

/* A run begins. Whenever somebody waits in vain `move` is called, which does something for the other end or nothing. */
void chance_begin(void (*move)(void));

/* From now on all that waits has to come to its end within so many milliseconds, and that many waits. */
void chance_limit(int64_t ms, unsigned int waits);

void chance_pass(int64_t ms);

#endif
