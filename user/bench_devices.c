// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_devices.h"
#include "error.h"
#include "wait.h"

#define FILE_SIZE (16 << 20) /* of a disk, and what is in the file system: the largest write */
#define ASK_MS    20000

const char *const ivp_bench_base_names[IVP_BENCH_BASES] = {"resource2_wc", "node", "virtio-serial",
							   "virtio-blk",   "9p",   "tcp"};

/* What each takes: a device of QEMU's, and drivers, the last of which is its own. */
static const struct {
	const char *device, *drivers[3];
} needs[IVP_BENCH_BASES] = {
	[IVP_BENCH_BASE_BAR] = {"ivshmem-plain", {NULL}},
	[IVP_BENCH_BASE_SERIAL] = {"virtserialport", {"virtio_pci", "virtio_console", NULL}},
	[IVP_BENCH_BASE_BLK] = {"virtio-blk-pci", {"virtio_pci", "virtio_blk", NULL}},
	[IVP_BENCH_BASE_9P] = {"virtio-9p-pci", {"virtio_pci", "9pnet_virtio", "9p"}},
	[IVP_BENCH_BASE_TCP] = {"virtio-net-pci", {"virtio_pci", "virtio_net", NULL}},
	[IVP_BENCH_BASE_NODE] = {"ivshmem-plain", {"ivshmem", NULL}},
};
/* Its driver is loaded last: see bench_load.c. */
static const enum ivp_bench_base order[IVP_BENCH_BASES] = {
	IVP_BENCH_BASE_BAR, IVP_BENCH_BASE_SERIAL, IVP_BENCH_BASE_BLK,
	IVP_BENCH_BASE_9P,  IVP_BENCH_BASE_TCP,    IVP_BENCH_BASE_NODE,
};

int ivp_bench_base_number(const char *name)
{
	for (int i = 0; i < IVP_BENCH_BASES; i++)
		if (!strcmp(name, ivp_bench_base_names[i]))
			return i;
	return -1;
}

static void __attribute__((format(printf, 3, 4)))
leave_out(struct ivp_bench_devices *devices, enum ivp_bench_base base, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(devices->text[base], sizeof(devices->text[base]), format, args);
	va_end(args);
	devices->why[base] = devices->text[base];
}

/* ---- what QEMU has ---- */

/* Some KiB, or as much of it as comes in time. */
static void read_all(int fd, char *text, size_t size)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int64_t deadline = ivp_deadline(ASK_MS), left;
	size_t len = 0;

	while (len + 1 < size && (left = deadline - ivp_now()) > 0 && poll(&poll_fd, 1, (int)left) > 0) {
		ssize_t got = read(fd, text + len, size - 1 - len);

		if (got <= 0)
			break;
		len += (size_t)got;
	}
	text[len] = '\0';
}

