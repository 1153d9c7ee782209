// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli.h"
#include "error.h"
#include "region.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

/* Of the target's name, in that of the temporary file, so that the two together stay below NAME_MAX. */
#define BASE_MAX 200

static bool is_standard(const char *spec)
{
	return !spec || !strcmp(spec, "-");
}

/* Names of a descriptor rather than of a file: what is behind them must not be replaced. */
static bool is_descriptor(const char *path)
{
	return !strncmp(path, "/dev/fd/", 8) || !strncmp(path, "/proc/", 6) || !strcmp(path, "/dev/stdout") ||
	       !strcmp(path, "/dev/stderr");
}

static int fail(struct ivp_error *err, int number, const char *path, const char *what)
{
	enum ivp_failure kind = number == -EACCES || number == -EPERM ? IVP_FAIL_PERMISSION : IVP_FAIL_GENERAL;

	return ivp_fail(err, kind, number, "%s: %s", path, what ? what : strerror(-number));
}

/* The sender's name for its file, made into one that can only lie in the directory that the user named: its last part, no
 * controls, and no dot in front, which would make a setting of it (.bashrc). "" if nothing is left. */
static void own_name(char *name, size_t size, const char *sender)
{
	const char *slash = strrchr(sender, '/');

	ivp_log_clean(name, size, slash ? slash + 1 : sender, '_');
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		name[0] = '\0';
	if (name[0] == '.')
		name[0] = '_';
}

/* %n is the name, %% a percent sign; anything else is refused before a stream can depend on it. */
static int expand(char path[PATH_MAX], const char *spec, const char *name, struct ivp_error *err)
{
	size_t used = 0;

	for (; *spec; spec++) {
		const char *piece = spec;
		size_t len = 1;

		if (*spec == '%' && *++spec == 'n') {
			piece = name;
			len = strlen(name);
		} else if (*piece == '%' && *spec != '%') {
			return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL,
					"-o: after a %% comes n (the sender's name) or another %%");
		}
		if (used + len >= PATH_MAX)
			return ivp_fail(err, IVP_FAIL_USAGE, -ENAMETOOLONG, "-o: longer than %d bytes", PATH_MAX - 1);
		memcpy(path + used, piece, len);
		used += len;
	}
	path[used] = '\0';
	return 0;
}

static bool takes_name(const char *spec)
{
	for (; (spec = strchr(spec, '%')); spec += 2)
		if (spec[1] == 'n')
			return true;
	return false;
}

char *ivp_output_directory(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static int check_directory(const char *path, struct ivp_error *err)
{
	char *directory = ivp_output_directory(path);
	int ret = 0;

	if (!directory)
		return fail(err, -ENOMEM, path, NULL);
	if (faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS))
		ret = ivp_fail(err, errno == EACCES ? IVP_FAIL_PERMISSION : IVP_FAIL_GENERAL, -errno,
			       "%s: cannot write into directory %s: %s", path, directory, strerror(errno));
	free(directory);
	return ret;
}

/* 1: written to as it is; 0: a regular file, or nothing yet. */
static int written_directly(const char *path, struct stat *st, struct ivp_error *err)
{
	if (stat(path, st)) {
		memset(st, 0, sizeof(*st));
		return errno == ENOENT ? 0 : fail(err, -errno, path, NULL);
	}
	if (S_ISDIR(st->st_mode))
		return ivp_fail(err, IVP_FAIL_USAGE, -EISDIR, "%s: is a directory: name a file in it, or %s/%%n", path,
				path);
	return !S_ISREG(st->st_mode) || is_descriptor(path);
}

static int check_standard(const char *spec, struct ivp_error *err)
{
	if (!spec && isatty(STDOUT_FILENO))
		return ivp_fail(err, IVP_FAIL_USAGE, -ENOTTY,
				"standard output is a terminal: write to a file with -o FILE, or insist with -o -");
	return 0;
}

int ivp_output_check(const char *spec, const char *region, struct ivp_error *err)
{
	char path[PATH_MAX];
	struct stat st, memory;
	int ret;

	if (is_standard(spec))
		return check_standard(spec, err);
	ret = expand(path, spec, "", err);
	if (ret)
		return ret;
	if (takes_name(spec))
		return strstr(spec, "%n") > strrchr(spec, '/') ? check_directory(path, err) : 0;
	ret = written_directly(path, &st, err);
	if (ret < 0)
		return ret;
	if (region && !stat(region, &memory) && st.st_ino == memory.st_ino && st.st_dev == memory.st_dev)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "%s: is the region itself: write elsewhere", path);
	if (!ret)
		return check_directory(path, err);
	return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) ? fail(err, -errno, path, NULL) : 0;
}

