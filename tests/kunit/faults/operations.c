// SPDX-License-Identifier: GPL-2.0-only
/* The calls in which faults are to come, with what is done before and after each. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults.h"
#include "uapi/linux/ivshmem.h"

#define BYTES  (160 << 10)
#define NODE   "/dev/ivshmem0"
#define CLASS  "/sys/class/ivshmem/ivshmem0"
#define DRIVER "/sys/bus/pci/drivers/ivshmem"

static int node = -1, image = -1, event = -1;
static char slot[64], override[128];
static unsigned char buffer[BYTES];
static unsigned char *map;
static size_t size;

static int exists(const char *path)
{
	return !access(path, F_OK);
}

static int result(long value)
{
	return value < 0 ? -errno : 0;
}

static int run_open(void)
{
	node = open(NODE, O_RDWR | O_CLOEXEC);
	return result(node);
}

static void open_node(void)
{
	if (node < 0 && run_open())
		bail(NODE);
}

static void close_node(void)
{
	if (node >= 0)
		close(node);
	node = -1;
}

static int run_mmap(void)
{
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, node, 0);
	return map == MAP_FAILED ? -errno : 0;
}

static void map_node(void)
{
	open_node();
	if (run_mmap())
		bail("mmap");
}

static void unmap_node(void)
{
	if (map != MAP_FAILED)
		munmap(map, size);
	map = MAP_FAILED;
	close_node();
}

/* A fault of the page fault is tried again by the kernel; a signal would end this program, and the test. */
static int run_touch(void)
{
	for (size_t at = 0; at < size; at += 1 << 20)
		*(volatile unsigned char *)(map + at) += 1;
	return 0;
}

static int run_munmap(void)
{
	long ret = munmap(map, size);

	if (!ret)
		map = MAP_FAILED;
	return result(ret);
}

