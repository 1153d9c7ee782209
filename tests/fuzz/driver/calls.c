// SPDX-License-Identifier: GPL-2.0-only
/*
 * The surface: what a process can do to the node, and to a mapping of it. Files live in four slots, mappings in an arena
 * whose rest is not mapped, and structures where an argument says: in the process's own memory, in the arena, that is
 * perhaps in the device's memory itself, at the end of what is mapped, or nowhere.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"
#include "uapi/linux/ivshmem.h"

#define ARENA      ((unsigned char *)0x200000000000)
#define ARENA_SIZE (32u << 20)
#define MOST_BYTES (64u << 10)
#define PAGE       4096u
#define SLOTS      4
#define EVENTFDS   3

static int files[SLOTS], events[EVENTFDS], tube[2], epoll, memory;
static aio_context_t aio;
static pid_t child;
static bool is_child;
static sigjmp_buf back;
static _Alignas(PAGE) unsigned char structure[3 * PAGE], bytes[MOST_BYTES], edge[2 * PAGE];

static int file(u64 slot)
{
	return files[slot % SLOTS];
}

static void *at(u64 address)
{
	return ARENA + address % ARENA_SIZE;
}

static void *buffer_at(u64 place, unsigned char *own)
{
	switch (place) {
	case 0:
		return own;
	case 1:
		return ARENA;
	case 2:
		return NULL;
	case 3:
		return edge + PAGE - 8;
	}
	return (void *)0xffff888000000000;
}

static long command(u64 slot, u64 place, unsigned long cmd, const void *data, size_t len)
{
	void *to = buffer_at(place, structure);

	if (place == 0 || place == 1)
		memcpy(to, data, len);
	else if (place == 3)
		memcpy(to, data, 8);
	return ioctl(file(slot), cmd, to);
}

static u32 argsz(u64 value, size_t right)
{
	return value ? (u32)value : (u32)right;
}

static long run_open(const u64 *a)
{
	char path[32];
	int *fd = &files[a[0] % SLOTS];

	if (*fd >= 0)
		close(*fd);
	snprintf(path, sizeof(path), "/dev/ivshmem%u", (u32)a[1] % 4);
	*fd = open(path, (int)(a[2] & ~(u64)(O_CREAT | O_TMPFILE)));
	return *fd;
}

static long run_close(const u64 *a)
{
	int fd = file(a[0]);

	files[a[0] % SLOTS] = -1;
	return close(fd);
}

static long run_dup(const u64 *a)
{
	int fd = dup(file(a[0]));

	if (fd < 0)
		return fd;
	if (file(a[1]) >= 0)
		close(file(a[1]));
	return files[a[1] % SLOTS] = fd;
}

/* What of the arena begins at an address; what lies elsewhere is this program. */
static size_t within(u64 address, u64 length)
{
	size_t room = ARENA_SIZE - address % ARENA_SIZE;

	return length < room ? length : room;
}

/* In its place, whatever the flags say. */
static long run_mmap(const u64 *a)
{
	void *to = at(a[0]), *got;

	got = mmap(to, within(a[0], a[1]), (int)a[2], (int)a[3] | MAP_FIXED, file(a[4]), (off_t)a[5]);
	return got == MAP_FAILED ? -1 : 0;
}

static long run_munmap(const u64 *a)
{
	return munmap(at(a[0]), within(a[0], a[1]));
}

static long run_mremap(const u64 *a)
{
	size_t size = (a[3] & MREMAP_FIXED) ? within(a[4], a[2]) : a[2];
	void *to = mremap(at(a[0]), within(a[0], a[1]), size, (int)a[3], at(a[4]));

	return to == MAP_FAILED ? -1 : 0;
}

static long run_mprotect(const u64 *a)
{
	return mprotect(at(a[0]), within(a[0], a[1]), (int)a[2]);
}

static long run_madvise(const u64 *a)
{
	return madvise(at(a[0]), within(a[0], a[1]), (int)a[2]);
}

static long run_msync(const u64 *a)
{
	return msync(at(a[0]), within(a[0], a[1]), (int)a[2] % 8);
}

static long run_mlock(const u64 *a)
{
	return mlock(at(a[0]), within(a[0], a[1]));
}

static long run_munlock(const u64 *a)
{
	return munlock(at(a[0]), within(a[0], a[1]));
}

static long run_mincore(const u64 *a)
{
	return mincore(at(a[0]), within(a[0], a[1]), bytes);
}

