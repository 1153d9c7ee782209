// SPDX-License-Identifier: MIT
/*
 * The rules of IVSHMEM_IOC_WATCH: one word for each open file, found readable by poll, select and epoll. Runs inside a guest,
 * on any size of memory, and writes its first words.  Usage: watch /dev/ivshmem0
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "words.h"

#define LATE_MS (int)(LATE / MS)

static int poll_for(int file, int timeout)
{
	struct pollfd p = {.fd = file, .events = POLLIN};
	int n = poll(&p, 1, timeout);

	return n == 1 ? p.revents : n;
}

/* Now, and still after many looks. */
static bool silent(int file)
{
	return poll_for(file, 0) == 0 && let_it_look() && poll_for(file, 0) == 0;
}

static bool readable(int file)
{
	return poll_for(file, LATE_MS) == POLLIN;
}

static void test_fires(void)
{
	put(0, 0);
	tap_ok(silent(fd), "nothing is armed: silent");
	tap_ok(watch(fd, 0, 1) == 0 && poll_for(fd, 0) == POLLIN, "a word that differs already: readable");
	tap_ok(watch(fd, 0, 0) == 0 && silent(fd), "armed again with what it is: silent");
	put(0, 1);
	tap_ok(readable(fd), "changed without WAKE: readable");
	watch_at(fd, 0, 1, IVSHMEM_POLL_NEVER);
	put_and_wake(0, 2);
	tap_ok(poll_for(fd, 0) == POLLIN, "changed with WAKE: readable when WAKE returns");
	put_and_wake(0, 1);
	tap_ok(let_it_look() && poll_for(fd, 0) == POLLIN, "it stays readable although the word changed back");
	tap_ok(poll_for(fd, 0) == POLLIN, "and however often it is asked");
	tap_ok(watch(fd, 0, 1) == 0 && silent(fd), "until it is armed again");
	put(0, ~0U);
	tap_ok(readable(fd), "a word of ones fires");
	tap_ok(wake(0) == 0 && poll_for(fd, 0) == POLLIN, "a WAKE afterwards changes nothing");
}

static void test_replace(void)
{
	put(0, 0);
	put(8, 0);
	watch(fd, 0, 0);
	watch(fd, 8, 0);
	put_and_wake(0, 1);
	tap_ok(silent(fd), "arming again forgets the former word");
	put_and_wake(8, 1);
	tap_ok(readable(fd), "and watches the new one");
	tap_ok(watch_off(fd) == 0 && silent(fd), "IVSHMEM_WATCH_OFF, once it fired");
	watch(fd, 8, 1);
	tap_ok(watch_off(fd) == 0, "IVSHMEM_WATCH_OFF, before it fires");
	put_and_wake(8, 2);
	tap_ok(silent(fd), "nothing fires");
	tap_ok(watch_off(fd) == 0, "IVSHMEM_WATCH_OFF of nothing");
}

static void test_refused(void)
{
	struct ivshmem_watch w = {.argsz = sizeof(w), .offset = 8, .flags = IVSHMEM_WATCH_OFF};

	put(0, 0);
	watch(fd, 0, 0);
	tap_ok(FAILS(watch(fd, 2, 0), EINVAL) && FAILS(watch(fd, info.size, 0), EINVAL), "a bad word: EINVAL");
	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_WATCH, &w), EINVAL), "IVSHMEM_WATCH_OFF of a word: EINVAL");
	w.offset = 0;
	w.expected = 1;
	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_WATCH, &w), EINVAL), "IVSHMEM_WATCH_OFF with a value: EINVAL");
	put_and_wake(0, 1);
	tap_ok(readable(fd), "what was armed before is still armed");
	watch_off(fd);
}

static void test_poll_us(void)
{
	const uint32_t poll_us[] = {1, 100, 5000, ~0U};
	bool good = true;
	size_t i;

	for (i = 0; i < 4; i++) {
		put(0, 0);
		good = watch_at(fd, 0, 0, poll_us[i]) == 0 && poll_for(fd, 0) == 0 && good;
		put(0, 1);
		if (i == 3)
			wake(0);
		good = readable(fd) && good;
	}
	tap_ok(good, "any interval between looks");
	watch_off(fd);
}

static void test_select(void)
{
	struct timeval at_once = {0}, late = {.tv_sec = LATE / SECOND};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	put(0, 0);
	watch(fd, 0, 0);
	tap_ok(select(fd + 1, &set, NULL, NULL, &at_once) == 0, "select: nothing yet");
	FD_SET(fd, &set);
	put(0, 1);
	tap_ok(select(fd + 1, &set, NULL, NULL, &late) == 1 && FD_ISSET(fd, &set), "select: readable");
	watch_off(fd);
}

/* ---- somebody sleeps in poll ---- */

