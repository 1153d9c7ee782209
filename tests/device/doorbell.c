// SPDX-License-Identifier: MIT
/*
 * IVSHMEM_IOC_RING, IVSHMEM_IOC_EVENTFD and IVSHMEM_WAKE_RING on a doorbell device. Runs inside a guest, alone on its device,
 * and rings itself, which a peer may.
 *
 *   doorbell NODE                          TAP
 *   doorbell NODE count VECTOR N           "counting"; then a line "counted K" whenever the eventfd has grown; ends with N
 *   doorbell NODE ring PEER VECTOR [N]     N times, once otherwise
 *   doorbell NODE wake PEER VECTOR OFFSET VALUE   stores, and wakes and rings
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/eventfd.h>

#include "words.h"

static uint32_t me, vectors;

static int ring_on(int file, uint32_t peer, uint32_t vector)
{
	struct ivshmem_ring r = {.argsz = sizeof(r), .peer = peer, .vector = vector};

	return ioctl(file, IVSHMEM_IOC_RING, &r);
}

static int give(int file, uint32_t vector, int event)
{
	struct ivshmem_eventfd e = {.argsz = sizeof(e), .vector = vector, .fd = event};

	return ioctl(file, IVSHMEM_IOC_EVENTFD, &e);
}

static int wake_ring(int file, uint64_t offset, uint32_t peer, uint32_t vector)
{
	struct ivshmem_wake w = {
		.argsz = sizeof(w), .flags = IVSHMEM_WAKE_RING, .offset = offset, .peer = peer, .vector = vector};

	return ioctl(file, IVSHMEM_IOC_WAKE, &w);
}

static int new_event(void)
{
	return eventfd(0, EFD_NONBLOCK);
}

/* What the eventfd has, once it has something; 0: nothing came in time. */
static uint64_t count_of(int event)
{
	struct pollfd p = {.fd = event, .events = POLLIN};
	uint64_t count = 0;

	if (poll(&p, 1, LATE / MS) != 1 || read(event, &count, 8) != 8)
		return 0;
	return count;
}

static bool nothing_in(int event)
{
	uint64_t count;

	return let_it_look() && FAILS(read(event, &count, 8), EAGAIN);
}

static void test_info(void)
{
	tap_ok(info.model == IVSHMEM_MODEL_DOORBELL && info.vectors, "INFO tells a doorbell device");
	tap_ok(info.features & IVSHMEM_FEATURE_DOORBELL, "INFO promises RING");
	tap_ok(info.features & IVSHMEM_FEATURE_INTERRUPT, "INFO promises EVENTFD");
}

/* Each vector that can be rung, one after the other: its own eventfd counts 1, and no other. */
static void test_vectors(void)
{
	uint32_t usable = vectors < 256 ? vectors : 256, i, j;
	int *events = calloc(usable, sizeof(*events));
	bool given = true, rung = true, silent = true;
	uint64_t count;

	for (i = 0; i < usable; i++) {
		events[i] = new_event();
		given = give(fd, i, events[i]) == 0 && given;
	}
	tap_ok(given, "an eventfd for each vector");
	for (i = 0; i < usable; i++) {
		rung = ring_on(fd, me, i) == 0 && count_of(events[i]) == 1 && rung;
		for (j = i % 16; j < usable; j += 16)
			silent = FAILS(read(events[j], &count, 8), EAGAIN) && silent;
	}
	tap_ok(rung, "each interrupt adds 1 to its vector's");
	tap_ok(silent, "and to no other's");
	for (i = 0; i < usable; i++) {
		given = give(fd, i, -1) == 0 && given;
		close(events[i]);
	}
	tap_ok(given, "each is taken away by -1");
	free(events);
}

