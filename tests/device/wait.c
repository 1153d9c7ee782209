// SPDX-License-Identifier: MIT
/*
 * The rules of IVSHMEM_IOC_WAIT and IVSHMEM_IOC_WAKE, and what all the commands refuse, on any size of memory, of which it
 * writes the first page and the last word. Runs inside a guest, with the device plain or not.  Usage: wait /dev/ivshmem0
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/eventfd.h>

#include "words.h"

static bool plain;

/* ---- refusals ---- */

/* A command with one field spoilt. The word differs, so whoever overlooks it gets 0. */
struct command {
	const char *name;
	unsigned int cmd;
	uint32_t size;
	int offset_at, reserved_at;
};

static const struct command commands[] = {
	{"WAIT", IVSHMEM_IOC_WAIT, IVSHMEM_WAIT_SIZE_V1, offsetof(struct ivshmem_wait, offset),
	 offsetof(struct ivshmem_wait, reserved)},
	{"WAKE", IVSHMEM_IOC_WAKE, IVSHMEM_WAKE_SIZE_V1, offsetof(struct ivshmem_wake, offset),
	 offsetof(struct ivshmem_wake, reserved)},
	{"WATCH", IVSHMEM_IOC_WATCH, IVSHMEM_WATCH_SIZE_V1, offsetof(struct ivshmem_watch, offset),
	 offsetof(struct ivshmem_watch, reserved)},
};

/* What the caller passes, at the end of a page behind which there is nothing. */
static char *frame;

static void *args(const struct command *c, uint32_t argsz)
{
	char *p = frame + PAGE - (argsz > PAGE ? PAGE : argsz < c->size ? c->size : argsz);

	memset(frame, 0, PAGE);
	memcpy(p, &argsz, 4);
	p[offsetof(struct ivshmem_wait, expected)] = 1; /* of WAIT and WATCH; WAKE's peer */
	if (c->cmd == IVSHMEM_IOC_WAKE)
		p[offsetof(struct ivshmem_wake, peer)] = 0;
	return p;
}

static void result(bool good, const struct command *c, const char *what)
{
	char name[128];

	snprintf(name, sizeof(name), "%s: %s", c->name, what);
	tap_ok(good, name);
}

static void test_argsz(const struct command *c)
{
	const uint32_t bad[] = {0, 1, 4, c->size - 1, PAGE + 1, 1 << 16, 1U << 31, ~0U};
	unsigned int any_size = _IOC(_IOC_READ | _IOC_WRITE, IVSHMEM_IOC_MAGIC, _IOC_NR(c->cmd), PAGE);
	bool good = true;
	size_t i;
	char *p;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		good = FAILS(ioctl(fd, c->cmd, args(c, bad[i])), EINVAL) && good;
	result(good, c, "argsz too small, or above a page: EINVAL");
	result(ioctl(fd, c->cmd, args(c, c->size)) == 0, c, "argsz of the first version");
	result(ioctl(fd, c->cmd, args(c, c->size + 1)) == 0 && ioctl(fd, c->cmd, args(c, PAGE)) == 0, c,
	       "a longer argument whose tail is zero");
	result(ioctl(fd, any_size, args(c, c->size)) == 0, c, "the size in the command's number is of no concern");
	p = args(c, c->size + 1);
	p[c->size] = 1;
	result(FAILS(ioctl(fd, c->cmd, p), EINVAL), c, "a longer argument whose tail is not zero: EINVAL");
	p = args(c, PAGE);
	p[PAGE - 1] = 1;
	result(FAILS(ioctl(fd, c->cmd, p), EINVAL), c, "a page of argument whose last byte is not zero: EINVAL");
	p = args(c, c->size);
	memmove(p + 4, p, c->size - 4);
	memcpy(p + 4, &c->size, 4);
	result(FAILS(ioctl(fd, c->cmd, p + 4), EFAULT), c, "an argument that is there in part: EFAULT");
	result(FAILS(ioctl(fd, c->cmd, NULL), EFAULT) && FAILS(ioctl(fd, c->cmd, frame + PAGE), EFAULT), c,
	       "an argument nowhere: EFAULT");
}

