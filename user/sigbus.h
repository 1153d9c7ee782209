/* SPDX-License-Identifier: MIT */
/*
 * sigbus: a region that shrinks, is unplugged or cannot get memory raises SIGBUS in whoever touches it. The handler puts
 * zero pages in its place and raises a flag, so that the interrupted access finishes and the call that made it can fail.
 */
#ifndef IVP_SIGBUS_H
#define IVP_SIGBUS_H

#include <signal.h>
#include <stddef.h>

/* Install the handler, once for the process; an earlier handler is called for faults that are not ours. 0 or -errno. */
int ivp_sigbus_install(void);

/* Watch a mapping: *lost becomes 1 when it had to be replaced. -ENOSPC beyond 1024 of them. Does nothing without install. */
int ivp_sigbus_watch(void *start, size_t len, volatile sig_atomic_t *lost);
void ivp_sigbus_forget(void *start);

#endif