/* DIRECTORY/.BASE.ivpipe-XXXXXXXX: beside the target, so that a rename can do. Its mode is what the umask makes of 0666. */
static int open_temporary(struct ivp_output *output, struct ivp_error *err)
{
	char *directory = ivp_output_directory(output->target);
	const char *slash = strrchr(output->target, '/');
	uint32_t number;
	int ret;

	do {
		free(output->temporary);
		output->temporary = NULL;
		ret = ivp_random(&number, sizeof(number), err);
		if (ret)
			break;
		if (!directory || asprintf(&output->temporary, "%s/.%.*s.ivpipe-%08" PRIx32, directory, BASE_MAX,
					   slash ? slash + 1 : output->target, number) < 0) {
			output->temporary = NULL;
			ret = fail(err, -ENOMEM, output->target, NULL);
			break;
		}
		output->fd = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
		ret = output->fd < 0 ? -errno : 0;
	} while (ret == -EEXIST);
	free(directory);
	if (!ret || !output->temporary)
		return ret;
	ret = fail(err, ret, output->target, NULL);
	free(output->temporary);
	output->temporary = NULL;
	return ret;
}

/* A link is followed: what it points to is replaced, not the link. */
static int open_beside(struct ivp_output *output, const char *path, bool exists, struct ivp_error *err)
{
	if (exists && !output->replace)
		return fail(err, -EEXIST, path, "exists: the sender's name replaces nothing without --force");
	output->target = exists ? realpath(path, NULL) : strdup(path);
	if (!output->target)
		return fail(err, -errno, path, NULL);
	output->fresh = true;
	return open_temporary(output, err);
}

static int open_file(struct ivp_output *output, const char *path, struct ivp_error *err)
{
	struct stat st;
	int direct = written_directly(path, &st, err);

	if (direct < 0)
		return direct;
	if (!direct)
		return open_beside(output, path, st.st_mode, err);
	output->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	return output->fd < 0 ? fail(err, -errno, path, NULL) : 0;
}

int ivp_output_open(struct ivp_output *output, const char *spec, const char *sender, bool force, struct ivp_error *err)
{
	char name[NAME_MAX + 1], path[PATH_MAX];
	int ret;

	*output = (struct ivp_output){.fd = -1, .name = "standard output", .standard = is_standard(spec)};
	if (output->standard) {
		output->fd = STDOUT_FILENO;
		return 0;
	}
	output->name = spec;
	output->replace = force || !takes_name(spec);
	own_name(name, sizeof(name), sender);
	if (!name[0] && takes_name(spec))
		return fail(err, -EINVAL, spec, "the sender gave no usable name for %n");
	ret = expand(path, spec, name, err);
	if (!ret)
		ret = open_file(output, path, err);
	if (ret)
		ivp_output_close(output);
	return ret;
}

/* Not every file system can rename without replacing; a link can do the same in two steps. */
static int rename_new(const char *from, const char *to)
{
	if (!syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (link(from, to))
		return -errno;
	unlink(from);
	return 0;
}

int ivp_output_rename(struct ivp_output *output, struct ivp_error *err)
{
	int ret;

	/* Written directly, or renamed before. */
	if (!output->temporary)
		return 0;
	if (output->replace)
		ret = rename(output->temporary, output->target) ? -errno : 0;
	else
		ret = rename_new(output->temporary, output->target);
	if (ret)
		return fail(err, ret, output->target, NULL);
	free(output->temporary);
	output->temporary = NULL;
	return 0;
}

int ivp_output_commit(struct ivp_output *output, struct ivp_error *err)
{
	const char *name = output->target ? output->target : output->name;
	int fd = output->standard ? dup(output->fd) : output->fd;

	/* Some file systems tell only now that they could not store what they took; closing any descriptor makes them. */
	if (!output->standard)
		output->fd = -1;
	if (fd < 0 || close(fd))
		return fail(err, -errno, name, NULL);
	return ivp_output_rename(output, err);
}

void ivp_output_close(struct ivp_output *output)
{
	if (output->fd >= 0 && !output->standard)
		close(output->fd);
	if (output->temporary)
		unlink(output->temporary);
	free(output->temporary);
	free(output->target);
	*output = (struct ivp_output){.fd = -1};
}
