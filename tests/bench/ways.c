// SPDX-License-Identifier: MIT
/*
 * ways: how long it takes one process to give another BYTES, from private memory to private memory, by one way of several.
 *
 *   ways WAY BYTES PIECE [REGION]       prints seconds, from the first write to the last read
 *
 *   dual      both copy through the same memory and never ask each other anything: what no stream can beat
 *   lane      ivpipe's library, without a digest         lane-digest   with it         lane-view   read where it lies
 *   lane-held the same, publishing a lot of writes at once
 *   pipe      as pipe(2) makes it          pipe-large    of 1 MiB      splice          vmsplice(2) into such a one
 *   unix      a stream socket              tcp           over the loopback
 *
 * The two are pinned to the first two processors there are, if there are two.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ivpipe.h"

#define PATIENCE_MS 60000
#define DUAL_BYTES  (1 << 20)

/* Of both ends. */
struct job {
	size_t bytes, piece;
	const char *region;
	char *memory;          /* private */
	int in, out;           /* of ways by descriptors */
	struct ivp_lane *lane; /* of those by lanes */
	char *shared;          /* of dual */
	bool digest, view;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void must(int ret, const struct ivp_error *err)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "ways: %s\n", err->text);
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static size_t next(const struct job *job, size_t done)
{
	return job->bytes - done < job->piece ? job->bytes - done : job->piece;
}

/* ---- the limit ---- */

static void dual_write(struct job *job)
{
	for (size_t done = 0; done < job->bytes; done += next(job, done)) {
		memcpy(job->shared + done % DUAL_BYTES, job->memory, next(job, done));
		__asm__ __volatile__("" ::: "memory");
	}
}

static void dual_read(struct job *job)
{
	for (size_t done = 0; done < job->bytes; done += next(job, done)) {
		memcpy(job->memory, job->shared + done % DUAL_BYTES, next(job, done));
		__asm__ __volatile__("" ::: "memory");
	}
}

/* ---- lanes ---- */

static void lane_write(struct job *job)
{
	struct ivp_error err;
	size_t done = 0;

	while (done < job->bytes) {
		ptrdiff_t put = ivp_lane_write_all(job->lane, job->memory, next(job, done), PATIENCE_MS, &err);

		must((int)put, &err);
		done += (size_t)put;
	}
}

static void held_write(struct job *job)
{
	ivp_lane_hold(job->lane, true);
	lane_write(job);
	ivp_lane_hold(job->lane, false);
}

static void lane_read(struct job *job)
{
	struct ivp_error err;
	size_t done = 0;

	while (done < job->bytes) {
		ptrdiff_t got = ivp_lane_read_some(job->lane, job->memory, job->piece, PATIENCE_MS, &err);

		must((int)got, &err);
		done += (size_t)got;
	}
}

/* Each line is looked at, as somebody would who uses it. */
static void lane_view(struct job *job)
{
	volatile char sum = 0;
	size_t done = 0;

	while (done < job->bytes) {
		struct ivp_error err;
		const void *span;
		size_t len;
		int ret = ivp_lane_peek(job->lane, &span, &len, &err);

		if (ret == -EAGAIN) {
			must(ivp_lane_wait(job->lane, IVP_WAIT_DATA, PATIENCE_MS, &err), &err);
			continue;
		}
		must(ret, &err);
		for (size_t i = 0; i < len; i += 64)
			sum = (char)(sum + ((const char *)span)[i]);
		must(ivp_lane_consume(job->lane, len, &err), &err);
		done += len;
	}
}

/* ---- descriptors ---- */

static void fd_write(struct job *job)
{
	size_t done = 0;

	while (done < job->bytes) {
		ssize_t put = write(job->out, job->memory, next(job, done));

		if (put <= 0)
			die("write");
		done += (size_t)put;
	}
}

static void fd_splice(struct job *job)
{
	size_t done = 0;

	while (done < job->bytes) {
		struct iovec vec = {.iov_base = job->memory, .iov_len = next(job, done)};
		ssize_t put = vmsplice(job->out, &vec, 1, 0);

		if (put <= 0)
			die("vmsplice");
		done += (size_t)put;
	}
}

static void fd_read(struct job *job)
{
	size_t done = 0;

	while (done < job->bytes) {
		ssize_t got = read(job->in, job->memory, job->piece);

		if (got <= 0)
			die("read");
		done += (size_t)got;
	}
}

static void make_pipe(struct job *job, int size)
{
	int ends[2];

	if (pipe(ends) || (size && fcntl(ends[1], F_SETPIPE_SZ, size) < 0))
		die("pipe");
	job->in = ends[0];
	job->out = ends[1];
}

static void make_unix(struct job *job)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		die("socketpair");
	job->in = ends[0];
	job->out = ends[1];
}

