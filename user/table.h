/* SPDX-License-Identifier: MIT */
/* table: cells of text in columns, as libsmartcols prints them; or, where that was left out of the build, the same by hand. */
#ifndef IVP_TABLE_H
#define IVP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define IVP_TABLE_COLUMNS 32

enum {
	IVP_TABLE_RIGHT = 1 << 0,
	IVP_TABLE_CUT = 1 << 1, /* may be cut on a terminal that is too narrow */
};

struct ivp_table {
	struct {
		const char *name;
		int flags;
	} columns[IVP_TABLE_COLUMNS];
	size_t column_count;
	char **cells; /* row by row */
	size_t count, room;
	bool no_memory;
};

/* All columns first; then cell after cell, which may hold anything and is cleaned; "" becomes a dash. */
void ivp_table_column(struct ivp_table *table, const char *name, int flags);
void ivp_table_cell(struct ivp_table *table, const char *text);

/* width: of the terminal; 0: it is none. Raw: columns are not aligned, and blanks in cells written \x20. 0, or -ENOMEM. */
struct ivp_table_style {
	size_t width;
	bool no_headings, raw;
};
int ivp_table_print(const struct ivp_table *table, const struct ivp_table_style *style, FILE *out);
void ivp_table_free(struct ivp_table *table);

#endif