static void test_fields(const struct command *c)
{
	bool good = true;
	int bit;
	char *p;

	for (bit = 1; bit < 32; bit++) {
		p = args(c, c->size);
		((uint32_t *)p)[1] = 1U << bit;
		good = FAILS(ioctl(fd, c->cmd, p), EINVAL) && good;
	}
	result(good, c, "each flag that is not known: EINVAL");
	for (good = true, bit = 0; bit < 64; bit++) {
		uint64_t value = 1ULL << bit;

		p = args(c, c->size);
		memcpy(p + c->reserved_at, &value, 8);
		good = FAILS(ioctl(fd, c->cmd, p), EINVAL) && good;
	}
	result(good, c, "each bit of the reserved field: EINVAL");
}

static void test_offsets(const struct command *c)
{
	const uint64_t size = info.size;
	const uint64_t bad[] = {1,
				2,
				3,
				5,
				size - 1,
				size - 2,
				size - 3,
				size,
				size + 4,
				2 * size,
				1ULL << 31 | size,
				1ULL << 32 | size,
				1ULL << 62,
				1ULL << 63,
				~0ULL - 3,
				~0ULL - 1,
				~0ULL,
				(1ULL << 63) + 4,
				~0ULL << 32,
				(1ULL << 48) + 4};
	bool good = true;
	size_t i;
	char *p;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		p = args(c, c->size);
		memcpy(p + c->offset_at, &bad[i], 8);
		if (!FAILS(ioctl(fd, c->cmd, p), EINVAL)) {
			printf("# offset %#llx\n", (unsigned long long)bad[i]);
			good = false;
		}
	}
	result(good, c, "an offset between words or behind the end: EINVAL");
	p = args(c, c->size);
	memcpy(p + c->offset_at, &(uint64_t){size - 4}, 8);
	put(size - 4, 0);
	result(ioctl(fd, c->cmd, p) == 0, c, "the last word");
}

static void test_refusals(void)
{
	size_t i;

	frame = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(frame + PAGE, PAGE, PROT_NONE);
	put(0, 0);
	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		test_argsz(&commands[i]);
		test_fields(&commands[i]);
		test_offsets(&commands[i]);
	}
	munmap(frame, 2 * PAGE);
	watch_off(fd);
}

static void test_wake_refusals(void)
{
	struct ivshmem_wake w = {.argsz = sizeof(w), .peer = 1};

	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_WAKE, &w), EINVAL), "WAKE: a peer without IVSHMEM_WAKE_RING: EINVAL");
	w.peer = 0;
	w.vector = 1;
	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_WAKE, &w), EINVAL), "WAKE: a vector without IVSHMEM_WAKE_RING: EINVAL");
}

/* On a plain device nobody can be rung, and that is said before anybody is woken. */
static void test_plain(void)
{
	struct ivshmem_wake w = {.argsz = sizeof(w), .flags = IVSHMEM_WAKE_RING};
	struct ivshmem_ring r = {.argsz = sizeof(r)};
	struct ivshmem_eventfd e = {.argsz = sizeof(e), .fd = eventfd(0, EFD_NONBLOCK)};
	struct sleeper s;

	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_RING, &r), EOPNOTSUPP), "RING on a plain device: EOPNOTSUPP");
	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_EVENTFD, &e), EOPNOTSUPP), "EVENTFD on a plain device: EOPNOTSUPP");
	close(e.fd);
	put(0, 0);
	sleeper_start(&s, fd, wait_args(0, 0, FOREVER));
	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_WAKE, &w), EOPNOTSUPP) && !sleeper_done(&s),
	       "WAKE with IVSHMEM_WAKE_RING on a plain device: EOPNOTSUPP");
	put_and_wake(0, 1);
	tap_ok(sleeper_ends(&s, 0), "and the waiter can still be woken");
	tap_ok(!(info.features & (IVSHMEM_FEATURE_DOORBELL | IVSHMEM_FEATURE_INTERRUPT)), "INFO promises neither");
}

