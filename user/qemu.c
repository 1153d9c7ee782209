// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "qemu.h"

/* Enough for any machine that somebody started. */
#define LINE_BYTES (128 * 1024)

struct line {
	char *bytes;
	size_t len;
};

/* A comma in a value is written twice. */
static void copy_plain(char *to, size_t size, const char *from)
{
	size_t used = 0;

	for (; *from && used + 1 < size; from++) {
		if (*from == ',' && *++from != ',')
			break;
		to[used++] = *from;
	}
	to[used] = '\0';
}

static void copy_json(char *to, size_t size, const char *from)
{
	from += strspn(from, ": \"");
	snprintf(to, size, "%.*s", (int)strcspn(from, "\",}"), from);
}

/* A value out of "driver,key=value,...", or of {"key": value, ...} as libvirt says it. */
static bool value_of(const char *arg, const char *key, char *value, size_t size)
{
	size_t len = strlen(key);
	bool json = arg[0] == '{';

	value[0] = '\0';
	for (const char *at = arg; (at = strstr(at, key)); at += len) {
		if (at == arg || at[-1] != (json ? '"' : ',') || at[len] != (json ? '"' : '='))
			continue;
		if (json)
			copy_json(value, size, at + len + 1);
		else
			copy_plain(value, size, at + len + 1);
		return true;
	}
	return false;
}

static bool is_device(const char *arg)
{
	char driver[32];

	if (arg[0] == '{')
		return value_of(arg, "driver", driver, sizeof(driver)) && !strcmp(driver, "ivshmem-plain");
	return !strncmp(arg, "ivshmem-plain,", 14);
}

static bool read_object(const struct line *line, const char *id, struct ivp_qemu *qemu)
{
	char text[64];

	for (const char *arg = line->bytes; arg < line->bytes + line->len; arg += strlen(arg) + 1) {
		if (!value_of(arg, "id", text, sizeof(text)) || strcmp(text, id) ||
		    !value_of(arg, "mem-path", qemu->memory, sizeof(qemu->memory)) || qemu->memory[0] != '/')
			continue;
		value_of(arg, "share", text, sizeof(text));
		qemu->share = !strcmp(text, "on") || !strcmp(text, "yes") || !strcmp(text, "true");
		if (!value_of(arg, "size", text, sizeof(text)) || ivp_options_size(text, &qemu->size))
			qemu->size = 0;
		return true;
	}
	return false;
}

/* Which file it is by now: the name may have gone to another one since. */
static void read_maps(const char *root, struct ivp_qemu *qemu)
{
	char path[IVP_TREE_PATH], text[512];
	FILE *file = fopen(ivp_tree_path(path, root, "proc/%d/maps", qemu->pid), "re");
	size_t len = strlen(qemu->memory);

	while (file && !qemu->maps_known && fgets(text, sizeof(text), file)) {
		const char *name = ivp_tree_after(text, 5);

		qemu->maps_seen = true;
		if (strncmp(name, qemu->memory, len))
			continue;
		qemu->shared = !strncmp(ivp_tree_after(text, 1), "rw-s", 4);
		qemu->inode = strtoull(ivp_tree_after(text, 4), NULL, 10);
		qemu->deleted = !strcmp(name + len, " (deleted)\n");
		qemu->maps_known = qemu->deleted || name[len] == '\n';
	}
	if (file)
		fclose(file);
}

static bool read_line(const char *root, int pid, struct line *line)
{
	char path[IVP_TREE_PATH];
	FILE *file = fopen(ivp_tree_path(path, root, "proc/%d/cmdline", pid), "re");

	line->len = file ? fread(line->bytes, 1, LINE_BYTES - 1, file) : 0;
	line->bytes[line->len] = '\0';
	if (file)
		fclose(file);
	return line->len;
}

/* -name VM, or -name guest=VM,... */
static void read_name(const struct line *line, char *name, size_t size)
{
	const char *end = line->bytes + line->len;

	name[0] = '\0';
	for (const char *arg = line->bytes; arg < end; arg += strlen(arg) + 1) {
		const char *value = arg + strlen(arg) + 1;

		if ((strcmp(arg, "-name") && strcmp(arg, "--name")) || value >= end)
			continue;
		if (!value_of(value, "guest", name, size))
			copy_plain(name, size, !strncmp(value, "guest=", 6) ? value + 6 : value);
		return;
	}
}

static bool has_virtiofs(const struct line *line)
{
	return memmem(line->bytes, line->len, "vhost-user-fs", 13);
}

static size_t read_process(const char *root, int pid, struct line *line, struct ivp_qemu *list, size_t room)
{
	size_t count = 0;
	char id[64];

	if (!read_line(root, pid, line))
		return 0;
	for (const char *arg = line->bytes; arg < line->bytes + line->len && count < room; arg += strlen(arg) + 1) {
		struct ivp_qemu *qemu = &list[count];

		if (!is_device(arg) || !value_of(arg, "memdev", id, sizeof(id)))
			continue;
		*qemu = (struct ivp_qemu){.pid = pid, .virtiofs = has_virtiofs(line)};
		if (!read_object(line, id, qemu))
			continue;
		read_name(line, qemu->name, sizeof(qemu->name));
		read_maps(root, qemu);
		count++;
	}
	return count;
}

size_t ivp_qemu_find(const char *root, struct ivp_qemu *list, size_t room)
{
	char path[IVP_TREE_PATH];
	struct line line = {.bytes = malloc(LINE_BYTES)};
	DIR *directory = opendir(ivp_tree_path(path, root, "proc"));
	struct dirent *entry;
	size_t count = 0;

	while (line.bytes && directory && count < room && (entry = readdir(directory)))
		if (isdigit((unsigned char)entry->d_name[0]))
			count += read_process(root, atoi(entry->d_name), &line, list + count, room - count);
	if (directory)
		closedir(directory);
	free(line.bytes);
	return count;
}
