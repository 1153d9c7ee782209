// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"
#include "error.h"
#include "find.h"

void ivp_finding_evidence(struct ivp_finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->evidence, sizeof(finding->evidence), format, args);
	va_end(args);
}

void ivp_finding_remedy(struct ivp_finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->remedy, sizeof(finding->remedy), format, args);
	va_end(args);
}

static const char *as_root(void)
{
	return geteuid() ? "sudo " : "";
}

void ivp_finding_run(struct ivp_finding *finding, const char *const *words)
{
	ivp_finding_remedy(finding, "%s%s", as_root(), words[0]);
	for (size_t i = 1; words[i]; i++) {
		size_t used = strlen(finding->remedy);

		snprintf(finding->remedy + used, sizeof(finding->remedy) - used, " %s", words[i]);
	}
	finding->run = words;
	finding->mend = IVP_MEND_RUN;
}

void ivp_finding_write(struct ivp_finding *finding, const char *value, const char *path)
{
	snprintf(finding->path, sizeof(finding->path), "%s", path);
	snprintf(finding->value, sizeof(finding->value), "%s", value);
	ivp_finding_remedy(finding, "echo %s | %stee %s", value, as_root(), path);
	finding->mend = IVP_MEND_WRITE;
}

void ivp_doctor_unseen(struct ivp_doctor *doctor, const char *path)
{
	size_t used = strlen(doctor->unseen);

	if (geteuid() && !strstr(doctor->unseen, path))
		snprintf(doctor->unseen + used, sizeof(doctor->unseen) - used, "%s%s", used ? ", " : "", path);
}

bool ivp_doctor_in_group(uint32_t gid)
{
	gid_t groups[256];
	int count = getgroups(256, groups);

	for (int i = 0; i < count; i++)
		if (groups[i] == gid)
			return true;
	return getegid() == gid;
}

static bool known(const struct ivp_doctor *doctor, const char *path)
{
	for (size_t i = 0; i < doctor->region_count; i++)
		if (!strcmp(doctor->regions[i].path, path))
			return true;
	return false;
}

