// SPDX-License-Identifier: MIT
/* doctor_host: files that are the memory of virtual machines, and the QEMU processes that have them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "doctor.h"

static bool nothing_here(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	if (doctor->region_count || doctor->wanted)
		return false;
	ivp_finding_evidence(finding, "%s/sys/bus/pci/devices: no 1af4:1110; %s/dev/shm: no region; %s/proc: %s",
			     doctor->root, doctor->root, doctor->root,
			     doctor->qemu_count ? "QEMU has one in a file that cannot be seen from here"
						: "no QEMU that has one");
	ivp_finding_remedy(finding,
			   "on the host: ivpipe setup qemu --name vm0 --size 64M (or libvirt, proxmox, incus)");
	return true;
}

static bool not_there(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	char word[IVP_TREE_WORD];

	if (doctor->region_count || !doctor->wanted)
		return false;
	ivp_finding_evidence(finding, "%s: %s", doctor->wanted,
			     access(doctor->wanted, F_OK) ? "not there" : "neither a file nor an ivshmem device");
	ivp_finding_remedy(finding, "ivpipe list; to make a file: ivpipe format --create --size 64M %s",
			   ivp_tree_word(word, doctor->wanted));
	return true;
}

static void say_owner(const struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	const struct ivp_found *file = doctor->region;
	char user[32], group[32];

	ivp_finding_evidence(finding, "%s: mode %04o, owner %s:%s", file->path, file->mode,
			     ivp_tree_name(doctor->root, "passwd", file->uid, user),
			     ivp_tree_name(doctor->root, "group", file->gid, group));
}

static bool cannot_open(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	const struct ivp_found *file = doctor->region;
	char word[IVP_TREE_WORD], group[32];

	if (!faccessat(AT_FDCWD, file->path, R_OK | W_OK, AT_EACCESS))
		return false;
	say_owner(doctor, finding);
	if ((file->mode & 0060) == 0060 && !ivp_doctor_in_group(file->gid))
		ivp_finding_remedy(finding, "sudo adduser $USER %s, and log in again",
				   ivp_tree_name(doctor->root, "group", file->gid, group));
	else
		ivp_finding_remedy(finding, "sudo chown $USER:kvm %s; for good: ivpipe setup",
				   ivp_tree_word(word, file->path));
	return true;
}

static bool others_may(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	const struct ivp_found *file = doctor->region;
	char word[IVP_TREE_WORD];
	struct stat st;

	if (!(file->mode & 0006) || stat(file->path, &st))
		return false;
	say_owner(doctor, finding);
	ivp_finding_remedy(finding, "%schmod o= %s", geteuid() && geteuid() != file->uid ? "sudo " : "",
			   ivp_tree_word(word, file->path));
	snprintf(finding->path, sizeof(finding->path), "%s", file->path);
	finding->inode = st.st_ino;
	finding->mode = file->mode & 0770;
	finding->mend = IVP_MEND_MODE;
	return true;
}

static bool odd_size(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	uint64_t size = doctor->region->size, below = 1;

	if (!size || !(size & (size - 1)))
		return false;
	while (below <= size / 2)
		below *= 2;
	ivp_finding_evidence(finding, "%s: %" PRIu64 " bytes", doctor->region->path, size);
	ivp_finding_remedy(finding,
			   "for a virtual machine %" PRIu64 " or %" PRIu64 " bytes; processes do with any size", below,
			   2 * below);
	return true;
}

static bool no_room(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	const struct ivp_found *file = doctor->region;
	uint64_t there, missing, room;
	struct statvfs fs;
	struct stat st;

	if (stat(file->path, &st) || statvfs(file->path, &fs))
		return false;
	there = (uint64_t)st.st_blocks * 512;
	missing = file->size > there ? file->size - there : 0;
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (missing <= room)
		return false;
	ivp_finding_evidence(finding, "%s: has %" PRIu64 " of %" PRIu64 " bytes, and its file system %" PRIu64 " more",
			     file->path, there, file->size, room);
	ivp_finding_remedy(finding, "make room there: whoever writes to what is missing is killed, QEMU too");
	return true;
}

static bool wrong_label(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	char path[IVP_TREE_PATH], enforce[8], label[128] = "", word[IVP_TREE_WORD];

	if (!ivp_tree_line(ivp_tree_path(path, doctor->root, "sys/fs/selinux/enforce"), 0, enforce, sizeof(enforce)) ||
	    strcmp(enforce, "1"))
		return false;
	if (getxattr(doctor->region->path, "security.selinux", label, sizeof(label) - 1) > 0 && strstr(label, "svirt"))
		return false;
	ivp_finding_evidence(finding, "%s: 1; %s: label %s", path, doctor->region->path, *label ? label : "unknown");
	ivp_tree_word(word, doctor->region->path);
	ivp_finding_remedy(finding, "sudo semanage fcontext -a -t svirt_tmpfs_t %s && sudo restorecon %s", word, word);
	return true;
}

/* In a directory of everybody's, O_CREAT on another's file fails whatever its mode says; for root too. */
static bool is_protected(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	char path[IVP_TREE_PATH], value[8], directory[IVP_TREE_PATH];
	struct stat st;

	snprintf(directory, sizeof(directory), "%s", doctor->region->path);
	if (!strrchr(directory, '/'))
		return false;
	*strrchr(directory, '/') = '\0';
	ivp_tree_path(path, doctor->root, "proc/sys/fs/protected_regular");
	if (doctor->region->uid == geteuid() || stat(directory, &st) || !(st.st_mode & S_ISVTX) ||
	    !ivp_tree_line(path, 0, value, sizeof(value)) || !strcmp(value, "0"))
		return false;
	ivp_finding_evidence(finding, "%s: %s; %s: mode %04o", path, value, directory, st.st_mode & 07777u);
	ivp_finding_remedy(finding,
			   "open it without O_CREAT, as ivpipe does; not with > in a shell, nor shm_open(O_CREAT)");
	return true;
}