static void *poller(void *arg)
{
	int *ends = arg, revents;

	__atomic_store_n(&ends[1], syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	revents = poll_for(ends[0], LATE_MS);
	__atomic_store_n(&ends[2], revents ? revents : -1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* A poll that sleeps on the file while `change` is done to it ends with POLLIN. */
static bool poll_woken(int file, void (*change)(void))
{
	int ends[3] = {file, 0, 0};
	int64_t deadline = now() + LATE;
	pthread_t t;
	bool slept;

	pthread_create(&t, NULL, poller, ends);
	while (!__atomic_load_n(&ends[1], __ATOMIC_SEQ_CST) && now() < deadline)
		pause_briefly();
	slept = falls_asleep(ends[1]);
	change();
	pthread_join(t, NULL);
	return slept && ends[2] == POLLIN;
}

static void change_and_wake(void)
{
	put_and_wake(0, 1);
}

static void change_only(void)
{
	put(0, 1);
}

static void arm_fired(void)
{
	watch(fd, 0, 5);
}

static void arm_and_change(void)
{
	watch_at(fd, 0, 0, IVSHMEM_POLL_NEVER);
	put_and_wake(0, 1);
}

static void test_sleeping_poll(void)
{
	int copy = dup(fd);

	put(0, 0);
	watch_at(fd, 0, 0, IVSHMEM_POLL_NEVER);
	tap_ok(poll_woken(fd, change_and_wake), "a sleeping poll and WAKE");
	put(0, 0);
	watch(fd, 0, 0);
	tap_ok(poll_woken(fd, change_only), "a sleeping poll and a change without WAKE");
	watch_off(fd);
	put(0, 0);
	tap_ok(poll_woken(fd, arm_fired), "a sleeping poll, then armed with what the word is not");
	watch_off(fd);
	put(0, 0);
	tap_ok(poll_woken(fd, arm_and_change), "a sleeping poll, then armed, then changed");
	watch_off(fd);
	put(0, 0);
	watch_at(fd, 0, 0, IVSHMEM_POLL_NEVER);
	tap_ok(poll_woken(copy, change_and_wake), "a sleeping poll on a duplicate");
	watch_off(fd);
	close(copy);
}

/* ---- epoll ---- */

static int set, set_events;

static void epoll_on(int file, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.fd = file};

	set = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(set, EPOLL_CTL_ADD, file, &e))
		_exit(5);
}

static int epoll_for(int timeout)
{
	struct epoll_event e[2];
	int n = epoll_wait(set, e, 2, timeout);

	set_events = n > 0 ? e[0].events : 0;
	return n;
}

static void test_epoll_level(void)
{
	put(0, 0);
	watch(fd, 0, 0);
	epoll_on(fd, EPOLLIN);
	tap_ok(epoll_for(0) == 0, "epoll: nothing yet");
	put(0, 1);
	tap_ok(epoll_for(LATE_MS) == 1 && set_events == EPOLLIN, "epoll: readable");
	tap_ok(epoll_for(0) == 1 && epoll_for(0) == 1, "epoll: as long as it is");
	watch(fd, 0, 1);
	tap_ok(epoll_for(0) == 0 && let_it_look() && epoll_for(0) == 0, "epoll: armed again, silent");
	put_and_wake(0, 2);
	tap_ok(epoll_for(LATE_MS) == 1, "epoll: readable again");
	watch_off(fd);
	close(set);
}

static void test_epoll_edge(void)
{
	put(0, 0);
	watch(fd, 0, 0);
	epoll_on(fd, EPOLLIN | EPOLLET);
	tap_ok(epoll_for(0) == 0, "edge: nothing yet");
	put(0, 1);
	tap_ok(epoll_for(LATE_MS) == 1, "edge: told");
	tap_ok(epoll_for(0) == 0 && wake(0) == 0 && let_it_look() && epoll_for(0) == 0, "edge: told once");
	watch(fd, 0, 1);
	tap_ok(epoll_for(0) == 0, "edge: armed again, silent");
	put_and_wake(0, 2);
	tap_ok(epoll_for(LATE_MS) == 1 && epoll_for(0) == 0, "edge: told again, once");
	watch(fd, 0, 5);
	tap_ok(epoll_for(LATE_MS) == 1, "edge: armed with what the word is not, told");
	watch_off(fd);
	close(set);
}

static void test_epoll_oneshot(void)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLONESHOT};

	put(0, 0);
	epoll_on(fd, EPOLLIN | EPOLLONESHOT);
	watch(fd, 0, 1);
	tap_ok(epoll_for(LATE_MS) == 1 && epoll_for(0) == 0, "one shot: told once");
	tap_ok(epoll_ctl(set, EPOLL_CTL_MOD, fd, &e) == 0 && epoll_for(0) == 1, "one shot: renewed");
	watch_off(fd);
	close(set);
}

