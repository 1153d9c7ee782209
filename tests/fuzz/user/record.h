/* SPDX-License-Identifier: MIT */
/* record: what docs/PROTOCOL.md §7 has in a ring. */
#ifndef RECORD_H
#define RECORD_H

#include "deps.h"

static inline u64 record_header(u64 epoch, u64 pos, u32 type, u32 len)
{
	u64 plain = len | (u64)type << 32, x = epoch ^ (pos * 0x9e3779b97f4a7c15ULL) ^ plain;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return plain | (x ^ x >> 31) << 40;
}

/* With its header, and to where the next one begins. */
static inline u64 record_bytes(u64 len)
{
	return 8 + (len + 7) / 8 * 8;
}

#endif
