// SPDX-License-Identifier: MIT
#include <stdatomic.h>
#include <stddef.h>

#include "clock.h"

static _Atomic(int64_t) ahead;
static void (*_Atomic at_next_look)(void);

/* The linker's names for what --wrap puts in the place of ivp_now() and ivp_deadline(). */
int64_t __real_ivp_now(void);
int64_t __wrap_ivp_now(void);
int64_t __wrap_ivp_deadline(int64_t ms);

int64_t __wrap_ivp_now(void)
{
	void (*call)(void) = atomic_exchange(&at_next_look, NULL);

	if (call)
		call();
	return __real_ivp_now() + atomic_load(&ahead);
}

int64_t __wrap_ivp_deadline(int64_t ms)
{
	int64_t now = __wrap_ivp_now();

	return ms < 0 || ms > INT64_MAX - now ? INT64_MAX : now + ms;
}

void clock_at_next_look(void (*call)(void))
{
	atomic_store(&at_next_look, call);
}

void clock_advance(int64_t ms)
{
	atomic_fetch_add(&ahead, ms);
}
