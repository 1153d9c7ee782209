// SPDX-License-Identifier: MIT
/* The loop over the bytes once more, in plain registers: three times as fast as with vectors where an emulator plays them. */
#define XXH_VECTOR 0 /* XXH_SCALAR */
#define XXH_INLINE_ALL
/* Or the compiler makes vectors of it again. */
#ifndef __clang__
#pragma GCC optimize("no-tree-vectorize")
#endif
#include <xxhash.h>

#include "digest.h"

void ivp_digest_add_scalar(struct ivp_digest_stream *stream, const void *bytes, size_t len)
{
	XXH3_128bits_update((XXH3_state_t *)stream, bytes, len);
}
