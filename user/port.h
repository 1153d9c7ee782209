/* SPDX-License-Identifier: MIT */
/* port: control connections that nobody calls: a port that both ends open, descriptors of the user's, and a command's. */
#ifndef IVP_PORT_H
#define IVP_PORT_H

#include "endpoint.h"

/* A descriptor, the caller's. ends->socket: the path was that of QEMU's end; ends->vacant. -EBUSY: another has it open; -ECONNREFUSED:
 * nobody has the other end, and the caller does not listen; others. */
int ivp_port_open(const char *path, bool listens, struct ivp_ends *ends);

/* Has still nobody the other end of that port open? False also when the port is gone. */
bool ivp_port_vacant(int fd);

/* fd:, which stay the user's. -EBADF with *err filled. */
int ivp_port_borrow(const struct ivp_endpoint *endpoint, struct ivp_ends *ends, struct ivp_error *err);

/* exec:, by the shell. Its child is the caller's to reap. 0, or a negative errno. */
int ivp_port_run(const char *command, struct ivp_ends *ends);

/* Wait for a command whose connection was closed: it has five seconds, and five more after being told to end. */
void ivp_port_reap(pid_t child);

#endif
