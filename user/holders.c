// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "holders.h"

struct search {
	const char *root;
	const struct ivp_held *files;
	size_t count;
	struct ivp_holders *holders;
};

static bool is_said(const struct ivp_holders *holders, size_t file, int pid)
{
	for (size_t i = 0; i < holders->count; i++)
		if (holders->list[i].pid == pid && holders->list[i].file == file)
			return true;
	return false;
}

static void say(struct search *search, size_t file, int pid)
{
	struct ivp_holders *holders = search->holders;
	struct ivp_holder *holder = &holders->list[holders->count];
	char path[IVP_TREE_PATH];

	if (is_said(holders, file, pid))
		return;
	if (holders->count == IVP_HOLDERS) {
		holders->all = false;
		return;
	}
	holders->count++;
	holder->file = file;
	holder->pid = pid;
	ivp_tree_line(ivp_tree_path(path, search->root, "proc/%d/comm", pid), 0, holder->name, sizeof(holder->name));
}

static void match_stat(struct search *search, int pid, const struct stat *st)
{
	for (size_t i = 0; i < search->count; i++)
		if (search->files[i].inode && st->st_ino == search->files[i].inode &&
		    st->st_dev == search->files[i].device)
			say(search, i, pid);
}

/* A descriptor that another process closes meanwhile is none. False: this user may not look. */
static bool look_at_descriptors(struct search *search, int pid)
{
	char path[IVP_TREE_PATH];
	DIR *directory = opendir(ivp_tree_path(path, search->root, "proc/%d/fd", pid));
	struct dirent *entry;
	struct stat st;

	if (!directory)
		return errno == ENOENT || errno == ESRCH;
	while ((entry = readdir(directory)))
		if (isdigit((unsigned char)entry->d_name[0]) && !fstatat(dirfd(directory), entry->d_name, &st, 0))
			match_stat(search, pid, &st);
	closedir(directory);
	return true;
}

/* A mapping stays when its descriptor is closed. The device of a line is not what stat(2) says on every file system: then the path
 * has to be the same. */
static void match_line(struct search *search, int pid, const char *line)
{
	const char *device = ivp_tree_after(line, 3), *name = ivp_tree_after(line, 5);
	ino_t inode = strtoull(ivp_tree_after(line, 4), NULL, 10);
	unsigned int major_number, minor_number;
	char *colon;

	major_number = (unsigned int)strtoul(device, &colon, 16);
	minor_number = *colon == ':' ? (unsigned int)strtoul(colon + 1, NULL, 16) : 0;
	for (size_t i = 0; i < search->count; i++) {
		const struct ivp_held *file = &search->files[i];
		size_t len = strlen(file->path);
		bool named =
			!strncmp(name, file->path, len) && (name[len] == '\n' || !strcmp(name + len, " (deleted)\n"));

		if (file->inode && inode == file->inode &&
		    (named || makedev(major_number, minor_number) == file->device))
			say(search, i, pid);
	}
}

static bool look_at_maps(struct search *search, int pid)
{
	char path[IVP_TREE_PATH], line[IVP_TREE_PATH + 128];
	FILE *file = fopen(ivp_tree_path(path, search->root, "proc/%d/maps", pid), "re");

	if (!file)
		return errno == ENOENT || errno == ESRCH;
	while (fgets(line, sizeof(line), file))
		match_line(search, pid, line);
	fclose(file);
	return true;
}

void ivp_holders_find(const char *root, const struct ivp_held *files, size_t count, struct ivp_holders *holders)
{
	struct search search = {root, files, count, holders};
	char path[IVP_TREE_PATH];
	DIR *directory = opendir(ivp_tree_path(path, root, "proc"));
	struct dirent *entry;

	holders->count = 0;
	holders->all = directory;
	while (directory && count && (entry = readdir(directory))) {
		int pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;

		if (!pid || pid == getpid())
			continue;
		holders->all &= look_at_descriptors(&search, pid);
		holders->all &= look_at_maps(&search, pid);
	}
	if (directory)
		closedir(directory);
}
