/* SPDX-License-Identifier: MIT */
/* made: files, directories and regions below a made-up root. */
#ifndef IVP_MADE_H
#define IVP_MADE_H

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format.h"
#include "superblock.h"
#include "tree.h"

static char top[] = "/tmp/ivpipe-made.XXXXXX";
static char root[IVP_TREE_PATH];

static const char *at(const char *path)
{
	static char full[4][PATH_MAX];
	static int next;
	char *to = full[next++ % 4];

	snprintf(to, PATH_MAX, "%s/%s", root, path);
	return to;
}

/* Whatever lies above it, too. */
static void directories(const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s", at(path));
	for (char *slash = full + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		mkdir(full, 0755);
	}
}

static void bytes(const char *path, const void *from, size_t len, off_t size)
{
	int fd;

	directories(path);
	fd = open(at(path), O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, from, len) != (ssize_t)len || ftruncate(fd, size) || fchmod(fd, 0644))
		abort();
	close(fd);
}

static void text(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void text(const char *path, const char *format, ...)
{
	char line[4096];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	bytes(path, line, (size_t)len, len);
}

/* Of the memory. Root's own would be taken for one that nobody was put into. */
static gid_t group(void)
{
	return geteuid() ? getegid() : 104;
}

/* Laid out for `laid` bytes. */
static void region(const char *path, off_t laid, off_t size)
{
	struct ivp_superblock sb;

	if (ivp_superblock_lay(&sb, (u64)laid, 0, 0))
		abort();
	sb.format_id = 42;
	sb.checksum = ivp_superblock_sum(&sb);
	bytes(path, &sb, sizeof(sb), size);
	if (chown(at(path), (uid_t)-1, group()) || chmod(at(path), 0660))
		abort();
}

static inline void gone(const char *path)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -rf '%s'", at(path));
	if (system(command))
		abort();
}

#endif
