// SPDX-License-Identifier: MIT
/*
 * What the doctor finds, each in a made-up tree of /sys, /proc and /dev, so that neither a device nor QEMU is needed: a machine that is
 * well, with one thing changed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "deps.h"

/* Memory that is slow to read ('r') or to write ('w'), by a clock on which nothing but copying takes time: a nanosecond for ten
 * bytes, forty times that if slow. The private one is known by its two halves. */
static char slow_way;
static uint64_t made_ns;
static void *slow_copy(void *to, const void *from, size_t len)
{
	static const void *own;
	bool slow = (slow_way == 'r' && to == own) || (slow_way == 'w' && from == own);

	if (from == (const char *)to + 64 * 1024) {
		own = to;
		slow = false;
	}
	made_ns += len / 10 * (slow ? 40 : 1);
	return __builtin_memcpy(to, from, len);
}

static int made_clock(clockid_t clock, struct timespec *ts)
{
	(void)clock;
	ts->tv_sec = (time_t)(made_ns / 1000000000);
	ts->tv_nsec = (long)(made_ns % 1000000000);
	return 0;
}
#define memcpy        slow_copy
#define clock_gettime made_clock
#include "../../user/doctor_memory.c"
#undef memcpy
#undef clock_gettime
#include "check.h"
#include "machine.h"

static struct ivp_doctor doctor;

static void run(const char *wanted)
{
	ivp_doctor_free(&doctor);
	memset(&doctor, 0, sizeof(doctor));
	doctor.root = root;
	doctor.wanted = wanted;
	if (ivp_doctor_run(&doctor, NULL))
		abort();
}

static const struct ivp_finding *finding(int number)
{
	for (size_t i = 0; i < doctor.count; i++)
		if (doctor.findings[i].check->number == number)
			return &doctor.findings[i];
	return NULL;
}

static void show(void)
{
	for (size_t i = 0; i < doctor.count; i++)
		printf("# [%d] %s | %s\n", doctor.findings[i].check->number, doctor.findings[i].evidence,
		       doctor.findings[i].remedy);
}

/* Run it: that finding, and no other that counts but those it entails; with these words in evidence and remedy, and that exit code. */
static void finds(int number, int code, const char *evidence, const char *remedy, const char *what)
{
	const struct ivp_finding *found;
	char line[256];
	bool good;

	run(NULL);
	found = finding(number);
	good = found && strstr(found->evidence, evidence) && strstr(found->remedy, remedy) &&
	       (int)ivp_doctor_code(&doctor) == code;
	snprintf(line, sizeof(line), "[%d] %s", number, what);
	check(good, line);
	if (!good)
		show();
}

static void well(const char *what)
{
	run(NULL);
	check(!doctor.count && !ivp_doctor_code(&doctor), what);
	if (doctor.count)
		show();
}

static void as_nobody(int number, int code, const char *evidence, const char *remedy, const char *what)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (uid) {
		check_skip(what, "not root, who can be somebody else");
		return;
	}
	if (setegid(65534) || seteuid(65534))
		abort();
	finds(number, code, evidence, remedy, what);
	if (seteuid(uid) || setegid(gid))
		abort();
}

static void check_nothing(void)
{
	fresh();
	finds(1, 3, "no 1af4:1110", "ivpipe setup", "nothing at all");
	run("/nowhere/at all");
	check(finding(2) && ivp_doctor_code(&doctor) == 3 && strstr(finding(2)->remedy, "'/nowhere/at all'"),
	      "[2] a region that is not there, in a word for the shell");
}

static void check_files(void)
{
	well_host();
	chmod(at("dev/shm/vm0"), 0664);
	finds(11, 1, "mode 0664", "chmod o= ", "everybody may read it");
	check(finding(11)->mend == IVP_MEND_MODE && !ivp_doctor_mend(finding(11)), "which is mended");
	well("and well then");
	well_host();
	chmod(at("dev/shm/vm0"), 0664);
	run(NULL);
	rename(at("dev/shm/vm0"), at("elsewhere"));
	if (symlink(at("elsewhere"), at("dev/shm/vm0")))
		abort();
	check(ivp_doctor_mend(finding(11)) == -ELOOP, "but not through a link that came meanwhile");
	well_host();
	link(at("dev/shm/vm0"), at("elsewhere"));
	chmod(at("dev/shm/vm0"), 0666);
	run(NULL);
	check(ivp_doctor_mend(finding(11)) == -ESTALE, "nor if it has a second name");
	well_host();
	chmod(at("proc/100/maps"), 0600);
	as_nobody(10, 4, "mode 0660, owner ", "adduser $USER kvm", "somebody who is not in its group");
	check(geteuid() || strstr(doctor.unseen, "proc/100/maps"), "what takes root is said");
	well_host();
	chmod(at("dev/shm/vm0"), 0644);
	as_nobody(10, 4, "mode 0644", "chown $USER:kvm", "as libvirt makes it");
	fresh();
	region("dev/shm/vm0", 3 << 20, 3 << 20);
	finds(12, 0, "3145728 bytes", "2097152 or 4194304", "no power of two");
}

