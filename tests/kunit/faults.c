// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fail every allocation and every copy from or to user memory once, in each call on the node, in binding and unbinding, and
 * in loading the module.
 *
 *   faults MODULE.ko      as root, in a kernel with fault injection, with one device bound; prints TAP
 *
 * /proc/thread-self/fail-nth = N lets the Nth chance of a fault in the next call be one. N counts up until a call comes to
 * its end without: then all have been tried. Whatever failed must say so with an errno of its list and leave nothing behind,
 * so that the next round begins where this one did.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uapi/linux/ivshmem.h"

#define MOST   20000
#define BYTES  (160 << 10)
#define NODE   "/dev/ivshmem0"
#define CLASS  "/sys/class/ivshmem/ivshmem0"
#define DRIVER "/sys/bus/pci/drivers/ivshmem"

static int nth = -1, node = -1, image = -1;
static unsigned int tests, failed;
static char slot[64];
static unsigned char buffer[BYTES];
static unsigned char *map;
static size_t size;

static void bail(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bail(path);
	close(fd);
}

static int exists(const char *path)
{
	return !access(path, F_OK);
}

/* --- the operations: 0, or a negative errno; set up before, undone after, both without faults --- */

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

static void nothing(void)
{
}

/* --- which faults --- */

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

static void unloaded_with_pages(void)
{
	slab_only();
	be_unloaded();
}

/* Clean are ENOMEM, EFAULT, and what `also` names. */
static const struct operation {
	const char *name;
	void (*before)(void);
	int (*run)(void);
	void (*after)(void);
	int also;
} operations[] = {
	{"open", nothing, run_open, close_node, 0},
	{"mmap", open_node, run_mmap, unmap_node, 0},
	{"touch", map_node, run_touch, unmap_node, 0},
	{"munmap", map_node, run_munmap, unmap_node, 0},
	{"fork", map_node, run_fork, unmap_node, 0},
	{"info", open_node, run_info, close_node, 0},
	{"read", open_node, run_read, close_node, 0},
	{"write", open_node, run_write, close_node, 0},
	{"poll", open_node, run_poll, close_node, 0},
	{"attribute", nothing, run_attribute, nothing, 0},
	{"unbind", be_bound, run_unbind, be_unbound, 0},
	/* request_mem_region() has one answer for a range that is taken, and for no memory. */
	{"bind", unbound_with_pages, run_bind, be_unbound, -EBUSY},
	{"bind without struct pages", unbound_without_pages, run_bind, be_unbound, -EBUSY},
	{"load", unloaded_with_pages, run_load, be_unloaded, 0},
	{"unload", be_loaded, run_unload, be_unloaded, 0},
};

/* --- faults --- */

/* The copies of these two calls are chances as well; one that comes here ends the count, and did not come in the operation. */
static void arm(int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	if (pwrite(nth, text, (size_t)len, 0) != len && (n || errno != EFAULT))
		bail("fail-nth");
}

/* Did the fault come? What is left of the count is taken back. */
static int disarm(void)
{
	char text[16] = "";
	ssize_t len = pread(nth, text, sizeof(text) - 1, 0);

	if (len < 0 && errno == EFAULT)
		return 0;
	if (len <= 0)
		bail("fail-nth");
	if (atoi(text))
		arm(0);
	return !atoi(text);
}

struct tally {
	unsigned int injected, harmless, clean, other;
	int first_other, first_other_n;
};

static void count(struct tally *t, const struct operation *op, int error, int n)
{
	t->injected++;
	if (!error)
		t->harmless++;
	else if (error == -ENOMEM || error == -EFAULT || error == op->also)
		t->clean++;
	else if (!t->other++) {
		t->first_other = error;
		t->first_other_n = n;
	}
}

static void tell(const struct operation *op, const struct tally *t, int good, int error)
{
	printf("%sok %u - %s: %u faults, %u clean errors, %u did no harm\n", good ? "" : "not ", tests, op->name,
	       t->injected, t->clean, t->harmless);
	if (t->other)
		printf("# %u other errors, the first at %d: %s\n", t->other, t->first_other_n,
		       strerror(-t->first_other));
	if (error)
		printf("# without a fault: %s\n", strerror(-error));
	fflush(stdout);
}

static void check(const struct operation *op)
{
	struct tally t = {0};
	int n, came = 1, error = 0;

	for (n = 1; came && n < MOST; n++) {
		op->before();
		arm(n);
		error = op->run();
		came = disarm();
		if (came)
			count(&t, op, error, n);
		op->after();
	}
	int good = !came && !error && !t.other;

	tests++;
	failed += !good;
	tell(op, &t, good, error);
}

/* Every kind of fault, whoever asks for memory; the log is not told of each. */
static void set_up_faults(void)
{
	static const char *const files[][2] = {
		{"failslab/ignore-gfp-wait", "N"},        {"failslab/verbose", "0"},
		{"fail_page_alloc/ignore-gfp-wait", "N"}, {"fail_page_alloc/ignore-gfp-highmem", "N"},
		{"fail_page_alloc/min-order", "0"},       {"fail_page_alloc/verbose", "0"},
		{"fail_usercopy/verbose", "0"},
	};
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", files[i][0]);
		put_file(path, files[i][1]);
	}
	nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth < 0)
		bail("fail-nth");
}

static void set_up_device(const char *path)
{
	char link[256];
	ssize_t len = readlink(CLASS "/device", link, sizeof(link) - 1);
	struct stat st;

	if (len < 0)
		bail(CLASS);
	link[len] = 0;
	snprintf(slot, sizeof(slot), "%s", strrchr(link, '/') + 1);
	open_node();
	if (fstat(node, &st))
		bail(NODE);
	size = (size_t)st.st_size;
	close_node();
	image = open(path, O_RDONLY | O_CLOEXEC);
	if (image < 0)
		bail(path);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: faults MODULE.ko\n");
		return 2;
	}
	set_up_faults();
	set_up_device(argv[1]);
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		check(&operations[i]);
	be_unloaded();
	slab_only();
	be_loaded();
	printf("1..%u\n", tests);
	return failed ? 1 : 0;
}