static long run_load(const u64 *a)
{
	(void)*(volatile u32 *)at(a[0] & ~3ull);
	return 0;
}

static long run_store(const u64 *a)
{
	*(volatile u32 *)at(a[0] & ~3ull) = (u32)a[1];
	return 0;
}

/* A word of the file, as others see it. */
static long run_set_word(const u64 *a)
{
	u32 value = (u32)a[2];

	return pwrite(file(a[0]), &value, sizeof(value), (off_t)a[1]);
}

static size_t few(u64 place, u64 length)
{
	return place == 0 && length > MOST_BYTES ? MOST_BYTES : length;
}

static long run_read(const u64 *a)
{
	return read(file(a[0]), buffer_at(a[1], bytes), few(a[1], a[2]));
}

static long run_write(const u64 *a)
{
	return write(file(a[0]), buffer_at(a[1], bytes), few(a[1], a[2]));
}

static long run_pread(const u64 *a)
{
	return pread(file(a[0]), buffer_at(a[1], bytes), few(a[1], a[2]), (off_t)a[3]);
}

static long run_pwrite(const u64 *a)
{
	return pwrite(file(a[0]), buffer_at(a[1], bytes), few(a[1], a[2]), (off_t)a[3]);
}

static long run_readv(const u64 *a)
{
	struct iovec io[2] = {{bytes, a[1] % MOST_BYTES}, {at(a[2]), within(a[2], a[3])}};

	return readv(file(a[0]), io, 2);
}

static long run_lseek(const u64 *a)
{
	return lseek(file(a[0]), (off_t)a[1], (int)a[2]) < 0 ? -1 : 0;
}

static long run_info(const u64 *a)
{
	struct ivshmem_info info = {.argsz = argsz(a[2], sizeof(info)), .flags = (u32)a[3], .reserved = {a[4]}};

	return command(a[0], a[1], IVSHMEM_IOC_INFO, &info, sizeof(info));
}

static long run_wait(const u64 *a)
{
	struct ivshmem_wait wait = {.argsz = argsz(a[2], sizeof(wait)),
				    .flags = (u32)a[3],
				    .offset = a[4],
				    .expected = (u32)a[5],
				    .poll_us = (u32)a[6],
				    .timeout_ns = (int64_t)a[7],
				    .reserved = a[8]};

	return command(a[0], a[1], IVSHMEM_IOC_WAIT, &wait, sizeof(wait));
}

static long run_wake(const u64 *a)
{
	struct ivshmem_wake wake = {.argsz = argsz(a[2], sizeof(wake)),
				    .flags = (u32)a[3],
				    .offset = a[4],
				    .peer = (u32)a[5],
				    .vector = (u32)a[6],
				    .reserved = a[7]};

	return command(a[0], a[1], IVSHMEM_IOC_WAKE, &wake, sizeof(wake));
}

static long run_watch(const u64 *a)
{
	struct ivshmem_watch watch = {.argsz = argsz(a[2], sizeof(watch)),
				      .flags = (u32)a[3],
				      .offset = a[4],
				      .expected = (u32)a[5],
				      .poll_us = (u32)a[6],
				      .reserved = a[7]};

	return command(a[0], a[1], IVSHMEM_IOC_WATCH, &watch, sizeof(watch));
}

static long run_ring(const u64 *a)
{
	struct ivshmem_ring ring = {
		.argsz = argsz(a[2], sizeof(ring)), .flags = (u32)a[3], .peer = (u32)a[4], .vector = (u32)a[5]};

	return command(a[0], a[1], IVSHMEM_IOC_RING, &ring, sizeof(ring));
}

/* An eventfd of this process; or what is none: no descriptor, the node itself, a number. */
static int event_of(u64 value)
{
	if (value < EVENTFDS)
		return events[value];
	return value == EVENTFDS ? files[0] : (int)value;
}

static long run_eventfd(const u64 *a)
{
	struct ivshmem_eventfd event = {
		.argsz = argsz(a[2], sizeof(event)), .flags = (u32)a[3], .vector = (u32)a[4], .fd = event_of(a[5])};

	return command(a[0], a[1], IVSHMEM_IOC_EVENTFD, &event, sizeof(event));
}

/* The structure is what the last command left there. */
static long run_ioctl(const u64 *a)
{
	return ioctl(file(a[0]), (unsigned long)a[1], buffer_at(a[2], structure));
}

