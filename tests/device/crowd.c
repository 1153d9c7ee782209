// SPDX-License-Identifier: MIT
/*
 * Many waiters, and wake-ups that must not be lost. All of them wait with IVSHMEM_POLL_NEVER, so that nothing but WAKE ends a
 * wait in time. Runs inside a guest.
 *
 *   crowd NODE [ROUNDS [SECONDS]]      of each ping-pong, at most: 100000 rounds, 60 s
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>

#include "words.h"

#define CROWD 500

static uint32_t rounds = 100000;
static int64_t seconds = 60;
static struct sleeper crowd[CROWD];

/* Nobody looks for this one. */
static struct ivshmem_wait never_args(uint64_t offset, uint32_t expected, int64_t timeout)
{
	struct ivshmem_wait w = wait_args(offset, expected, timeout);

	w.poll_us = IVSHMEM_POLL_NEVER;
	return w;
}

static bool wait_never(uint64_t offset, uint32_t expected, int64_t timeout)
{
	struct ivshmem_wait w = never_args(offset, expected, timeout);

	return ioctl(fd, IVSHMEM_IOC_WAIT, &w) == 0;
}

/* ---- five hundred ---- */

static int ended(void)
{
	int n = 0;

	for (int i = 0; i < CROWD; i++)
		n += sleeper_done(&crowd[i]);
	return n;
}

/* How often a thread went to sleep: who is woken for nothing does so once more. */
static long naps(pid_t tid)
{
	char path[64], line[128];
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "voluntary_ctxt_switches: %ld", &n);
	if (f)
		fclose(f);
	return n;
}

static long all_naps(int from)
{
	long n = 0;

	for (int i = from; i < CROWD; i++)
		n += naps(crowd[i].tid);
	return n;
}

/* Each word has changed when the first is woken: whoever looks without being called is noticed. */
static void test_crowd(void)
{
	bool slept = true, one_by_one = true, none = true;
	long before;
	int i;

	for (i = 0; i < CROWD; i++) {
		put(64 + 4 * i, 0);
		slept = sleeper_start(&crowd[i], fd, never_args(64 + 4 * i, 0, FOREVER)) && slept;
	}
	tap_ok(slept, "500 threads wait on 500 words");
	before = all_naps(0);
	for (i = 0; i < 1000; i++)
		none = wake(64 + 4 * CROWD + 4 * (i % 100)) == 0 && none;
	tap_ok(none && all_naps(0) == before, "a WAKE of another word rouses none of them");
	before = all_naps(1);
	for (i = 0; i < 1000; i++)
		wake(64);
	tap_ok(all_naps(1) == before && !ended(), "a WAKE of one's word rouses none of the others");
	for (i = 0; i < CROWD; i++)
		put(64 + 4 * i, 1);
	for (i = 0; i < CROWD && one_by_one; i++) {
		wake(64 + 4 * i);
		one_by_one = sleeper_ends(&crowd[i], 0) && ended() == i + 1;
	}
	printf("# %d ended\n", ended());
	tap_ok(one_by_one, "each WAKE lets one of them go, and no other");
	for (; i < CROWD; i++)
		wake(64 + 4 * i);
}

/* ---- ping-pong ---- */

/* A small pause, now and then a longer one, so that wake-ups fall before, into and after the other's going to sleep. */
static void dawdle(uint64_t *seed)
{
	uint64_t n;

	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	n = *seed % 16 ? *seed / 16 % 64 : *seed / 16 % 4096;
	while (n--)
		__asm__ __volatile__("" ::: "memory");
	if (*seed % 61 == 0)
		sched_yield();
}

static bool by_wait(uint64_t offset, uint32_t seen)
{
	return wait_never(offset, seen, LATE);
}

static bool by_poll(uint64_t offset, uint32_t seen)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return watch_at(fd, offset, seen, IVSHMEM_POLL_NEVER) == 0 && poll(&p, 1, LATE / MS) == 1 &&
	       p.revents == POLLIN;
}

/* Let go of the other end when this one gives up. */
#define STOP 0xffffffff

/* The number of the round is thrown from one word to the other. False: a wait was lost, or a word was not what it had to be. */
static bool play(uint64_t mine, uint64_t theirs, bool serves, bool (*wait)(uint64_t, uint32_t), uint32_t *round)
{
	uint64_t seed = 88172645463325252ULL + serves;
	int64_t deadline = now() + seconds * SECOND, began;
	uint32_t i, got;

	for (i = 1; i <= rounds; i++) {
		*round = i;
		dawdle(&seed);
		if (serves)
			put_and_wake(mine, now() < deadline ? i : STOP);
		began = now();
		while ((got = __atomic_load_n(&words[theirs / 4], __ATOMIC_SEQ_CST)) == i - 1) {
			if (!wait(theirs, i - 1)) {
				printf("# round %u: errno %s after %lld ms, the word is %u\n", i, strerror(errno),
				       (long long)((now() - began) / MS), words[theirs / 4]);
				return false;
			}
		}
		if (!serves)
			put_and_wake(mine, got);
		if (got == STOP)
			return true;
		if (got != i)
			return false;
	}
	return true;
}

