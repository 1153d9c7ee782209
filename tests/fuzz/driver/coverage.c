// SPDX-License-Identifier: GPL-2.0-only
/* Where in the module a task came by: KCOV, of which nothing but the module is built to report. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kcov.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "fuzz.h"

#define WORDS (64u << 10)
#define PAIRS (1u << 18)

static int fd = -1;
static unsigned long *trace;
static unsigned char *pairs; /* that anybody has reached: shared by all who descend from the first to open */

void coverage_open(void)
{
	fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, KCOV_INIT_TRACE, WORDS))
		bail("kcov");
	trace = mmap(NULL, WORDS * sizeof(*trace), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!pairs)
		pairs = mmap(NULL, PAIRS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (trace == MAP_FAILED || pairs == MAP_FAILED)
		bail("kcov");
}

void coverage_begin(void)
{
	__atomic_store_n(trace, 0, __ATOMIC_RELAXED);
	if (ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
		bail("KCOV_ENABLE");
}

/* An address is there, or takes the first free place after its own. */
static void reached(unsigned long address)
{
	u32 n = (u32)((address * 0x9e3779b97f4a7c15) >> 48);

	for (u32 i = 0; i < PLACES; i++, n = (n + 1) % PLACES) {
		unsigned long found = 0;

		if (atomic_load(&report->places[n]) == address)
			return;
		if (atomic_compare_exchange_strong(&report->places[n], &found, address) || found == address)
			return;
	}
}

bool coverage_collect(void)
{
	unsigned long count = __atomic_load_n(trace, __ATOMIC_RELAXED), before = 0;
	bool is_new = false;

	for (unsigned long i = 0; i < count && i < WORDS - 1; i++) {
		unsigned long address = trace[i + 1];
		u32 pair = (u32)(((before * 31 + address) * 0x9e3779b97f4a7c15) >> 46);

		if (!pairs[pair]) {
			pairs[pair] = 1;
			is_new = true;
			reached(address);
		}
		before = address;
	}
	__atomic_store_n(trace, 0, __ATOMIC_RELAXED);
	return is_new;
}