static long run_poll(const u64 *a)
{
	struct pollfd fds[2] = {{.fd = file(a[0]), .events = (short)a[1]}, {.fd = events[0], .events = POLLIN}};

	return poll(fds, 2, (int)a[2] % 4);
}

static long run_epoll_add(const u64 *a)
{
	struct epoll_event event = {.events = (u32)a[1] | ((a[2] & 1) ? EPOLLET : 0)};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, file(a[0]), &event);
}

static long run_epoll_delete(const u64 *a)
{
	return epoll_ctl(epoll, EPOLL_CTL_DEL, file(a[0]), NULL);
}

static long run_epoll_wait(const u64 *a)
{
	struct epoll_event found[4];

	return epoll_wait(epoll, found, 4, (int)a[0] % 4);
}

static long run_aio_poll(const u64 *a)
{
	struct iocb cb = {.aio_fildes = (u32)file(a[0]), .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = a[1] & 0xffff};
	struct iocb *list[] = {&cb};

	if (!aio && syscall(SYS_io_setup, 4, &aio))
		return -1;
	return syscall(SYS_io_submit, aio, 1, list);
}

static long run_event_read(const u64 *a)
{
	return read(events[a[0] % EVENTFDS], bytes, 8);
}

static long run_nonblock(const u64 *a)
{
	return fcntl(file(a[0]), F_SETFL, (a[1] & 1) ? O_NONBLOCK : 0);
}

static long run_lock(const u64 *a)
{
	struct flock lock = {.l_type = (short)a[1], .l_start = (off_t)a[2], .l_len = (off_t)a[3]};

	return fcntl(file(a[0]), F_OFD_SETLK, &lock);
}

static long run_fstat(const u64 *a)
{
	struct stat st;

	return fstat(file(a[0]), &st);
}

static long run_fsync(const u64 *a)
{
	return fsync(file(a[0]));
}

static long run_ftruncate(const u64 *a)
{
	return ftruncate(file(a[0]), (off_t)a[1]);
}

/* Pages in a pipe are pinned until it is read. */
static long run_vmsplice(const u64 *a)
{
	struct iovec io = {at(a[0]), within(a[0], a[1])};

	return vmsplice(tube[1], &io, 1, SPLICE_F_NONBLOCK);
}

static long run_drain(const u64 *a)
{
	return read(tube[0], bytes, few(0, a[0]));
}

static long run_splice(const u64 *a)
{
	return splice(file(a[0]), NULL, tube[1], NULL, few(0, a[1]), SPLICE_F_NONBLOCK);
}

static long run_proc_mem(const u64 *a)
{
	return pread(memory, bytes, few(0, a[1]), (off_t)(uintptr_t)at(a[0]));
}

/* Interrupts every call that sleeps for longer. */
static void set_alarm(void)
{
	struct itimerval often = {{0, 10000}, {0, 10000}};

	setitimer(ITIMER_REAL, &often, NULL);
}

/* Both go on with the rest of the program; once, or a program would become many. */
static long run_fork(const u64 *a)
{
	(void)a;
	if (child || is_child)
		return -1;
	child = (pid_t)syscall(SYS_fork);
	if (child == 0) {
		is_child = true;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		set_alarm();
	}
	return child;
}

