/* SPDX-License-Identifier: MIT */
/* digest: XXH3-128 over a stream of bytes, by xxHash, in the way that is fastest on this processor. */
#ifndef IVP_DIGEST_H
#define IVP_DIGEST_H

#include "deps.h"

#define IVP_DIGEST_BYTES 16

/* xxHash's XXH3_state_t, 64-byte aligned. */
struct ivp_digest_stream {
	u8 state[576] __attribute__((aligned(64)));
};

void ivp_digest_start(struct ivp_digest_stream *stream);
void ivp_digest_add(struct ivp_digest_stream *stream, const void *bytes, size_t len);
/* The digest so far, in canonical (big-endian) form: 16 bytes. More may be added. */
void ivp_digest_finish(const struct ivp_digest_stream *stream, u8 *digest);

/* digest_avx512.c, digest_avx2.c, digest_scalar.c: the same as _add(), for processors that have AVX-512, or AVX2, and for all. */
typedef void ivp_digest_loop(struct ivp_digest_stream *stream, const void *bytes, size_t len);
ivp_digest_loop ivp_digest_add_avx512, ivp_digest_add_avx2, ivp_digest_add_scalar;

#endif
