// SPDX-License-Identifier: MIT
/*
 * Waits in one of many ways while a scenario changes the word, or takes the device away, and tells in words what it sees.
 *
 *   late NODE wait|poll|epoll|edge|fork [OFFSET [POLL_US]]
 *       "waiting" when it sleeps (fork: in a parent and a child, whose words begin with "child"); then "changed" and the word's
 *       value, or "gone", and then "enodev" when each command says so
 *   late NODE look OFFSET MS    expects what is there: "changed" and the value, or "unchanged" after that time
 *   late NODE fired [OFFSET]    a watch that has fired: "waiting"; "gone" when the device went
 *   late NODE eventfd    an eventfd for each of the first two vectors: "waiting"; "gone" when the device signalled each once
 *   late NODE storm      all commands from four threads at once: "waiting" when they run; "gone" when all of them met ENODEV, and
 *                        nothing but it afterwards
 *
 * Exit status 0 when all went as it should.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "words.h"

static uint64_t offset;
static uint32_t poll_us, seen;
static const char *who = "";

/* One write a line: two processes share the pipe. */
static void say(const char *word)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%s%s\n", who, word);

	if (write(1, line, n) != n)
		_exit(3);
}

static bool command_enodev(unsigned int cmd, uint32_t argsz)
{
	uint32_t args[28] = {argsz};

	return FAILS(ioctl(fd, cmd, args), ENODEV);
}

static bool watch_off_enodev(void)
{
	return FAILS(watch_off(fd), ENODEV);
}

/* Each kind of call, on a plain device, too; and the word differs, so that a WAIT which looked would say 0. */
static bool all_enodev(void)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return command_enodev(IVSHMEM_IOC_INFO, IVSHMEM_INFO_SIZE_V1) &&
	       command_enodev(IVSHMEM_IOC_WAIT, IVSHMEM_WAIT_SIZE_V1) &&
	       command_enodev(IVSHMEM_IOC_WAKE, IVSHMEM_WAKE_SIZE_V1) &&
	       command_enodev(IVSHMEM_IOC_WATCH, IVSHMEM_WATCH_SIZE_V1) &&
	       command_enodev(IVSHMEM_IOC_RING, IVSHMEM_RING_SIZE_V1) &&
	       command_enodev(IVSHMEM_IOC_EVENTFD, IVSHMEM_EVENTFD_SIZE_V1) && watch_off_enodev() &&
	       poll(&p, 1, 0) == 1 && p.revents == (POLLHUP | POLLERR);
}

/* ---- ways to wait: 1 the word changed, 0 the device went, -1 neither ---- */

static int by_wait(void)
{
	struct ivshmem_wait w = wait_args(offset, seen, FOREVER);

	w.poll_us = poll_us;
	if (ioctl(fd, IVSHMEM_IOC_WAIT, &w) == 0)
		return 1;
	return errno == ENODEV ? 0 : -1;
}

static int by_poll(void)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (poll(&p, 1, -1) != 1)
		return -1;
	return p.revents == POLLIN ? 1 : p.revents == (POLLHUP | POLLERR) ? 0 : -1;
}

static int by_epoll_of(uint32_t how)
{
	struct epoll_event e = {.events = EPOLLIN | how};
	int set = epoll_create1(EPOLL_CLOEXEC), n;

	if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &e))
		return -1;
	/* The machine's sleep interrupts epoll_wait(2), whatever is waited for, and no other of these calls. */
	do
		n = epoll_wait(set, &e, 1, -1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		return -1;
	return e.events == EPOLLIN ? 1 : e.events == (EPOLLHUP | EPOLLERR) ? 0 : -1;
}

static int by_epoll(void)
{
	return by_epoll_of(0);
}

static int by_edge(void)
{
	return by_epoll_of(EPOLLET);
}

struct way {
	const char *name;
	int (*wait)(void);
	bool watches, forks;
};

static const struct way ways[] = {
	{"wait", by_wait, false, false}, {"poll", by_poll, true, false}, {"epoll", by_epoll, true, false},
	{"edge", by_edge, true, false},  {"fork", by_wait, false, true},
};

/* The thread that waits is the first one. */
static void *announce(void *arg)
{
	if (falls_asleep(getpid()))
		say("waiting");
	return arg;
}

static int tell(int how)
{
	uint32_t value = 0;
	char line[32];

	if (how < 0) {
		perror("late");
		return 1;
	}
	if (how) {
		if (pread(fd, &value, 4, offset) != 4)
			return 1;
		snprintf(line, sizeof(line), "changed %u", value);
		say(line);
		return 0;
	}
	say("gone");
	if (!all_enodev())
		return 1;
	say("enodev");
	return 0;
}

static int wait_by(const struct way *way)
{
	int status, ret;
	pid_t pid = -1;
	pthread_t t;

	if (pread(fd, &seen, 4, offset) != 4 || (way->watches && watch_at(fd, offset, seen, poll_us)))
		return 1;
	if (way->forks) {
		pid = fork();
		if (!pid)
			who = "child ";
	}
	pthread_create(&t, NULL, announce, NULL);
	ret = tell(way->wait());
	pthread_join(t, NULL);
	if (!pid)
		_exit(ret);
	if (pid > 0 && (waitpid(pid, &status, 0) != pid || status))
		return 1;
	return ret;
}

