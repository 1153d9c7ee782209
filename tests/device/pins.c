// SPDX-License-Identifier: MIT
/*
 * The kernel takes pages of the mapping as it takes those of ordinary memory: for disks, sockets and other processes.
 *
 *   pins NODE DISK          TAP; overwrites the first 2 MiB of both
 *   pins NODE DISK read     "reading"; reads the disk, past the cache, into the whole memory: "read N" or an error's name
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ivshmem.h>

#include "tap.h"

#define MIB         (1L << 20)
#define DEADLINE_MS 60000

static char *memory;
static size_t size;
static bool pages;

static void fill(char *at, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i++) {
		seed = seed * 1103515245 + 12345;
		at[i] = seed >> 16;
	}
}

/* From the mapping to the disk and back into another part of it; whole sectors, but no whole pages. */
static void test_direct(const char *path)
{
	size_t at = 512, len = MIB - 1024;
	int disk = open(path, O_RDWR | O_DIRECT);

	fill(memory + at, len, 1);
	memset(memory + MIB + at, 0, len);
	if (!pages) {
		tap_ok(FAILS(pwrite(disk, memory + at, len, 0), EFAULT), "O_DIRECT, without struct pages: EFAULT");
		close(disk);
		return;
	}
	tap_ok(disk >= 0 && pwrite(disk, memory + at, len, 0) == (ssize_t)len, "O_DIRECT: written from the mapping");
	tap_ok(pread(disk, memory + MIB + at, len, 0) == (ssize_t)len, "O_DIRECT: read into the mapping");
	tap_ok(!memcmp(memory + at, memory + MIB + at, len), "O_DIRECT: the same bytes");
	close(disk);
}

static int sockets[2];

static void *receive(void *got)
{
	size_t done = 0;
	ssize_t n;

	while (done < MIB && (n = read(sockets[1], (char *)got + done, MIB - done)) > 0)
		done += n;
	return (void *)done;
}

static bool connect_pair(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

	sockets[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&a, &len) || connect(sockets[0], (struct sockaddr *)&a, len))
		return false;
	sockets[1] = accept(listener, NULL, NULL);
	close(listener);
	return sockets[1] >= 0 && !setsockopt(sockets[0], SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
}

/* Calls that the kernel says it is done with the pages of, by a message that it puts beside the stream. */
static unsigned int completed(void)
{
	struct pollfd p = {.fd = sockets[0]};
	char control[128];
	struct msghdr m = {.msg_control = control, .msg_controllen = sizeof(control)};
	struct sock_extended_err *e;

	if (poll(&p, 1, DEADLINE_MS) != 1 || recvmsg(sockets[0], &m, MSG_ERRQUEUE) < 0 || !CMSG_FIRSTHDR(&m))
		return 0;
	e = (struct sock_extended_err *)CMSG_DATA(CMSG_FIRSTHDR(&m));
	return e->ee_origin == SO_EE_ORIGIN_ZEROCOPY && !e->ee_errno ? e->ee_data - e->ee_info + 1 : 0;
}

static void test_zerocopy(void)
{
	unsigned int calls = 0, done = 0, n;
	size_t sent = 0;
	char *got = calloc(1, MIB);
	void *received;
	pthread_t t;
	ssize_t len;

	if (!tap_ok(connect_pair(), "MSG_ZEROCOPY: a connection that knows it"))
		return;
	fill(memory, MIB, 2);
	if (!pages) {
		tap_ok(FAILS(send(sockets[0], memory, MIB, MSG_ZEROCOPY), EFAULT),
		       "MSG_ZEROCOPY, without struct pages: EFAULT");
		return;
	}
	pthread_create(&t, NULL, receive, got);
	for (; sent < MIB && (len = send(sockets[0], memory + sent, MIB - sent, MSG_ZEROCOPY)) > 0; calls++)
		sent += len;
	tap_ok(sent == MIB, "MSG_ZEROCOPY: sent from the mapping");
	while (done < calls && (n = completed()))
		done += n;
	tap_ok(calls && done == calls, "MSG_ZEROCOPY: the kernel is done with every page");
	pthread_join(t, &received);
	tap_ok((size_t)received == MIB && !memcmp(memory, got, MIB), "MSG_ZEROCOPY: the same bytes");
	free(got);
}

/* Another process reads our mapping, and writes it. */
static void test_process(void)
{
	char *got = malloc(MIB);
	struct iovec ours = {.iov_base = memory, .iov_len = MIB}, its = {.iov_base = got, .iov_len = MIB};
	pid_t parent = getpid(), child;
	int status = 0;

	fill(memory, MIB, 3);
	child = fork();
	if (!child) {
		if (process_vm_readv(parent, &its, 1, &ours, 1, 0) != MIB || memcmp(got, memory, MIB))
			_exit(1);
		memset(got, 'x', MIB);
		_exit(process_vm_writev(parent, &its, 1, &ours, 1, 0) != MIB);
	}
	tap_ok(waitpid(child, &status, 0) == child && WIFEXITED(status), "another process reads and writes it");
	if (pages)
		tap_ok(!status && memory[0] == 'x' && memory[MIB - 1] == 'x', "and finds what is there");
	else
		tap_ok(status && memory[0] != 'x', "but not without struct pages");
	free(got);
}

static int read_disk(const char *path)
{
	int disk = open(path, O_RDONLY | O_DIRECT);
	ssize_t n;

	printf("reading\n");
	fflush(stdout);
	n = pread(disk, memory, size, 0);
	if (n < 0)
		printf("%s\n", strerror(errno));
	else
		printf("read %zd\n", n);
	return n != (ssize_t)size;
}

int main(int argc, char **argv)
{
	struct ivshmem_info info = {.argsz = sizeof(info)};
	int fd;

	if (argc < 3)
		return 2;
	fd = open(argv[1], O_RDWR);
	if (fd < 0 || ioctl(fd, IVSHMEM_IOC_INFO, &info)) {
		perror(argv[1]);
		return 1;
	}
	size = info.size;
	pages = info.features & IVSHMEM_FEATURE_PAGES;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return 1;
	if (argc > 3)
		return read_disk(argv[2]);
	test_direct(argv[2]);
	test_zerocopy();
	test_process();
	return tap_end();
}
