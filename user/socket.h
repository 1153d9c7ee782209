/* SPDX-License-Identifier: MIT */
/*
 * socket: stream sockets of the families that a control connection may have, as clients and as servers. All are close-on-exec and
 * do not block. Results are descriptors, the caller's, or a negative errno; *err is filled where that has more to say than the number.
 */
#ifndef IVP_SOCKET_H
#define IVP_SOCKET_H

#include <signal.h>

#include "deps.h"
#include "ivpipe.h"

/* One attempt, until it succeeds, fails, the deadline (ivp_now()) has passed (-ETIMEDOUT), or *cancel. No cancel: NULL. */
int ivp_socket_connect_unix(const char *path, int64_t deadline, const volatile sig_atomic_t *cancel);
int ivp_socket_connect_vsock(u32 cid, u32 port, int64_t deadline, const volatile sig_atomic_t *cancel);
/* Each address of the host in turn; "": this machine. */
int ivp_socket_connect_tcp(const char *host, u32 port, int64_t deadline, const volatile sig_atomic_t *cancel,
			   struct ivp_error *err);

/* The name of a socket where nobody answers is taken away first. */
int ivp_socket_listen_unix(const char *path);
int ivp_socket_listen_vsock(u32 port);
/* "": on all addresses of this machine. */
int ivp_socket_listen_tcp(const char *host, u32 port, struct ivp_error *err);

/* -EAGAIN: nobody came after all. *cid: of a vsock's peer. */
int ivp_socket_accept(int listener, u32 *cid);

/* Look up a host; its first address as "tcp:[ADDRESS]:PORT". 0, or a negative errno. */
int ivp_socket_resolve(const char *host, u32 port, char *text, size_t size, struct ivp_error *err);

#endif
