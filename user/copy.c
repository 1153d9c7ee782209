// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <time.h>
#if defined(__x86_64__) && !defined(__CHECKER__) /* sparse knows no processors */
#include <smmintrin.h>
#define X86
#endif

#include "copy.h"

/* Each way is tried so often, if that does not take long, and the best time counts: the first one meets cold caches, and code that
 * is yet to be translated. */
#define TRIES    3
#define TRIES_NS 500000

/* No further way is tried then. */
#define BUDGET_NS 4000000

static void by_libc(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
}

/* One word through a register. The compiler would make vectors of them, or memcpy() again: it is kept from knowing what they hold. */
static inline void move_word(u8 *sink, const u8 *source)
{
	u64 word;

	memcpy(&word, source, sizeof(word));
	__asm__ __volatile__("" : "+r"(word));
	memcpy(sink, &word, sizeof(word));
}

/* Eight a turn: where an emulator plays it, counting costs as much as moving. */
static void by_words(void *to, const void *from, size_t len)
{
	const u8 *source = from;
	u8 *sink = to;

	for (; len >= 64; len -= 64, source += 64, sink += 64) {
		move_word(sink, source);
		move_word(sink + 8, source + 8);
		move_word(sink + 16, source + 16);
		move_word(sink + 24, source + 24);
		move_word(sink + 32, source + 32);
		move_word(sink + 40, source + 40);
		move_word(sink + 48, source + 48);
		move_word(sink + 56, source + 56);
	}
	memcpy(sink, source, len);
}

#ifdef X86
static void by_movsq(void *to, const void *from, size_t len)
{
	size_t words = len / 8;

	__asm__ __volatile__("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	memcpy(to, from, len % 8);
}

static void by_movsb(void *to, const void *from, size_t len)
{
	__asm__ __volatile__("rep movsb" : "+D"(to), "+S"(from), "+c"(len) : : "memory");
}

static bool streams(void)
{
	return __builtin_cpu_supports("sse4.1");
}

/* Whole lines at once from write-combining memory, which any other load reads in its own few bytes. */
__attribute__((target("sse4.1"))) static void by_streaming(void *to, const void *from, size_t len)
{
	size_t head = -(uintptr_t)from & 15;
	const u8 *source = from;
	u8 *sink = to;

	if (head > len)
		head = len;
	memcpy(sink, source, head);
	source += head, sink += head, len -= head;
	for (; len >= 64; len -= 64, source += 64, sink += 64) {
		__m128i line[4];

		for (int i = 0; i < 4; i++)
			line[i] = _mm_stream_load_si128((__m128i *)(uintptr_t)source + i);
		for (int i = 0; i < 4; i++)
			_mm_storeu_si128((__m128i *)sink + i, line[i]);
	}
	memcpy(sink, source, len);
}
#endif

const struct ivp_copier *ivp_copiers(size_t *count)
{
	static const struct ivp_copier all[] = {
		{.name = "memcpy", .copy = by_libc},
		{.name = "words", .copy = by_words, .few = 512},
#ifdef X86
		{.name = "streaming loads", .copy = by_streaming, .there = streams, .combined = true, .few = 512},
		{.name = "rep movsq", .copy = by_movsq, .few = 512},
		{.name = "rep movsb", .copy = by_movsb, .whole = true, .few = 2048},
#endif
	};

	*count = sizeof(all) / sizeof(all[0]);
	return all;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t time_of(const struct ivp_copier *copier, void *to, const void *from, size_t len)
{
	int64_t best = INT64_MAX, began = now_ns(), deadline = began + TRIES_NS;

	for (int i = 0; i < TRIES && began < deadline; i++) {
		int64_t ended;

		copier->copy(to, from, len);
		ended = now_ns();
		if (ended - began < best)
			best = ended - began;
		began = ended;
	}
	return best;
}

const struct ivp_copier *ivp_copy_choose(const struct ivp_copier *copiers, size_t count, bool combined, void *to,
					 const void *from, size_t len)
{
	int64_t deadline = now_ns() + BUDGET_NS, first = time_of(copiers, to, from, len), best = first;
	const struct ivp_copier *chosen = copiers;

	for (size_t i = 1; i < count; i++) {
		int64_t time;

		if (now_ns() >= deadline)
			break;
		if ((copiers[i].combined && !combined) || (copiers[i].there && !copiers[i].there()))
			continue;
		time = time_of(&copiers[i], to, from, len);
		/* A little less is noise, and the library's is at home in every length. */
		if (time < best && time <= first / 3 * 2) {
			best = time;
			chosen = &copiers[i];
		} else if (copiers[i].whole && chosen == copiers && time <= first / 4 * 5) {
			chosen = &copiers[i];
		}
	}
	return chosen;
}
