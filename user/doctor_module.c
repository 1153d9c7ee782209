// SPDX-License-Identifier: MIT
/* doctor_module: why there is no module for this kernel, or an old one. */
#include <stdio.h>
#include <string.h>

#include "doctor.h"

bool ivp_doctor_has_module(const struct ivp_doctor *doctor, char release[IVP_RELEASE])
{
	char path[IVP_TREE_PATH], line[512];
	bool found = false;
	FILE *file;

	ivp_tree_line(ivp_tree_path(path, doctor->root, "proc/sys/kernel/osrelease"), 0, release, IVP_RELEASE);
	file = fopen(ivp_tree_path(path, doctor->root, "lib/modules/%s/modules.dep", release), "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, "/ivshmem.ko");
	if (file)
		fclose(file);
	return found;
}

/* For a device that waits for it. */
static bool is_missing(const struct ivp_doctor *doctor, char release[IVP_RELEASE])
{
	return !doctor->region->driver[0] && !ivp_tree_there(doctor->root, "sys/module/ivshmem") &&
	       !ivp_doctor_has_module(doctor, release);
}

static bool no_module(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	char release[IVP_RELEASE];

	if (!is_missing(doctor, release))
		return false;
	ivp_finding_evidence(finding, "%s/lib/modules/%s/modules.dep: no ivshmem.ko", doctor->root, release);
	ivp_finding_remedy(finding,
			   "sudo apt install dkms linux-headers-%s && sudo make dkms-install, in ivpipe's source",
			   release);
	return true;
}

static bool no_headers(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	char release[IVP_RELEASE];

	if (!is_missing(doctor, release) || ivp_tree_there(doctor->root, "lib/modules/%s/build/Makefile", release))
		return false;
	ivp_finding_evidence(finding, "%s/lib/modules/%s/build: not there", doctor->root, release);
	ivp_finding_remedy(finding, "sudo apt install linux-headers-%s, or another kernel if it has none any more",
			   release);
	return true;
}

static const char *cure(const char *line)
{
	static const struct {
		const char *word, *cure;
	} cures[] = {
		{"pahole", "sudo apt install pahole"},
		{"BTF", "sudo apt install pahole"},
		{"objtool", "mount /proc where it is built"},
		{"clang", "sudo apt install clang lld: this kernel was built with them"},
		{"No space", "make room in /var/lib/dkms and /tmp"},
	};

	for (size_t i = 0; i < sizeof(cures) / sizeof(cures[0]); i++)
		if (strstr(line, cures[i].word))
			return cures[i].cure;
	return "read that file to its end";
}

static bool build_failed(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	char path[IVP_TREE_PATH], release[IVP_RELEASE], line[256], last[256] = "";
	FILE *file;

	if (!is_missing(doctor, release))
		return false;
	file = fopen(ivp_tree_path(path, doctor->root, "var/lib/dkms/ivpipe/%s/build/make.log", ivp_version()), "re");
	/* The first complaint is the cause; what make says at the end is not. */
	while (file && !last[0] && fgets(line, sizeof(line), file))
		if (strstr(line, "rror") || strstr(line, "not found") || strstr(line, "failed"))
			snprintf(last, sizeof(last), "%.*s", (int)strcspn(line, "\n"), line);
	if (file)
		fclose(file);
	if (!last[0])
		return false;
	ivp_finding_evidence(finding, "%s: %s", path, last);
	ivp_finding_remedy(finding, "%s; then: sudo dkms autoinstall", cure(last));
	return true;
}

static bool no_programs(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	static const char *const places[] = {"/var/lib/dkms", "/usr/src", "/tmp"};
	char release[IVP_RELEASE];

	for (size_t i = 0; is_missing(doctor, release) && i < sizeof(places) / sizeof(places[0]); i++) {
		if (!ivp_tree_mounted(doctor->root, places[i], "noexec"))
			continue;
		ivp_finding_evidence(finding, "%s/proc/self/mounts: %s lies on a mount with noexec", doctor->root,
				     places[i]);
		ivp_finding_remedy(finding, "sudo mount -o remount,exec on it while the module is built");
		return true;
	}
	return false;
}

static bool stale_module(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	char path[IVP_TREE_PATH], version[32];

	ivp_tree_path(path, doctor->root, "sys/module/ivshmem/version");
	if (!ivp_tree_line(path, 0, version, sizeof(version)) || !strcmp(version, ivp_version()))
		return false;
	ivp_finding_evidence(finding, "%s: %s; this ivpipe: %s", path, version, ivp_version());
	ivp_finding_remedy(finding, "when nobody uses it: sudo modprobe -r ivshmem && sudo modprobe ivshmem");
	return true;
}

const struct ivp_check ivp_doctor_module[] = {
	{40, IVP_ABOUT_DEVICE, IVP_FAIL_NO_REGION, "there is no module for this kernel", no_module},
	{41, IVP_ABOUT_DEVICE, IVP_FAIL_GENERAL, "the kernel's headers are missing", no_headers},
	{42, IVP_ABOUT_DEVICE, IVP_FAIL_GENERAL, "DKMS could not build the module", build_failed},
	{43, IVP_ABOUT_MACHINE, IVP_FAIL_NONE, "the module that is loaded is of another version", stale_module},
	{44, IVP_ABOUT_DEVICE, IVP_FAIL_GENERAL, "programs cannot run where the module is built", no_programs},
	{0},
};
