/* SPDX-License-Identifier: MIT */
/* machine: a made-up one, /sys, /proc and /dev in a directory; a host or a guest that is well, for a test to change one thing in. */
#ifndef IVP_MACHINE_H
#define IVP_MACHINE_H

#include "made.h"
#include "ivpipe.h"

#define SLOT   "0000:00:04.0"
#define DEVICE "sys/bus/pci/devices/" SLOT
#define SIZE   (1 << 20)
#define SHM    "/dev/shm/vm0"
/* Words end where there is a newline here. */
#define DEVICE_WORDS "-device\nivshmem-plain,memdev=m0\n"

static void driver(const char *name)
{
	char target[64];

	unlink(at(DEVICE "/driver"));
	snprintf(target, sizeof(target), "../../drivers/%s", name);
	if (*name && symlink(target, at(DEVICE "/driver")))
		abort();
}

/* Words as in a command line: newlines become the ends. */
static void command_line(const char *words)
{
	char line[1024];
	size_t len = strlen(words);

	memcpy(line, words, len);
	for (size_t i = 0; i < len; i++)
		if (line[i] == '\n')
			line[i] = '\0';
	bytes("proc/100/cmdline", line, len, (off_t)len);
}

static void maps(const char *path, ino_t inode)
{
	text("proc/100/maps",
	     "55d000000000-55d000001000 r-xp 00000000 08:01 77                   /usr/bin/qemu\n"
	     "7f0000000000-7f0000100000 rw-s 00000000 00:1a %lu                  %s\n",
	     (unsigned long)inode, path);
}

static ino_t inode_of(const char *path)
{
	struct stat st;

	return stat(at(path), &st) ? 0 : st.st_ino;
}

/* An empty tree. */
static void fresh(void)
{
	static int number;

	snprintf(root, sizeof(root), "%s/%d", top, number++);
	mkdir(root, 0755);
	directories("dev/shm/");
	text("etc/group", "root:x:0:\nkvm:x:%u:\n", group());
	text("etc/passwd", "root:x:0:0::/:/bin/sh\nme:x:%u:0::/:/bin/sh\n", geteuid());
	text("proc/self/mounts",
	     "none / ext4 rw 0 0\ndev /dev devtmpfs rw,nosuid 0 0\nshm /dev/shm tmpfs rw,nodev 0 0\n");
	text("proc/sys/kernel/osrelease", "6.1.0-test\n");
	text("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
}

static void well_host(void)
{
	fresh();
	region("dev/shm/vm0", SIZE, SIZE);
	command_line("qemu\n-object\nmemory-backend-file,id=m0,mem-path=" SHM ",size=1M,share=on\n" DEVICE_WORDS);
	maps(SHM, inode_of("dev/shm/vm0"));
}

static void well_guest(void)
{
	fresh();
	text(DEVICE "/vendor", "0x1af4\n");
	text(DEVICE "/device", "0x1110\n");
	text(DEVICE "/resource", "0xfebf1000 0xfebf10ff 0x40200\n0x0 0x0 0x0\n0xfe000000 0xfe0fffff 0x14220c\n");
	text(DEVICE "/enable", "1\n");
	bytes(DEVICE "/config", "\xf4\x1a\x10\x11\x03\x00", 6, 64);
	directories(DEVICE "/ivshmem/ivshmem0/");
	driver("ivshmem");
	text("sys/module/ivshmem/version", "%s\n", ivp_version());
	text("sys/class/ivshmem/ivshmem0/size", "%d\n", SIZE);
	text("sys/class/ivshmem/ivshmem0/cache", "write-back\n");
	text("sys/class/ivshmem/ivshmem0/cache_reason", "none\n");
	text("sys/class/ivshmem/ivshmem0/dev", "240:0\n");
	text("lib/udev/rules.d/70-ivshmem.rules", "#\n");
	text("lib/modules/6.1.0-test/modules.dep", "updates/dkms/ivshmem.ko:\n");
	text("lib/modules/6.1.0-test/build/Makefile", "#\n");
	region("dev/ivshmem0", SIZE, SIZE);
}

/* No driver, and its module not there. */
static void bare_guest(void)
{
	well_guest();
	driver("");
	gone("sys/module/ivshmem");
	bytes(DEVICE "/resource2", "", 0, SIZE);
}

#endif
