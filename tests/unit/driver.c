// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "address.h"
#include "driver.h"

atomic_uint driver_waits, driver_wakes, driver_rings;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct ivshmem_wait last_wait;
static struct ivshmem_wake last_wake;
static struct ivshmem_ring last_ring;
static __u64 features;
static __u32 ivposition;
static int answer;

void driver_reset(void)
{
	pthread_mutex_lock(&lock);
	features = IVSHMEM_FEATURE_MMAP | IVSHMEM_FEATURE_PAGES | IVSHMEM_FEATURE_WAIT;
	answer = 0;
	ivposition = 0;
	driver_waits = driver_wakes = driver_rings = 0;
	pthread_mutex_unlock(&lock);
}

void driver_features(__u64 wanted)
{
	features = wanted;
}

void driver_ivposition(__u32 number)
{
	ivposition = number;
}

void driver_answer(int number)
{
	pthread_mutex_lock(&lock);
	answer = number;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

struct ivshmem_wait driver_last_wait(void)
{
	struct ivshmem_wait wait;

	pthread_mutex_lock(&lock);
	wait = last_wait;
	pthread_mutex_unlock(&lock);
	return wait;
}

struct ivshmem_wake driver_last_wake(void)
{
	struct ivshmem_wake wake;

	pthread_mutex_lock(&lock);
	wake = last_wake;
	pthread_mutex_unlock(&lock);
	return wake;
}

struct ivshmem_ring driver_last_ring(void)
{
	struct ivshmem_ring ring;

	pthread_mutex_lock(&lock);
	ring = last_ring;
	pthread_mutex_unlock(&lock);
	return ring;
}

static __s64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int info(int fd, struct ivshmem_info *info)
{
	struct stat st;

	if (answer)
		return answer;
	if (info->argsz < IVSHMEM_INFO_SIZE_V1 || info->flags || fstat(fd, &st))
		return EINVAL;
	info->size = (__u64)st.st_size;
	info->features = features;
	info->model = features & IVSHMEM_FEATURE_DOORBELL ? IVSHMEM_MODEL_DOORBELL : IVSHMEM_MODEL_PLAIN;
	info->ivposition = ivposition;
	info->cache = IVSHMEM_CACHE_WRITE_BACK;
	return 0;
}

/* 0: it differs; EAGAIN: not yet. */
static int look(int fd, const struct ivshmem_wait *wait)
{
	__u32 word;

	if (answer)
		return answer;
	if (pread(fd, &word, sizeof(word), (off_t)wait->offset) != sizeof(word))
		return EINVAL;
	return word == wait->expected ? EAGAIN : 0;
}

static void pause_until(__s64 time)
{
	struct timespec until = {.tv_sec = time / 1000000000, .tv_nsec = time % 1000000000};

	pthread_cond_timedwait(&changed, &lock, &until);
}

/* Called, and returns, with the lock held. */
static int sleep_on(int fd, const struct ivshmem_wait *wait)
{
	__s64 deadline = now_ns() + wait->timeout_ns;
	__u32 poll_us = wait->poll_us ? wait->poll_us : 10000;

	if (wait->argsz != sizeof(*wait) || wait->flags || wait->reserved || wait->offset % 4 || wait->timeout_ns < 0)
		return EINVAL;
	for (;;) {
		__s64 next = deadline;
		int ret = look(fd, wait);

		if (ret != EAGAIN || fcntl(fd, F_GETFL) & O_NONBLOCK)
			return ret;
		if (now_ns() >= deadline)
			return ETIMEDOUT;
		if (poll_us != IVSHMEM_POLL_NEVER && now_ns() + poll_us * 1000LL < deadline)
			next = now_ns() + poll_us * 1000LL;
		pause_until(next);
	}
}

static int wait_for(int fd, const struct ivshmem_wait *wait)
{
	int ret;

	pthread_mutex_lock(&lock);
	last_wait = *wait;
	driver_waits++;
	ret = sleep_on(fd, wait);
	pthread_mutex_unlock(&lock);
	return ret;
}

static int wake_up(const struct ivshmem_wake *wake)
{
	int ret;

	pthread_mutex_lock(&lock);
	last_wake = *wake;
	driver_wakes++;
	ret = wake->argsz != sizeof(*wake) || wake->flags || wake->peer || wake->vector || wake->reserved ? EINVAL
													  : answer;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return ret;
}

/* Whoever was rung looks. */
static int ring(const struct ivshmem_ring *ring)
{
	int ret;

	pthread_mutex_lock(&lock);
	last_ring = *ring;
	driver_rings++;
	ret = ring->argsz != sizeof(*ring) || ring->flags || ring->peer > 0xffff || ring->vector > 0xff ? EINVAL
	      : features & IVSHMEM_FEATURE_DOORBELL                                                     ? answer
													: EOPNOTSUPP;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return ret;
}

/* The linker's names for what --wrap puts in the place of ioctl() and ivp_address_resolve(). */
int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_ivp_address_resolve(struct ivp_address *address, const char *spec, struct ivp_error *err);
int __wrap_ivp_address_resolve(struct ivp_address *address, const char *spec, struct ivp_error *err);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;
	int ret;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request == IVSHMEM_IOC_INFO)
		ret = info(fd, arg);
	else if (request == IVSHMEM_IOC_WAIT)
		ret = wait_for(fd, arg);
	else if (request == IVSHMEM_IOC_WAKE)
		ret = wake_up(arg);
	else if (request == IVSHMEM_IOC_RING)
		ret = ring(arg);
	else
		return __real_ioctl(fd, request, arg);
	errno = ret;
	return ret ? -1 : 0;
}

/* A path that ends in /node or /other-node is one; what is opened is the `region` beside it. */
int __wrap_ivp_address_resolve(struct ivp_address *address, const char *spec, struct ivp_error *err)
{
	int ret = __real_ivp_address_resolve(address, spec, err);
	char *base = ret ? NULL : strrchr(address->path, '/');

	if (!base || (strcmp(base, "/node") && strcmp(base, "/other-node")))
		return ret;
	address->backing = IVP_BACKING_NODE;
	strcpy(base, "/region");
	return 0;
}