static void make_tcp(struct job *job)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	socklen_t len = sizeof(address);

	job->out = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, len) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &len) ||
	    connect(job->out, (struct sockaddr *)&address, len))
		die("tcp");
	job->in = accept(listener, NULL, NULL);
	if (job->in < 0)
		die("accept");
	setsockopt(job->out, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* ---- both ends ---- */

static const struct way {
	const char *name;
	void (*write)(struct job *job), (*read)(struct job *job);
} ways[] = {
	{"dual", dual_write, dual_read},
	{"lane", lane_write, lane_read},
	{"lane-digest", lane_write, lane_read},
	{"lane-view", lane_write, lane_view},
	{"lane-held", held_write, lane_read},
	{"pipe", fd_write, fd_read},
	{"pipe-large", fd_write, fd_read},
	{"splice", fd_splice, fd_read},
	{"unix", fd_write, fd_read},
	{"tcp", fd_write, fd_read},
};

static bool is(const struct way *way, const char *name)
{
	return !strcmp(way->name, name);
}

static bool by_lane(const struct way *way)
{
	return !strncmp(way->name, "lane", 4);
}

static void connect_lane(struct job *job, bool listening, bool digest)
{
	struct ivp_lane_options options = {.service = "ways", .size = -1, .wait_ms = PATIENCE_MS};
	struct ivp_open_options open = {.side = IVP_SIDE_AUTO};
	struct ivp_listener *listener;
	struct ivp_region *region;
	struct ivp_error err;

	must(ivp_region_open(&region, job->region, &open, &err), &err);
	if (listening) {
		must(ivp_listen(&listener, region, &options, &err), &err);
		must(ivp_accept(&job->lane, listener, &err), &err);
	} else {
		must(ivp_connect(&job->lane, region, &options, &err), &err);
	}
	if (!digest)
		ivp_lane_no_digest(job->lane);
}

static void pin(int number)
{
	cpu_set_t all, one;

	if (sched_getaffinity(0, sizeof(all), &all) || CPU_COUNT(&all) < 2)
		return;
	CPU_ZERO(&one);
	for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && seen++ == number)
			CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void prepare(struct job *job, const struct way *way)
{
	if (is(way, "dual"))
		job->shared = mmap(NULL, DUAL_BYTES + job->piece, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	else if (is(way, "pipe"))
		make_pipe(job, 0);
	else if (is(way, "pipe-large") || is(way, "splice"))
		make_pipe(job, 1 << 20);
	else if (is(way, "unix"))
		make_unix(job);
	else if (is(way, "tcp"))
		make_tcp(job);
	if (job->shared == MAP_FAILED)
		die("mmap");
}

static void begin(struct job *job, const struct way *way, bool reading)
{
	pin(reading);
	job->memory = aligned_alloc(4096, (job->piece + 4095) & ~(size_t)4095);
	if (!job->memory)
		die("memory");
	memset(job->memory, 1, job->piece);
	if (by_lane(way))
		connect_lane(job, reading, is(way, "lane-digest"));
}

/* The reader says that it is there, and at last when it had everything. */
static void reader(struct job *job, const struct way *way, int tell)
{
	double ended;

	begin(job, way, true);
	if (write(tell, "r", 1) != 1)
		die("write");
	way->read(job);
	ended = now();
	if (write(tell, &ended, sizeof(ended)) != sizeof(ended))
		die("write");
	ivp_lane_close(job->lane);
	_exit(0);
}

int main(int argc, char **argv)
{
	const struct way *way = NULL;
	struct job job = {.in = -1, .out = -1};
	double began, ended;
	int tell[2];
	char there;

	for (size_t i = 0; argc >= 4 && i < sizeof(ways) / sizeof(ways[0]); i++)
		if (is(&ways[i], argv[1]))
			way = &ways[i];
	if (!way || (by_lane(way) && argc < 5)) {
		fprintf(stderr, "usage: ways WAY BYTES PIECE [REGION]\n");
		return 2;
	}
	job.bytes = strtoull(argv[2], NULL, 10);
	job.piece = strtoull(argv[3], NULL, 10);
	job.region = argv[4];
	prepare(&job, way);
	if (pipe(tell))
		die("pipe");
	if (!fork())
		reader(&job, way, tell[1]);
	close(tell[1]);
	begin(&job, way, false);
	if (read(tell[0], &there, 1) != 1)
		die("reader");
	began = now();
	way->write(&job);
	if (read(tell[0], &ended, sizeof(ended)) != sizeof(ended))
		die("reader");
	/* Two that do not wait for each other end at their own times. */
	if (is(way, "dual") && now() > ended)
		ended = now();
	printf("%.9f\n", ended - began);
	ivp_lane_close(job.lane);
	wait(NULL);
	return 0;
}
