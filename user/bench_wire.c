// SPDX-License-Identifier: MIT
/* Orders and bytes by descriptors that do not block: whoever is there no more costs a deadline, and no more. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_devices.h"
#include "bench_order.h"
#include "error.h"
#include "wait.h"

/* ---- bytes that are nobody else's ---- */

static uint64_t word_of(uint64_t seed, size_t i)
{
	return (seed + i + 1) * 0x9e3779b97f4a7c15;
}

void ivp_bench_pattern_put(char *memory, size_t len, uint64_t seed)
{
	for (size_t at = 0; at < len; at += sizeof(seed)) {
		uint64_t word = word_of(seed, at);

		memcpy(memory + at, &word, len - at < sizeof(word) ? len - at : sizeof(word));
	}
}

bool ivp_bench_pattern_holds(const char *memory, size_t len, uint64_t seed)
{
	bool holds = true;

	for (size_t at = 0; holds && at < len; at += sizeof(seed)) {
		uint64_t word = word_of(seed, at);

		holds = !memcmp(memory + at, &word, len - at < sizeof(word) ? len - at : sizeof(word));
	}
	return holds;
}

/* ---- descriptors ---- */

/* A wait may be over for nothing: then it is tried again. */
static int await(const struct ivp_bench_job *job, int fd, short events, struct ivp_error *err)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};
	int64_t left = job->deadline - ivp_now();
	int ret = left > 0 ? poll(&poll_fd, 1, left < 60000 ? (int)left : 60000) : 0;

	if (ret > 0 || (ret < 0 && errno == EINTR))
		return 0;
	if (ret)
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "poll: %s", strerror(errno));
	return ivp_fail(err, IVP_FAIL_NO_PEER, -ETIMEDOUT, "the peer took too long");
}

static int gone(struct ivp_error *err, const char *what)
{
	return ivp_fail(err, IVP_FAIL_PEER_GONE, errno ? -errno : -EPIPE, "%s: %s", what,
			errno ? strerror(errno) : "the peer ended");
}

/* Where in its piece, and how much of it is left. */
static char *next_part(const struct ivp_bench_job *job, uint64_t done, uint64_t bytes, size_t *len)
{
	size_t at = (size_t)(done % job->piece);

	*len = job->piece - at < bytes - done ? job->piece - at : (size_t)(bytes - done);
	return job->memory + at;
}

static int wire_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	size_t len;

	for (uint64_t done = 0; done < bytes;) {
		const char *part = next_part(job, done, bytes, &len);
		ssize_t put = write(job->out, part, len);

		if (put > 0)
			done += (uint64_t)put;
		else if (put < 0 && errno != EAGAIN && errno != EINTR)
			return gone(err, "write");
		else if (await(job, job->out, POLLOUT, err))
			return err->number;
	}
	return 0;
}

static ptrdiff_t wire_some(struct ivp_bench_job *job, void *to, size_t len, struct ivp_error *err)
{
	for (;;) {
		ssize_t got = read(job->in, to, len);

		if (got >= 0)
			return got;
		if (errno != EAGAIN && errno != EINTR)
			return gone(err, "read");
		if (await(job, job->in, POLLIN, err))
			return err->number;
	}
}

static int wire_read(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	size_t len;

	for (uint64_t done = 0; done < bytes;) {
		char *part = next_part(job, done, bytes, &len);
		ptrdiff_t got = wire_some(job, part, len, err);

		errno = 0;
		if (got <= 0)
			return got ? (int)got : gone(err, "read");
		done += (uint64_t)got;
	}
	return 0;
}

const struct ivp_bench_port ivp_bench_port_wire = {wire_write, wire_read, wire_some, true};

/* Nobody knows when the next order comes: who started this process ends it. */
static void serve_one(struct ivp_bench_job *job, int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	struct ivp_error err;
	int ret;

	job->in = job->out = fd;
	do {
		poll(&poll_fd, 1, -1);
		ivp_bench_job_limit(job, IVP_BENCH_PATIENCE_MS);
		ret = ivp_bench_order_obey(job, &err);
	} while (ret > 0);
}

void ivp_bench_wire_serve(int listener)
{
	struct ivp_bench_job job = {.piece = IVP_BENCH_PIECE_MAX, .port = &ivp_bench_port_wire};
	struct ivp_error err;
	int one = 1, fd;

	if (ivp_bench_job_memory(&job, &err))
		_exit(1);
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0 || errno == EINTR) {
		if (fd < 0)
			continue;
		/* One of the two has no such thing. */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		serve_one(&job, fd);
		close(fd);
	}
	_exit(1);
}
