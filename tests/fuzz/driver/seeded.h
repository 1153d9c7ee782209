/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bug on purpose, for one build of chardev.c: a file that is closed stays on the list of those who wait, freed as it is.
 * The fuzzer has to find it, by closing a file that watches a word.
 */
#include "ivshmem.h"

#define ivshmem_notify_delist(notify, watcher) ((void)(notify), (void)(watcher))