static void test_epoll_close(void)
{
	int file = open(node, O_RDWR), copy;

	put(0, 0);
	watch(file, 0, 0);
	epoll_on(file, EPOLLIN);
	close(file);
	put_and_wake(0, 1);
	tap_ok(epoll_for(0) == 0 && let_it_look() && epoll_for(0) == 0, "closed while epoll had it: silent");
	close(set);
	file = open(node, O_RDWR);
	put(0, 0);
	watch(file, 0, 0);
	epoll_on(file, EPOLLIN);
	copy = dup(file);
	close(file);
	put_and_wake(0, 1);
	tap_ok(epoll_for(LATE_MS) == 1, "closed but for a duplicate: told");
	close(copy);
	tap_ok(epoll_for(0) == 0, "until that is closed, too");
	close(set);
}

/* An epoll inside an epoll: the wake-up goes all the way. */
static void test_epoll_nested(void)
{
	struct epoll_event e = {.events = EPOLLIN};
	int outer = epoll_create1(EPOLL_CLOEXEC);

	put(0, 0);
	watch(fd, 0, 0);
	epoll_on(fd, EPOLLIN);
	epoll_ctl(outer, EPOLL_CTL_ADD, set, &e);
	tap_ok(epoll_wait(outer, &e, 1, 0) == 0, "epoll of an epoll: nothing yet");
	put(0, 1);
	tap_ok(epoll_wait(outer, &e, 1, LATE_MS) == 1, "epoll of an epoll: told");
	watch_off(fd);
	close(outer);
	close(set);
}

/* ---- who shares what ---- */

static void test_share(void)
{
	int copy = dup(fd), other = open(node, O_RDONLY), status;
	pid_t pid;

	put(0, 0);
	watch(fd, 0, 0);
	put_and_wake(0, 1);
	tap_ok(poll_for(copy, 0) == POLLIN, "a duplicate shares the watch");
	tap_ok(silent(other), "another open file does not");
	pid = fork();
	if (!pid)
		_exit(poll_for(fd, 0) == POLLIN && watch(fd, 0, 1) == 0 ? 0 : 1);
	waitpid(pid, &status, 0);
	tap_ok(status == 0 && silent(fd) && silent(copy), "a child shares it, and arms it for all");
	tap_ok(watch(other, 0, 0) == 0 && poll_for(other, 0) == POLLIN && silent(fd), "two open files, two watches");
	put_and_wake(0, 2);
	close(other);
	tap_ok(poll_for(fd, 0) == POLLIN, "closing one leaves the other");
	watch_off(fd);
	close(copy);
}

static void test_with_wait(void)
{
	struct sleeper s;

	put(0, 0);
	watch_at(fd, 0, 0, IVSHMEM_POLL_NEVER);
	sleeper_start(&s, fd, wait_args(0, 0, FOREVER));
	put_and_wake(0, 1);
	tap_ok(sleeper_ends(&s, 0) && poll_for(fd, 0) == POLLIN, "WATCH and WAIT on one word of one open file");
	put(8, 0);
	sleeper_start(&s, fd, wait_args(8, 0, FOREVER));
	watch_off(fd);
	put_and_wake(8, 1);
	tap_ok(sleeper_ends(&s, 0), "IVSHMEM_WATCH_OFF wakes no WAIT and loses none");
}

/* The descriptor goes while others wake, watch and poll. */
static void *waker(void *stop)
{
	uint32_t value = 0;

	while (!__atomic_load_n((int *)stop, __ATOMIC_SEQ_CST))
		put_and_wake(0, ++value);
	return NULL;
}

static void test_storm(void)
{
	int64_t deadline = now() + 3 * SECOND;
	int stop = 0, i, rounds = 0, file;
	bool good = true;
	pthread_t t[2];

	for (i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, waker, &stop);
	for (; good && rounds < 3000 && now() < deadline; rounds++) {
		file = open(node, O_RDONLY);
		epoll_on(file, EPOLLIN | EPOLLET);
		good = watch(file, 0, rounds) == 0 && epoll_for(LATE_MS) == 1 && watch(file, 8 * (rounds % 2), 0) == 0;
		if (rounds % 2)
			close(set);
		close(file);
		if (!(rounds % 2))
			close(set);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	printf("# %d rounds\n", rounds);
	tap_ok(good && rounds > 0, "opened, armed, told and closed under a storm of WAKEs");
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	if (!tap_ok(words_open(argv[1], PAGE), "opens"))
		return tap_end();
	test_fires();
	test_replace();
	test_refused();
	test_poll_us();
	test_select();
	test_sleeping_poll();
	test_epoll_level();
	test_epoll_edge();
	test_epoll_oneshot();
	test_epoll_close();
	test_epoll_nested();
	test_share();
	test_with_wait();
	test_storm();
	return tap_end();
}
