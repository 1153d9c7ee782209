// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "wait.h"

#define TICK_MS       100  /* between two looks of a line that is overwritten */
#define LINE_EVERY_MS 1000 /* between two lines where nothing can be */
#define QUIET_MS      1000 /* a wait that is shorter is not worth a word */

/* A stream's own threads write `bytes` alone, one for each direction; the rest changes under the lock. */
static struct {
	pthread_mutex_t lock;
	pthread_t thread;
	bool running, stop;
	bool shown, terminal, summary;
	bool dirty;          /* the terminal's line has our text in it */
	const char *waiting; /* for what; NULL while a stream flows */
	int64_t size, began, drawn;
	_Atomic(uint64_t) bytes[2];
} progress = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void put(const char *text, size_t len)
{
	while (len && write(STDERR_FILENO, text, len) < 0 && errno == EINTR)
		;
}

static void wipe(void)
{
	if (progress.dirty)
		put("\r\033[K", 4);
	progress.dirty = false;
}

static uint64_t all_bytes(void)
{
	return atomic_load(&progress.bytes[0]) + atomic_load(&progress.bytes[1]);
}

static uint64_t rate_of(uint64_t bytes, int64_t ms)
{
	return (uint64_t)((double)bytes * 1000 / (double)(ms > 0 ? ms : 1));
}

/* "67108864 bytes (64 MiB) in 0.4 s, 160 MiB/s" */
static int total(char *text, size_t size, int64_t now)
{
	uint64_t bytes = all_bytes();
	int64_t ms = now - progress.began;
	char human[IVP_SIZE_TEXT], rate[IVP_SIZE_TEXT];

	return snprintf(text, size, "%" PRIu64 " bytes (%s) in %.1f s, %s/s", bytes,
			ivp_options_size_text(human, bytes), (double)ms / 1000,
			ivp_options_size_text(rate, rate_of(bytes, ms)));
}

/* What the sender said that will come is its claim: a stream may be longer, and then nothing is promised. */
static void remaining(char *text, size_t size, int64_t now)
{
	uint64_t bytes = all_bytes(), rate = rate_of(bytes, now - progress.began);

	text[0] = '\0';
	if (progress.size > 0 && bytes <= (uint64_t)progress.size)
		snprintf(text, size, ", %d %%, %" PRIu64 " s left", (int)((double)bytes * 100 / (double)progress.size),
			 rate ? ((uint64_t)progress.size - bytes) / rate : 0);
}

static void line(int64_t now, bool own_line)
{
	char text[256], rest[64];
	int len;

	if (progress.waiting)
		len = snprintf(text, sizeof(text), "waiting for %s, %" PRId64 " s", progress.waiting,
			       (now - progress.began) / 1000);
	else
		len = total(text, sizeof(text) - sizeof(rest), now);
	remaining(rest, sizeof(rest), now);
	if (!progress.waiting)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%s", rest);
	wipe();
	put(text, (size_t)len);
	if (own_line)
		put("\n", 1);
	progress.dirty = !own_line;
	progress.drawn = now;
}

static void tick(bool asked)
{
	int64_t now = ivp_now();

	if (asked)
		line(now, true);
	else if (progress.shown && !(progress.waiting && now - progress.began < QUIET_MS) &&
		 (progress.terminal || now - progress.drawn >= LINE_EVERY_MS))
		line(now, !progress.terminal);
}

/* Shows, and answers SIGUSR1, which all threads have blocked, as dd does. Takes no other signal: those end the waits of the
 * thread that does the work. */
static void *show(void *arg)
{
	const struct timespec wait = {.tv_nsec = TICK_MS * 1000 * 1000};
	sigset_t all, asks;
	bool stop = false;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	sigemptyset(&asks);
	sigaddset(&asks, SIGUSR1);
	while (!stop) {
		int number = sigtimedwait(&asks, NULL, progress.shown ? &wait : NULL);

		pthread_mutex_lock(&progress.lock);
		stop = progress.stop;
		if (!stop)
			tick(number == SIGUSR1);
		pthread_mutex_unlock(&progress.lock);
	}
	return arg;
}

void ivp_progress_start(const struct ivp_cli *cli)
{
	progress.terminal = isatty(STDERR_FILENO);
	progress.shown = !cli->quiet && (cli->progress < 0 ? progress.terminal : cli->progress);
	progress.summary = progress.shown || (cli->verbose && !cli->quiet);
	progress.began = ivp_now();
	progress.waiting = "a region";
	progress.running = !pthread_create(&progress.thread, NULL, show, NULL);
}

static void turn(const char *waiting, int64_t size)
{
	pthread_mutex_lock(&progress.lock);
	wipe();
	progress.waiting = waiting;
	progress.size = size;
	progress.began = progress.drawn = ivp_now();
	atomic_store(&progress.bytes[0], 0);
	atomic_store(&progress.bytes[1], 0);
	pthread_mutex_unlock(&progress.lock);
}

void ivp_progress_wait(const char *what)
{
	turn(what, -1);
}

void ivp_progress_stream(int64_t size)
{
	turn(NULL, size);
}

void ivp_progress_update(void *arg, uint64_t bytes)
{
	atomic_store_explicit(&progress.bytes[arg == IVP_PROGRESS_OTHER], bytes, memory_order_relaxed);
}

void ivp_progress_end(void)
{
	pthread_mutex_lock(&progress.lock);
	wipe();
	if (progress.summary && !progress.waiting) {
		char text[256];
		int len = total(text, sizeof(text) - 1, ivp_now());

		text[len++] = '\n';
		put(text, (size_t)len);
	}
	progress.waiting = "the next";
	pthread_mutex_unlock(&progress.lock);
}

void ivp_progress_stop(void)
{
	if (!progress.running)
		return;
	pthread_mutex_lock(&progress.lock);
	wipe();
	progress.stop = true;
	pthread_mutex_unlock(&progress.lock);
	pthread_kill(progress.thread, SIGUSR1);
	pthread_join(progress.thread, NULL);
	progress.running = false;
}
