// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "beat.h"
#include "layout.h"

struct word {
	struct word *next;
	u32 __shm *word;
};

struct ivp_beat {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* to stop */
	pthread_t thread;
	struct word *words;
	bool started, stop;
};

/* One writer for each word, so a load and a store make an increment. */
static void count_up(u32 __shm *word)
{
	ivp_store32(word, ivp_load32(word) + 1);
}

static void *beat_main(void *arg)
{
	struct ivp_beat *beat = arg;
	struct timespec next;

	clock_gettime(CLOCK_MONOTONIC, &next);
	pthread_mutex_lock(&beat->lock);
	while (!beat->stop) {
		for (struct word *w = beat->words; w; w = w->next)
			count_up(w->word);
		clock_gettime(CLOCK_MONOTONIC, &next);
		next.tv_nsec += IVP_BEAT_MS * 1000000L;
		next.tv_sec += next.tv_nsec / 1000000000L;
		next.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&beat->changed, &beat->lock, &next);
	}
	pthread_mutex_unlock(&beat->lock);
	return NULL;
}

int ivp_beat_open(struct ivp_beat **out)
{
	struct ivp_beat *beat = calloc(1, sizeof(*beat));
	pthread_condattr_t attr;

	if (!beat)
		return -ENOMEM;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&beat->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&beat->lock, NULL);
	*out = beat;
	return 0;
}

void ivp_beat_close(struct ivp_beat *beat)
{
	if (!beat)
		return;
	pthread_mutex_lock(&beat->lock);
	beat->stop = true;
	pthread_cond_signal(&beat->changed);
	pthread_mutex_unlock(&beat->lock);
	if (beat->started)
		pthread_join(beat->thread, NULL);
	while (beat->words) {
		struct word *next = beat->words->next;

		free(beat->words);
		beat->words = next;
	}
	pthread_cond_destroy(&beat->changed);
	pthread_mutex_destroy(&beat->lock);
	free(beat);
}

/* Signals are the caller's business: the thread inherits a full mask. SIGBUS is left open, since the fault is its own. */
static int start(struct ivp_beat *beat)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	ret = pthread_create(&beat->thread, NULL, beat_main, beat);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	beat->started = !ret;
	return -ret;
}

int ivp_beat_add(struct ivp_beat *beat, u32 __shm *word)
{
	struct word *entry = calloc(1, sizeof(*entry));
	int ret = 0;

	if (!entry)
		return -ENOMEM;
	entry->word = word;
	pthread_mutex_lock(&beat->lock);
	if (!beat->started)
		ret = start(beat);
	if (!ret) {
		entry->next = beat->words;
		beat->words = entry;
		count_up(word);
	}
	pthread_mutex_unlock(&beat->lock);
	if (ret)
		free(entry);
	return ret;
}

void ivp_beat_remove(struct ivp_beat *beat, u32 __shm *word)
{
	struct word **link;

	pthread_mutex_lock(&beat->lock);
	for (link = &beat->words; *link; link = &(*link)->next) {
		struct word *entry = *link;

		if (entry->word != word)
			continue;
		*link = entry->next;
		free(entry);
		break;
	}
	pthread_mutex_unlock(&beat->lock);
}

void ivp_beat_now(struct ivp_beat *beat, u32 __shm *word)
{
	pthread_mutex_lock(&beat->lock);
	count_up(word);
	pthread_mutex_unlock(&beat->lock);
}