static void test_read_only(void)
{
	int ro = open(node, O_RDONLY);
	struct ivshmem_ring r = {.argsz = sizeof(r)};
	struct ivshmem_eventfd e = {.argsz = sizeof(e), .fd = eventfd(0, EFD_NONBLOCK)};

	put(0, 0);
	tap_ok(wait_for(ro, 0, 1, 0) == 0 && FAILS(wait_for(ro, 0, 0, 0), ETIMEDOUT), "WAIT needs no write access");
	tap_ok(watch(ro, 0, 1) == 0 && watch_off(ro) == 0, "WATCH needs no write access");
	if (!plain) {
		tap_ok(FAILS(ioctl(ro, IVSHMEM_IOC_RING, &r), EBADF), "RING needs write access: EBADF");
		tap_ok(FAILS(ioctl(ro, IVSHMEM_IOC_EVENTFD, &e), EBADF), "EVENTFD needs write access: EBADF");
	} else {
		tap_ok(ioctl(ro, IVSHMEM_IOC_RING, &r) == -1 && (errno == EBADF || errno == EOPNOTSUPP),
		       "RING of a read-only open fails");
	}
	close(e.fd);
	close(ro);
}

/* ---- a word that differs already ---- */

static void test_at_once(void)
{
	const int64_t timeouts[] = {0, 1, SECOND, INT64_MAX, FOREVER, INT64_MIN};
	struct ivshmem_wait w, before;
	bool good = true;
	size_t i;

	put(0, 7);
	for (i = 0; i < sizeof(timeouts) / sizeof(*timeouts); i++) {
		w = before = wait_args(0, 8, timeouts[i]);
		good = ioctl(fd, IVSHMEM_IOC_WAIT, &w) == 0 && !memcmp(&w, &before, sizeof(w)) && good;
		w.flags = before.flags = IVSHMEM_WAIT_ABSOLUTE;
		good = ioctl(fd, IVSHMEM_IOC_WAIT, &w) == 0 && !memcmp(&w, &before, sizeof(w)) && good;
	}
	tap_ok(good, "a word that differs already: 0, whatever the timeout");
	put(0, ~0U);
	tap_ok(wait_for(fd, 0, 0, FOREVER) == 0, "a word of ones differs from 0");
	tap_ok(FAILS(wait_for(fd, 0, ~0U, MS), ETIMEDOUT), "and is a value that can be expected");
	put(0, 0);
	tap_ok(wait_for(fd, 0, ~0U, FOREVER) == 0, "a word of zeros differs from ones");
	put(0, 0x80000000);
	tap_ok(wait_for(fd, 0, 0, FOREVER) == 0 && FAILS(wait_for(fd, 0, 0x80000000, 0), ETIMEDOUT),
	       "the highest bit counts");
	put(0, 0);
	put(8, 0);
	put(4, 1);
	tap_ok(FAILS(wait_for(fd, 0, 0, MS), ETIMEDOUT) && FAILS(wait_for(fd, 8, 0, MS), ETIMEDOUT),
	       "its neighbours do not");
}

static void test_nonblock(void)
{
	int file = open(node, O_RDWR | O_NONBLOCK);
	struct ivshmem_wait w = wait_args(1, 0, 0);

	put(0, 5);
	tap_ok(FAILS(wait_for(file, 0, 5, FOREVER), EAGAIN), "O_NONBLOCK: EAGAIN");
	tap_ok(wait_for(file, 0, 6, FOREVER) == 0, "O_NONBLOCK, and it differs: 0");
	tap_ok(FAILS(ioctl(file, IVSHMEM_IOC_WAIT, &w), EINVAL), "O_NONBLOCK hides no error");
	close(file);
}

/* ---- timeouts ---- */

