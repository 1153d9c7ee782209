/* SPDX-License-Identifier: MIT */
/*
 * value: what a packet of Xpra's says: numbers, strings, lists and dictionaries, in the order in which they came. Strings are not copied:
 * they lie in the bytes that were decoded, which have to stay. The peer's words: of any depth, number and length up to a limit.
 */
#ifndef IVP_VALUE_H
#define IVP_VALUE_H

#include "deps.h"

#define IVP_VALUES_DEPTH 32        /* lists in lists */
#define IVP_VALUES_MAX   (1 << 18) /* 4 MiB of them; a client's hello has some thousands */

enum ivp_value_kind {
	IVP_VALUE_NONE,
	IVP_VALUE_BOOL,
	IVP_VALUE_INT,
	IVP_VALUE_BIG, /* a whole number beyond 64 bits: its decimal digits */
	IVP_VALUE_REAL,
	IVP_VALUE_TEXT, /* bytes or UTF-8: not every encoding knows the difference */
	IVP_VALUE_LIST,
	IVP_VALUE_DICT, /* keys and values in turn */
};

struct ivp_value {
	enum ivp_value_kind kind;
	u32 next; /* the number of the value after this one and all that is in it */
	union {
		int64_t number; /* of a bool, too */
		double real;
		struct {
			u32 at, len;
		} text;    /* of a big number, too */
		u32 count; /* items of a list, pairs of a dictionary */
	};
};
ivp_assert(sizeof(struct ivp_value) == 16);

struct ivp_values {
	const u8 *bytes;
	size_t len;
	struct ivp_value *values; /* the first is the root */
	u32 count, room;
};

/* Decode all of it; trees begin zeroed, and are dropped in any case. -EPROTO: it is not well-formed; -E2BIG: too deep or too many;
 * -ENOMEM. bencode is that of Xpra 3 to 5, rencode both the old one and rencodeplus of 4 to 6. */
int ivp_bencode_decode(struct ivp_values *tree, const u8 *bytes, size_t len);
int ivp_rencode_decode(struct ivp_values *tree, const u8 *bytes, size_t len);
void ivp_values_drop(struct ivp_values *tree);

/* For the decoders: where to go on, and how deep it is. */
struct ivp_cursor {
	struct ivp_values *tree;
	size_t at;
	int depth;
};
/* The value's number, or a negative errno. */
int64_t ivp_values_add(struct ivp_values *tree, enum ivp_value_kind kind);
/* A string of `len` bytes that begins at the cursor, which goes past it. */
int ivp_values_add_text(struct ivp_cursor *cursor, u64 len);
/* A whole number whose digits are [at, end) of the bytes. */
int ivp_values_add_digits(struct ivp_cursor *cursor, size_t at, size_t end);
/* The digits up to `stop`, as a length; the cursor goes past it. No more than the bytes that are left. */
int ivp_values_length(struct ivp_cursor *cursor, u8 stop, u64 *len);

/* NULL where there is none. A list's item; a dictionary's value. Both take NULL for what they look into. */
const struct ivp_value *ivp_values_item(const struct ivp_values *tree, const struct ivp_value *list, u32 number);
const struct ivp_value *ivp_values_get(const struct ivp_values *tree, const struct ivp_value *dict, const char *key);

bool ivp_value_is(const struct ivp_values *tree, const struct ivp_value *value, const char *text);
/* As Python has it: not zero, not empty, not None. */
bool ivp_value_true(const struct ivp_value *value);
int64_t ivp_value_int(const struct ivp_value *value, int64_t otherwise);
/* Copied and cut, always with a NUL; "" for what is no string. */
void ivp_value_text(const struct ivp_values *tree, const struct ivp_value *value, char *to, size_t size);
/* A whole number as `bytes` bytes, the least significant first. -ERANGE: negative, or it has more; -EINVAL: none. */
int ivp_value_bytes(const struct ivp_values *tree, const struct ivp_value *value, u8 *to, u32 bytes);

#endif
