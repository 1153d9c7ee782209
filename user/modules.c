// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "modules.h"

/* Of a bzImage: a mark, and where the text is, less 512. */
#define MARK_AT    0x202
#define RELEASE_AT 0x20e

int ivp_modules_release(FILE *image, char *release, size_t size)
{
	unsigned char head[RELEASE_AT + 2];
	size_t len;

	release[0] = '\0';
	if (fread(head, 1, sizeof(head), image) != sizeof(head) || memcmp(head + MARK_AT, "HdrS", 4))
		return -ENOENT;
	if (fseek(image, 512 + (head[RELEASE_AT] | head[RELEASE_AT + 1] << 8), SEEK_SET))
		return -ENOENT;
	len = fread(release, 1, size - 1, image);
	release[len] = '\0';
	release[strcspn(release, " \n")] = '\0';
	/* It becomes part of a path. */
	if (!release[0] || strchr(release, '/')) {
		release[0] = '\0';
		return -ENOENT;
	}
	return 0;
}

void ivp_modules_find(struct ivp_modules *modules, const char *image)
{
	char release[80], beside[200];
	const char *slash = strrchr(image, '/');
	const char *places[] = {beside, "/lib/modules", "/usr/lib/modules"};
	FILE *file = fopen(image, "re");
	int ret = file ? ivp_modules_release(file, release, sizeof(release)) : -ENOENT;

	if (file)
		fclose(file);
	snprintf(beside, sizeof(beside), "%.*s/../lib/modules", slash ? (int)(slash - image) : 1, slash ? image : ".");
	for (size_t i = 0; !ret && i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(modules->directory, sizeof(modules->directory), "%s/%s/modules.dep", places[i], release);
		if (!access(modules->directory, R_OK)) {
			*strrchr(modules->directory, '/') = '\0';
			return;
		}
	}
	modules->directory[0] = '\0';
}

/* "a/b-c.ko.xz" is b_c. */
static bool is_called(const char *path, size_t len, const char *name)
{
	size_t at = len;

	while (at && path[at - 1] != '/')
		at--;
	for (; at < len && *name; at++, name++)
		if (path[at] != *name && !(path[at] == '-' && *name == '_'))
			return false;
	return !*name && len - at >= 3 && !strncmp(path + at, ".ko", 3);
}

static int add_file(struct ivp_modules *modules, const char *path, size_t len)
{
	for (size_t i = 0; i < modules->count; i++)
		if (strlen(modules->files[i]) == len && !strncmp(modules->files[i], path, len))
			return 0;
	if (modules->count == IVP_MODULES_MAX)
		return -ENOSPC;
	modules->files[modules->count] = strndup(path, len);
	return modules->files[modules->count++] ? 0 : -ENOMEM;
}

/* "c.ko: b.ko a.ko": what is needed first is the last. */
static int add_line(struct ivp_modules *modules, char *line)
{
	char *colon = strchr(line, ':');
	int ret = 0;

	line[strcspn(line, "\n")] = '\0';
	for (char *space; !ret && (space = strrchr(colon, ' ')); *space = '\0')
		if (space[1])
			ret = add_file(modules, space + 1, strlen(space + 1));
	return ret ? ret : add_file(modules, line, (size_t)(colon - line));
}

int ivp_modules_need(struct ivp_modules *modules, FILE *dep, FILE *builtin, const char *name)
{
	char *line = NULL;
	size_t size = 0;
	int ret = -ENOENT;

	while (ret && builtin && getline(&line, &size, builtin) > 0)
		if (is_called(line, strcspn(line, "\n"), name))
			ret = 0;
	if (!ret) {
		free(line);
		return 0;
	}
	while (ret == -ENOENT && getline(&line, &size, dep) > 0)
		if (strchr(line, ':') && is_called(line, strcspn(line, ":"), name))
			ret = add_line(modules, line);
	free(line);
	return ret;
}

int ivp_modules_add(struct ivp_modules *modules, const char *name)
{
	char path[400];
	FILE *dep, *builtin;
	int ret = -ENOENT;

	snprintf(path, sizeof(path), "%s/modules.dep", modules->directory);
	dep = fopen(path, "re");
	snprintf(path, sizeof(path), "%s/modules.builtin", modules->directory);
	builtin = fopen(path, "re");
	if (dep)
		ret = ivp_modules_need(modules, dep, builtin, name);
	if (dep)
		fclose(dep);
	if (builtin)
		fclose(builtin);
	return ret;
}

void ivp_modules_free(struct ivp_modules *modules)
{
	while (modules->count)
		free(modules->files[--modules->count]);
}