static bool not_shared(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	const struct ivp_qemu *qemu = doctor->qemu;

	if (qemu->share)
		return false;
	ivp_finding_evidence(finding, "%s/proc/%d/cmdline: mem-path=%s without share=on", doctor->root, qemu->pid,
			     qemu->memory);
	ivp_finding_remedy(finding, "add share=on to that -object, and start the virtual machine again");
	return true;
}

static bool another_file(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	const struct ivp_qemu *qemu = doctor->qemu;
	char path[IVP_TREE_PATH];
	struct stat st;

	ivp_tree_path(path, doctor->root, "proc/%d/maps", qemu->pid);
	if (!qemu->maps_seen)
		ivp_doctor_unseen(doctor, path);
	if (!qemu->maps_known || stat(ivp_tree_path(path, doctor->root, "%s", qemu->memory + 1), &st) ||
	    st.st_ino == qemu->inode)
		return false;
	ivp_finding_evidence(finding, "%s/proc/%d/maps: inode %" PRIu64 "; %s: inode %" PRIu64, doctor->root, qemu->pid,
			     qemu->inode, path, (uint64_t)st.st_ino);
	ivp_finding_remedy(finding, "stop the virtual machine and start it again, so that it opens the new file");
	return true;
}

static bool file_deleted(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	const struct ivp_qemu *qemu = doctor->qemu;
	char path[IVP_TREE_PATH];
	bool gone = access(ivp_tree_path(path, doctor->root, "%s", qemu->memory + 1), F_OK);

	if (!gone || (qemu->maps_known && !qemu->deleted))
		return false;
	ivp_finding_evidence(finding, "%s: not there; %s/proc/%d/%s", path, doctor->root, qemu->pid,
			     qemu->maps_known ? "maps: deleted" : "cmdline: has it");
	ivp_finding_remedy(finding, "stop the virtual machine and start it again: what it has nobody else can open");
	return true;
}

static bool sizes_differ(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	const struct ivp_qemu *qemu = doctor->qemu;
	char path[IVP_TREE_PATH];
	struct stat st;

	if (!qemu->size || stat(ivp_tree_path(path, doctor->root, "%s", qemu->memory + 1), &st) ||
	    !S_ISREG(st.st_mode) || (uint64_t)st.st_size == qemu->size)
		return false;
	ivp_finding_evidence(finding, "%s: %" PRIu64 " bytes; %s/proc/%d/cmdline: size=%" PRIu64, path,
			     (uint64_t)st.st_size, doctor->root, qemu->pid, qemu->size);
	ivp_finding_remedy(finding, "stop the virtual machine, give both one size, and start it again: ivpipe setup");
	return true;
}

/* Memory without struct pages is uncached for the guest on Intel; and what walks QEMU's memory by size fails on a device. */
static bool memory_is_device(struct ivp_doctor *doctor, struct ivp_finding *finding)
{
	const struct ivp_qemu *qemu = doctor->qemu;
	char path[IVP_TREE_PATH];
	struct stat st;

	if (stat(ivp_tree_path(path, doctor->root, "%s", qemu->memory + 1), &st) || !S_ISCHR(st.st_mode))
		return false;
	ivp_finding_evidence(finding, "%s: a device%s", path, qemu->virtiofs ? "; and the machine has virtiofs" : "");
	ivp_finding_remedy(finding,
			   "a file in /dev/shm is cached everywhere, and does not hinder virtiofs: ivpipe setup");
	if (qemu->virtiofs)
		finding->code = IVP_FAIL_GENERAL;
	return true;
}

const struct ivp_check ivp_doctor_host[] = {
	{1, IVP_ABOUT_MACHINE, IVP_FAIL_NO_REGION, "no ivshmem device and no region", nothing_here},
	{2, IVP_ABOUT_MACHINE, IVP_FAIL_NO_REGION, "there is no such region", not_there},
	{10, IVP_ABOUT_FILE, IVP_FAIL_PERMISSION, "your user may not open the memory", cannot_open},
	{11, IVP_ABOUT_FILE, IVP_FAIL_GENERAL, "every user may open the memory", others_may},
	{12, IVP_ABOUT_FILE, IVP_FAIL_NONE, "the size is no power of two: QEMU aborts", odd_size},
	{13, IVP_ABOUT_FILE, IVP_FAIL_GENERAL, "the file has holes, and there is no room for them", no_room},
	{14, IVP_ABOUT_FILE, IVP_FAIL_GENERAL, "SELinux keeps QEMU from the memory", wrong_label},
	{15, IVP_ABOUT_FILE, IVP_FAIL_NONE, "programs that would create it cannot open it", is_protected},
	{20, IVP_ABOUT_QEMU, IVP_FAIL_GENERAL, "QEMU does not share the memory", not_shared},
	{21, IVP_ABOUT_QEMU, IVP_FAIL_GENERAL, "QEMU has another file that had this name", another_file},
	{22, IVP_ABOUT_QEMU, IVP_FAIL_NO_REGION, "the file was deleted", file_deleted},
	{23, IVP_ABOUT_QEMU, IVP_FAIL_GENERAL, "file and device are not of one size", sizes_differ},
	{24, IVP_ABOUT_QEMU, IVP_FAIL_NONE, "the memory is itself a device", memory_is_device},
	{0},
};
