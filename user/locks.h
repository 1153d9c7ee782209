/* SPDX-License-Identifier: MIT */
/*
 * locks: open-file-description locks on single bytes, as fcntl(2) has them (F_OFD_SETLK).
 *
 * A lock belongs to the descriptor's open file, so each end of a lane opens one for itself: two locks through one descriptor
 * would not exclude each other. The kernel drops it when the last copy of that descriptor is closed, however the process ends.
 */
#ifndef IVP_LOCKS_H
#define IVP_LOCKS_H

#include <stdbool.h>
#include <stdint.h>

/* A new open file of `path` to hold locks: O_RDWR, or O_RDONLY for read locks alone. A descriptor or a negative errno. */
int ivp_locks_open(const char *path, bool writable);

/* 0, -EAGAIN if somebody else's lock is in the way, or another negative errno. An own lock on the byte is converted. */
int ivp_locks_take_write(int fd, uint64_t byte);
int ivp_locks_take_read(int fd, uint64_t byte);
void ivp_locks_drop(int fd, uint64_t byte);

/* Does another open file, on this kernel, hold a lock on one of `count` bytes from `byte` that a write lock would meet? */
bool ivp_locks_held(int fd, uint64_t byte, uint64_t count);

#endif