static void test_refusals(void)
{
	int event = new_event(), pipes[2], closed;
	struct ivshmem_ring r = {.argsz = sizeof(r), .flags = 1};
	struct ivshmem_eventfd e = {.argsz = sizeof(e), .flags = 1, .fd = event};

	if (pipe(pipes))
		return;
	closed = dup(event);
	close(closed);
	tap_ok(FAILS(ring_on(fd, 65536, 0), EINVAL) && FAILS(ring_on(fd, ~0U, 0), EINVAL) &&
		       FAILS(ring_on(fd, 65536 + me, 0), EINVAL),
	       "RING: a peer above 65535: EINVAL");
	tap_ok(FAILS(ring_on(fd, me, 256), EINVAL) && FAILS(ring_on(fd, me, 65536), EINVAL) &&
		       FAILS(ring_on(fd, me, ~0U), EINVAL),
	       "RING: a vector above 255: EINVAL");
	tap_ok(ring_on(fd, 65535, 255) == 0 && ring_on(fd, me, 255) == 0, "RING: nobody there: 0");
	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_RING, &r), EINVAL), "RING: a flag: EINVAL");
	r = (struct ivshmem_ring){.argsz = sizeof(r) - 1};
	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_RING, &r), EINVAL), "RING: a small argsz: EINVAL");
	tap_ok(FAILS(give(fd, vectors, event), EINVAL) && FAILS(give(fd, 256, event), EINVAL) &&
		       FAILS(give(fd, ~0U, event), EINVAL),
	       "EVENTFD: a vector that is not there, or that nobody can ring: EINVAL");
	tap_ok(FAILS(give(fd, 0, pipes[0]), EINVAL) && FAILS(give(fd, 0, fd), EINVAL), "EVENTFD: no eventfd: EINVAL");
	tap_ok(FAILS(give(fd, 0, closed), EBADF), "EVENTFD: a descriptor that is not open: EBADF");
	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_EVENTFD, &e), EINVAL), "EVENTFD: a flag: EINVAL");
	e = (struct ivshmem_eventfd){.argsz = sizeof(e) - 1, .fd = event};
	tap_ok(FAILS(ioctl(fd, IVSHMEM_IOC_EVENTFD, &e), EINVAL), "EVENTFD: a small argsz: EINVAL");
	tap_ok(FAILS(wake_ring(fd, 0, 65536, 0), EINVAL) && FAILS(wake_ring(fd, 0, 0, 256), EINVAL),
	       "WAKE: a peer or vector that cannot be: EINVAL");
	ring_on(fd, me, 0);
	tap_ok(nothing_in(event), "what was refused is not in force");
	close(pipes[0]);
	close(pipes[1]);
	close(event);
}

static void test_read_only(void)
{
	int ro = open(node, O_RDONLY), event = new_event();

	tap_ok(FAILS(ring_on(ro, me, 0), EBADF), "RING needs write access: EBADF");
	tap_ok(FAILS(give(ro, 0, event), EBADF), "EVENTFD needs write access: EBADF");
	tap_ok(FAILS(wake_ring(ro, 0, me, 0), EBADF), "WAKE with IVSHMEM_WAKE_RING needs write access: EBADF");
	close(event);
	close(ro);
}

static void test_owner(void)
{
	int first = new_event(), second = new_event(), other = open(node, O_RDWR), copy = dup(fd);

	tap_ok(give(fd, 0, first) == 0, "an eventfd for vector 0");
	tap_ok(FAILS(give(other, 0, second), EBUSY), "another open file's is refused: EBUSY");
	ring_on(other, me, 0);
	tap_ok(count_of(first) == 1 && nothing_in(second), "the first still counts");
	tap_ok(give(other, 0, -1) == -1 || (ring_on(fd, me, 0) == 0 && count_of(first) == 1),
	       "another open file takes nothing away");
	tap_ok(give(copy, 0, second) == 0, "the same open file replaces it");
	ring_on(fd, me, 0);
	tap_ok(count_of(second) == 1 && nothing_in(first), "and the new one counts");
	close(copy);
	ring_on(fd, me, 0);
	tap_ok(count_of(second) == 1, "closing a duplicate changes nothing");
	tap_ok(give(fd, 0, -1) == 0 && ring_on(fd, me, 0) == 0 && nothing_in(second), "it is taken away by -1");
	tap_ok(give(other, 0, second) == 0 && FAILS(give(fd, 0, first), EBUSY), "then another may have the vector");
	close(other);
	tap_ok(give(fd, 0, first) == 0, "until it is closed");
	ring_on(fd, me, 0);
	tap_ok(count_of(first) == 1 && nothing_in(second), "whose eventfd counts no more");
	give(fd, 0, -1);
	close(first);
	close(second);
}

/* The driver's hold is its own; and a counter that is full does not block whoever adds. */
static void test_eventfd_life(void)
{
	int event = new_event(), copy = dup(event);
	uint64_t full = 0xfffffffffffffffe;

	give(fd, 0, event);
	close(event);
	ring_on(fd, me, 0);
	tap_ok(count_of(copy) == 1, "the eventfd outlives its descriptor");
	close(copy);
	tap_ok(ring_on(fd, me, 0) == 0 && let_it_look(), "and nobody need have it");
	event = new_event();
	tap_ok(give(fd, 0, event) == 0 && write(event, &full, 8) == 8 && ring_on(fd, me, 0) == 0 && let_it_look(),
	       "an eventfd that is full");
	if (vectors > 1) {
		count_of(event);
		tap_ok(give(fd, 1, event) == 0 && ring_on(fd, me, 0) == 0 && count_of(event) == 1 &&
			       ring_on(fd, me, 1) == 0 && count_of(event) == 1,
		       "one eventfd for two vectors");
		give(fd, 1, -1);
	}
	give(fd, 0, -1);
	close(event);
}

