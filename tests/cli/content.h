/* SPDX-License-Identifier: MIT */
/* content: the bytes of a stream follow from its number, so that whoever receives them knows each. */
#ifndef IVP_CONTENT_H
#define IVP_CONTENT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t content_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* From an offset that is a multiple of 8. */
static inline void content_fill(uint64_t stream, uint64_t offset, uint8_t *bytes, size_t len)
{
	uint64_t begin = content_mix(stream + 1) + offset;

	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = content_mix(begin + i);

		memcpy(bytes + i, &word, len - i < 8 ? len - i : 8);
	}
}

#endif