static int run_fork(void)
{
	pid_t pid = (pid_t)syscall(SYS_fork);

	if (!pid)
		_exit(0);
	if (pid > 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	return result(pid);
}

static int run_info(void)
{
	struct ivshmem_info info = {.argsz = sizeof(info)};

	return result(ioctl(node, IVSHMEM_IOC_INFO, &info));
}

/* The word does not differ: it sleeps for a moment, and is not woken. */
static int run_wait(void)
{
	struct ivshmem_wait wait = {.argsz = sizeof(wait), .offset = size - 4, .timeout_ns = 100000};
	int error = result(ioctl(node, IVSHMEM_IOC_WAIT, &wait));

	return error == -ETIMEDOUT ? 0 : error;
}

static int run_watch(void)
{
	struct ivshmem_watch watch = {.argsz = sizeof(watch), .offset = size - 4};

	return result(ioctl(node, IVSHMEM_IOC_WATCH, &watch));
}

static int run_wake(void)
{
	struct ivshmem_wake wake = {.argsz = sizeof(wake), .flags = IVSHMEM_WAKE_RING};

	return result(ioctl(node, IVSHMEM_IOC_WAKE, &wake));
}

static int run_ring(void)
{
	struct ivshmem_ring ring = {.argsz = sizeof(ring)};

	return result(ioctl(node, IVSHMEM_IOC_RING, &ring));
}

static int run_eventfd(void)
{
	struct ivshmem_eventfd args = {.argsz = sizeof(args), .fd = event};

	return result(ioctl(node, IVSHMEM_IOC_EVENTFD, &args));
}

static int run_read(void)
{
	return result(pread(node, buffer, BYTES, 4000));
}

static int run_write(void)
{
	return result(pwrite(node, buffer, BYTES, 4000));
}

static int run_poll(void)
{
	struct pollfd fds = {.fd = node, .events = POLLIN};

	return result(poll(&fds, 1, 0));
}

static int run_attribute(void)
{
	int fd = open(CLASS "/slot", O_RDONLY | O_CLOEXEC);
	long ret = fd < 0 ? fd : read(fd, buffer, 64);
	int error = result(ret);

	if (fd >= 0)
		close(fd);
	return error;
}

static int write_slot(const char *file)
{
	int fd;
	char path[128];
	long ret;

	snprintf(path, sizeof(path), DRIVER "/%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ret = fd < 0 ? fd : write(fd, slot, strlen(slot));
	int error = result(ret);

	if (fd >= 0)
		close(fd);
	return error;
}

static int bound(void)
{
	char path[128];

	snprintf(path, sizeof(path), DRIVER "/%s", slot);
	return exists(path);
}

static int run_bind(void)
{
	return write_slot("bind");
}

static int run_unbind(void)
{
	return write_slot("unbind");
}

static void be_bound(void)
{
	if (!bound() && run_bind())
		bail("bind");
}

static void be_unbound(void)
{
	if (bound() && run_unbind())
		bail("unbind");
	if (bound() || exists(CLASS))
		bail("something is left of an unbound device");
}

static int run_load(void)
{
	return result(syscall(SYS_finit_module, image, "", 0));
}

static int run_unload(void)
{
	return result(syscall(SYS_delete_module, "ivshmem", O_NONBLOCK));
}

static void be_loaded(void)
{
	if (!exists("/sys/module/ivshmem") && run_load())
		bail("load");
}

static void be_unloaded(void)
{
	if (exists("/sys/module/ivshmem") && run_unload())
		bail("unload");
	if (exists("/sys/module/ivshmem") || exists("/sys/class/ivshmem"))
		bail("something is left of the module");
}

/* Nobody has been in this memory: the kernel has no view of it yet. */
static void open_anew(void)
{
	be_unbound();
	be_bound();
	open_node();
}

static void nothing(void)
{
}

/*
 * x86 does not live through a failure to allocate a page table while it adds memory: the kernel's own code writes to where
 * the page would be. So no faults of page allocation where struct pages are made; and all kinds where none are.
 */
static void slab_only(void)
{
	put_file("/sys/kernel/debug/fail_page_alloc/min-order", "20");
}

static void all_faults(void)
{
	put_file("/sys/kernel/debug/fail_page_alloc/min-order", "0");
}

static void unbound_with_pages(void)
{
	slab_only();
	put_file("/sys/module/ivshmem/parameters/pages", "1");
	be_unbound();
}

static void unbound_without_pages(void)
{
	all_faults();
	put_file("/sys/module/ivshmem/parameters/pages", "0");
	be_unbound();
}

/* The driver alone: what it does with a device is bind's. */
static void unloaded(void)
{
	all_faults();
	be_unloaded();
	put_file(override, "nobody");
}

static void unloaded_again(void)
{
	be_unloaded();
	put_file(override, "\n");
}

const struct operation operations[] = {
	{"open", nothing, run_open, close_node, 0},
	{"mmap", open_node, run_mmap, unmap_node, 0},
	{"touch", map_node, run_touch, unmap_node, 0},
	{"munmap", map_node, run_munmap, unmap_node, 0},
	{"fork", map_node, run_fork, unmap_node, 0},
	{"info", open_node, run_info, close_node, 0},
	{"wait", open_anew, run_wait, close_node, 0},
	{"watch", open_anew, run_watch, close_node, 0},
	{"wake", open_node, run_wake, close_node, 0},
	{"ring", open_node, run_ring, close_node, 0},
	{"eventfd", open_node, run_eventfd, close_node, 0},
	{"read", open_anew, run_read, close_node, 0},
	{"write", open_anew, run_write, close_node, 0},
	{"poll", open_node, run_poll, close_node, 0},
	{"attribute", nothing, run_attribute, nothing, 0},
	{"unbind", be_bound, run_unbind, be_unbound, 0},
	/* request_mem_region() has one answer for a range that is taken, and for no memory. */
	{"bind", unbound_with_pages, run_bind, be_unbound, -EBUSY},
	{"bind without struct pages", unbound_without_pages, run_bind, be_unbound, -EBUSY},
	{"load", unloaded, run_load, unloaded_again, 0},
	{"unload", be_loaded, run_unload, be_unloaded, 0},
};
const unsigned int operations_count = sizeof(operations) / sizeof(operations[0]);

void operations_begin(const char *module)
{
	char link[256];
	ssize_t len = readlink(CLASS "/device", link, sizeof(link) - 1);
	struct stat st;

	if (len < 0)
		bail(CLASS);
	link[len] = 0;
	snprintf(slot, sizeof(slot), "%s", strrchr(link, '/') + 1);
	snprintf(override, sizeof(override), "/sys/bus/pci/devices/%s/driver_override", slot);
	open_node();
	if (fstat(node, &st))
		bail(NODE);
	size = (size_t)st.st_size;
	close_node();
	event = eventfd(0, EFD_CLOEXEC);
	if (event < 0)
		bail("eventfd");
	image = open(module, O_RDONLY | O_CLOEXEC);
	if (image < 0)
		bail(module);
}

void operations_end(void)
{
	be_unloaded();
	slab_only();
	be_loaded();
}
