// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <stdatomic.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "digest.h"

ivp_assert(sizeof(struct ivp_digest_stream) == sizeof(XXH3_state_t));
ivp_assert(sizeof(XXH128_canonical_t) == IVP_DIGEST_BYTES);

/* So much at once is enough to see which loop is fastest, and each is tried so often: the first time its code is new. */
#define TRIED 16384
#define TRIES 3

static void by_vectors(struct ivp_digest_stream *stream, const void *bytes, size_t len)
{
	XXH3_128bits_update((XXH3_state_t *)stream, bytes, len);
}

/* xxHash has such a choice of its own, but only in its shared library. */
static ivp_digest_loop *widest(void)
{
#if defined(__x86_64__) && !defined(__CHECKER__) /* sparse knows no processors */
	if (__builtin_cpu_supports("avx2"))
		return ivp_digest_add_avx2;
#endif
	return by_vectors;
}

void ivp_digest_start(struct ivp_digest_stream *stream)
{
	XXH3_128bits_reset((XXH3_state_t *)stream);
}

static int64_t time_of(ivp_digest_loop *loop, const struct ivp_digest_stream *stream, const void *bytes, size_t len)
{
	struct timespec began, ended;
	int64_t best = INT64_MAX, ns;

	for (int i = 0; i < TRIES; i++) {
		struct ivp_digest_stream scratch = *stream;

		clock_gettime(CLOCK_MONOTONIC, &began);
		loop(&scratch, bytes, len);
		clock_gettime(CLOCK_MONOTONIC, &ended);
		ns = (int64_t)(ended.tv_sec - began.tv_sec) * 1000000000 + ended.tv_nsec - began.tv_nsec;
		if (ns < best)
			best = ns;
	}
	return best;
}

/* Vectors, unless plain registers are faster beyond doubt: an emulator plays vectors number by number. */
static ivp_digest_loop *choose(const struct ivp_digest_stream *stream, const void *bytes, size_t len)
{
	ivp_digest_loop *wide = widest();
	int64_t time = time_of(wide, stream, bytes, len);

	return time_of(ivp_digest_add_scalar, stream, bytes, len) <= time / 8 * 7 ? ivp_digest_add_scalar : wide;
}

/* The state is the same whichever code works on it. The choice is made once, by the first piece that is worth it; of two threads
 * that make it at once either may be right. */
void ivp_digest_add(struct ivp_digest_stream *stream, const void *bytes, size_t len)
{
	static _Atomic(ivp_digest_loop *) chosen;
	ivp_digest_loop *loop = atomic_load_explicit(&chosen, memory_order_relaxed);

	if (!loop && len >= TRIED) {
		loop = choose(stream, bytes, TRIED);
		atomic_store_explicit(&chosen, loop, memory_order_relaxed);
	}
	if (!loop)
		loop = widest();
	loop(stream, bytes, len);
}

void ivp_digest_finish(const struct ivp_digest_stream *stream, u8 *digest)
{
	XXH128_canonicalFromHash((XXH128_canonical_t *)digest, XXH3_128bits_digest((const XXH3_state_t *)stream));
}
