// SPDX-License-Identifier: GPL-2.0-only
/* Numbers that hurt. The same seed gives the same numbers. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "uapi/linux/ivshmem.h"

#define KIB 1024ull
#define MIB (KIB << 10)

static u64 state;

void values_seed(u64 seed)
{
	state = seed * 0x9e3779b97f4a7c15 | 1;
}

/* xorshift64* */
u64 values_random(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

u32 values_below(u32 bound)
{
	return (u32)((values_random() >> 32) % bound);
}

/* Each list begins with what mostly works, and then has what hurts. */
#define LIST(name, good, ...)                                                                                          \
	static const u64 name[] = {__VA_ARGS__};                                                                       \
	enum { good_##name = (good) }

LIST(open_flags, 2, O_RDWR, O_RDWR | O_NONBLOCK, O_RDONLY, O_WRONLY, O_RDWR | O_DIRECT, O_RDWR | O_APPEND | O_TRUNC,
     O_RDONLY | O_NONBLOCK);
LIST(nudges, 1, 0, 4 * KIB, 1, 8 * KIB, 2 * MIB - 4 * KIB, MIB);
LIST(lengths, 3, 4 * KIB, 64 * KIB, 2 * MIB, 4 * MIB, MIB, 16 * MIB, 0, 1, 3, 1023, 1024, 1025, 64 * KIB + 1,
     1ull << 31, 1ull << 32, 1ull << 47, ~0ull, -4 * KIB);
LIST(protections, 1, PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE, PROT_WRITE, PROT_READ | PROT_EXEC,
     PROT_READ | PROT_WRITE | PROT_EXEC, ~0ull);
LIST(map_flags, 1, MAP_SHARED, MAP_SHARED | MAP_POPULATE, MAP_PRIVATE, MAP_SHARED | MAP_LOCKED, MAP_SHARED_VALIDATE,
     MAP_SHARED_VALIDATE | MAP_SYNC, MAP_SHARED | MAP_HUGETLB, MAP_SHARED | MAP_GROWSDOWN, 0);
LIST(remap_flags, 2, MREMAP_MAYMOVE, MREMAP_MAYMOVE | MREMAP_FIXED, 0, MREMAP_FIXED,
     MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
LIST(advices, 2, MADV_DONTNEED, MADV_DONTFORK, MADV_WILLNEED, MADV_REMOVE, MADV_DOFORK, MADV_FREE, MADV_MERGEABLE,
     MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DODUMP, MADV_DONTDUMP, MADV_COLD, MADV_PAGEOUT, MADV_WIPEONFORK, MADV_RANDOM,
     MADV_POPULATE_READ, MADV_POPULATE_WRITE, 99);
LIST(offsets, 1, 0, 4 * KIB, MIB - 4 * KIB, 4 * MIB - 4 * KIB, 16 * MIB - 4 * KIB, KIB, KIB - 1, 64 * KIB - 1, MIB,
     2 * MIB, 4 * MIB, 16 * MIB, 1ull << 31, 1ull << 32, 1ull << 43, 1ull << 62, 1ull << 63, ~0ull, -4 * KIB);
LIST(whences, 3, SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE, 99);
LIST(buffers, 1, 0, 1, 2, 3, 4);
/* The first stands for the right size. */
LIST(sizes, 1, 0, 1ull << 32, 1, 4, 16, 32, 40, 112, 4096, 4097, 1ull << 31, 0xffffffff);
LIST(flags, 1, 0, 1, 2, 3, 1u << 31, 0xffffffff);
LIST(words, 2, 0, 4, 8, KIB - 4, 4 * KIB - 4, 4 * KIB, MIB - 4, 4 * MIB - 4, 16 * MIB - 4, 1, 2, KIB, KIB - 2, MIB,
     4 * MIB, 16 * MIB, 1ull << 32, ~3ull, ~0ull, 1ull << 63);
LIST(word_values, 2, 0, 1, 2, 0xffffffff, 0x80000000);
LIST(polls, 1, 0, 1, 50, 1000, 1000000, 0xffffffff);
LIST(timeouts, 4, 0, 100000, 1000000, 3000000, 1, 1000, -1ull, 1ull << 63, ~0ull >> 1, 1ull << 40);
LIST(reserved, 1, 0, 1, 1ull << 63);
LIST(peers, 1, 0, 1, 2, 65535, 65536, 0xffffffff, 1u << 31);
LIST(vectors, 1, 0, 1, 2, 3, 255, 256, 257, 0xffffffff);
LIST(events, 2, 0, 1, -1ull, 2, 3, 1000);
LIST(commands, 1, IVSHMEM_IOC_INFO, IVSHMEM_IOC_WAIT, IVSHMEM_IOC_WAKE, IVSHMEM_IOC_WATCH, IVSHMEM_IOC_RING,
     IVSHMEM_IOC_EVENTFD, 0xe906, 0xc000e91f, 0xffffffff, FIONBIO, FIOASYNC, 0);
LIST(poll_events, 1, POLLIN, POLLIN | POLLOUT, POLLPRI, 0, 0xffff);
LIST(short_ms, 1, 0, 1, 3);
LIST(locks, 3, F_RDLCK, F_WRLCK, F_UNLCK);
LIST(numbers, 2, 0, 1, 2, 3, 4095, 4096, 1ull << 20, 1ull << 31, 1ull << 32, 1ull << 63, ~0ull);

#define OF(name)                                                                                                       \
	{                                                                                                              \
		name, sizeof(name) / sizeof((name)[0]), good_##name                                                    \
	}
static const struct {
	const u64 *list;
	u32 count, good;
} lists[MEANINGS] = {
	[OPEN_FLAGS] = OF(open_flags), [LENGTH] = OF(lengths),   [PROTECTION] = OF(protections),
	[MAP_FLAGS] = OF(map_flags),   [ADVICE] = OF(advices),   [REMAP_FLAGS] = OF(remap_flags),
	[OFFSET] = OF(offsets),        [WHENCE] = OF(whences),   [BUFFER] = OF(buffers),
	[ARGSZ] = OF(sizes),           [FLAGS] = OF(flags),      [WORD] = OF(words),
	[VALUE] = OF(word_values),     [POLL_US] = OF(polls),    [TIMEOUT] = OF(timeouts),
	[RESERVED] = OF(reserved),     [PEER] = OF(peers),       [VECTOR] = OF(vectors),
	[EVENT] = OF(events),          [COMMAND] = OF(commands), [EVENTS] = OF(poll_events),
	[SHORT_MS] = OF(short_ms),     [LOCK] = OF(locks),       [NUMBER] = OF(numbers),
	[NUDGE] = OF(nudges),
};

/* One that works. */
u64 values_first(enum meaning meaning)
{
	return lists[meaning].count ? lists[meaning].list[0] : 0;
}

/* Mostly one that works, or with several arguments hardly a call would; seldom any number at all, of any number of bits. */
u64 values_of(enum meaning meaning)
{
	if (meaning == NONE)
		return 0;
	if (meaning == SLOT)
		return values_below(4) ? 0 : values_below(4);
	if (meaning == NODE)
		return values_below(4);
	if (meaning == ADDRESS)
		return (values_below(4) ? 0 : values_below(8) * 2 * MIB) + values_of(NUDGE) % (2 * MIB);
	if (meaning != BUFFER && !values_below(50))
		return values_random() >> values_below(64);
	return lists[meaning].list[values_below(values_below(5) ? lists[meaning].good : lists[meaning].count)];
}