/* ---- eventfds ---- */

static int hold_eventfds(void)
{
	struct pollfd p[2];
	uint64_t count;
	int i;

	for (i = 0; i < 2; i++) {
		struct ivshmem_eventfd e = {.argsz = sizeof(e), .vector = i, .fd = eventfd(0, EFD_NONBLOCK)};

		p[i] = (struct pollfd){.fd = e.fd, .events = POLLIN};
		if (ioctl(fd, IVSHMEM_IOC_EVENTFD, &e))
			return 1;
	}
	say("waiting");
	for (i = 0; i < 2; i++)
		if (poll(&p[i], 1, -1) != 1 || read(p[i].fd, &count, 8) != 8 || count != 1)
			return 1;
	/* Gone, or going: the end of the calls is not the end of the signals. */
	if (by_poll())
		return 1;
	say("gone");
	for (i = 0; i < 2; i++)
		if (!FAILS(read(p[i].fd, &count, 8), EAGAIN))
			return 1;
	if (!all_enodev())
		return 1;
	say("enodev");
	return 0;
}

/* ---- for a while ---- */

static int look(int64_t ms)
{
	struct ivshmem_wait w = wait_args(offset, 0, ms * MS);

	if (pread(fd, &w.expected, 4, offset) != 4)
		return 1;
	w.poll_us = 1000;
	if (ioctl(fd, IVSHMEM_IOC_WAIT, &w) == 0)
		return tell(1);
	if (errno != ETIMEDOUT)
		return tell(-1);
	say("unchanged");
	return 0;
}

/* ---- a watch that fired ---- */

static int hold_fired(void)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (pread(fd, &seen, 4, offset) != 4 || watch_at(fd, offset, seen + 1, poll_us) || poll(&p, 1, 0) != 1 ||
	    p.revents != POLLIN)
		return 1;
	say("waiting");
	p.events = 0;
	if (poll(&p, 1, -1) != 1 || p.revents != (POLLHUP | POLLERR))
		return 1;
	say("gone");
	return 0;
}

/* ---- all at once ---- */

#define STORMERS 4

static uint32_t steps[STORMERS];

/* 0, or what an unhurried waiter may meet. */
static bool fair(int ret)
{
	return ret == 0 || errno == ETIMEDOUT || errno == EOPNOTSUPP || errno == EBUSY;
}

static bool storm_step(uint32_t i, int file, int event)
{
	struct ivshmem_eventfd e = {.argsz = sizeof(e), .vector = i % 2, .fd = i % 8 == 5 ? event : -1};
	struct ivshmem_ring r = {.argsz = sizeof(r), .vector = i % 2};
	struct pollfd p = {.fd = file, .events = POLLIN};

	switch (i % 7) {
	case 0:
		return fair(pwrite(file, &i, 4, 8) == 4 ? 0 : -1) && fair(wake(8));
	case 1:
		return fair(wait_for(file, 8, i, 0));
	case 2:
		return fair(wait_for(file, 16, 0, i % 3 * 100000));
	case 3:
		return fair(watch(file, i % 2 ? 8 : 16, 0));
	case 4:
		return fair(watch_off(file));
	case 5:
		return fair(ioctl(file, IVSHMEM_IOC_EVENTFD, &e)) && fair(ioctl(file, IVSHMEM_IOC_RING, &r));
	default:
		return poll(&p, 1, 0) >= 0;
	}
}

/* Every other one on an open file of its own. */
static void *storm(void *arg)
{
	uint32_t *step = arg;
	int file = (step - steps) % 2 ? open(node, O_RDWR) : fd, event = eventfd(0, EFD_NONBLOCK);
	uintptr_t bad;

	while (storm_step((*step)++, file, event))
		;
	bad = errno != ENODEV;
	for (uint32_t i = 0; i < 50; i++)
		if (i % 7 != 6)
			bad |= storm_step(i, file, event) || errno != ENODEV;
	return (void *)bad;
}

static int hold_storm(void)
{
	pthread_t t[STORMERS];
	bool bad = false;
	void *ret;
	int i;

	for (i = 0; i < STORMERS; i++)
		pthread_create(&t[i], NULL, storm, &steps[i]);
	for (i = 0; i < STORMERS; i++)
		while (__atomic_load_n(&steps[i], __ATOMIC_RELAXED) < 200)
			pause_briefly();
	say("waiting");
	for (i = 0; i < STORMERS; i++) {
		pthread_join(t[i], &ret);
		bad |= ret != NULL;
	}
	if (bad)
		return 1;
	say("gone");
	return 0;
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 3 || argc > 5)
		return 2;
	if (argc > 3)
		offset = strtoull(argv[3], NULL, 0);
	if (argc > 4)
		poll_us = strtoul(argv[4], NULL, 0);
	if (!words_open(argv[1], 0)) {
		perror(argv[1]);
		return 1;
	}
	if (!strcmp(argv[2], "eventfd"))
		return hold_eventfds();
	if (!strcmp(argv[2], "look"))
		return look(poll_us);
	if (!strcmp(argv[2], "fired"))
		return hold_fired();
	if (!strcmp(argv[2], "storm"))
		return hold_storm();
	for (i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (!strcmp(argv[2], ways[i].name))
			return wait_by(&ways[i]);
	return 2;
}
