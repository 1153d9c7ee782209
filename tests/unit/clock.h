/* SPDX-License-Identifier: MIT */
/* clock: the library's clock under a test's hand, so that ten seconds without a beat take no time. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* From now on the library finds it `ms` later. */
void clock_advance(int64_t ms);

/* Called once, when the library looks at it next: what happens between two steps of a wait. */
void clock_at_next_look(void (*call)(void));

#endif
