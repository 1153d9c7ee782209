/* SPDX-License-Identifier: MIT */
/*
 * driver: a node of the ivshmem driver that takes no device.
 *
 * The `node` of a place is the region's file, with locks of its own, of which the library believes that it is /dev/ivshmemN:
 * INFO, WAIT, WAKE and RING are answered here, by the words of linux/ivshmem.h. Threads of one process are what processes of one guest are.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "linux/ivshmem.h"

/* As it stands before each test that calls this. */
void driver_reset(void);

/* What a node opened from now on can do; all there is after a reset. */
void driver_features(__u64 features);

/* All answer with this errno from now on, also to those who wait; as after the device has gone. 0: as before. */
void driver_answer(int number);

/* The number by which a machine whose node is opened from now on is rung; 0 after a reset. */
void driver_ivposition(__u32 number);

extern atomic_uint driver_waits, driver_wakes, driver_rings;

/* What was asked for last. */
struct ivshmem_wait driver_last_wait(void);
struct ivshmem_wake driver_last_wake(void);
struct ivshmem_ring driver_last_ring(void);

#endif
