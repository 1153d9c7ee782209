// SPDX-License-Identifier: MIT
#include <errno.h>

#include "rencode.h"
#include "span.h"
#include "value.h"

static int decode(struct ivp_cursor *cursor);

static int add_number(struct ivp_values *tree, enum ivp_value_kind kind, int64_t number)
{
	int64_t value = ivp_values_add(tree, kind);

	if (value < 0)
		return (int)value;
	tree->values[value].number = number;
	return 0;
}

/* The next `bytes` of them, big-endian. */
static int take(struct ivp_cursor *cursor, u32 bytes, u64 *bits)
{
	const struct ivp_values *tree = cursor->tree;

	if (!ivp_span_fits(cursor->at, bytes, tree->len))
		return -EPROTO;
	for (*bits = 0; bytes; bytes--)
		*bits = *bits << 8 | tree->bytes[cursor->at++];
	return 0;
}

static int whole(struct ivp_cursor *cursor, u32 bytes)
{
	unsigned int unused = 64 - 8 * bytes;
	u64 bits;
	int ret = take(cursor, bytes, &bits);

	/* Its topmost bit is the sign. */
	return ret ? ret : add_number(cursor->tree, IVP_VALUE_INT, (int64_t)(bits << unused) >> unused);
}

static int real(struct ivp_cursor *cursor, u32 bytes)
{
	u32 narrow;
	float single;
	u64 bits;
	int ret = take(cursor, bytes, &bits);
	int64_t value = ret ? ret : ivp_values_add(cursor->tree, IVP_VALUE_REAL);

	if (value < 0)
		return (int)value;
	narrow = (u32)bits;
	memcpy(&single, &narrow, sizeof(single));
	if (bytes == sizeof(single))
		cursor->tree->values[value].real = single;
	else
		memcpy(&cursor->tree->values[value].real, &bits, sizeof(bits));
	return 0;
}

static int digits(struct ivp_cursor *cursor)
{
	const struct ivp_values *tree = cursor->tree;
	size_t begin = cursor->at;

	while (cursor->at < tree->len && tree->bytes[cursor->at] != IVP_RENCODE_END)
		cursor->at++;
	if (cursor->at == tree->len)
		return -EPROTO;
	return ivp_values_add_digits(cursor, begin, cursor->at++);
}

/* "5:" before text, and in rencodeplus "5/" before bytes. */
static int text(struct ivp_cursor *cursor)
{
	size_t begin = --cursor->at;
	u64 len;

	if (ivp_values_length(cursor, ':', &len)) {
		cursor->at = begin;
		if (ivp_values_length(cursor, '/', &len))
			return -EPROTO;
	}
	return ivp_values_add_text(cursor, len);
}

/* count: of values, keys among them; negative: up to the end that is said. */
static int container(struct ivp_cursor *cursor, enum ivp_value_kind kind, int64_t count)
{
	struct ivp_values *tree = cursor->tree;
	int64_t value = ivp_values_add(tree, kind), i;
	int ret;

	if (value < 0)
		return (int)value;
	if (++cursor->depth > IVP_VALUES_DEPTH)
		return -E2BIG;
	for (i = 0; i != count; i++) {
		if (count < 0 && cursor->at < tree->len && tree->bytes[cursor->at] == IVP_RENCODE_END) {
			cursor->at++;
			break;
		}
		ret = decode(cursor);
		if (ret)
			return ret;
	}
	if (kind == IVP_VALUE_DICT && i % 2)
		return -EPROTO;
	cursor->depth--;
	tree->values[value].count = (u32)(kind == IVP_VALUE_DICT ? i / 2 : i);
	tree->values[value].next = tree->count;
	return 0;
}

static int decode_marked(struct ivp_cursor *cursor, u8 type)
{
	switch (type) {
	case IVP_RENCODE_F64:
		return real(cursor, 8);
	case IVP_RENCODE_F32:
		return real(cursor, 4);
	case IVP_RENCODE_LIST:
		return container(cursor, IVP_VALUE_LIST, -1);
	case IVP_RENCODE_DICT:
		return container(cursor, IVP_VALUE_DICT, -1);
	case IVP_RENCODE_DIGITS:
		return digits(cursor);
	case IVP_RENCODE_I8:
	case IVP_RENCODE_I16:
	case IVP_RENCODE_I32:
	case IVP_RENCODE_I64:
		return whole(cursor, 1U << (type - IVP_RENCODE_I8));
	case IVP_RENCODE_TRUE:
	case IVP_RENCODE_FALSE:
		return add_number(cursor->tree, IVP_VALUE_BOOL, type == IVP_RENCODE_TRUE);
	case IVP_RENCODE_NONE:
		return add_number(cursor->tree, IVP_VALUE_NONE, 0);
	default:
		return -EPROTO;
	}
}

static int decode(struct ivp_cursor *cursor)
{
	u8 type;

	if (cursor->at >= cursor->tree->len)
		return -EPROTO;
	type = cursor->tree->bytes[cursor->at++];
	if (type >= IVP_RENCODE_LIST_0)
		return container(cursor, IVP_VALUE_LIST, type - IVP_RENCODE_LIST_0);
	if (type >= IVP_RENCODE_TEXT_0)
		return ivp_values_add_text(cursor, type - IVP_RENCODE_TEXT_0);
	if (type >= IVP_RENCODE_DICT_0 && type < IVP_RENCODE_END)
		return container(cursor, IVP_VALUE_DICT, 2 * (type - IVP_RENCODE_DICT_0));
	if (type >= IVP_RENCODE_MINUS_1 && type < IVP_RENCODE_DICT_0)
		return add_number(cursor->tree, IVP_VALUE_INT, IVP_RENCODE_MINUS_1 - 1 - type);
	if (type <= IVP_RENCODE_INT_MOST)
		return add_number(cursor->tree, IVP_VALUE_INT, type);
	if (type >= IVP_RENCODE_LENGTH && type <= IVP_RENCODE_LENGTH_MOST)
		return text(cursor);
	return decode_marked(cursor, type);
}

int ivp_rencode_decode(struct ivp_values *tree, const u8 *bytes, size_t len)
{
	struct ivp_cursor cursor = {.tree = tree};
	int ret;

	tree->bytes = bytes;
	tree->len = len;
	ret = len > UINT32_MAX ? -E2BIG : decode(&cursor);
	return !ret && cursor.at != len ? -EPROTO : ret;
}