/* Nobody looks: the interrupt alone wakes, whatever its vector, and whether the vector has an eventfd or not. */
static bool rung_awake(uint32_t vector, bool by_wake)
{
	struct ivshmem_wait w = wait_args(0, 0, FOREVER);
	struct sleeper s;
	bool slept;

	w.poll_us = IVSHMEM_POLL_NEVER;
	put(0, 0);
	slept = sleeper_start(&s, fd, w);
	put(0, 1);
	return slept && (by_wake ? wake_ring(fd, 8, me, vector) : ring_on(fd, me, vector)) == 0 && sleeper_ends(&s, 0);
}

static void test_wakes(void)
{
	uint32_t last = (vectors < 256 ? vectors : 256) - 1;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int event = new_event();

	tap_ok(rung_awake(0, false) && rung_awake(last, false), "an interrupt wakes a WAIT");
	give(fd, 0, event);
	tap_ok(rung_awake(0, false) && count_of(event) == 1, "and one that an eventfd counts, too");
	tap_ok(rung_awake(0, true) && count_of(event) == 1, "WAKE with IVSHMEM_WAKE_RING interrupts");
	put(0, 0);
	watch_at(fd, 0, 0, IVSHMEM_POLL_NEVER);
	put(0, 1);
	ring_on(fd, me, 0);
	tap_ok(poll(&p, 1, LATE / MS) == 1 && p.revents == POLLIN, "an interrupt makes a watched word readable");
	watch_off(fd);
	count_of(event);
	put(0, 0);
	/* It has come when it was counted, and not into the next test. */
	tap_ok(ring_on(fd, me, 0) == 0 && count_of(event) == 1 && FAILS(wait_for(fd, 0, 0, 20 * MS), ETIMEDOUT),
	       "one for nothing wakes nobody");
	give(fd, 0, -1);
	close(event);
}

/* False: refused and yet awake, or somebody else looked: a timer that was set before may come once more. */
static bool refused_asleep(struct sleeper *s)
{
	struct ivshmem_wait w = wait_args(0, 0, FOREVER);
	int i;

	w.poll_us = IVSHMEM_POLL_NEVER;
	put(0, 0);
	sleeper_start(s, fd, w);
	put(0, 1);
	for (i = 0; i < 50; i++) {
		if (!FAILS(wake_ring(fd, 0, me, 256), EINVAL))
			return false;
		pause_briefly();
	}
	return !sleeper_done(s);
}

/* The ring's errors come before anything is woken. */
static void test_wake_order(void)
{
	struct sleeper s;
	bool asleep = false;
	int i;

	for (i = 0; i < 5 && !asleep; i++) {
		asleep = refused_asleep(&s);
		if (!asleep && !(wake(0) == 0 && sleeper_ends(&s, 0)))
			break;
	}
	tap_ok(asleep, "a WAKE whose ring is refused wakes nobody");
	tap_ok(asleep && wake_ring(fd, 0, 65535, 0) == 0 && sleeper_ends(&s, 0),
	       "one that rings nobody wakes who waits here");
}

static int run_tests(void)
{
	test_info();
	test_vectors();
	test_refusals();
	test_read_only();
	test_owner();
	test_eventfd_life();
	test_wakes();
	test_wake_order();
	return tap_end();
}

/* ---- for scenarios ---- */

static int count(uint32_t vector, uint64_t wanted)
{
	uint64_t all = 0, more;
	int event = eventfd(0, 0);

	if (give(fd, vector, event)) {
		perror("EVENTFD");
		return 1;
	}
	puts("counting");
	fflush(stdout);
	while (all < wanted && read(event, &more, 8) == 8) {
		all += more;
		printf("counted %llu\n", (unsigned long long)all);
		fflush(stdout);
	}
	return all != wanted;
}

static int ring(uint32_t peer, uint32_t vector, uint64_t times)
{
	while (times--) {
		if (ring_on(fd, peer, vector)) {
			perror("RING");
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t arg[4] = {0, 0, 1, 0};

	if (argc < 2 || argc > 7)
		return 2;
	for (int i = 3; i < argc; i++)
		arg[i - 3] = strtoull(argv[i], NULL, 0);
	if (!words_open(argv[1], PAGE)) {
		perror(argv[1]);
		return 1;
	}
	me = info.ivposition;
	vectors = info.vectors;
	if (argc == 2)
		return run_tests();
	if (argc == 5 && !strcmp(argv[2], "count"))
		return count(arg[0], arg[1]);
	if (argc >= 5 && argc <= 6 && !strcmp(argv[2], "ring"))
		return ring(arg[0], arg[1], arg[2]);
	if (argc == 7 && !strcmp(argv[2], "wake")) {
		put(arg[2], arg[3]);
		return wake_ring(fd, arg[2], arg[0], arg[1]) != 0;
	}
	return 2;
}
