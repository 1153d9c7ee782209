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

/* What this processor has, the widest first. xxHash has such a choice of its own, but only in its shared library. */
static size_t loops(ivp_digest_loop *all[3])
{
	size_t count = 0;

#if defined(__x86_64__) && !defined(__CHECKER__) /* sparse knows no processors */
	if (__builtin_cpu_supports("avx512f"))
		all[count++] = ivp_digest_add_avx512;
	if (__builtin_cpu_supports("avx2"))
		all[count++] = ivp_digest_add_avx2;
#endif
	if (!count)
		all[count++] = by_vectors;
	all[count++] = ivp_digest_add_scalar;
	return count;
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

/* The widest, unless another one is faster beyond doubt: an emulator plays vectors number by number. */
static ivp_digest_loop *choose(const struct ivp_digest_stream *stream, const void *bytes, size_t len)
{
	ivp_digest_loop *all[3], *chosen;
	size_t count = loops(all);
	int64_t best = time_of(all[0], stream, bytes, len);

	chosen = all[0];
	for (size_t i = 1; i < count; i++) {
		int64_t time = time_of(all[i], stream, bytes, len);

		if (time > best / 8 * 7)
			continue;
		best = time;
		chosen = all[i];
	}
	return chosen;
}

/* The state is the same whichever code works on it. The choice is made once, by the first piece that is worth it; of two threads
 * that make it at once either may be right. */
void ivp_digest_add(struct ivp_digest_stream *stream, const void *bytes, size_t len)
{
	static _Atomic(ivp_digest_loop *) chosen;
	ivp_digest_loop *loop = atomic_load_explicit(&chosen, memory_order_relaxed), *all[3];

	if (!loop && len >= TRIED) {
		loop = choose(stream, bytes, TRIED);
		atomic_store_explicit(&chosen, loop, memory_order_relaxed);
	}
	if (!loop) {
		loops(all);
		loop = all[0];
	}
	loop(stream, bytes, len);
}

void ivp_digest_finish(const struct ivp_digest_stream *stream, u8 *digest)
{
	XXH128_canonicalFromHash((XXH128_canonical_t *)digest, XXH3_128bits_digest((const XXH3_state_t *)stream));
}
