// SPDX-License-Identifier: MIT
/* Drivers, a network and a file system, set up by the first process of a guest that was made to be measured. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench_base.h"
#include "wait.h"

#define COMPRESSED 4 /* MODULE_INIT_COMPRESSED_FILE, since Linux 5.17 */
#define APPEAR_MS  10000
#define BAR        "/sys/bus/pci/devices/0000:00:11.0/resource2_wc"
#define NODE_AT    "0000:00:12.0"
#define ADDRESS    "10.0.2.15" /* that QEMU gives, and its net's mask */
#define NETMASK    "255.255.255.0"

/* ---- what the host has said ---- */

static void load_module(struct ivp_bench_load *load, const char *path)
{
	size_t len = strlen(path);
	bool plain = len > 3 && !strcmp(path + len - 3, ".ko");
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || (syscall(SYS_finit_module, fd, "", plain ? 0 : COMPRESSED) && errno != EEXIST))
		snprintf(load->failed, sizeof(load->failed), "%.80s cannot be loaded: %s", strrchr(path, '/') + 1,
			 strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void obey(struct ivp_bench_load *load, char *line)
{
	char *rest = strchr(line, ' '), *more;
	int number;

	line[strcspn(line, "\n")] = '\0';
	if (!rest)
		return;
	*rest++ = '\0';
	if (!strcmp(line, "load")) {
		load_module(load, rest);
		return;
	}
	more = rest + strcspn(rest, " ");
	if (*more)
		*more++ = '\0';
	number = ivp_bench_base_number(rest);
	if (number < 0)
		return;
	if (!strcmp(line, "way")) {
		load->there[number] = true;
		snprintf(load->place[number], sizeof(load->place[number]), "%s", more);
	} else {
		snprintf(load->why[number], sizeof(load->why[number]), "%s", more);
	}
}

/* ---- what appears ---- */

/* 0: there is a path like it, now or soon. */
static int await(const char *pattern, char *path, size_t size)
{
	static const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
	int64_t deadline = ivp_deadline(APPEAR_MS);
	glob_t all;

	while (glob(pattern, 0, NULL, &all)) {
		if (ivp_now() > deadline)
			return -ENODEV;
		nanosleep(&pause, NULL);
	}
	snprintf(path, size, "%s", all.gl_pathv[0]);
	globfree(&all);
	return 0;
}

static int set_address(int fd, struct ifreq *request, unsigned long command, const char *text)
{
	struct sockaddr_in address = {.sin_family = AF_INET};

	inet_pton(AF_INET, text, &address.sin_addr);
	memcpy(&request->ifr_addr, &address, sizeof(address));
	return ioctl(fd, command, request) ? -errno : 0;
}

static int set_net(void)
{
	struct ifreq request = {0};
	char path[128];
	int fd, ret = await("/sys/bus/virtio/drivers/virtio_net/virtio*/net/*", path, sizeof(path));

	if (ret)
		return ret;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%.15s", strrchr(path, '/') + 1);
	ret = set_address(fd, &request, SIOCSIFADDR, ADDRESS);
	if (!ret)
		ret = set_address(fd, &request, SIOCSIFNETMASK, NETMASK);
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (!ret && ioctl(fd, SIOCSIFFLAGS, &request))
		ret = -errno;
	close(fd);
	return ret;
}

static int set_9p(char *place, size_t size)
{
	char path[128];

	if (await("/sys/bus/virtio/drivers/9pnet_virtio/virtio*", path, sizeof(path)))
		return -ENODEV;
	if (mount("p9", "/p9", "9p", 0, "trans=virtio,version=9p2000.L,msize=512000,cache=none"))
		return -errno;
	snprintf(place, size, "/p9/file");
	return 0;
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int set_up(int number, char *place, size_t size)
{
	int ret;

	switch ((enum ivp_bench_base)number) {
	case IVP_BENCH_BASE_BAR:
		return await(BAR, place, size);
	case IVP_BENCH_BASE_NODE:
		ret = put("/sys/bus/pci/drivers/ivshmem/bind", NODE_AT);
		return ret ? ret : await("/dev/ivshmem[0-9]*", place, size);
	case IVP_BENCH_BASE_SERIAL:
		return await("/dev/vport*", place, size);
	case IVP_BENCH_BASE_BLK:
		return await("/dev/vd[a-z]", place, size);
	case IVP_BENCH_BASE_9P:
		return set_9p(place, size);
	default:
		return set_net();
	}
}

/* The driver of the node takes no device by itself, for memory that has one is not to be had from sysfs. */
void ivp_bench_load(struct ivp_bench_load *load)
{
	FILE *file = fopen(IVP_BENCH_BASE_TEXT, "re");
	char line[400];

	while (file && fgets(line, sizeof(line), file)) {
		/* It is the last to be loaded; but the driver of all virtio devices is to take its own. */
		put("/sys/bus/pci/drivers_autoprobe", strstr(line, "/ivshmem.ko") ? "0" : "1");
		obey(load, line);
	}
	if (file)
		fclose(file);
	for (int i = 0; i < IVP_BENCH_BASES; i++) {
		int ret = load->there[i] ? set_up(i, load->place[i], sizeof(load->place[i])) : 0;

		if (!ret)
			continue;
		load->there[i] = false;
		if (load->failed[0])
			memcpy(load->why[i], load->failed, sizeof(load->why[i]));
		else
			snprintf(load->why[i], sizeof(load->why[i]), "not in the guest: %s", strerror(-ret));
	}
}
