// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "watch.h"

struct ivp_watch {
	struct ivp_watch_calls calls;
	void *arg;
	int event;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool armed, stop; /* under the lock */
};

static void set_event(struct ivp_watch *watch)
{
	uint64_t one = 1;

	/* It can only fail for having been set often enough. */
	if (write(watch->event, &one, sizeof(one)) < 0)
		return;
}

static void clear_event(struct ivp_watch *watch)
{
	uint64_t count;

	if (read(watch->event, &count, sizeof(count)) < 0)
		return;
}

static void *watch_main(void *arg)
{
	struct ivp_watch *watch = arg;

	pthread_mutex_lock(&watch->lock);
	while (!watch->stop) {
		if (!watch->armed) {
			pthread_cond_wait(&watch->changed, &watch->lock);
		} else if (watch->calls.due(watch->arg)) {
			watch->armed = false;
			set_event(watch);
		} else {
			pthread_mutex_unlock(&watch->lock);
			watch->calls.sleep(watch->arg);
			pthread_mutex_lock(&watch->lock);
		}
	}
	pthread_mutex_unlock(&watch->lock);
	return NULL;
}

/* Signals are the user's business; SIGBUS is left open, since the fault is the thread's own. */
static int start(struct ivp_watch *watch)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	ret = pthread_create(&watch->thread, NULL, watch_main, watch);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -ret;
}

int ivp_watch_open(struct ivp_watch **out, const struct ivp_watch_calls *calls, void *arg)
{
	struct ivp_watch *watch = calloc(1, sizeof(*watch));
	int ret;

	if (!watch)
		return -ENOMEM;
	watch->calls = *calls;
	watch->arg = arg;
	watch->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = watch->event < 0 ? -errno : 0;
	pthread_mutex_init(&watch->lock, NULL);
	pthread_cond_init(&watch->changed, NULL);
	if (!ret)
		ret = start(watch);
	if (!ret) {
		*out = watch;
		return 0;
	}
	if (watch->event >= 0)
		close(watch->event);
	pthread_cond_destroy(&watch->changed);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
	return ret;
}

void ivp_watch_close(struct ivp_watch *watch)
{
	if (!watch)
		return;
	pthread_mutex_lock(&watch->lock);
	watch->stop = true;
	pthread_cond_signal(&watch->changed);
	pthread_mutex_unlock(&watch->lock);
	watch->calls.wake(watch->arg);
	pthread_join(watch->thread, NULL);
	close(watch->event);
	pthread_cond_destroy(&watch->changed);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

void ivp_watch_arm(struct ivp_watch *watch, void (*prepare)(void *arg))
{
	pthread_mutex_lock(&watch->lock);
	clear_event(watch);
	if (prepare)
		prepare(watch->arg);
	watch->armed = true;
	pthread_cond_signal(&watch->changed);
	pthread_mutex_unlock(&watch->lock);
}

void ivp_watch_disarm(struct ivp_watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	watch->armed = false;
	pthread_mutex_unlock(&watch->lock);
}

void ivp_watch_fire(struct ivp_watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	watch->armed = false;
	set_event(watch);
	pthread_mutex_unlock(&watch->lock);
}

int ivp_watch_fd(const struct ivp_watch *watch)
{
	return watch->event;
}