static void check_files_of_others(void)
{
	well_host();
	text("sys/fs/selinux/enforce", "1\n");
	finds(14, 1, "label ", "svirt_tmpfs_t", "SELinux");
	if (!setxattr(at("dev/shm/vm0"), "security.selinux", "u:r:svirt_tmpfs_t:s0", 20, 0))
		well("with the label that it takes");
	else
		check_skip("with the label that it takes", "no such label here");
	well_host();
	chmod(at("dev/shm"), 01777);
	text("proc/sys/fs/protected_regular", "2\n");
	well("its owner has no trouble with a sticky directory");
	if (geteuid() || chown(at("dev/shm/vm0"), 1, getegid()))
		check_skip("[15] another's file in a sticky directory", "not root");
	else
		finds(15, 0, "protected_regular: 2", "without O_CREAT", "another's file in a sticky directory");
}

static void check_qemu(void)
{
	well_host();
	well("a host that is well");
	command_line("qemu\n-object\nmemory-backend-file,id=m0,mem-path=" SHM ",size=1M\n" DEVICE_WORDS);
	finds(20, 1, "proc/100/cmdline", "share=on", "not shared");
	command_line("qemu\n-object\nmemory-backend-file,id=m0,mem-path=" SHM ",size=1M,share=off\n" DEVICE_WORDS);
	finds(20, 1, "proc/100/cmdline", "share=on", "share=off");
	command_line(
		"qemu\n-object\n{\"qom-type\":\"memory-backend-file\",\"id\":\"m\",\"mem-path\":\"" SHM
		"\",\"size\":1048576,\"share\":false}\n-device\n{\"driver\":\"ivshmem-plain\",\"memdev\":\"m\"}\n");
	finds(20, 1, SHM, "share=on", "as libvirt says it");
	command_line("qemu\n-object\n{\"qom-type\":\"memory-backend-file\",\"id\":\"m\",\"mem-path\":\"" SHM
		     "\",\"size\":1048576,\"share\":true}\n-device\n{\"driver\":\"ivshmem-plain\",\"memdev\":\"m\"}\n");
	well("which is well with true");
	command_line("qemu\n-object\nmemory-backend-file,id=m0,mem-path=" SHM ",size=2M,share=on\n" DEVICE_WORDS);
	finds(23, 1, "size=2097152", "one size", "a file smaller than the device");
	command_line("qemu\n-object\nmemory-backend-file,id=m0,mem-path=" SHM ",size=512K,share=on\n" DEVICE_WORDS);
	finds(23, 1, "size=524288", "one size", "a file larger than the device");
	command_line("cat\n-device\nivshmem-plain,memdev=m0");
	well("a process that has a device and no memory");
	command_line("x\n-device\nivshmem-plain,memdev=m0\nid=m0,mem-path=,share=on\n,id=m0,mem-path=");
	well("or one that makes fun of us");
}

/* Of a file that it only names nothing is said, lest somebody does to it what we say. */
static void check_liars(void)
{
	const char *line = "x\n-object\nmemory-backend-file,id=m0,mem-path=/etc/secret,size=1M,share=on\n" DEVICE_WORDS;

	well_host();
	bytes("etc/secret", "x", 1, SIZE);
	chmod(at("etc/secret"), 0666);
	command_line(line);
	well("a process that names a file and has it not");
	gone("proc/100/maps");
	well("nor if that cannot be seen");
	maps("/etc/secret", inode_of("etc/secret"));
	finds(11, 3, "etc/secret: mode 0666", "chmod", "one that has it mapped for writing");
}

