// SPDX-License-Identifier: MIT
/* Every loop has the same state after the same bytes, however they were cut, and whichever had those before. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "digest.h"
#include "unit.h"

#define BYTES 70000

static u8 bytes[BYTES];

static void fill(void)
{
	u32 state = 1;

	for (size_t i = 0; i < BYTES; i++) {
		state = state * 1664525 + 1013904223;
		bytes[i] = (u8)(state >> 24);
	}
}

static void is_as_of_one_piece(const struct ivp_digest_stream *stream, size_t len)
{
	XXH128_canonical_t wanted;
	u8 digest[IVP_DIGEST_BYTES];

	XXH128_canonicalFromHash(&wanted, XXH3_128bits(bytes, len));
	ivp_digest_finish(stream, digest);
	assert_memory_equal(digest, &wanted, sizeof(digest));
}

/* Those of this processor; the way that it has chosen is one of them, and another one elsewhere. */
static size_t loops(ivp_digest_loop *all[4])
{
	size_t count = 0;

	all[count++] = ivp_digest_add;
	all[count++] = ivp_digest_add_scalar;
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2"))
		all[count++] = ivp_digest_add_avx2;
	if (__builtin_cpu_supports("avx512f"))
		all[count++] = ivp_digest_add_avx512;
#endif
	return count;
}

static void of_every_length(void **state)
{
	struct ivp_digest_stream stream;
	ivp_digest_loop *all[4];
	size_t count = loops(all);

	(void)state;
	for (size_t len = 0; len < BYTES; len += len < 1500 ? 1 : 997)
		for (size_t i = 0; i < count; i++) {
			ivp_digest_start(&stream);
			all[i](&stream, bytes, len);
			is_as_of_one_piece(&stream, len);
		}
}

static void by_turns(void **state)
{
	struct ivp_digest_stream stream;
	ivp_digest_loop *all[4];
	size_t at = 0, turn = 0, count = loops(all);

	(void)state;
	ivp_digest_start(&stream);
	for (size_t len = 1; at + len < BYTES; at += len, len = len * 3 % 4099, turn++) {
		all[turn % count](&stream, bytes + at, len);
		is_as_of_one_piece(&stream, at + len);
	}
	assert_true(turn > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_every_length),
		cmocka_unit_test(by_turns),
	};

	fill();
	return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
