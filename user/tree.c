// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tree.h"

static const char *make_path(char *path, const char *root, const char *format, va_list args)
{
	int len = snprintf(path, IVP_TREE_PATH, "%s/", root);
	int rest = len < IVP_TREE_PATH ? vsnprintf(path + len, (size_t)(IVP_TREE_PATH - len), format, args) : 0;

	if (len + rest >= IVP_TREE_PATH)
		path[0] = '\0';
	return path;
}

const char *ivp_tree_path(char path[IVP_TREE_PATH], const char *root, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	make_path(path, root, format, args);
	va_end(args);
	return path;
}

bool ivp_tree_there(const char *root, const char *format, ...)
{
	char path[IVP_TREE_PATH];
	va_list args;

	va_start(args, format);
	make_path(path, root, format, args);
	va_end(args);
	return !access(path, F_OK);
}

bool ivp_tree_line(const char *path, unsigned int line, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	bool got = file;

	text[0] = '\0';
	for (unsigned int i = 0; got && i <= line; i++)
		got = fgets(text, (int)size, file);
	if (file)
		fclose(file);
	text[got ? strcspn(text, "\n") : 0] = '\0';
	return got;
}

void ivp_tree_link(const char *path, char *text, size_t size)
{
	char target[IVP_TREE_PATH];
	ssize_t len = readlink(path, target, sizeof(target) - 1);
	const char *slash;

	target[len > 0 ? len : 0] = '\0';
	slash = strrchr(target, '/');
	snprintf(text, size, "%s", slash ? slash + 1 : target);
}

/* The line of a table, as of passwd(5) and group(5), that has this name, or this id where there is none. */
static bool find_line(const char *root, const char *table, const char *name, uint32_t id, char *line, size_t size)
{
	char path[IVP_TREE_PATH];
	FILE *file = fopen(ivp_tree_path(path, root, "etc/%s", table), "re");
	bool found = false;

	while (file && !found && fgets(line, (int)size, file)) {
		const char *second = strchr(line, ':'), *third = second ? strchr(second + 1, ':') : NULL;

		if (third)
			found = name ? !strncmp(line, name, strlen(name)) && line[strlen(name)] == ':'
				     : strtoul(third + 1, NULL, 10) == id;
	}
	if (file)
		fclose(file);
	return found;
}

const char *ivp_tree_name(const char *root, const char *table, uint32_t id, char name[32])
{
	char line[512];

	if (find_line(root, table, NULL, id, line, sizeof(line)))
		snprintf(name, 32, "%.*s", (int)strcspn(line, ":"), line);
	else
		snprintf(name, 32, "%u", id);
	return name;
}

int64_t ivp_tree_id(const char *root, const char *table, const char *name)
{
	char line[512];

	if (!find_line(root, table, name, 0, line, sizeof(line)))
		return -1;
	return (int64_t)strtoul(strchr(strchr(line, ':') + 1, ':') + 1, NULL, 10);
}

/* One of a list with commas. */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += len)
		if ((at == list || at[-1] == ',') && (!at[len] || at[len] == ','))
			return true;
	return false;
}

const char *ivp_tree_after(const char *line, unsigned int words)
{
	while (words--) {
		line += strcspn(line, " ");
		line += strspn(line, " ");
	}
	return line;
}

/* The length of this line's mount point, if the path lies below it; else -1. The root's is 0. */
static long below(const char *line, const char *path)
{
	const char *point = ivp_tree_after(line, 1);
	size_t len = strcspn(point, " ");

	if (len == 1)
		return 0;
	return !strncmp(path, point, len) && (path[len] == '/' || !path[len]) ? (long)len : -1;
}

/* The longest mount point that the path begins with, and the last one of its name, is where it lies. */
bool ivp_tree_mounted(const char *root, const char *path, const char *option)
{
	char mounts[IVP_TREE_PATH], line[1024];
	FILE *file = fopen(ivp_tree_path(mounts, root, "proc/self/mounts"), "re");
	long longest = 0;
	bool has = false;

	while (file && fgets(line, sizeof(line), file)) {
		char *options = line + (ivp_tree_after(line, 3) - line);
		long len = below(line, path);

		if (len < longest)
			continue;
		options[strcspn(options, " \n")] = '\0';
		longest = len;
		has = has_word(options, option);
	}
	if (file)
		fclose(file);
	return has;
}

const char *ivp_tree_word(char word[IVP_TREE_WORD], const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+,:@/=";
	char *to = word;

	if (*text && !text[strspn(text, plain)]) {
		snprintf(word, IVP_TREE_WORD, "%s", text);
		return word;
	}
	*to++ = '\'';
	for (; *text && to < word + IVP_TREE_WORD - 6; text++) {
		if (*text == '\'')
			to = stpcpy(to, "'\\'");
		*to++ = *text;
	}
	strcpy(to, "'");
	return word;
}
