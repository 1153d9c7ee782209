// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "sigbus.h"

#define WATCHED_MAX 1024

/* A table and not a list: the handler walks it at any moment. `start` is stored last and cleared first. */
static struct watched {
	_Atomic(uintptr_t) start;
	size_t len;
	volatile sig_atomic_t *lost;
} watched[WATCHED_MAX];

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction earlier;
static bool installed;

static void not_ours(int number, siginfo_t *info, void *context)
{
	if (earlier.sa_flags & SA_SIGINFO) {
		earlier.sa_sigaction(number, info, context);
	} else if (earlier.sa_handler != SIG_DFL && earlier.sa_handler != SIG_IGN) {
		earlier.sa_handler(number);
	} else {
		/* The access is tried again when we return, and then kills the process as it would have without us. */
		signal(SIGBUS, SIG_DFL);
	}
}

static void handler(int number, siginfo_t *info, void *context)
{
	uintptr_t address = (uintptr_t)info->si_addr;
	int saved = errno;

	for (size_t i = 0; i < WATCHED_MAX; i++) {
		uintptr_t start = atomic_load(&watched[i].start);

		if (!start || address < start || address - start >= watched[i].len)
			continue;
		*watched[i].lost = 1;
		if (mmap((void *)start, watched[i].len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
			break;
		errno = saved;
		return;
	}
	errno = saved;
	not_ours(number, info, context);
}

int ivp_sigbus_install(void)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	int ret = 0;

	pthread_mutex_lock(&table_lock);
	sigemptyset(&action.sa_mask);
	if (!installed && sigaction(SIGBUS, &action, &earlier))
		ret = -errno;
	installed = installed || !ret;
	pthread_mutex_unlock(&table_lock);
	return ret;
}

int ivp_sigbus_watch(void *start, size_t len, volatile sig_atomic_t *lost)
{
	int ret = -ENOSPC;

	pthread_mutex_lock(&table_lock);
	for (size_t i = 0; i < WATCHED_MAX && ret; i++) {
		if (atomic_load(&watched[i].start))
			continue;
		watched[i].len = len;
		watched[i].lost = lost;
		atomic_store(&watched[i].start, (uintptr_t)start);
		ret = 0;
	}
	pthread_mutex_unlock(&table_lock);
	return ret;
}

void ivp_sigbus_forget(void *start)
{
	pthread_mutex_lock(&table_lock);
	for (size_t i = 0; i < WATCHED_MAX; i++)
		if (atomic_load(&watched[i].start) == (uintptr_t)start)
			atomic_store(&watched[i].start, 0);
	pthread_mutex_unlock(&table_lock);
}
