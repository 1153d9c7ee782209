// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#ifndef IVP_NO_SMARTCOLS
#include <libsmartcols.h>
#include <locale.h>
#endif

#include "log.h"
#include "table.h"

/* The longest text of a cell; what is beyond it is cut. */
#define CELL_BYTES 1024

void ivp_table_column(struct ivp_table *table, const char *name, int flags)
{
	assert(table->column_count < IVP_TABLE_COLUMNS && !table->count);
	table->columns[table->column_count].name = name;
	table->columns[table->column_count++].flags = flags;
}

static bool grow(struct ivp_table *table)
{
	size_t room = table->room ? 2 * table->room : 64;
	char **cells = reallocarray(table->cells, room, sizeof(*cells));

	if (!cells)
		return false;
	table->cells = cells;
	table->room = room;
	return true;
}

void ivp_table_cell(struct ivp_table *table, const char *text)
{
	char clean[CELL_BYTES];
	char *copy;

	ivp_log_clean(clean, sizeof(clean), *text ? text : "-", '?');
	copy = strdup(clean);
	if (copy && (table->count < table->room || grow(table))) {
		table->cells[table->count++] = copy;
		return;
	}
	free(copy);
	table->no_memory = true;
}

void ivp_table_free(struct ivp_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	memset(table, 0, sizeof(*table));
}

#ifndef IVP_NO_SMARTCOLS
static int fill(const struct ivp_table *table, struct libscols_table *to)
{
	struct libscols_line *line = NULL;

	for (size_t i = 0; i < table->column_count; i++) {
		int flags = table->columns[i].flags;

		if (!scols_table_new_column(to, table->columns[i].name, 0,
					    (flags & IVP_TABLE_RIGHT ? SCOLS_FL_RIGHT : 0) |
						    (flags & IVP_TABLE_CUT ? SCOLS_FL_TRUNC : 0)))
			return -ENOMEM;
	}
	for (size_t i = 0; i < table->count; i++) {
		size_t column = i % table->column_count;

		if (!column)
			line = scols_table_new_line(to, NULL);
		if (!line || scols_line_refer_data(line, column, strdup(table->cells[i])))
			return -ENOMEM;
	}
	return 0;
}

static int print(struct libscols_table *to, const struct ivp_table_style *style, FILE *out)
{
	scols_table_set_stream(to, out);
	scols_table_enable_noheadings(to, style->no_headings);
	scols_table_enable_raw(to, style->raw);
	/* What the locale has no character for is written \xNN. Without that (noencoding) 2.38 goes round for ever at such a byte. */
	setlocale(LC_CTYPE, "");
	scols_table_set_termforce(to, style->width ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
	if (style->width)
		scols_table_set_termwidth(to, style->width);
	return scols_print_table(to);
}

int ivp_table_print(const struct ivp_table *table, const struct ivp_table_style *style, FILE *out)
{
	struct libscols_table *to = scols_new_table();
	int ret = !to || table->no_memory ? -ENOMEM : fill(table, to);

	if (!ret)
		ret = print(to, style, out);
	scols_unref_table(to);
	return ret ? -ENOMEM : 0;
}
#else
/* Characters, of which UTF-8 has up to four bytes in each. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

static void print_raw(const char *text, FILE *out)
{
	for (; *text; text++)
		fprintf(out, *text <= ' ' || *text > '~' || *text == '\\' ? "\\x%02x" : "%c", (unsigned char)*text);
}

static const char *text_of(const struct ivp_table *table, size_t row, size_t column)
{
	return row ? table->cells[(row - 1) * table->column_count + column] : table->columns[column].name;
}

static size_t widest(const struct ivp_table *table, size_t column, size_t first, size_t rows)
{
	size_t most = 0;

	for (size_t row = first; row <= rows; row++)
		if (width_of(text_of(table, row, column)) > most)
			most = width_of(text_of(table, row, column));
	return most;
}

static void print_cell(const struct ivp_table *table, size_t row, size_t column, size_t wide, FILE *out)
{
	const char *text = text_of(table, row, column);
	int blanks = (int)(wide - width_of(text));

	if (table->columns[column].flags & IVP_TABLE_RIGHT)
		fprintf(out, "%*s%s", blanks, "", text);
	else
		fprintf(out, "%s%*s", text, column + 1 < table->column_count ? blanks : 0, "");
}

int ivp_table_print(const struct ivp_table *table, const struct ivp_table_style *style, FILE *out)
{
	size_t first = style->no_headings, rows = table->count / table->column_count, wide[IVP_TABLE_COLUMNS];

	if (table->no_memory)
		return -ENOMEM;
	if (!table->count)
		return 0;
	for (size_t i = 0; i < table->column_count; i++)
		wide[i] = widest(table, i, 0, rows);
	for (size_t row = first; row <= rows; row++)
		for (size_t i = 0; i < table->column_count; i++) {
			if (style->raw)
				print_raw(text_of(table, row, i), out);
			else
				print_cell(table, row, i, wide[i], out);
			fputc(i + 1 < table->column_count ? ' ' : '\n', out);
		}
	return 0;
}
#endif