static bool ends_at(int64_t timeout, uint32_t flags, uint32_t poll_us, int64_t due)
{
	struct ivshmem_wait w = wait_args(0, 0, timeout);
	int64_t ended;

	w.flags = flags;
	w.poll_us = poll_us;
	if (!FAILS(ioctl(fd, IVSHMEM_IOC_WAIT, &w), ETIMEDOUT))
		return false;
	ended = now();
	if (ended >= due && ended < due + LATE)
		return true;
	printf("# %lld ns %s\n", (long long)(ended < due ? due - ended : ended - due), ended < due ? "early" : "late");
	return false;
}

static void test_timeouts(void)
{
	const uint32_t absolute = IVSHMEM_WAIT_ABSOLUTE;
	int64_t began = now();
	bool good = true;
	int i;

	put(0, 0);
	tap_ok(ends_at(0, 0, 0, began), "timeout 0: ETIMEDOUT");
	tap_ok(ends_at(1, 0, 0, began + 1), "timeout 1 ns: ETIMEDOUT");
	tap_ok(ends_at(30 * MS, 0, 0, now() + 30 * MS), "30 ms from now: not early");
	began = now() + 30 * MS;
	tap_ok(ends_at(began, absolute, 0, began), "a time 30 ms from now: not early");
	began = now();
	tap_ok(ends_at(0, absolute, 0, began) && ends_at(1, absolute, 0, began) && ends_at(began, absolute, 0, began),
	       "a time that is past: ETIMEDOUT");
	tap_ok(ends_at(30 * MS, 0, IVSHMEM_POLL_NEVER, now() + 30 * MS), "without looks a timeout is kept");
	tap_ok(ends_at(30 * MS, 0, IVSHMEM_POLL_NEVER - 1, now() + 30 * MS),
	       "and before a look that is as far away as can be");
	for (i = 0; i < 100; i++)
		good = ends_at(i * 37LL % 50 * 100000, 0, i, now() + i * 37LL % 50 * 100000) && good;
	tap_ok(good, "a hundred short ones: none early");
}

/* Sums that wrap: each of these sleeps, and is woken. */
static void test_for_ever(void)
{
	const struct {
		int64_t timeout;
		uint32_t flags;
	} cases[] = {{-1, 0},
		     {INT64_MIN, 0},
		     {INT64_MAX, 0},
		     {INT64_MAX - 1, 0},
		     {INT64_MAX / 2 + 1, 0},
		     {-1, IVSHMEM_WAIT_ABSOLUTE},
		     {INT64_MIN, IVSHMEM_WAIT_ABSOLUTE},
		     {INT64_MAX, IVSHMEM_WAIT_ABSOLUTE}};
	const uint32_t poll_us[] = {0, 1, IVSHMEM_POLL_NEVER, IVSHMEM_POLL_NEVER - 1};
	bool sleeps = true, woken = true;
	struct sleeper s;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ivshmem_wait w = wait_args(0, 0, cases[i].timeout);

		w.flags = cases[i].flags;
		w.poll_us = poll_us[i % 4];
		put(0, 0);
		sleeps = sleeper_start(&s, fd, w) && let_it_look() && !sleeper_done(&s) && sleeps;
		put_and_wake(0, 1);
		woken = sleeper_ends(&s, 0) && woken;
	}
	tap_ok(sleeps, "for ever, and as long as can be said: it sleeps");
	tap_ok(woken, "and is woken");
}

/* ---- being woken ---- */

