// SPDX-License-Identifier: MIT
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "digest.h"

ivp_assert(sizeof(struct ivp_digest_stream) == sizeof(XXH3_state_t));
ivp_assert(sizeof(XXH128_canonical_t) == IVP_DIGEST_BYTES);

void ivp_digest_start(struct ivp_digest_stream *stream)
{
	XXH3_128bits_reset((XXH3_state_t *)stream);
}

/* The state is the same whichever code works on it. xxHash has such a choice of its own, but only in its shared library. */
void ivp_digest_add(struct ivp_digest_stream *stream, const void *bytes, size_t len)
{
#if defined(__x86_64__) && !defined(__CHECKER__) /* sparse knows no processors */
	if (__builtin_cpu_supports("avx2")) {
		ivp_digest_add_avx2(stream, bytes, len);
		return;
	}
#endif
	XXH3_128bits_update((XXH3_state_t *)stream, bytes, len);
}

void ivp_digest_finish(const struct ivp_digest_stream *stream, u8 *digest)
{
	XXH128_canonicalFromHash((XXH128_canonical_t *)digest, XXH3_128bits_digest((const XXH3_state_t *)stream));
}
