// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "span.h"
#include "value.h"

/* Of a number of 512 bytes. */
#define DIGITS_MAX 1234

void ivp_values_drop(struct ivp_values *tree)
{
	free(tree->values);
	*tree = (struct ivp_values){0};
}

/* ---- growing ---- */

int64_t ivp_values_add(struct ivp_values *tree, enum ivp_value_kind kind)
{
	if (tree->count == tree->room) {
		u32 room = tree->room ? 2 * tree->room : 64;
		struct ivp_value *values;

		if (room > IVP_VALUES_MAX)
			return -E2BIG;
		values = realloc(tree->values, room * sizeof(*values));
		if (!values)
			return -ENOMEM;
		tree->values = values;
		tree->room = room;
	}
	tree->values[tree->count] = (struct ivp_value){.kind = kind, .next = tree->count + 1};
	return tree->count++;
}

static int add_text(struct ivp_values *tree, enum ivp_value_kind kind, size_t at, u64 len)
{
	int64_t value = ivp_values_add(tree, kind);

	if (value < 0)
		return (int)value;
	tree->values[value].text.at = (u32)at;
	tree->values[value].text.len = (u32)len;
	return 0;
}

int ivp_values_add_text(struct ivp_cursor *cursor, u64 len)
{
	int ret;

	if (!ivp_span_fits(cursor->at, len, cursor->tree->len))
		return -EPROTO;
	ret = add_text(cursor->tree, IVP_VALUE_TEXT, cursor->at, len);
	cursor->at += len;
	return ret;
}

static bool is_digit(u8 byte)
{
	return byte >= '0' && byte <= '9';
}

int ivp_values_add_digits(struct ivp_cursor *cursor, size_t at, size_t end)
{
	const u8 *bytes = cursor->tree->bytes;
	bool negative = at < end && bytes[at] == '-', big = false;
	int64_t number = 0, value;

	if (at + negative == end)
		return -EPROTO;
	for (size_t i = at + negative; i < end; i++) {
		int digit = bytes[i] - '0';

		if (!is_digit(bytes[i]))
			return -EPROTO;
		big = big || __builtin_mul_overflow(number, 10, &number) ||
		      __builtin_add_overflow(number, negative ? -digit : digit, &number);
	}
	if (big)
		return add_text(cursor->tree, IVP_VALUE_BIG, at, end - at);
	value = ivp_values_add(cursor->tree, IVP_VALUE_INT);
	if (value < 0)
		return (int)value;
	cursor->tree->values[value].number = number;
	return 0;
}

int ivp_values_length(struct ivp_cursor *cursor, u8 stop, u64 *len)
{
	const struct ivp_values *tree = cursor->tree;
	size_t begin = cursor->at;

	for (*len = 0; cursor->at < tree->len && is_digit(tree->bytes[cursor->at]); cursor->at++) {
		*len = *len * 10 + (u64)(tree->bytes[cursor->at] - '0');
		if (*len > tree->len)
			return -EPROTO;
	}
	if (cursor->at == begin || cursor->at == tree->len || tree->bytes[cursor->at] != stop)
		return -EPROTO;
	cursor->at++;
	return 0;
}

/* ---- looking ---- */

static const struct ivp_value *after(const struct ivp_values *tree, const struct ivp_value *value)
{
	return tree->values + value->next;
}

const struct ivp_value *ivp_values_item(const struct ivp_values *tree, const struct ivp_value *list, u32 number)
{
	const struct ivp_value *item;

	if (!list || list->kind != IVP_VALUE_LIST || number >= list->count)
		return NULL;
	item = list + 1;
	while (number--)
		item = after(tree, item);
	return item;
}

const struct ivp_value *ivp_values_get(const struct ivp_values *tree, const struct ivp_value *dict, const char *key)
{
	const struct ivp_value *name, *value;

	if (!dict || dict->kind != IVP_VALUE_DICT)
		return NULL;
	name = dict + 1;
	for (u32 i = 0; i < dict->count; i++) {
		value = after(tree, name);
		if (ivp_value_is(tree, name, key))
			return value;
		name = after(tree, value);
	}
	return NULL;
}

bool ivp_value_is(const struct ivp_values *tree, const struct ivp_value *value, const char *text)
{
	return value && value->kind == IVP_VALUE_TEXT && value->text.len == strlen(text) &&
	       !memcmp(tree->bytes + value->text.at, text, value->text.len);
}

bool ivp_value_true(const struct ivp_value *value)
{
	if (!value)
		return false;
	switch (value->kind) {
	case IVP_VALUE_NONE:
		return false;
	case IVP_VALUE_BOOL:
	case IVP_VALUE_INT:
		return value->number != 0;
	case IVP_VALUE_REAL:
		return value->real != 0;
	case IVP_VALUE_TEXT:
	case IVP_VALUE_BIG:
		return value->text.len != 0;
	default:
		return value->count != 0;
	}
}

int64_t ivp_value_int(const struct ivp_value *value, int64_t otherwise)
{
	return value && (value->kind == IVP_VALUE_INT || value->kind == IVP_VALUE_BOOL) ? value->number : otherwise;
}

void ivp_value_text(const struct ivp_values *tree, const struct ivp_value *value, char *to, size_t size)
{
	size_t len = value && value->kind == IVP_VALUE_TEXT ? value->text.len : 0;

	if (len >= size)
		len = size - 1;
	if (len)
		memcpy(to, tree->bytes + value->text.at, len);
	to[len] = '\0';
}

/* to = to * 10 + digit; false if it does not fit. */
static bool push_digit(u8 *to, u32 bytes, unsigned int digit)
{
	for (u32 i = 0; i < bytes; i++) {
		unsigned int sum = to[i] * 10U + digit;

		to[i] = (u8)sum;
		digit = sum >> 8;
	}
	return !digit;
}

int ivp_value_bytes(const struct ivp_values *tree, const struct ivp_value *value, u8 *to, u32 bytes)
{
	const u8 *digits;

	memset(to, 0, bytes);
	if (!value || (value->kind != IVP_VALUE_INT && value->kind != IVP_VALUE_BIG))
		return -EINVAL;
	if (value->kind == IVP_VALUE_INT) {
		u64 number = (u64)value->number;

		for (u32 i = 0; i < bytes && i < sizeof(number); i++)
			to[i] = (u8)(number >> 8 * i);
		return value->number < 0 || (bytes < sizeof(number) && number >> 8 * bytes) ? -ERANGE : 0;
	}
	digits = tree->bytes + value->text.at;
	if (digits[0] == '-' || value->text.len > DIGITS_MAX)
		return -ERANGE;
	for (u32 i = 0; i < value->text.len; i++)
		if (!push_digit(to, bytes, digits[i] - '0'))
			return -ERANGE;
	return 0;
}
