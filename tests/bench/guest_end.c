// SPDX-License-Identifier: MIT
/*
 * guest_end: the two ends of what goes between a guest and its host, for tests/bench/guest. The guest has the clock.
 *
 *   guest_end serve lane REGION | unix PATH | tcp      on the host: "ready", and for tcp its port; until its end
 *   guest_end line FILE TURNS                          on the host: answers a word by another, as often
 *   guest_end stream WAY PLACE out|in BYTES            in the guest: seconds. WAY: lane, digest, file, tcp
 *   guest_end trip lane REGION TURNS                   in the guest: ns there and back, the median
 *   guest_end trip line FILE TURNS                     the same by words that both look at
 *
 * An order is four words: what, bytes, and how many of a write; "done" answers what was taken, so that nothing counts that
 * has not arrived.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"
#include "bench_pair.h"
#include "bench_way.h"
#include "wait.h"

#define SERVICE   "guest-end"
#define PATIENCE  60000
#define PIECE     65536
#define MESSAGE   64
#define HOST      "10.0.2.2"
#define TURNS_MAX 100000
/* The answer's word is as far from the question's as a line of the cache, twice. */
#define APART 32

enum what { TAKE = 1, GIVE, ECHO, DONE };

struct order {
	uint64_t what, bytes, piece, digest;
};

static struct ivp_error err;

/* How a job writes and reads: by a lane, or by descriptors. */
struct way {
	int (*write)(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err);
	int (*read)(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err);
};
static const struct way by_lane = {ivp_bench_lane_write, ivp_bench_lane_read};
static const struct way by_fd = {ivp_bench_fd_write, ivp_bench_fd_read};

static void __attribute__((noreturn)) die(const char *what)
{
	if (err.text[0])
		fprintf(stderr, "guest_end: %s: %s\n", what, err.text);
	else
		fprintf(stderr, "guest_end: %s: %m\n", what);
	exit(1);
}

static void must(int ret, const char *what)
{
	if (ret < 0)
		die(what);
}

static void move(const struct way *way, struct ivp_bench_job *job, bool in, void *bytes, uint64_t len)
{
	struct ivp_bench_job part = *job;

	part.memory = bytes;
	part.piece = len;
	must((in ? way->read : way->write)(&part, len, &err), in ? "read" : "write");
}

/* ---- the host ---- */

static void obey(const struct way *way, struct ivp_bench_job *job, const struct order *order)
{
	struct order done = {.what = DONE};

	ivp_bench_job_limit(job, PATIENCE);
	job->piece = order->piece < PIECE ? order->piece : PIECE;
	if (order->what == GIVE)
		must(way->write(job, order->bytes, &err), "give");
	else if (order->what == TAKE)
		must(way->read(job, order->bytes, &err), "take");
	for (uint64_t at = 0; order->what == ECHO && at < order->bytes; at += MESSAGE) {
		move(way, job, true, job->memory, MESSAGE);
		move(way, job, false, job->memory, MESSAGE);
	}
	if (order->what == TAKE)
		move(way, job, false, &done, sizeof(done));
}

static void serve_lane(struct ivp_bench_job *job)
{
	struct order order = {0};
	ptrdiff_t got;

	/* Said by its first order, which the digest does not cover where there is none. */
	if (!strcmp(ivp_lane_file(job->lane), "plain"))
		ivp_lane_no_digest(job->lane);
	while ((got = ivp_lane_read_some(job->lane, &order, sizeof(order), PATIENCE, &err)) == sizeof(order))
		obey(&by_lane, job, &order);
	must((int)got, "order");
	ivp_lane_verdict(job->lane, IVP_VERDICT_OK);
	ivp_lane_close(job->lane);
}

static void __attribute__((noreturn)) serve_lanes(struct ivp_bench_job *job, const char *path)
{
	struct ivp_lane_options options = {.service = SERVICE, .size = -1, .wait_ms = -1};
	struct ivp_open_options open = {.flags = IVP_OPEN_SIGBUS, .side = IVP_SIDE_AUTO};
	struct ivp_listener *listener;

	must(ivp_region_open(&job->region, path, &open, &err), path);
	must(ivp_listen(&listener, job->region, &options, &err), "listen");
	puts("ready");
	for (;;) {
		must(ivp_accept(&job->lane, listener, &err), "accept");
		serve_lane(job);
	}
}

static void serve_fd(struct ivp_bench_job *job, int fd)
{
	struct order order;

	job->in = job->out = fd;
	while (recv(fd, &order, sizeof(order), MSG_WAITALL) == sizeof(order))
		obey(&by_fd, job, &order);
	close(fd);
}

static int listen_to(const struct sockaddr *address, socklen_t len)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd, "socket");
	must(bind(fd, address, len), "bind");
	must(listen(fd, 8), "listen");
	return fd;
}

static void no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void __attribute__((noreturn)) serve(const char *what, const char *place)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct sockaddr_in far = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct ivp_bench_job job = {.piece = PIECE};
	socklen_t len = sizeof(far);
	int fd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	must(ivp_bench_job_memory(&job, &err), "memory");
	if (!strcmp(what, "lane"))
		serve_lanes(&job, place);
	if (!strcmp(what, "unix")) {
		snprintf(local.sun_path, sizeof(local.sun_path), "%s", place);
		fd = listen_to((struct sockaddr *)&local, sizeof(local));
	} else {
		fd = listen_to((struct sockaddr *)&far, sizeof(far));
		must(getsockname(fd, (struct sockaddr *)&far, &len), "port");
	}
	printf("ready %d\n", ntohs(far.sin_port));
	for (;;) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		must(client, "accept");
		no_delay(client);
		serve_fd(&job, client);
	}
}