/* The change comes from another process, by its own mapping or by write(2), with a WAKE or without. */
static bool changed_by_child(uint32_t poll_us, bool by_mapping, bool with_wake)
{
	struct ivshmem_wait w = wait_args(0, 0, FOREVER);
	struct sleeper s;
	bool slept;
	int status;
	pid_t pid;

	w.poll_us = poll_us;
	put(0, 0);
	slept = sleeper_start(&s, fd, w);
	pid = fork();
	if (!pid) {
		fd = open(node, O_RDWR);
		words = by_mapping ? mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : NULL;
		put(0, 1);
		_exit(with_wake && wake(0) ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	return sleeper_ends(&s, 0) && slept && !status;
}

static void test_changed(void)
{
	const bool map = words;

	if (map) {
		tap_ok(changed_by_child(IVSHMEM_POLL_NEVER, true, true), "another process's store and WAKE");
		tap_ok(changed_by_child(0, true, false), "another process's store without WAKE");
		tap_ok(changed_by_child(1, true, false), "the same, looked for as often as can be said");
	}
	tap_ok(changed_by_child(IVSHMEM_POLL_NEVER, false, true), "another process's write and WAKE");
	tap_ok(changed_by_child(0, false, false), "another process's write without WAKE");
}

/* It sleeps on to its timeout, and then either answer is true. */
static bool changed_while_nobody_looks(const struct ivshmem_wait *w)
{
	int64_t due = now() + w->timeout_ns;
	struct sleeper s;

	if (!sleeper_start(&s, fd, *w))
		return false;
	put(0, 1);
	return (sleeper_ends(&s, 0) || s.err == ETIMEDOUT) && s.ended >= due;
}

static void test_never(void)
{
	struct ivshmem_wait w = wait_args(0, 0, 500 * MS);

	w.poll_us = IVSHMEM_POLL_NEVER;
	put(0, 0);
	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_WAIT, &w), ETIMEDOUT), "IVSHMEM_POLL_NEVER: a timeout");
	/* Nobody else waits here. A driver that looked all the same would find the change long before the end. */
	tap_ok(changed_while_nobody_looks(&w), "IVSHMEM_POLL_NEVER: a change that nobody wakes for is not looked for");
}

static void test_last_word(void)
{
	struct sleeper s;

	put(info.size - 4, 3);
	sleeper_start(&s, fd, wait_args(info.size - 4, 3, FOREVER));
	put_and_wake(info.size - 4, 4);
	tap_ok(sleeper_ends(&s, 0), "the last word wakes");
	sleeper_start(&s, fd, wait_args(info.size - 4, 4, FOREVER));
	put(info.size - 4, 5);
	tap_ok(sleeper_ends(&s, 0), "the last word wakes without WAKE");
}

/* Nothing has changed, or something else has. */
static void test_for_nothing(void)
{
	struct sleeper s, other;
	int i;

	put(0, 0);
	put(8, 0);
	sleeper_start(&s, fd, wait_args(0, 0, FOREVER));
	sleeper_start(&other, fd, wait_args(8, 0, FOREVER));
	for (i = 0; i < 1000; i++)
		wake(0);
	put_and_wake(8, 1);
	tap_ok(sleeper_ends(&other, 0) && let_it_look() && !sleeper_done(&s), "a WAKE for nothing, and others' words");
	put_and_wake(0, 1);
	tap_ok(sleeper_ends(&s, 0), "and one for something");
	tap_ok(wake(0) == 0, "a WAKE where nobody waits: 0");
}

/* Two values of one word, through two open files. */
static void test_expected(void)
{
	int file = open(node, O_RDONLY);
	struct sleeper zero, one;
	struct ivshmem_wait w = wait_args(0, 0, FOREVER);

	put(0, 0);
	w.poll_us = IVSHMEM_POLL_NEVER;
	sleeper_start(&zero, fd, w);
	tap_ok(wait_for(file, 0, 1, FOREVER) == 0, "who expects another value does not wait");
	put_and_wake(0, 1);
	tap_ok(sleeper_ends(&zero, 0), "who expected the old one goes on");
	w.expected = 1;
	sleeper_start(&one, file, w);
	tap_ok(wake(0) == 0 && let_it_look() && !sleeper_done(&one), "who expects the new one waits");
	put_and_wake(0, 0);
	tap_ok(sleeper_ends(&one, 0), "until it changes");
	close(file);
}

