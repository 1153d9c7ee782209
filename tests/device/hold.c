// SPDX-License-Identifier: MIT
/*
 * Holds a mapping of /dev/ivshmemN while a scenario takes the device away, and tells in words what it sees.
 *
 *   hold NODE touch    "mapped"; writes for ever until "sigbus"; then "enodev" for each call that says so, "hup" for poll
 *   hold NODE fork     the same in a parent and a child that inherited the mapping; the child's words begin with "child"
 *   hold NODE refault  as touch, from two threads that drop and fault the pages as fast as they can
 *   hold NODE copy     "copying"; read() and write() of all, into private memory and into a mapping; "enodev" and "hup" as above
 *   hold NODE poll     "polling", and "hup" when it ends; no timeout
 *   hold NODE pin      a page of it into a pipe, unmaps and closes: "pinned"; a line on stdin: reads the pipe, "dropped"
 *   hold NODE open     "open"; a line on stdin: asks each call, as above, and says "alive" where there was no error
 *
 * Exit status 0 when all went as it should.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ivshmem.h>

#include "tap.h"

#define PAGE 4096L

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static int fd;
static size_t size;
static const char *who = "";
static __thread sigjmp_buf gone;

/* One write a word: two processes share the pipe. */
static void say(const char *word)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%s%s\n", who, word);

	if (write(1, line, n) != n)
		_exit(3);
}

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(gone, 1);
}

/* Each kind of call on the open file answers ENODEV, and poll HUP: then true. */
static bool all_enodev(void)
{
	struct ivshmem_info i = {.argsz = sizeof(i)};
	struct pollfd p = {.fd = fd};
	char c = 0;
	bool good = FAILS(pread(fd, &c, 1, 0), ENODEV) && FAILS(pwrite(fd, &c, 1, 0), ENODEV) &&
		    FAILS(lseek(fd, 0, SEEK_END), ENODEV) && FAILS(ioctl(fd, IVSHMEM_IOC_INFO, &i), ENODEV) &&
		    FAILS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), ENODEV) && FAILS(fsync(fd), ENODEV);

	if (good)
		say("enodev");
	if (poll(&p, 1, 0) != 1 || p.revents != (POLLHUP | POLLERR))
		return false;
	say("hup");
	return good;
}

static char *map_all(void)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		exit(1);
	return p;
}

/* The word, if any, is said when the mapping is in use and its end would be noticed. */
static void touch_until_gone(char *p, bool drop, const char *word)
{
	size_t pos;

	if (sigsetjmp(gone, 1))
		return;
	*(volatile char *)p = 1;
	if (word)
		say(word);
	for (;;) {
		for (pos = 0; pos < size; pos += PAGE)
			++*(volatile char *)(p + pos);
		if (drop)
			madvise(p, size, MADV_DONTNEED);
	}
}

static int touch(void)
{
	touch_until_gone(map_all(), false, "mapped");
	say("sigbus");
	return !all_enodev();
}

static int hold_fork(void)
{
	char *p = map_all();
	int status, ret;
	pid_t pid;

	madvise(p, size,
		MADV_POPULATE_WRITE); /* entries for the child to inherit; where it is not known, it inherits none */
	pid = fork();
	if (!pid)
		who = "child ";
	touch_until_gone(p, false, "mapped");
	say("sigbus");
	ret = !all_enodev();
	if (!pid)
		_exit(ret);
	return waitpid(pid, &status, 0) != pid || status || ret;
}

static void *refaulter(void *p)
{
	touch_until_gone(p, true, NULL);
	return NULL;
}

static int refault(void)
{
	char *p = map_all();
	pthread_t t;

	pthread_create(&t, NULL, refaulter, p);
	touch_until_gone(p, true, "mapped");
	pthread_join(t, NULL);
	say("sigbus");
	return !all_enodev();
}

/* Half of the memory, to and fro, so that it is gone in the midst of a call: some of the bytes first, or the error at once. */
static void *copier(void *at)
{
	size_t half = size / 2;
	ssize_t n = half;
	int i;

	for (i = 0; n > 0; i++)
		n = i % 2 ? pread(fd, at, half, 0) : pwrite(fd, at, half, 0);
	/* EFAULT: of the mapping. */
	if (n == 0 || (errno != ENODEV && errno != EFAULT))
		exit(1);
	return NULL;
}

static int copy(void)
{
	char *own = mmap(NULL, size / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t t;

	if (own == MAP_FAILED || pread(fd, own, size / 4, 0) != (ssize_t)(size / 4))
		return 1;
	pthread_create(&t, NULL, copier, map_all() + size / 2);
	say("copying");
	copier(own);
	pthread_join(t, NULL);
	return !all_enodev();
}

static int hold_poll(void)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	say("polling");
	if (poll(&p, 1, -1) != 1 || p.revents != (POLLHUP | POLLERR))
		return 1;
	say("hup");
	return 0;
}

static int pin(void)
{
	char *p = map_all(), got[8], c;
	struct iovec v = {.iov_base = p, .iov_len = sizeof(got)};
	int pipes[2];

	memcpy(p, "pinned!", 8);
	if (pipe(pipes) || vmsplice(pipes[1], &v, 1, 0) != sizeof(got))
		return 1;
	munmap(p, size);
	close(fd);
	say("pinned");
	if (read(0, &c, 1) != 1 || read(pipes[0], got, sizeof(got)) != sizeof(got))
		return 1;
	close(pipes[0]);
	close(pipes[1]);
	say(memcmp(got, "pinned!", 8) ? "dropped other bytes" : "dropped");
	return 0;
}

static int hold_open(void)
{
	char c;

	say("open");
	if (read(0, &c, 1) != 1)
		return 1;
	if (pread(fd, &c, 1, 0) != 1)
		return !all_enodev();
	say("alive");
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} modes[] = {
	{"touch", touch},    {"fork", hold_fork}, {"refault", refault}, {"copy", copy},
	{"poll", hold_poll}, {"pin", pin},        {"open", hold_open},
};

int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_sigbus};
	size_t i;

	if (argc != 3)
		return 2;
	sigaction(SIGBUS, &sa, NULL);
	fd = open(argv[1], O_RDWR);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	size = lseek(fd, 0, SEEK_END);
	for (i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (!strcmp(argv[2], modes[i].name))
			return modes[i].run();
	return 2;
}