const struct kind kinds[] = {
	{"open", run_open, {SLOT, NODE, OPEN_FLAGS}},
	{"close", run_close, {SLOT}},
	{"dup", run_dup, {SLOT, SLOT}},
	{"mmap", run_mmap, {ADDRESS, LENGTH, PROTECTION, MAP_FLAGS, SLOT, OFFSET}},
	{"munmap", run_munmap, {ADDRESS, LENGTH}},
	{"mremap", run_mremap, {ADDRESS, LENGTH, LENGTH, REMAP_FLAGS, ADDRESS}},
	{"mprotect", run_mprotect, {ADDRESS, LENGTH, PROTECTION}},
	{"madvise", run_madvise, {ADDRESS, LENGTH, ADVICE}},
	{"msync", run_msync, {ADDRESS, LENGTH, NUMBER}},
	{"mlock", run_mlock, {ADDRESS, LENGTH}},
	{"munlock", run_munlock, {ADDRESS, LENGTH}},
	{"mincore", run_mincore, {ADDRESS, LENGTH}},
	{"load", run_load, {ADDRESS}},
	{"store", run_store, {ADDRESS, VALUE}},
	{"set_word", run_set_word, {SLOT, WORD, VALUE}},
	{"read", run_read, {SLOT, BUFFER, LENGTH}},
	{"write", run_write, {SLOT, BUFFER, LENGTH}},
	{"pread", run_pread, {SLOT, BUFFER, LENGTH, OFFSET}},
	{"pwrite", run_pwrite, {SLOT, BUFFER, LENGTH, OFFSET}},
	{"readv", run_readv, {SLOT, LENGTH, ADDRESS, LENGTH}},
	{"lseek", run_lseek, {SLOT, OFFSET, WHENCE}},
	{"info", run_info, {SLOT, BUFFER, ARGSZ, FLAGS, RESERVED}},
	{"wait", run_wait, {SLOT, BUFFER, ARGSZ, FLAGS, WORD, VALUE, POLL_US, TIMEOUT, RESERVED}},
	{"wake", run_wake, {SLOT, BUFFER, ARGSZ, FLAGS, WORD, PEER, VECTOR, RESERVED}},
	{"watch", run_watch, {SLOT, BUFFER, ARGSZ, FLAGS, WORD, VALUE, POLL_US, RESERVED}},
	{"ring", run_ring, {SLOT, BUFFER, ARGSZ, FLAGS, PEER, VECTOR}},
	{"eventfd", run_eventfd, {SLOT, BUFFER, ARGSZ, FLAGS, VECTOR, EVENT}},
	{"ioctl", run_ioctl, {SLOT, COMMAND, BUFFER}},
	{"poll", run_poll, {SLOT, EVENTS, SHORT_MS}},
	{"epoll_add", run_epoll_add, {SLOT, EVENTS, NUMBER}},
	{"epoll_delete", run_epoll_delete, {SLOT}},
	{"epoll_wait", run_epoll_wait, {SHORT_MS}},
	{"aio_poll", run_aio_poll, {SLOT, EVENTS}},
	{"event_read", run_event_read, {NUMBER}},
	{"nonblock", run_nonblock, {SLOT, NUMBER}},
	{"lock", run_lock, {SLOT, LOCK, OFFSET, LENGTH}},
	{"fstat", run_fstat, {SLOT}},
	{"fsync", run_fsync, {SLOT}},
	{"ftruncate", run_ftruncate, {SLOT, OFFSET}},
	{"vmsplice", run_vmsplice, {ADDRESS, LENGTH}},
	{"drain", run_drain, {LENGTH}},
	{"splice", run_splice, {SLOT, LENGTH}},
	{"proc_mem", run_proc_mem, {ADDRESS, LENGTH}},
	{"fork", run_fork, {NONE}},
};
const u32 kinds_count = sizeof(kinds) / sizeof(kinds[0]);
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) <= MOST_KINDS, "as many as are counted");

static void on_fault(int number)
{
	siglongjmp(back, number);
}

static void on_alarm(int number)
{
	(void)number;
}

void calls_prepare(void)
{
	struct sigaction fault = {.sa_handler = on_fault, .sa_flags = SA_NODEFER}, alarm = {.sa_handler = on_alarm};

	for (u32 i = 0; i < EVENTFDS; i++)
		events[i] = eventfd(0, EFD_NONBLOCK);
	epoll = epoll_create1(0);
	memory = open("/proc/self/mem", O_RDONLY);
	if (events[EVENTFDS - 1] < 0 || epoll < 0 || memory < 0 || pipe2(tube, O_NONBLOCK))
		bail("set up");
	munmap(edge + PAGE, PAGE);
	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGALRM, &alarm, NULL);
	signal(SIGPIPE, SIG_IGN);
	set_alarm();
}

void calls_begin(void)
{
	for (u32 i = 0; i < SLOTS; i++)
		files[i] = -1;
	memset(structure, 0, sizeof(structure));
}

bool calls_run(const struct call *call, long *ret)
{
	if (sigsetjmp(back, 0))
		return false;
	*ret = kinds[call->kind].run(call->arg);
	return true;
}

void calls_end(void)
{
	if (is_child)
		_exit(0);
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	child = 0;
	for (u32 i = 0; i < SLOTS; i++)
		if (files[i] >= 0)
			close(files[i]);
	while (read(tube[0], bytes, sizeof(bytes)) > 0)
		;
	munmap(ARENA, ARENA_SIZE);
}
