// SPDX-License-Identifier: MIT
/* The pairs' processes: started, given their orders, and watched. */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fire.h"

/* All waits of a stream one after the other, and a slow machine full of sanitizers. Only a hang takes longer. */
#define DEADLINE_MS 30000

static struct pair {
	pid_t pid;
	int orders;
	uint64_t streams;
	int64_t since;
	bool working;
} pairs[FIRE_PAIRS];

int64_t fire_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void fire_fail(struct fire *fire, const char *what, unsigned int pair)
{
	printf("# pair %u, stream %llu of its: %s\n", pair, (unsigned long long)fire->tallies[pair].streams, what);
	fire->failed = true;
}

static void start_pair(struct fire *fire, unsigned int number)
{
	struct pair *pair = &pairs[number];
	int ends[2];

	fflush(stdout);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) || (pair->pid = fork()) < 0)
		exit(1);
	pair->orders = ends[0];
	if (pair->pid) {
		close(ends[1]);
		return;
	}
	/* So that the others', too, end with the parent's. */
	for (unsigned int i = 0; i <= number; i++)
		close(pairs[i].orders);
	fire_pair(fire, number, ends[1]);
	exit(0);
}

void fire_start(struct fire *fire)
{
	for (unsigned int i = 0; i < FIRE_PAIRS; i++)
		start_pair(fire, i);
}

void fire_order(uint64_t first, uint64_t count)
{
	for (unsigned int i = 0; i < FIRE_PAIRS; i++) {
		struct order order = {.first = first + i * count, .count = count};

		pairs[i].since = fire_now();
		pairs[i].working = pairs[i].pid && write(pairs[i].orders, &order, sizeof(order)) == sizeof(order);
	}
}

static void over(struct fire *fire, unsigned int number)
{
	struct pair *pair = &pairs[number];
	char text[64];
	int status;

	pair->working = false;
	if (read(pair->orders, text, 1) == 1)
		return;
	waitpid(pair->pid, &status, 0);
	snprintf(text, sizeof(text), "died, %s %d", WIFSIGNALED(status) ? "signal" : "code",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	fire_fail(fire, text, number);
	pair->pid = 0;
}

static void look_for_hangs(struct fire *fire)
{
	for (unsigned int i = 0; i < FIRE_PAIRS; i++) {
		uint64_t streams = __atomic_load_n(&fire->tallies[i].streams, __ATOMIC_RELAXED);
		struct pair *pair = &pairs[i];

		if (!pair->working || streams != pair->streams)
			pair->since = fire_now();
		pair->streams = streams;
		if (fire_now() - pair->since < DEADLINE_MS)
			continue;
		fire_fail(fire, "hangs", i);
		kill(pair->pid, SIGABRT);
	}
}

void fire_await(struct fire *fire)
{
	for (;;) {
		struct pollfd files[FIRE_PAIRS];
		bool working = false;

		for (unsigned int i = 0; i < FIRE_PAIRS; i++) {
			files[i] = (struct pollfd){.fd = pairs[i].working ? pairs[i].orders : -1, .events = POLLIN};
			working = working || pairs[i].working;
		}
		if (!working)
			return;
		poll(files, FIRE_PAIRS, 1000);
		for (unsigned int i = 0; i < FIRE_PAIRS; i++)
			if (files[i].revents)
				over(fire, i);
		look_for_hangs(fire);
	}
}

void fire_end(struct fire *fire)
{
	for (unsigned int i = 0; i < FIRE_PAIRS; i++) {
		int status = 0;

		close(pairs[i].orders);
		if (pairs[i].pid && waitpid(pairs[i].pid, &status, 0) == pairs[i].pid && status)
			fire_fail(fire, "did not end well", i);
	}
}