/* A file that is no region, or not yet, and that somebody uses as one. */
static int add_file(struct ivp_doctor *doctor, const char *path)
{
	struct ivp_found *list, *found;
	struct stat st;

	if (known(doctor, path) || stat(path, &st) || !S_ISREG(st.st_mode))
		return 0;
	list = reallocarray(doctor->regions, doctor->region_count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	doctor->regions = list;
	found = &list[doctor->region_count++];
	*found = (struct ivp_found){.backing = IVP_BACKING_FILE, .size = (uint64_t)st.st_size};
	snprintf(found->path, sizeof(found->path), "%s", path);
	found->mode = st.st_mode & 07777;
	found->uid = st.st_uid;
	found->gid = st.st_gid;
	return 0;
}

/*
 * Anybody can start a process that calls itself QEMU and names somebody else's file, of which we would then say how to overwrite it. One
 * that has the file mapped for writing needs nobody's help for that; and where this cannot be seen, /dev/shm is where such files are.
 */
static bool has_really(const struct ivp_qemu *qemu, const char *path)
{
	struct stat st;

	if (qemu->maps_seen)
		return qemu->shared && !stat(path, &st) && st.st_ino == qemu->inode;
	return !strncmp(qemu->memory, "/dev/shm/", 9) && !strchr(qemu->memory + 9, '/');
}

static int add_memory(struct ivp_doctor *doctor, const struct ivp_qemu *qemu)
{
	char path[IVP_TREE_PATH];

	ivp_tree_path(path, doctor->root, "%s", qemu->memory + 1);
	return has_really(qemu, path) ? add_file(doctor, path) : 0;
}

static bool is_named(const struct ivp_found *found, const char *path, const struct stat *wanted)
{
	struct stat st;

	if (found->slot[0] && strstr(path, found->slot))
		return true;
	return found->path[0] && !stat(found->path, &st) && st.st_dev == wanted->st_dev && st.st_ino == wanted->st_ino;
}

/* All but the one that is asked for. How it was named tells how it is mapped. */
static int choose(struct ivp_doctor *doctor, const char *wanted)
{
	char *path = realpath(wanted, NULL);
	struct stat st = {0};
	size_t kept = 0;

	for (size_t i = 0; path && !stat(path, &st) && i < doctor->region_count; i++)
		if (is_named(&doctor->regions[i], path, &st))
			doctor->regions[kept++] = doctor->regions[i];
	doctor->region_count = kept;
	free(path);
	return kept ? 0 : add_file(doctor, wanted);
}

static int collect(struct ivp_doctor *doctor, struct ivp_error *err)
{
	int ret = ivp_find_below(doctor->root, &doctor->regions, &doctor->region_count, err);

	doctor->qemu_count = ret ? 0 : ivp_qemu_find(doctor->root, doctor->qemus, IVP_QEMUS);
	for (size_t i = 0; i < doctor->qemu_count && !ret; i++)
		ret = add_memory(doctor, &doctor->qemus[i]);
	if (!ret && doctor->wanted)
		ret = choose(doctor, doctor->wanted);
	if (!ret && doctor->region_count) {
		doctor->speeds = calloc(doctor->region_count, sizeof(*doctor->speeds));
		ret = doctor->speeds ? 0 : -ENOMEM;
	}
	return ret == -ENOMEM ? ivp_fail(err, IVP_FAIL_GENERAL, ret, "no memory") : ret;
}

static const char *subject_of(const struct ivp_doctor *doctor)
{
	if (doctor->qemu)
		return doctor->qemu->memory;
	if (!doctor->region)
		return doctor->wanted ? doctor->wanted : "this machine";
	return doctor->region->path[0] ? doctor->region->path : doctor->region->slot;
}

/* What is true of several devices for one reason is said once. */
static bool said(const struct ivp_doctor *doctor, const struct ivp_finding *finding)
{
	for (size_t i = 0; i < doctor->count; i++)
		if (doctor->findings[i].check == finding->check &&
		    !strcmp(doctor->findings[i].evidence, finding->evidence))
			return true;
	return false;
}

static void look(struct ivp_doctor *doctor, const struct ivp_check *check)
{
	struct ivp_finding *finding = &doctor->findings[doctor->count];

	if (doctor->count == IVP_FINDINGS)
		return;
	*finding = (struct ivp_finding){.check = check, .code = check->code};
	snprintf(finding->subject, sizeof(finding->subject), "%s", subject_of(doctor));
	if (check->look(doctor, finding) && !said(doctor, finding))
		doctor->count++;
}

static bool is_about(enum ivp_about about, const struct ivp_found *region)
{
	if (about == IVP_ABOUT_REGION)
		return region->path[0];
	return (about == IVP_ABOUT_FILE) == (region->backing == IVP_BACKING_FILE);
}

/* A process is of interest by its file; and with none asked for, in any case. */
static bool is_wanted(const struct ivp_doctor *doctor, const struct ivp_qemu *qemu)
{
	char path[IVP_TREE_PATH];

	return !doctor->wanted || known(doctor, ivp_tree_path(path, doctor->root, "%s", qemu->memory + 1)) ||
	       !strcmp(doctor->wanted, path);
}

static void run_check(struct ivp_doctor *doctor, const struct ivp_check *check)
{
	if (check->about == IVP_ABOUT_MACHINE)
		look(doctor, check);
	for (size_t i = 0; check->about == IVP_ABOUT_QEMU && i < doctor->qemu_count; i++) {
		doctor->qemu = &doctor->qemus[i];
		if (is_wanted(doctor, doctor->qemu))
			look(doctor, check);
	}
	doctor->qemu = NULL;
	for (size_t i = 0;
	     check->about != IVP_ABOUT_MACHINE && check->about != IVP_ABOUT_QEMU && i < doctor->region_count; i++) {
		doctor->region = &doctor->regions[i];
		if (is_about(check->about, doctor->region))
			look(doctor, check);
	}
	doctor->region = NULL;
}

int ivp_doctor_run(struct ivp_doctor *doctor, struct ivp_error *err)
{
	const struct ivp_check *const tables[] = {ivp_doctor_host, ivp_doctor_guest, ivp_doctor_module,
						  ivp_doctor_memory};
	int ret = collect(doctor, err);

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && !ret; i++)
		for (const struct ivp_check *check = tables[i]; check->number; check++)
			run_check(doctor, check);
	return ret;
}

void ivp_doctor_free(struct ivp_doctor *doctor)
{
	free(doctor->regions);
	free(doctor->speeds);
}

static int weight(enum ivp_failure code)
{
	return code == IVP_FAIL_NO_REGION ? 3 : code == IVP_FAIL_PERMISSION ? 2 : code != IVP_FAIL_NONE;
}

enum ivp_failure ivp_doctor_code(const struct ivp_doctor *doctor)
{
	enum ivp_failure worst = IVP_FAIL_NONE;

	for (size_t i = 0; i < doctor->count; i++)
		if (weight(doctor->findings[i].code) > weight(worst))
			worst = doctor->findings[i].code;
	return worst;
}
