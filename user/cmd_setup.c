// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "error.h"
#include "setup.h"
#include "superblock.h"

#define DEFAULT_SIZE (64 << 20)

static int refuse(const char *what, const char *wanted)
{
	ivp_log_error("setup: %s: %s", what, wanted);
	return IVP_FAIL_USAGE;
}

static bool is_word(const char *text)
{
	return *text && *text != '-' && strlen(text) <= 31 &&
	       !text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")];
}

static int check(const struct ivp_cli *cli, const struct ivp_hypervisor *hypervisor, struct ivp_setup *setup)
{
	char text[IVP_SIZE_TEXT];

	if (!hypervisor)
		return refuse(cli->argument ? cli->argument : "no hypervisor", "say qemu, libvirt, proxmox or incus");
	if (!is_word(setup->name))
		return refuse(setup->name, "a name has 1 to 31 of A-Z a-z 0-9 _ -, and begins with no -");
	if (setup->size & (setup->size - 1))
		return refuse(ivp_options_size_text(text, setup->size),
			      "a device's memory is a power of two: QEMU aborts");
	if (setup->size < IVP_REGION_MIN || setup->size < hypervisor->least)
		return refuse(ivp_options_size_text(text, setup->size),
			      hypervisor->least > 1 ? "too small: at least 1M" : "too small: at least 64K");
	if (strpbrk(setup->user, " \t\n'\"\\"))
		return refuse(setup->user, "no name of a user");
	snprintf(setup->path, sizeof(setup->path), "%s%s", hypervisor->prefix, setup->name);
	return 0;
}

/* Behind sudo, whoever called it. */
static const char *own_name(char name[32])
{
	const char *behind = geteuid() ? NULL : getenv("SUDO_USER");

	return behind && *behind ? behind : ivp_tree_name("", "passwd", geteuid(), name);
}

/* A name of /etc/passwd, or a number. */
static int64_t user_id(const char *user)
{
	int64_t id = ivp_tree_id("", "passwd", user);

	return id < 0 && *user && !user[strspn(user, "0123456789")] ? strtoll(user, NULL, 10) : id;
}

/* Nobody else may open it before it is whole. Its blocks are had at once: a hole on a full tmpfs kills whoever writes there. */
static int fill(int fd, const struct ivp_setup *setup, int64_t user, int64_t group, struct ivp_error *err)
{
	if (fallocate(fd, 0, 0, (off_t)setup->size))
		return ivp_fail_path(err, -errno, setup->path, "its memory cannot be had");
	if (fchown(fd, (uid_t)user, group < 0 ? (gid_t)-1 : (gid_t)group))
		return ivp_fail_path(err, -errno, setup->path,
				     "to give it to that user and to group kvm takes root: sudo");
	if (fchmod(fd, 0660))
		return ivp_fail_path(err, -errno, setup->path, NULL);
	return 0;
}

static int apply(const struct ivp_cli *cli, const struct ivp_setup *setup)
{
	int64_t user = user_id(setup->user), group = ivp_tree_id("", "group", "kvm");
	struct ivp_error err = {0};
	int fd, ret;

	if (user < 0)
		return refuse(setup->user, "not in /etc/passwd: give the user's number");
	fd = open(setup->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		ivp_fail_path(&err, -errno, setup->path,
			      errno == EEXIST ? "to see whether it is right: ivpipe doctor -r that" : NULL);
		return ivp_cli_failed(cli, &err);
	}
	ret = fill(fd, setup, user, group, &err);
	close(fd);
	if (ret)
		unlink(setup->path);
	else
		ivp_log_notice("setup: made %s", setup->path);
	return ret ? ivp_cli_failed(cli, &err) : 0;
}

int ivp_cmd_setup(struct ivp_cli *cli)
{
	const struct ivp_hypervisor *hypervisor = cli->argument ? ivp_setup_find(cli->argument) : NULL;
	char own[32];
	struct ivp_setup setup = {
		.name = cli->name ? cli->name : "vm0",
		.hypervisor = cli->argument,
		.applied = cli->apply,
		.user = cli->user ? cli->user : own_name(own),
		.size = cli->size ? cli->size : DEFAULT_SIZE,
	};
	int code = check(cli, hypervisor, &setup);

	if (!code && cli->apply)
		code = apply(cli, &setup);
	if (!code)
		hypervisor->show(&setup);
	return code;
}
