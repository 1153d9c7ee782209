/* SPDX-License-Identifier: MIT */
/* fuzz: what every target includes: the bytes of one run, taken from the front, and what must hold whatever they are. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "deps.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof(*(array)))

/* libFuzzer calls the first once, where there is one, and the second for each run. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Not assert(): that would be gone with NDEBUG, and say nothing where standard error is cut. */
#define require(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			fuzz_found(#condition, __FILE__, __LINE__);                                                    \
	} while (0)

__attribute__((noreturn)) static inline void fuzz_found(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

/* Where it ends there come zeros, so that a short input is a whole one. */
struct input {
	const u8 *at;
	size_t left;
};

static inline void input_copy(struct input *input, void *to, size_t len)
{
	size_t there = len < input->left ? len : input->left;

	memset(to, 0, len);
	if (there)
		memcpy(to, input->at, there);
	input->at += there;
	input->left -= there;
}

static inline u8 input_byte(struct input *input)
{
	u8 byte;

	input_copy(input, &byte, sizeof(byte));
	return byte;
}

static inline u64 input_u64(struct input *input)
{
	u64 value;

	input_copy(input, &value, sizeof(value));
	return value;
}

/* Below `bound`, which is not 0 and at most 2^16. */
static inline u32 input_below(struct input *input, u32 bound)
{
	u32 value = input_byte(input);

	if (bound > 256)
		value |= (u32)input_byte(input) << 8;
	return value % bound;
}

/* One of the numbers at which sums and shifts go wrong, or any. */
static inline u64 input_number(struct input *input)
{
	u8 shape = input_byte(input);

	switch (shape >> 6) {
	case 0:
		return input_below(input, 1 << 16);
	case 1:
		return (1ULL << shape % 64) + (u64)(int64_t)(int8_t)input_byte(input);
	case 2:
		return 0 - (u64)input_below(input, 1 << 16);
	default:
		return input_u64(input);
	}
}

/* What comes up to a NUL, of its exact size, which the address sanitiser watches. The caller's to free. */
static inline char *input_text(struct input *input)
{
	size_t len = input->left ? strnlen((const char *)input->at, input->left) : 0;
	char *text = malloc(len + 1);

	require(text);
	input_copy(input, text, len);
	text[len] = '\0';
	input_byte(input);
	return text;
}

#endif
