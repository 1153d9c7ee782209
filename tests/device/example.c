// SPDX-License-Identifier: MIT
/* How to use /dev/ivshmemN with its header alone: two processes take turns by a word each.  Usage: example NODE */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ivshmem.h>

#define TURNS 100

static int change(int fd, uint32_t *words, int i)
{
	struct ivshmem_wake wake = {.argsz = sizeof(wake), .offset = 4 * i};

	__atomic_add_fetch(&words[i], 1, __ATOMIC_RELEASE);
	return ioctl(fd, IVSHMEM_IOC_WAKE, &wake);
}

/* The child sleeps in poll(2), as somebody with more to attend to would, and answers each change of word 0 by one of word 1. */
static int child(int fd, uint32_t *words)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (uint32_t seen = 0; seen < TURNS; seen++) {
		struct ivshmem_watch watch = {.argsz = sizeof(watch), .offset = 0, .expected = seen};

		if (ioctl(fd, IVSHMEM_IOC_WATCH, &watch) || poll(&p, 1, -1) != 1 || change(fd, words, 1))
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct ivshmem_info info = {.argsz = sizeof(info)};
	int fd = argc == 2 ? open(argv[1], O_RDWR) : -1, status;
	uint32_t *words;

	if (fd < 0 || ioctl(fd, IVSHMEM_IOC_INFO, &info))
		return perror("example"), 1;
	words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (words == MAP_FAILED)
		return perror("mmap"), 1;
	words[0] = words[1] = 0;
	if (fork() == 0)
		return child(fd, words);
	for (uint32_t seen = 0; seen < TURNS; seen++) {
		struct ivshmem_wait wait = {.argsz = sizeof(wait), .offset = 4, .expected = seen, .timeout_ns = -1};

		if (change(fd, words, 0) || ioctl(fd, IVSHMEM_IOC_WAIT, &wait))
			return perror("example"), 1;
	}
	printf("%u turns in %llu MiB at %s\n", words[1], (unsigned long long)info.size >> 20, info.slot);
	return wait(&status) < 0 || status;
}