static void ask(const char *qemu, const char *what, char *text, size_t size)
{
	int ends[2], null;
	pid_t pid;

	text[0] = '\0';
	if (pipe2(ends, O_CLOEXEC))
		return;
	pid = fork();
	if (!pid) {
		null = open("/dev/null", O_RDWR);
		if (dup2(null, 0) == 0 && dup2(ends[1], 1) == 1 && dup2(null, 2) == 2)
			execl(qemu, qemu, what, "help", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	if (pid > 0) {
		read_all(ends[0], text, size);
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(ends[0]);
}

static void look_at_qemu(struct ivp_bench_devices *devices, const char *qemu)
{
	static char text[256 << 10];
	char quoted[64];

	ask(qemu, "-device", text, sizeof(text));
	for (int i = 0; i < IVP_BENCH_BASES; i++) {
		snprintf(quoted, sizeof(quoted), "\"%s\"", needs[i].device);
		if (!strstr(text, quoted))
			leave_out(devices, i, "QEMU has no device %s", needs[i].device);
	}
	if (devices->why[IVP_BENCH_BASE_TCP])
		return;
	ask(qemu, "-netdev", text, sizeof(text));
	if (!strstr(text, "\nuser\n"))
		leave_out(devices, IVP_BENCH_BASE_TCP, "QEMU was built without slirp");
}

/* ---- what the guest's kernel has ---- */

static void look_for_drivers(struct ivp_bench_devices *devices, enum ivp_bench_base base)
{
	for (int i = 0; i < 3 && needs[base].drivers[i] && !devices->why[base]; i++)
		if (ivp_modules_add(&devices->modules, needs[base].drivers[i]))
			leave_out(devices, base, "%s has no module %s", devices->modules.directory,
				  needs[base].drivers[i]);
}

/* Without a list of its modules it may have everything built in: the guest will tell. But not our driver. */
static void look_at_kernel(struct ivp_bench_devices *devices, const char *image)
{
	ivp_modules_find(&devices->modules, image);
	for (int i = 0; i < IVP_BENCH_BASES; i++)
		if (devices->modules.directory[0])
			look_for_drivers(devices, order[i]);
	if (!devices->modules.directory[0] && !devices->why[IVP_BENCH_BASE_NODE])
		leave_out(devices, IVP_BENCH_BASE_NODE, "no modules for %.100s are in /lib/modules or beside it",
			  image);
}

/* ---- files and sockets ---- */

static void make_file(struct ivp_bench_devices *devices, enum ivp_bench_base base, const char *path, off_t size)
{
	int fd, ret;

	if (devices->why[base])
		return;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ret = fd < 0 ? errno : posix_fallocate(fd, 0, size);
	if (ret)
		leave_out(devices, base, "%s: %s", path, strerror(ret));
	if (fd >= 0)
		close(fd);
}

static void listen_to(struct ivp_bench_devices *devices, enum ivp_bench_base base, int *listener,
		      const struct sockaddr *address, socklen_t len)
{
	if (devices->why[base])
		return;
	*listener = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*listener < 0 || bind(*listener, address, len) || listen(*listener, 8))
		leave_out(devices, base, "a socket of this host: %s", strerror(errno));
}

static void make_sockets(struct ivp_bench_devices *devices)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct sockaddr_in near = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(near);

	memcpy(local.sun_path, devices->serial, sizeof(devices->serial));
	listen_to(devices, IVP_BENCH_BASE_SERIAL, &devices->listeners[0], (struct sockaddr *)&local, sizeof(local));
	listen_to(devices, IVP_BENCH_BASE_TCP, &devices->listeners[1], (struct sockaddr *)&near, len);
	if (!devices->why[IVP_BENCH_BASE_TCP] && getsockname(devices->listeners[1], (struct sockaddr *)&near, &len))
		leave_out(devices, IVP_BENCH_BASE_TCP, "a port of this host: %s", strerror(errno));
	devices->port = ntohs(near.sin_port);
}

static void make_files(struct ivp_bench_devices *devices, const char *directory)
{
	const struct {
		char *path;
		const char *name;
	} files[] = {{devices->bar, "bar"},   {devices->node, "node"}, {devices->serial, "serial"},
		     {devices->disk, "disk"}, {devices->p9, "9p"},     {devices->file, "9p/file"},
		     {devices->ways, "ways"}};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		snprintf(files[i].path, sizeof(devices->bar), "%s/%s", directory, files[i].name);
	make_file(devices, IVP_BENCH_BASE_BAR, devices->bar, IVP_BENCH_BASE_MEMORY);
	make_file(devices, IVP_BENCH_BASE_NODE, devices->node, IVP_BENCH_BASE_MEMORY);
	make_file(devices, IVP_BENCH_BASE_BLK, devices->disk, FILE_SIZE);
	if (!devices->why[IVP_BENCH_BASE_9P] && mkdir(devices->p9, 0700))
		leave_out(devices, IVP_BENCH_BASE_9P, "%s: %s", devices->p9, strerror(errno));
	make_file(devices, IVP_BENCH_BASE_9P, devices->file, FILE_SIZE);
}

/* ---- words ---- */

static void __attribute__((format(printf, 3, 4)))
say(struct ivp_bench_devices *devices, const char *option, const char *format, ...)
{
	char *word = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&word, format, args) < 0)
		word = NULL;
	va_end(args);
	if (!word || devices->word_count + 2 > IVP_BENCH_DEVICES_WORDS) {
		free(word);
		return;
	}
	devices->words[devices->word_count++] = strdup(option);
	devices->words[devices->word_count++] = word;
}

