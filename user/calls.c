// SPDX-License-Identifier: MIT
/*
 * calls: run while the helper is built; writes the filter of system calls that the helper loads, as a C array, so that it needs no
 * library for that.   calls NAME ARCH: NAME: base | meet | forward; ARCH: as libseccomp calls it (x86_64, aarch64)
 *
 *   base   what streaming takes, once everything is open
 *   meet   base, and what it takes to find a peer over a control connection
 *   forward  base, and what it takes to have more lanes than one, and to reset a socket
 *
 * Whatever is not named here kills the process. What cannot be told by number alone is told by argument: ioctls are those of the
 * driver and of terminals, a clone is a thread, and memory is never executable.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux/ivshmem.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const char *const base[] = {
	/* bytes */
	"read", "write", "readv", "writev", "pread64", "pwrite64", "lseek", "ftruncate", "close", "dup", "dup2", "dup3",
	"recvfrom", "recvmsg", "sendto", "sendmsg", "shutdown",
	/* waiting */
	"poll", "ppoll", "futex", "nanosleep", "clock_nanosleep", "clock_gettime", "gettimeofday", "sched_yield",
	"restart_syscall", "getcpu",
	/* descriptors: locks, flags, sizes */
	"fcntl", "fstat", "newfstatat", "statx", "eventfd2",
	/* memory */
	"brk", "munmap", "mremap", "madvise",
	/* signals, threads, the end */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigpending", "sigaltstack", "tgkill",
	"tkill", "getpid", "gettid", "set_robust_list", "rseq", "membarrier", "exit", "exit_group",
	/* random numbers, for epochs and tokens */
	"getrandom",
	/* a second, tighter filter */
	"seccomp"};

static const char *const meet[] = {"connect", "bind",   "listen", "accept4", "getsockopt", "setsockopt",
				   "open",    "openat", "stat",   "lstat",   "unlink",     "unlinkat"};

/* The last one is malloc's, which has more heaps for more threads, as many as there are processors. */
static const char *const forward[] = {"open", "openat", "getsockopt", "setsockopt", "sched_getaffinity"};

static const unsigned long ioctls[] = {IVSHMEM_IOC_INFO, IVSHMEM_IOC_WAIT, IVSHMEM_IOC_WAKE, IVSHMEM_IOC_RING,
				       TCGETS,           TCSETS,           TIOCGWINSZ,       FIONREAD};

static const unsigned int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_VSOCK};

static scmp_filter_ctx filter;

static void fail(const char *what, int number)
{
	fprintf(stderr, "calls: %s: %s\n", what, strerror(-number));
	exit(1);
}

/* By the number that this machine has for it, or one of the library's own if it has none: the library knows what that is elsewhere. */
static int number_of(const char *name)
{
	int number = seccomp_syscall_resolve_name(name);

	if (number == __NR_SCMP_ERROR)
		fail(name, -ENOSYS);
	return number;
}

/* A call that the other architecture does not have is left out. */
static void allow(const char *name)
{
	int ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number_of(name), 0);

	if (ret)
		fail(name, ret);
}

/* Where the bits of a mask in argument `arg` are so. */
static void allow_masked(const char *name, unsigned int arg, scmp_datum_t mask, scmp_datum_t value)
{
	struct scmp_arg_cmp cmp = {.arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
	int ret = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number_of(name), 1, &cmp);

	if (ret)
		fail(name, ret);
}

static void allow_ioctls(void)
{
	for (size_t i = 0; i < COUNT(ioctls); i++) {
		struct scmp_arg_cmp cmp = {
			.arg = 1, .op = SCMP_CMP_MASKED_EQ, .datum_a = 0xffffffff, .datum_b = ioctls[i]};
		int ret = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number_of("ioctl"), 1, &cmp);

		if (ret)
			fail("ioctl", ret);
	}
}

static void fill(bool meeting, bool forwarding)
{
	const scmp_datum_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
	int ret;

	for (size_t i = 0; i < COUNT(base); i++)
		allow(base[i]);
	for (size_t i = 0; i < COUNT(meet) && meeting; i++)
		allow(meet[i]);
	for (size_t i = 0; i < COUNT(forward) && forwarding; i++)
		allow(forward[i]);
	allow_ioctls();
	allow_masked("mmap", 2, PROT_EXEC, 0);
	allow_masked("mprotect", 2, PROT_EXEC, 0);
	for (size_t i = 0; i < COUNT(families) && meeting; i++)
		allow_masked("socket", 0, 0xffffffff, families[i]);
	allow_masked("clone", 0, thread, thread);
	/* Its flags lie in memory, where no filter looks: the C library falls back on clone. */
	ret = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number_of("clone3"), 0);
	if (ret)
		fail("clone3", ret);
}

static void print_array(const char *name)
{
	FILE *bytes = tmpfile();
	uint64_t instruction;
	int ret;

	if (!bytes)
		fail("temporary file", -errno);
	ret = seccomp_export_bpf(filter, fileno(bytes));
	if (ret)
		fail("export", ret);
	rewind(bytes);
	printf("static const unsigned long long %s[] = {\n", name);
	while (fread(&instruction, sizeof(instruction), 1, bytes) == 1)
		printf("\t0x%016llxULL,\n", (unsigned long long)instruction);
	printf("};\n");
	fclose(bytes);
}

int main(int argc, char **argv)
{
	uint32_t arch = argc == 3 ? seccomp_arch_resolve_name(argv[2]) : 0;
	int ret;

	if (!arch) {
		fprintf(stderr, "usage: calls base|meet|forward ARCH\n");
		return 2;
	}
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		fail("filter", -ENOMEM);
	if (arch != seccomp_arch_native()) {
		ret = seccomp_arch_add(filter, arch);
		if (!ret)
			ret = seccomp_arch_remove(filter, SCMP_ARCH_NATIVE);
		if (ret)
			fail(argv[2], ret);
	}
	/* Calls of another architecture's numbers are nobody's here. */
	seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	fill(!strcmp(argv[1], "meet"), !strcmp(argv[1], "forward"));
	printf("/* Made by calls.c. */\n");
	print_array(argv[1]);
	seccomp_release(filter);
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
