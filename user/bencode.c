// SPDX-License-Identifier: MIT
#include <errno.h>

#include "value.h"

static int decode(struct ivp_cursor *cursor);

static int number(struct ivp_cursor *cursor)
{
	const struct ivp_values *tree = cursor->tree;
	size_t begin = ++cursor->at;

	while (cursor->at < tree->len && tree->bytes[cursor->at] != 'e')
		cursor->at++;
	if (cursor->at == tree->len)
		return -EPROTO;
	return ivp_values_add_digits(cursor, begin, cursor->at++);
}

static int text(struct ivp_cursor *cursor)
{
	u64 len;
	int ret = ivp_values_length(cursor, ':', &len);

	return ret ? ret : ivp_values_add_text(cursor, len);
}

static int container(struct ivp_cursor *cursor, enum ivp_value_kind kind)
{
	struct ivp_values *tree = cursor->tree;
	int64_t value = ivp_values_add(tree, kind);
	u32 count = 0;
	int ret;

	if (value < 0)
		return (int)value;
	if (++cursor->depth > IVP_VALUES_DEPTH)
		return -E2BIG;
	for (cursor->at++; cursor->at < tree->len && tree->bytes[cursor->at] != 'e'; count++) {
		ret = decode(cursor);
		if (ret)
			return ret;
	}
	if (cursor->at++ >= tree->len || (kind == IVP_VALUE_DICT && count % 2))
		return -EPROTO;
	cursor->depth--;
	tree->values[value].count = kind == IVP_VALUE_DICT ? count / 2 : count;
	tree->values[value].next = tree->count;
	return 0;
}

static int decode(struct ivp_cursor *cursor)
{
	if (cursor->at >= cursor->tree->len)
		return -EPROTO;
	switch (cursor->tree->bytes[cursor->at]) {
	case 'i':
		return number(cursor);
	case 'l':
		return container(cursor, IVP_VALUE_LIST);
	case 'd':
		return container(cursor, IVP_VALUE_DICT);
	default:
		return text(cursor);
	}
}

int ivp_bencode_decode(struct ivp_values *tree, const u8 *bytes, size_t len)
{
	struct ivp_cursor cursor = {.tree = tree};
	int ret;

	tree->bytes = bytes;
	tree->len = len;
	ret = len > UINT32_MAX ? -E2BIG : decode(&cursor);
	return !ret && cursor.at != len ? -EPROTO : ret;
}