/* ---- the guest ---- */

static int call(const char *port)
{
	struct sockaddr_in far = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, HOST, &far.sin_addr);
	must(fd, "socket");
	must(connect(fd, (struct sockaddr *)&far, sizeof(far)), "connect");
	no_delay(fd);
	return fd;
}

static void connect_lane(struct ivp_bench_job *job, const char *path, bool digest)
{
	struct ivp_lane_options options = {.service = SERVICE, .size = -1, .wait_ms = PATIENCE};
	struct ivp_open_options open = {.flags = IVP_OPEN_SIGBUS, .side = IVP_SIDE_AUTO};

	options.file = digest ? "digest" : "plain";
	must(ivp_region_open(&job->region, path, &open, &err), path);
	must(ivp_connect(&job->lane, job->region, &options, &err), "connect");
	if (!digest)
		ivp_lane_no_digest(job->lane);
}

static const struct way *attach(struct ivp_bench_job *job, const char *name, const char *place)
{
	bool digest = !strcmp(name, "digest");

	must(ivp_bench_job_memory(job, &err), "memory");
	ivp_bench_job_limit(job, PATIENCE);
	if (digest || !strcmp(name, "lane")) {
		connect_lane(job, place, digest);
		return &by_lane;
	}
	job->in = job->out = strcmp(name, "tcp") ? open(place, O_RDWR | O_CLOEXEC) : call(place);
	must(job->in, place);
	return &by_fd;
}

/* Closing a lane that was not ended would be a failure for its server. */
static void detach(struct ivp_bench_job *job)
{
	if (!job->lane)
		return;
	must(ivp_lane_end(job->lane, &err), "end");
	must(ivp_lane_confirm(job->lane, PATIENCE, &err), "confirm");
	ivp_bench_job_end(job);
}

static double pass(const struct way *way, struct ivp_bench_job *job, bool in, uint64_t bytes)
{
	struct order order = {.what = in ? GIVE : TAKE, .bytes = bytes, .piece = job->piece}, done = {0};
	int64_t began = ivp_bench_now();

	move(way, job, false, &order, sizeof(order));
	must(in ? way->read(job, bytes, &err) : way->write(job, bytes, &err), "stream");
	if (!in)
		move(way, job, true, &done, sizeof(done));
	if (!in && done.what != DONE)
		die("another answer");
	return (double)(ivp_bench_now() - began) / 1e9;
}

/* A little before: memory is touched for the first time in it. */
static int stream(const char *name, const char *place, bool in, uint64_t bytes)
{
	struct ivp_bench_job job = {.piece = PIECE};
	const struct way *way = attach(&job, name, place);

	pass(way, &job, in, bytes / 32 / PIECE * PIECE + PIECE);
	printf("%.9f\n", pass(way, &job, in, bytes));
	detach(&job);
	return 0;
}

static uint32_t *words_of(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint32_t *words = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	must(words == MAP_FAILED ? -1 : 0, path);
	return words;
}

static void look_for(const uint32_t *word, uint32_t value)
{
	int64_t deadline = ivp_deadline(PATIENCE);

	for (uint32_t looks = 1; __atomic_load_n(word, __ATOMIC_ACQUIRE) != value; looks++)
		if (looks % (1 << 20) == 0 && ivp_now() > deadline)
			die("nobody answers");
}

static int line(const char *path, uint32_t turns)
{
	uint32_t *words = words_of(path);

	words[0] = words[APART] = 0;
	puts("ready");
	fflush(stdout);
	for (uint32_t turn = 1; turn <= turns; turn++) {
		look_for(&words[0], turn);
		__atomic_store_n(&words[APART], turn, __ATOMIC_RELEASE);
	}
	return 0;
}

static int trip(const char *name, const char *place, uint32_t turns)
{
	static double numbers[TURNS_MAX];
	struct ivp_bench_job job = {.piece = PIECE};
	struct order order = {.what = ECHO, .bytes = (uint64_t)turns * MESSAGE, .piece = MESSAGE};
	bool lane = !strcmp(name, "lane");
	uint32_t *words = lane ? NULL : words_of(place);

	if (lane) {
		attach(&job, name, place);
		move(&by_lane, &job, false, &order, sizeof(order));
	}
	for (uint32_t i = 0; i < turns; i++) {
		int64_t began = ivp_bench_now();

		if (lane) {
			move(&by_lane, &job, false, job.memory, MESSAGE);
			move(&by_lane, &job, true, job.memory, MESSAGE);
		} else {
			__atomic_store_n(&words[0], i + 1, __ATOMIC_RELEASE);
			look_for(&words[APART], i + 1);
		}
		numbers[i] = (double)(ivp_bench_now() - began);
	}
	ivp_bench_sort(numbers, turns);
	printf("%.1f\n", ivp_bench_quantile(numbers, turns, 0.5));
	detach(&job);
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	uint32_t turns = argc > 3 ? (uint32_t)strtoul(argv[argc - 1], NULL, 10) : 0;

	if (argc > 2 && !strcmp(verb, "serve"))
		serve(argv[2], argv[3]);
	if (argc == 4 && !strcmp(verb, "line"))
		return line(argv[2], turns);
	if (argc == 6 && !strcmp(verb, "stream"))
		return stream(argv[2], argv[3], !strcmp(argv[4], "in"), strtoull(argv[5], NULL, 10));
	if (argc == 5 && !strcmp(verb, "trip") && turns && turns <= TURNS_MAX)
		return trip(argv[2], argv[3], turns);
	fprintf(stderr, "guest_end: see the head of its source\n");
	return 2;
}
