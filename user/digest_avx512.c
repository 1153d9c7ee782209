// SPDX-License-Identifier: MIT
/* The loop over the bytes again, compiled for AVX-512: a third less time than with AVX2 for what a cache has. */
#if defined(__x86_64__) && !defined(__CHECKER__) /* sparse knows no vectors */
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#else
#pragma GCC target("avx512f")
#endif
#include <immintrin.h>
#define XXH_VECTOR 3 /* XXH_AVX512 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "digest.h"

void ivp_digest_add_avx512(struct ivp_digest_stream *stream, const void *bytes, size_t len)
{
	XXH3_128bits_update((XXH3_state_t *)stream, bytes, len);
}

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
