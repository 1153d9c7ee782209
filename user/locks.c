// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "locks.h"

/* What one holder did comes before what the next one does: the kernel sees to that, and ThreadSanitizer does not see it. */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
static char ordered[256];
#define RELEASED(byte) __tsan_release(&ordered[(byte) % sizeof(ordered)])
#define ACQUIRED(byte) __tsan_acquire(&ordered[(byte) % sizeof(ordered)])
#else
#define RELEASED(byte)
#define ACQUIRED(byte)
#endif

int ivp_locks_open(const char *path, bool writable)
{
	int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static int set(int fd, uint64_t byte, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};

	if (fcntl(fd, F_OFD_SETLK, &lock))
		return errno == EACCES ? -EAGAIN : -errno;
	ACQUIRED(byte);
	return 0;
}

int ivp_locks_take_write(int fd, uint64_t byte)
{
	return set(fd, byte, F_WRLCK);
}

int ivp_locks_take_read(int fd, uint64_t byte)
{
	return set(fd, byte, F_RDLCK);
}

void ivp_locks_drop(int fd, uint64_t byte)
{
	RELEASED(byte);
	set(fd, byte, F_UNLCK);
}

bool ivp_locks_held(int fd, uint64_t byte, uint64_t count)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = (off_t)count};

	return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}
