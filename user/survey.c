// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "error.h"
#include "find.h"
#include "survey.h"

static int no_memory(struct ivp_error *err)
{
	return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
}

static bool is_file(const char *path, const struct stat *wanted)
{
	struct stat st;

	return path[0] && !stat(path, &st) && st.st_dev == wanted->st_dev && st.st_ino == wanted->st_ino;
}

/* What QEMU has is listed also if it is no region yet, or nothing at all: anybody can start a process that calls itself so. */
static int add_memory(struct ivp_survey *survey, const struct ivp_qemu *qemu, size_t *place)
{
	struct ivp_found *list, *found;
	char path[IVP_TREE_PATH];
	struct stat st;
	bool there;

	if (!ivp_tree_path(path, survey->root, "%s", qemu->memory + 1)[0])
		memcpy(path, qemu->memory, sizeof(path));
	there = !stat(path, &st);
	for (*place = 0; *place < survey->count; ++*place)
		if (there ? is_file(survey->found[*place].path, &st) : !strcmp(survey->found[*place].path, path))
			return 0;
	list = reallocarray(survey->found, survey->count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	survey->found = list;
	found = &list[survey->count++];
	ivp_find_file(path, found);
	if (!there)
		found->size = qemu->size;
	return 0;
}

static int find(struct ivp_survey *survey, struct ivp_error *err)
{
	int ret = survey->root[0] ? ivp_find_below(survey->root, &survey->found, &survey->count, err)
				  : ivp_find(&survey->found, &survey->count, err);

	if (ret)
		return ret;
	survey->qemu_count = ivp_qemu_find(survey->root, survey->qemus, IVP_SURVEY_QEMUS);
	for (size_t i = 0; i < survey->qemu_count; i++)
		if (add_memory(survey, &survey->qemus[i], &survey->places[i]))
			return no_memory(err);
	survey->first = calloc(survey->count + 1, sizeof(*survey->first));
	survey->second = calloc(survey->count + 1, sizeof(*survey->second));
	return survey->first && survey->second ? 0 : no_memory(err);
}

static int find_holders(struct ivp_survey *survey, struct ivp_error *err)
{
	struct ivp_held *files = calloc(survey->count + 1, sizeof(*files));
	struct stat st;

	if (!files)
		return no_memory(err);
	for (size_t i = 0; i < survey->count; i++) {
		const char *path = survey->found[i].path;

		files[i].path = path + (path[0] ? strlen(survey->root) : 0);
		if (path[0] && !stat(path, &st)) {
			files[i].device = st.st_dev;
			files[i].inode = st.st_ino;
		}
	}
	ivp_holders_find(survey->root, files, survey->count, &survey->holders);
	free(files);
	return 0;
}

/* One that went away meanwhile, or was overwritten, is as if it had not been laid out. */
static void look(const struct ivp_found *found, struct ivp_look *look)
{
	const struct ivp_open_options options = {.flags = IVP_OPEN_READ_ONLY | IVP_OPEN_SIGBUS, .side = IVP_SIDE_AUTO};
	struct ivp_region *region;

	if (!found->formatted || !found->path[0] || ivp_region_open(&region, found->path, &options, NULL))
		return;
	if (ivp_look_take(look, region, NULL))
		ivp_look_drop(look);
	ivp_region_close(region);
}

static void look_everywhere(struct ivp_survey *survey, struct ivp_look *looks)
{
	for (size_t i = 0; i < survey->count; i++)
		look(&survey->found[i], &looks[i]);
}

static void move(struct ivp_look *to, struct ivp_look *from)
{
	*to = *from;
	memset(from, 0, sizeof(*from));
}

/* The earlier one's second looks are our first ones. */
static void inherit(struct ivp_survey *survey, struct ivp_survey *earlier)
{
	for (size_t i = 0; i < survey->count; i++)
		for (size_t j = 0; j < earlier->count; j++)
			if (earlier->second[j].lanes && !strcmp(survey->found[i].path, earlier->found[j].path))
				move(&survey->first[i], &earlier->second[j]);
}

static bool is_open(const struct ivp_survey *survey)
{
	for (size_t i = 0; i < survey->count; i++)
		if (ivp_look_is_open(&survey->first[i]))
			return true;
	return false;
}

static void look_twice(struct ivp_survey *survey, bool pause, const volatile sig_atomic_t *cancel)
{
	static const struct timespec nap = {.tv_nsec = IVP_LOOK_MS * 1000 * 1000};

	look_everywhere(survey, survey->first);
	if ((pause || is_open(survey)) && !*cancel)
		nanosleep(&nap, NULL);
	look_everywhere(survey, survey->second);
}

/* A region that is new, or new in its layout, is compared with itself. */
static bool is_comparable(const struct ivp_survey *survey, size_t place)
{
	return ivp_look_same(&survey->first[place], &survey->second[place]);
}

static int settle(struct ivp_survey *survey, struct ivp_error *err)
{
	for (size_t i = 0; i < survey->count; i++) {
		struct ivp_look *first = &survey->first[i], *second = &survey->second[i];

		if (!second->lanes || is_comparable(survey, i))
			continue;
		ivp_look_drop(first);
		*first = *second;
		first->lanes = calloc(first->info.lanes, sizeof(*first->lanes));
		first->listeners = calloc(first->slots, sizeof(*first->listeners));
		if (!first->lanes || !first->listeners)
			return no_memory(err);
		memcpy(first->lanes, second->lanes, first->info.lanes * sizeof(*first->lanes));
		memcpy(first->listeners, second->listeners, first->slots * sizeof(*first->listeners));
	}
	return 0;
}

int ivp_survey_make(struct ivp_survey *survey, const char *root, struct ivp_survey *earlier, bool pause,
		    const volatile sig_atomic_t *cancel, struct ivp_error *err)
{
	int ret;

	memset(survey, 0, sizeof(*survey));
	survey->root = root;
	ret = find(survey, err);
	if (ret)
		return ret;
	/* Before the regions are opened, so that who has them is not us. */
	ret = find_holders(survey, err);
	if (ret)
		return ret;
	if (earlier) {
		inherit(survey, earlier);
		look_everywhere(survey, survey->second);
	} else {
		look_twice(survey, pause, cancel);
	}
	return settle(survey, err);
}

void ivp_survey_free(struct ivp_survey *survey)
{
	for (size_t i = 0; survey->first && i < survey->count; i++)
		ivp_look_drop(&survey->first[i]);
	for (size_t i = 0; survey->second && i < survey->count; i++)
		ivp_look_drop(&survey->second[i]);
	free(survey->first);
	free(survey->second);
	free(survey->found);
	memset(survey, 0, sizeof(*survey));
}

const char *ivp_survey_mapped(const struct ivp_survey *survey, size_t qemu)
{
	const struct ivp_qemu *one = &survey->qemus[qemu];
	struct stat st;

	if (!one->maps_known)
		return "unknown";
	if (one->deleted)
		return "deleted";
	return !stat(survey->found[survey->places[qemu]].path, &st) && st.st_ino == one->inode ? "yes" : "other";
}

bool ivp_survey_is_machine(const struct ivp_survey *survey, size_t place, int pid)
{
	for (size_t i = 0; i < survey->qemu_count; i++)
		if (survey->places[i] == place && survey->qemus[i].pid == pid)
			return true;
	return false;
}