static void check_inodes(void)
{
	well_host();
	maps(SHM, inode_of("dev/shm/vm0") + 1);
	finds(21, 1, "maps: inode", "stop the virtual machine", "two inodes");
	maps(SHM " (deleted)", 5);
	finds(21, 1, "maps: inode 5;", "stop the virtual machine", "deleted, and made anew");
	gone("dev/shm/vm0");
	finds(22, 3, "maps: deleted", "start it again", "deleted");
	gone("proc/100/maps");
	finds(22, 3, "cmdline: has it", "start it again", "deleted, and maps not to be seen");
	well_host();
	gone("proc/100/maps");
	well("maps that cannot be seen are no finding");
	if (!geteuid() && !unlink(at("dev/shm/vm0")) && !mknod(at("dev/shm/vm0"), S_IFCHR | 0660, makedev(1, 3))) {
		finds(24, 3, "a device", "/dev/shm", "a device as memory");
		command_line("qemu\nmemory-backend-file,id=m0,mem-path=" SHM ",size=1M,share=on\n" DEVICE_WORDS
			     "-device\nvhost-user-fs-pci\n");
		finds(24, 3, "virtiofs", "/dev/shm", "with virtiofs");
	} else {
		check_skip("[24] a device as memory", "no leave to make devices");
	}
}

static void check_device(void)
{
	well_guest();
	well("a guest that is well");
	text(DEVICE "/resource", "0x0 0x0 0x0\n0x0 0x0 0x0\n0x0000000000000000 0x0000000000000000 0x0\n");
	finds(30, 3, "resource: 0x0000000000000000", "pref64-reserve", "a window too small");
	bare_guest();
	finds(31, 3, "sys/module/ivshmem: not there", "modprobe ivshmem", "module not loaded");
	check(finding(31)->mend == IVP_MEND_RUN && !strcmp(finding(31)->run[0], "modprobe"), "which can be mended");
	well_guest();
	driver("");
	finds(32, 3, "driver: not there", "drivers_probe", "unbound");
	bytes("sys/bus/pci/drivers_probe", "", 0, 0);
	check(!ivp_doctor_mend(finding(32)), "which is mended");
	text(DEVICE "/driver_override", "vfio-pci\n");
	finds(32, 3, "driver_override: vfio-pci", "echo | ", "kept for another driver");
	check(finding(32)->mend == IVP_MEND_TELL, "which is left as it is");
	for (const char *const *name = (const char *const[]){"kvmfr", "vfio-pci", "uio_pci_generic", NULL}; *name;
	     name++) {
		well_guest();
		driver(*name);
		finds(33, 3, *name, "driver_override", *name);
	}
	well_guest();
	bytes(DEVICE "/config", "\xf4\x1a\x10\x11\x01\x04", 6, 64);
	finds(34, 3, "command 0401", "setpci -s " SLOT, "memory decode off");
	driver("");
	finds(34, 3, "command 0401", DEVICE "/enable", "and no driver");
}

