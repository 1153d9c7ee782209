/* SPDX-License-Identifier: GPL-2.0-only */
/* What a suite of the driver gets in place of hardware and of a process. */
#ifndef FAKE_H
#define FAKE_H

#include <kunit/test.h>
#include <linux/device.h>
#include <linux/types.h>

#include "ivshmem.h"

/* Physical memory that the kernel was told to leave alone (memmap=128M$512M), as a BAR is; without it the case is skipped. */
phys_addr_t fake_memory(struct kunit *test);
#define FAKE_MEMORY      (512ULL << 20)
#define FAKE_MEMORY_SIZE (8ULL << 20)

/* A device to be the parent of others. */
struct device *fake_parent(void);

/* A device whose memory is an allocation, and an open file of it: nothing is registered, and no hardware is behind it. */
void fake_device(struct ivshmem_device *ivd, void *memory, u64 size);
void fake_file(struct file *file, struct ivshmem_file *f, struct ivshmem_device *ivd);

/* What ivshmem_pci_decodes() says. */
extern bool fake_decodes;

/* User memory for a suite: begin in .suite_init, end in .suite_exit, borrow and give back in a case that touches it. */
#define FAKE_USER_SIZE (256UL << 10)
int fake_user_begin(void);
void fake_user_end(void);
void fake_user_borrow(void);
void fake_user_return(void);
/* FAKE_USER_SIZE bytes, followed by nothing. */
void __user *fake_user(void);
void fake_user_forget(unsigned long from);

#endif
