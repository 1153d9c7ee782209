/* SPDX-License-Identifier: MIT */
/* xpra_tree: what has to hold of whatever a decoder took: each value ends where the next begins, and strings lie in the bytes. */
#ifndef XPRA_TREE_H
#define XPRA_TREE_H

#include <stdlib.h>

#include "value.h"

#define HOLD(condition) ((condition) ? (void)0 : abort())

/* The number of the value after this one. */
static inline u32 tree_walk(const struct ivp_values *tree, u32 number, int depth)
{
	const struct ivp_value *value = &tree->values[number];
	u64 parts = 0;

	HOLD(depth <= IVP_VALUES_DEPTH && number < tree->count && value->next > number && value->next <= tree->count);
	if (value->kind == IVP_VALUE_TEXT || value->kind == IVP_VALUE_BIG)
		HOLD(value->text.at <= tree->len && value->text.len <= tree->len - value->text.at);
	if (value->kind == IVP_VALUE_LIST || value->kind == IVP_VALUE_DICT)
		parts = value->kind == IVP_VALUE_LIST ? value->count : 2ULL * value->count;
	for (number++; parts; parts--)
		number = tree_walk(tree, number, depth + 1);
	HOLD(number == value->next);
	return number;
}

static inline void tree_check(const struct ivp_values *tree)
{
	const struct ivp_value *root = tree->values;
	u8 token[512];
	char text[64];

	HOLD(tree->count && tree->count <= IVP_VALUES_MAX);
	HOLD(tree_walk(tree, 0, 0) == tree->count);
	for (u32 i = 0; i < tree->count; i++) {
		ivp_value_text(tree, &tree->values[i], text, sizeof(text));
		HOLD(memchr(text, '\0', sizeof(text)));
		if (i < 64)
			ivp_value_bytes(tree, &tree->values[i], token, i % 2 ? sizeof(token) : 16);
	}
	ivp_values_get(tree, root, "mmap");
	ivp_values_get(tree, ivp_values_item(tree, root, 1), "mmap");
}

#endif