static void check_node(void)
{
	well_guest();
	gone("dev/ivshmem0");
	finds(35, 3, "dev: 240:0", "udevadm trigger", "no node");
	well_guest();
	as_nobody(36, 4, "mode 0660, owner ", "adduser $USER kvm", "a user who is not in the group");
	well_guest();
	chmod(at("dev/ivshmem0"), 0600);
	finds(37, 1, "udev rule: there", "udevadm trigger --settle -s ivshmem", "mode 0600");
	as_nobody(36, 4, "mode 0600", "udevadm trigger --settle -s ivshmem", "mode 0600 for a user");
	gone("lib/udev");
	finds(37, 1, "70-ivshmem.rules not there", "make install", "no rule");
	well_guest();
	chmod(at("dev/ivshmem0"), 0666);
	finds(37, 1, "mode 0666", "udevadm", "for everybody");
	well_guest();
	text("proc/self/mounts",
	     "none / ext4 rw 0 0\nx /dev tmpfs rw,nodevices 0 0\nx /dev tmpfs rw,nosuid,nodev 0 0\n");
	finds(38, 4, "mounts: /dev/ivshmem0", "remount,dev", "nodev");
	bare_guest();
	text("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	finds(39, 3, "lockdown: none [integrity]", "mokutil", "lockdown");
	text("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	text("sys/module/module/parameters/sig_enforce", "Y\n");
	finds(39, 3, "sig_enforce: Y", "mokutil", "signatures wanted");
}

static void check_module(void)
{
	const char *log = "var/lib/dkms/ivpipe/%s/build/make.log";
	char path[128];

	bare_guest();
	gone("lib/modules");
	finds(40, 3, "modules.dep: no ivshmem.ko", "linux-headers-6.1.0-test", "no module");
	check(finding(41) && strstr(finding(41)->remedy, "apt install linux-headers-6.1.0-test"), "[41] no headers");
	text("lib/modules/6.1.0-test/build/Makefile", "#\n");
	run(NULL);
	check(finding(40) && !finding(41), "headers, and no module");
	snprintf(path, sizeof(path), log, ivp_version());
	text(path, "make -C\npahole: not found\nmake: *** Error 1\n");
	finds(42, 3, "pahole: not found", "apt install pahole; then: ", "DKMS failed for want of pahole");
	text(path, "make -C\nobjtool: read_stack_limit: fopen failed\nmake: *** Error 1\n");
	finds(42, 3, "fopen failed", "mount /proc", "for want of /proc");
	text("proc/self/mounts", "none / ext4 rw 0 0\nx /usr/src ext4 rw,noexec 0 0\n");
	finds(44, 3, "/usr/src lies on a mount with noexec", "remount,exec", "noexec");
	well_guest();
	text("sys/module/ivshmem/version", "0.0.1\n");
	finds(43, 0, "version: 0.0.1", "modprobe -r", "a stale module");
}

static void check_cache(void)
{
	well_guest();
	text("sys/class/ivshmem/ivshmem0/cache", "write-combine\n");
	text("sys/class/ivshmem/ivshmem0/cache_reason", "no-memory\n");
	finds(50, 1, "cache_reason: no-memory", "more RAM", "write-combining for want of RAM");
	text("sys/class/ivshmem/ivshmem0/cache_reason", "small\n");
	finds(50, 1, "cache_reason: small", "2 MiB", "for want of size");
	text("sys/class/ivshmem/ivshmem0/cache_reason", "strange\n");
	finds(50, 1, "cache_reason: strange", "dmesg", "for a reason of another version");
	text("sys/class/ivshmem/ivshmem0/cache", "uncached\n");
	finds(51, 1, "cache: uncached", "", "uncached");
	text("sys/class/ivshmem/ivshmem0/cache", "none\n");
	finds(52, 3, "cache: none", "", "not to be mapped");
	bare_guest();
	finds(53, 3, "resource2: uncached", "/dev/ivshmemN", "through sysfs");
}

static void check_speed(void)
{
	well_host();
	slow_way = 'r';
	finds(54, 1, ": reads ", "/dev/shm", "a file that is slow to read");
	check(!finding(55) && strstr(finding(54)->evidence, ": 1/40"), "and not to write");
	well_guest();
	slow_way = 'w';
	finds(55, 1, ": writes ", "cache_reason", "a node that is slow to write");
	check(!finding(54), "and not to read");
	slow_way = 0;
	well_guest();
	well("measured");
	check(doctor.speeds[0].private && doctor.speeds[0].read && doctor.speeds[0].write, "in all three ways");
}

static void check_layout(void)
{
	well_host();
	bytes("dev/shm/vm0", "", 0, SIZE);
	chmod(at("dev/shm/vm0"), 0660);
	finds(60, 0, "not laid out yet", "", "zeros");
	bytes("dev/shm/vm0", "something", 9, SIZE);
	chmod(at("dev/shm/vm0"), 0660);
	finds(61, 3, "somebody else's data", "ivpipe format --force", "somebody else's");
	region("dev/shm/vm0", 4 << 20, SIZE);
	finds(61, 3, "laid out for 4194304 bytes, but has 1048576", "ivpipe format --force",
	      "file and device of two sizes");
}

static void check_choice(void)
{
	well_guest();
	region("dev/shm/vm1", SIZE, SIZE);
	chmod(at("dev/shm/vm1"), 0666);
	run(at("dev/ivshmem0"));
	check(doctor.region_count == 1 && !doctor.count, "one of several is all that is looked at");
	run(at("dev/shm/vm1"));
	check(doctor.region_count == 1 && finding(11), "the other");
	driver("");
	bytes(DEVICE "/resource2", "", 0, SIZE);
	run(at(DEVICE "/resource2"));
	check(doctor.region_count == 1 && finding(32) && !finding(11), "a device by its file in sysfs");
}

int main(void)
{
	char command[PATH_MAX];

	umask(0);
	if (!mkdtemp(top) || chmod(top, 0755))
		abort();
	check_nothing();
	check_files();
	check_files_of_others();
	check_qemu();
	check_liars();
	check_inodes();
	check_device();
	check_node();
	check_module();
	check_cache();
	check_speed();
	check_layout();
	check_choice();
	ivp_doctor_free(&doctor);
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command) || check_done();
}
