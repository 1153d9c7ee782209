/* SPDX-License-Identifier: MIT */
/* What the tests of waiting have in common: the node, its words, its commands, and threads that are known to sleep. */
#ifndef WORDS_H
#define WORDS_H

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/ivshmem.h>

#include "tap.h"

#define PAGE    4096L
#define MS      1000000LL
#define SECOND  (1000 * MS)
#define FOREVER (-1LL)
#define LATE                                                                                                           \
	(20 * SECOND) /* what should come at once has not come: generous, for a guest may stand still for seconds */

static const char *node;
static int fd; /* read and write */
static struct ivshmem_info info;
static uint32_t *words; /* NULL: a memory that cannot be mapped */

static inline int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

/* Opens the node, asks for INFO and maps at most `most` bytes; 0: does without. */
static inline bool words_open(const char *path, size_t most)
{
	node = path;
	fd = open(path, O_RDWR);
	info.argsz = sizeof(info);
	if (fd < 0 || ioctl(fd, IVSHMEM_IOC_INFO, &info))
		return false;
	if (!most || !(info.features & IVSHMEM_FEATURE_MMAP))
		return true;
	words = mmap(NULL, info.size < most ? info.size : most, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return words != MAP_FAILED;
}

/* Offsets here are below 4 GiB; the last word of a large memory is written by write(2). */
static inline void put(uint64_t offset, uint32_t value)
{
	if (words && offset < (uint64_t)PAGE)
		__atomic_store_n(words + offset / 4, value, __ATOMIC_SEQ_CST);
	else if (pwrite(fd, &value, 4, offset) != 4)
		_exit(3);
}

static inline struct ivshmem_wait wait_args(uint64_t offset, uint32_t expected, int64_t timeout)
{
	return (struct ivshmem_wait){
		.argsz = sizeof(struct ivshmem_wait), .offset = offset, .expected = expected, .timeout_ns = timeout};
}

static inline int wait_for(int file, uint64_t offset, uint32_t expected, int64_t timeout)
{
	struct ivshmem_wait w = wait_args(offset, expected, timeout);

	return ioctl(file, IVSHMEM_IOC_WAIT, &w);
}

static inline int wake(uint64_t offset)
{
	struct ivshmem_wake w = {.argsz = sizeof(w), .offset = offset};

	return ioctl(fd, IVSHMEM_IOC_WAKE, &w);
}

static inline int put_and_wake(uint64_t offset, uint32_t value)
{
	put(offset, value);
	return wake(offset);
}

static inline int watch_at(int file, uint64_t offset, uint32_t expected, uint32_t poll_us)
{
	struct ivshmem_watch w = {.argsz = sizeof(w), .offset = offset, .expected = expected, .poll_us = poll_us};

	return ioctl(file, IVSHMEM_IOC_WATCH, &w);
}

static inline int watch(int file, uint64_t offset, uint32_t expected)
{
	return watch_at(file, offset, expected, 0);
}

static inline int watch_off(int file)
{
	struct ivshmem_watch w = {.argsz = sizeof(w), .flags = IVSHMEM_WATCH_OFF};

	return ioctl(file, IVSHMEM_IOC_WATCH, &w);
}

/* The driver's own clock, and long enough for it to look many times. False where it said anything but ETIMEDOUT. */
static inline bool let_it_look(void)
{
	struct ivshmem_wait w = wait_args(4, 0, 50 * MS);

	w.poll_us = 1000;
	put(4, 0);
	return FAILS(ioctl(fd, IVSHMEM_IOC_WAIT, &w), ETIMEDOUT);
}

/* A thread's or a process's state, as in /proc; 0 when it is gone. */
static inline char state_of(pid_t id)
{
	char path[64], line[256] = "", *end;
	int file, n;

	snprintf(path, sizeof(path), "/proc/%d/stat", id);
	file = open(path, O_RDONLY);
	if (file < 0)
		return 0;
	n = read(file, line, sizeof(line) - 1);
	close(file);
	end = n > 0 ? strrchr(line, ')') : NULL;
	return end && end[1] ? end[2] : 0;
}

static inline void pause_briefly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = MS}, NULL);
}

/* No event tells that somebody fell asleep, so this looks. */
static inline bool falls_asleep(pid_t id)
{
	int64_t deadline = now() + LATE;

	while (now() < deadline) {
		if (state_of(id) == 'S')
			return true;
		pause_briefly();
	}
	return false;
}

struct sleeper {
	struct ivshmem_wait w;
	int file;
	pthread_t thread;
	pid_t tid;
	int done, ret, err;
	int64_t ended;
};

static inline void *sleeper_run(void *arg)
{
	struct sleeper *s = arg;

	__atomic_store_n(&s->tid, syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	s->ret = ioctl(s->file, IVSHMEM_IOC_WAIT, &s->w);
	s->err = s->ret ? errno : 0;
	s->ended = now();
	__atomic_store_n(&s->done, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static inline bool sleeper_done(struct sleeper *s)
{
	return __atomic_load_n(&s->done, __ATOMIC_SEQ_CST);
}

/* Until it sleeps. False: it ended, or did not get so far. The thread is there in any case. */
static inline bool sleeper_sleeps(struct sleeper *s)
{
	int64_t deadline = now() + LATE;

	while (now() < deadline && !sleeper_done(s)) {
		pid_t tid = __atomic_load_n(&s->tid, __ATOMIC_SEQ_CST);

		if (tid && state_of(tid) == 'S')
			return true;
		pause_briefly();
	}
	return false;
}

static inline bool sleeper_start(struct sleeper *s, int file, struct ivshmem_wait w)
{
	pthread_attr_t attr;

	*s = (struct sleeper){.w = w, .file = file};
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 << 10);
	if (pthread_create(&s->thread, &attr, sleeper_run, s))
		_exit(4);
	return sleeper_sleeps(s);
}

/* It ended within LATE, with that errno; 0: with success. One that does not end is left behind. */
static inline bool sleeper_ends(struct sleeper *s, int err)
{
	int64_t deadline = now() + LATE;

	while (!sleeper_done(s) && now() < deadline)
		pause_briefly();
	errno = sleeper_done(s) ? s->err : EBUSY;
	if (!sleeper_done(s))
		return false;
	pthread_join(s->thread, NULL);
	return s->err == err && s->ret == (err ? -1 : 0);
}

#endif /* WORDS_H */
