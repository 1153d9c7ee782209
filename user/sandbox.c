// SPDX-License-Identifier: MIT
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox.h"
#ifdef IVP_NO_SANDBOX
#undef IVP_NO_SECCOMP
#define IVP_NO_SECCOMP
#endif
#ifndef IVP_NO_SECCOMP
#include "calls_base.h"
#include "calls_forward.h"
#include "calls_meet.h"
#endif

/* The first version's; later ones have more to forbid, of which this program has never made use. */
#define ALL_FILES (LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1)

#define OPEN_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)

static int allow_path(int ruleset, const char *path, unsigned long long access)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access};
	int ret = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return -errno;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		ret = -errno;
	close(rule.parent_fd);
	return ret;
}

static int restrict_files(int ruleset, const struct ivp_sandbox_files *files)
{
	int ret = 0;

	if (files->sockets)
		ret = allow_path(ruleset, files->sockets,
				 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE);
	if (!ret && files->port)
		ret = allow_path(ruleset, files->port, OPEN_FILE);
	if (!ret && syscall(SYS_landlock_restrict_self, ruleset, 0))
		ret = -errno;
	return ret;
}

/* Nor does anybody look into this process, or find its memory on a disk. */
static int harden(void)
{
	const struct rlimit none = {0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ||
	    setrlimit(RLIMIT_CORE, &none))
		return -errno;
	return 0;
}

int ivp_sandbox_files(const struct ivp_sandbox_files *files)
{
	struct landlock_ruleset_attr all = {.handled_access_fs = ALL_FILES};
	int ret, ruleset;

#ifdef IVP_NO_SANDBOX
	return -EOPNOTSUPP;
#endif
	ret = harden();
	if (ret)
		return ret;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all.handled_access_fs), 0);
	if (ruleset < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? -EOPNOTSUPP : -errno;
	ret = restrict_files(ruleset, files);
	close(ruleset);
	return ret;
}

#ifdef IVP_NO_SECCOMP
int ivp_sandbox_calls(enum ivp_sandbox_calls calls)
{
	(void)calls;
	return -EOPNOTSUPP;
}
#else
/* One that cannot be had for all threads is none. */
static int load(const unsigned long long *instructions, size_t count)
{
	struct sock_filter filter[count];
	struct sock_fprog program = {.len = (unsigned short)count, .filter = filter};
	long ret;

	memcpy(filter, instructions, sizeof(filter));
	ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
	if (ret > 0)
		return -EBUSY;
	if (ret < 0)
		return errno == ENOSYS || errno == EINVAL ? -EOPNOTSUPP : -errno;
	return 0;
}

int ivp_sandbox_calls(enum ivp_sandbox_calls calls)
{
	switch (calls) {
	case IVP_SANDBOX_MEET:
		return load(meet, sizeof(meet) / sizeof(meet[0]));
	case IVP_SANDBOX_FORWARD:
		return load(forward, sizeof(forward) / sizeof(forward[0]));
	default:
		return load(base, sizeof(base) / sizeof(base[0]));
	}
}
#endif