static void say_memory(struct ivp_bench_devices *devices, enum ivp_bench_base base, const char *path, int slot)
{
	const char *name = ivp_bench_base_names[base];

	if (devices->why[base])
		return;
	say(devices, "-object", "memory-backend-file,id=%s,share=on,mem-path=%s,size=%d", name, path,
	    IVP_BENCH_BASE_MEMORY);
	say(devices, "-device", "ivshmem-plain,memdev=%s,addr=%#x", name, slot);
}

/* romfile: nobody boots from the network, and the file may not be installed. */
static void say_all(struct ivp_bench_devices *devices)
{
	say_memory(devices, IVP_BENCH_BASE_BAR, devices->bar, 0x11);
	say_memory(devices, IVP_BENCH_BASE_NODE, devices->node, 0x12);
	if (!devices->why[IVP_BENCH_BASE_SERIAL]) {
		say(devices, "-device", "virtio-serial-pci");
		say(devices, "-chardev", "socket,id=serial,path=%s", devices->serial);
		say(devices, "-device", "virtserialport,chardev=serial,name=bench");
	}
	if (!devices->why[IVP_BENCH_BASE_TCP]) {
		say(devices, "-netdev", "user,id=net");
		say(devices, "-device", "virtio-net-pci,netdev=net,romfile=");
	}
	if (!devices->why[IVP_BENCH_BASE_9P]) {
		say(devices, "-fsdev", "local,id=p9,path=%s,security_model=none", devices->p9);
		say(devices, "-device", "virtio-9p-pci,fsdev=p9,mount_tag=p9");
	}
	if (!devices->why[IVP_BENCH_BASE_BLK]) {
		say(devices, "-drive", "if=none,id=disk,file=%s,format=raw", devices->disk);
		say(devices, "-device", "virtio-blk-pci,drive=disk");
	}
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int write_ways(struct ivp_bench_devices *devices, struct ivp_error *err)
{
	FILE *file = fopen(devices->ways, "wxe");

	if (!file)
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "%s: %s", devices->ways, strerror(errno));
	for (int i = 0; i < IVP_BENCH_BASES; i++)
		if (devices->why[i])
			fprintf(file, "left %s %s\n", ivp_bench_base_names[i], devices->why[i]);
		else
			fprintf(file, "way %s %d\n", ivp_bench_base_names[i], devices->port);
	for (size_t i = 0; i < devices->modules.count; i++)
		fprintf(file, "load " IVP_BENCH_BASE_MODULES "/%s\n", name_of(devices->modules.files[i]));
	if (fclose(file))
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "%s: %s", devices->ways, strerror(errno));
	return 0;
}

int ivp_bench_devices_make(struct ivp_bench_devices *devices, const char *directory, const char *qemu,
			   const char *image, struct ivp_error *err)
{
	devices->listeners[0] = devices->listeners[1] = -1;
	look_at_qemu(devices, qemu);
	look_at_kernel(devices, image);
	make_files(devices, directory);
	make_sockets(devices);
	say_all(devices);
	return write_ways(devices, err);
}

int ivp_bench_devices_pack(const struct ivp_bench_devices *devices, struct ivp_cpio *cpio, struct ivp_error *err)
{
	int ret = ivp_cpio_program(cpio, IVP_BENCH_BASE_TEXT, devices->ways, err);
	char from[512], to[160];

	for (size_t i = 0; !ret && i < devices->modules.count; i++) {
		snprintf(from, sizeof(from), "%s/%s", devices->modules.directory, devices->modules.files[i]);
		snprintf(to, sizeof(to), IVP_BENCH_BASE_MODULES "/%s", name_of(devices->modules.files[i]));
		ret = ivp_cpio_program(cpio, to, from, err);
	}
	return ret ? ret : ivp_cpio_directory(cpio, "/p9", err);
}

void ivp_bench_devices_remove(struct ivp_bench_devices *devices)
{
	const char *const files[] = {devices->bar,  devices->node, devices->serial,
				     devices->disk, devices->file, devices->ways};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (files[i][0])
			unlink(files[i]);
	if (devices->p9[0])
		rmdir(devices->p9);
	for (int i = 0; i < 2; i++)
		if (devices->listeners[i] >= 0)
			close(devices->listeners[i]);
	while (devices->word_count)
		free(devices->words[--devices->word_count]);
	ivp_modules_free(&devices->modules);
}
