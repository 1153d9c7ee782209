// SPDX-License-Identifier: MIT
/* What users call a region, wherever that leads: what is opened and locked has to be what was named, or the only one there is. */
#define _GNU_SOURCE
#include <sys/stat.h>

#include "address.h"
#include "error.h"
#include "fuzz.h"

/* What lies at any path, and which regions there are. */
static struct {
	int error; /* of stat() */
	mode_t mode;
	char looked_at[512];
	struct ivp_found found[4];
	size_t count;
	int ret; /* of ivp_find() */
} world;

/* The linker's names for what --wrap puts in the place of the system's, and the library's. */
int __wrap_stat64(const char *path, struct stat *st);
int __wrap_ivp_find(struct ivp_found **list, size_t *count, struct ivp_error *err);

int __wrap_stat64(const char *path, struct stat *st)
{
	require(strlen(path) < sizeof(world.looked_at));
	strcpy(world.looked_at, path);
	*st = (struct stat){.st_mode = world.mode};
	errno = world.error;
	return world.error ? -1 : 0;
}

int __wrap_ivp_find(struct ivp_found **list, size_t *count, struct ivp_error *err)
{
	if (world.ret)
		return ivp_fail(err, IVP_FAIL_GENERAL, world.ret, "nothing is found");
	*list = malloc(sizeof(world.found));
	require(*list);
	memcpy(*list, world.found, sizeof(world.found));
	*count = world.count;
	return 0;
}

static void choose_world(struct input *input)
{
	static const mode_t modes[] = {S_IFREG, S_IFCHR, S_IFDIR, S_IFREG};
	static const int errors[] = {ENOENT, EACCES};
	u8 how = input_byte(input);

	memset(&world, 0, sizeof(world));
	world.mode = modes[how % 4];
	world.error = how / 4 % 4 == 3 ? errors[how / 16 % 2] : 0;
	world.ret = how / 32 == 7 ? -ENOMEM : 0;
	world.count = how / 32 % 4;
}

static void choose_found(struct input *input)
{
	for (size_t i = 0; i < world.count; i++) {
		struct ivp_found *found = &world.found[i];
		u32 len = input_byte(input), shape = input_byte(input);

		/* A path as short or as long as there can be. */
		memset(found->path, 'a' + (int)(shape % 26), len);
		found->automatic = shape % 4;
	}
}

/* The only one that may be taken; or how many there are. */
static size_t takable(const char **path)
{
	size_t count = 0;

	for (size_t i = 0; i < world.count; i++) {
		if (!world.found[i].automatic || !world.found[i].path[0])
			continue;
		*path = world.found[i].path;
		count++;
	}
	return count;
}

static bool is_resource(const char *base)
{
	return !strcmp(base, "resource2") || !strcmp(base, "resource2_wc");
}

/* Beside what was named, and nothing else. */
static bool means_beside(const char *path, const char *named, const char *file)
{
	size_t directory = (size_t)(strrchr(named, '/') - named);

	return !strncmp(path, named, directory) && path[directory] == '/' && !strcmp(path + directory + 1, file);
}

static void require_region(const struct ivp_address *address, const char *path)
{
	const char *slash = strrchr(path, '/');

	require(!strcmp(world.looked_at, path) && !strcmp(address->path, path));
	require(!world.error && (world.mode == S_IFREG || world.mode == S_IFCHR));
	if (world.mode == S_IFREG && is_resource(slash ? slash + 1 : path)) {
		require(slash && address->backing == IVP_BACKING_SYSFS && address->combined);
		require(means_beside(address->lock, path, "resource2") &&
			means_beside(address->enable, path, "enable"));
		return;
	}
	require(address->backing == (world.mode == S_IFREG ? IVP_BACKING_FILE : IVP_BACKING_NODE));
	require(!strcmp(address->lock, path) && !address->enable[0] && !address->combined);
}

/* What it has to answer to a path. */
static int expected_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (strlen(path) >= sizeof(world.found[0].path))
		return -ENAMETOOLONG;
	if (world.error)
		return -world.error;
	if (world.mode != S_IFREG)
		return world.mode == S_IFCHR ? 0 : -ENODEV;
	if (!is_resource(slash ? slash + 1 : path))
		return 0;
	return slash && (size_t)(slash - path) + sizeof("/resource2") <= sizeof(world.found[0].path) ? 0 : -EINVAL;
}

static void look(struct input *input)
{
	struct ivp_address address, again;
	struct ivp_error err;
	const char *path;
	size_t count = 1;
	char *text;
	int ret;

	choose_world(input);
	choose_found(input);
	path = text = input_text(input);
	memset(&err, 0xff, sizeof(err));
	memset(&address, 0xff, sizeof(address));
	ret = ivp_address_resolve(&address, text, &err);
	require(ivp_address_resolve(&again, text, NULL) == ret);
	if (!*text || !strcmp(text, "auto"))
		count = world.ret ? 0 : takable(&path);
	if (count == 1)
		require(ret == expected_of(path));
	else
		require(ret == (world.ret ? world.ret : count ? -EBUSY : -ENOENT));
	if (!ret)
		require_region(&address, path);
	else
		require(err.kind != IVP_FAIL_NONE && err.number == ret && memchr(err.text, 0, sizeof(err.text)));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = {bytes, size};

	do
		look(&input);
	while (input.left);
	return 0;
}