static void ping_pong(const char *name, bool (*wait)(uint64_t, uint32_t))
{
	uint32_t round = 0;
	int status;
	bool good;
	pid_t pid;

	put(0, 0);
	put(128, 0);
	pid = fork();
	if (!pid) {
		/* Its own open file: a watch of its own. */
		fd = open(node, O_RDWR);
		_exit(!play(128, 0, false, wait, &round));
	}
	good = play(0, 128, true, wait, &round);
	if (!good)
		put_and_wake(0, STOP);
	waitpid(pid, &status, 0);
	printf("# %u rounds\n", round);
	tap_ok(good && !status && round > 100, name);
}

/* ---- a change that comes while somebody is going to sleep ---- */

#define AIMED_NS 50000 /* longer than it takes from the call to sleep */

static uint32_t turn; /* of who is about to wait */
static int lost;

static void *aimed_at(void *arg)
{
	const uint32_t *turns = arg;

	for (uint32_t i = 0; i < *turns && !lost; i++) {
		__atomic_store_n(&turn, i + 1, __ATOMIC_SEQ_CST);
		if (!wait_never(640, i, LATE))
			__atomic_store_n(&lost, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* Before it looks, between its looks, and once it sleeps: at any moment of all that. */
static void test_aimed(void)
{
	uint32_t turns = rounds / 20, i;
	int64_t began, end = now() + seconds * SECOND;
	uint64_t seed = 2463534242;
	pthread_t t;

	put(640, 0);
	pthread_create(&t, NULL, aimed_at, &turns);
	for (i = 0; i < turns && !lost; i++) {
		while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) != i + 1 && !__atomic_load_n(&lost, __ATOMIC_SEQ_CST))
			;
		if (now() > end)
			__atomic_store_n(&turns, i + 1, __ATOMIC_SEQ_CST);
		dawdle(&seed);
		began = now();
		while (now() < began + (int64_t)(seed % AIMED_NS))
			;
		put_and_wake(640, i + 1);
	}
	pthread_join(t, NULL);
	printf("# %u turns\n", i);
	tap_ok(!lost && i > 100, "changed and woken at any moment of falling asleep: no wake-up is lost");
}

/* ---- one who waits, several who count ---- */

#define COUNTERS 4

static void *counter(void *arg)
{
	uint64_t seed = (uintptr_t)arg * 2654435761U;

	for (uint32_t i = 0; i < rounds / 20; i++) {
		__atomic_fetch_add(&words[256 / 4], 1, __ATOMIC_SEQ_CST);
		wake(256);
		dawdle(&seed);
	}
	return NULL;
}

static void test_counters(void)
{
	uint32_t seen = 0, all = COUNTERS * (rounds / 20);
	pthread_t t[COUNTERS];
	bool good = true;
	uintptr_t i;

	put(256, 0);
	for (i = 0; i < COUNTERS; i++)
		pthread_create(&t[i], NULL, counter, (void *)(i + 1));
	while (good && seen < all) {
		good = wait_never(256, seen, LATE);
		seen = __atomic_load_n(&words[256 / 4], __ATOMIC_SEQ_CST);
	}
	for (i = 0; i < COUNTERS; i++)
		pthread_join(t[i], NULL);
	printf("# %u of %u\n", seen, all);
	tap_ok(good, "four count and WAKE in a storm, and the one who waits sees the last");
}

/* Waiters come and go by timeouts and signals while they are being woken. */
static void on_signal(int number)
{
	(void)number;
}

static void *fickle(void *arg)
{
	uint32_t *stop = arg;

	for (uint32_t i = 0; !__atomic_load_n(stop, __ATOMIC_SEQ_CST); i++)
		wait_never(512, __atomic_load_n(&words[512 / 4], __ATOMIC_SEQ_CST), i % 200 * 1000);
	return NULL;
}

static void test_fickle(void)
{
	struct sigaction sa = {.sa_handler = on_signal};
	struct sleeper s;
	uint32_t stop = 0, i;
	pthread_t t[8];

	sigaction(SIGUSR1, &sa, NULL);
	put(512, 0);
	put(516, 0);
	sleeper_start(&s, fd, never_args(516, 0, FOREVER));
	for (i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, fickle, &stop);
	for (i = 0; i < rounds / 10; i++) {
		put_and_wake(512, i);
		if (i % 7 == 0)
			pthread_kill(t[i % 8], SIGUSR1);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	tap_ok(!sleeper_done(&s), "eight who give up, are interrupted and woken leave a ninth asleep");
	put_and_wake(516, 1);
	tap_ok(sleeper_ends(&s, 0), "who is woken after them");
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 4)
		return 2;
	if (argc > 2)
		rounds = strtoul(argv[2], NULL, 0);
	if (argc > 3)
		seconds = strtol(argv[3], NULL, 0);
	if (!tap_ok(words_open(argv[1], PAGE) && words, "opens and maps"))
		return tap_end();
	test_crowd();
	ping_pong("two processes, WAIT and WAKE: no wake-up is lost", by_wait);
	ping_pong("two processes, WATCH, poll and WAKE: no wake-up is lost", by_poll);
	test_aimed();
	test_counters();
	test_fickle();
	return tap_end();
}
