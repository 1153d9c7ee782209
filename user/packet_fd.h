/* SPDX-License-Identifier: MIT */
/* packet_fd: packets of one size between processes of ours, over packet sockets, and with some of them a descriptor. */
#ifndef IVP_PACKET_FD_H
#define IVP_PACKET_FD_H

#include <stddef.h>

/* fd: goes with it, and stays the caller's, too; -1: none. Flags: 0, or MSG_DONTWAIT for who must not wait for the other. 0, or a negative
 * errno; -EPIPE: the other end is closed. */
int ivp_packet_fd_send(int socket, const void *bytes, size_t len, int fd, int flags);

/* Waits for a packet of just that size; what is longer or shorter, and the end, are -EPIPE. *fd: what came with it, the caller's, or -1. */
int ivp_packet_fd_receive(int socket, void *bytes, size_t len, int *fd);

#endif
