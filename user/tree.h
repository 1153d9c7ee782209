/* SPDX-License-Identifier: MIT */
/* tree: small files below a root, which is "" for the system's own and a directory of a test's. Reads, and writes nothing. */
#ifndef IVP_TREE_H
#define IVP_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IVP_TREE_PATH 256

/* Root and the rest; "" where that is too long. */
const char *ivp_tree_path(char path[IVP_TREE_PATH], const char *root, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool ivp_tree_there(const char *root, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The first line; or, with `line`, that one, counted from 0. False, and "", where there is none. */
bool ivp_tree_line(const char *path, unsigned int line, char *text, size_t size);

/* The last part of what a symbolic link points to; "" where there is none. */
void ivp_tree_link(const char *path, char *text, size_t size);

/* From etc/passwd or etc/group alone, not from whatever nsswitch.conf names: the name of an id, or its digits. */
const char *ivp_tree_name(const char *root, const char *table, uint32_t id, char name[32]);
/* -1: no such name. */
int64_t ivp_tree_id(const char *root, const char *table, const char *name);

/* Is the path on a file system that is mounted so ("nodev")? */
bool ivp_tree_mounted(const char *root, const char *path, const char *option);

/* Where the line goes on after so many words and the spaces behind them. */
const char *ivp_tree_after(const char *line, unsigned int words);

/* A word for the shell. */
#define IVP_TREE_WORD (4 * IVP_TREE_PATH + 3)
const char *ivp_tree_word(char word[IVP_TREE_WORD], const char *text);

#endif