static void test_many_on_one(void)
{
	static struct sleeper s[64];
	struct ivshmem_wait w = wait_args(0, 0, FOREVER);
	bool good = true;
	int i;

	put(0, 0);
	w.poll_us = IVSHMEM_POLL_NEVER;
	for (i = 0; i < 64; i++)
		good = sleeper_start(&s[i], fd, w) && good;
	put_and_wake(0, 1);
	for (i = 0; i < 64; i++)
		good = sleeper_ends(&s[i], 0) && good;
	tap_ok(good, "one WAKE wakes all 64 on a word");
}

/* The number is gone, the open file is not. */
static void test_close(void)
{
	int file = open(node, O_RDWR);
	struct sleeper s;

	put(0, 0);
	sleeper_start(&s, file, wait_args(0, 0, FOREVER));
	close(file);
	tap_ok(let_it_look() && !sleeper_done(&s), "closing the descriptor wakes nobody");
	put_and_wake(0, 1);
	tap_ok(sleeper_ends(&s, 0), "and he is woken through another");
}

/* ---- signals ---- */

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

static bool interrupted(int flags, int64_t timeout)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = flags};
	struct ivshmem_wait w = wait_args(0, 0, timeout);
	struct sleeper s;
	bool slept;

	sigaction(SIGUSR1, &sa, NULL);
	w.poll_us = IVSHMEM_POLL_NEVER;
	put(0, 0);
	signals = 0;
	slept = sleeper_start(&s, fd, w);
	pthread_kill(s.thread, SIGUSR1);
	return sleeper_ends(&s, EINTR) && slept && signals == 1;
}

static void test_signals(void)
{
	struct sleeper s;
	int status;
	pid_t pid;

	tap_ok(interrupted(0, FOREVER), "a signal: EINTR");
	tap_ok(interrupted(SA_RESTART, FOREVER), "with SA_RESTART, too");
	tap_ok(interrupted(SA_RESTART, 1000 * SECOND), "with SA_RESTART and a timeout, too");
	signal(SIGUSR1, SIG_IGN);
	put(0, 0);
	sleeper_start(&s, fd, wait_args(0, 0, FOREVER));
	pthread_kill(s.thread, SIGUSR1);
	tap_ok(let_it_look() && !sleeper_done(&s), "an ignored one wakes nobody");
	put_and_wake(0, 1);
	tap_ok(sleeper_ends(&s, 0), "who is then woken as ever");
	put(0, 0);
	pid = fork();
	if (!pid)
		_exit(wait_for(fd, 0, 0, FOREVER) != 0);
	falls_asleep(pid);
	kill(pid, SIGKILL);
	tap_ok(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status), "a waiting process can be killed");
}

/* Stopped and continued, as by a shell or a debugger: it waits on, or says EINTR; nothing else. */
static void test_stop(void)
{
	int64_t deadline = now() + LATE;
	int status = -1;
	pid_t pid;

	put(0, 0);
	pid = fork();
	if (!pid)
		_exit(wait_for(fd, 0, 0, FOREVER) ? errno : 0);
	falls_asleep(pid);
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGCONT);
	put_and_wake(0, 1);
	while (waitpid(pid, &status, WNOHANG) == 0 && now() < deadline)
		pause_briefly();
	tap_ok(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EINTR),
	       "stopped and continued: woken, or EINTR");
	kill(pid, SIGKILL);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	if (!tap_ok(words_open(argv[1], PAGE), "opens"))
		return tap_end();
	plain = info.model == IVSHMEM_MODEL_PLAIN;
	tap_ok(info.features & IVSHMEM_FEATURE_WAIT, "INFO promises WAIT, WAKE and WATCH");
	test_refusals();
	test_wake_refusals();
	if (plain)
		test_plain();
	test_read_only();
	test_at_once();
	test_nonblock();
	test_timeouts();
	test_for_ever();
	test_changed();
	test_never();
	test_last_word();
	test_for_nothing();
	test_expected();
	test_many_on_one();
	test_close();
	test_signals();
	test_stop();
	return tap_end();
}
