// SPDX-License-Identifier: MIT
/* Ways by descriptors: pipes and sockets. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench_way.h"
#include "error.h"

static int fail(struct ivp_error *err, const char *what)
{
	int number = errno ? -errno : -EPIPE;

	return ivp_fail(err, IVP_FAIL_GENERAL, number, "%s: %s", what, strerror(-number));
}

int ivp_bench_fd_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	for (uint64_t done = 0; done < bytes;) {
		ssize_t put = write(job->out, job->memory, ivp_bench_next(job, bytes - done));

		if (put < 0)
			return fail(err, "write");
		done += (uint64_t)put;
	}
	return 0;
}

int ivp_bench_fd_splice(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	for (uint64_t done = 0; done < bytes;) {
		struct iovec vec = {.iov_base = job->memory, .iov_len = ivp_bench_next(job, bytes - done)};
		ssize_t put = vmsplice(job->out, &vec, 1, 0);

		if (put < 0)
			return fail(err, "vmsplice");
		done += (uint64_t)put;
	}
	return 0;
}

int ivp_bench_fd_read(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	for (uint64_t done = 0; done < bytes;) {
		ssize_t got;

		errno = 0;
		got = read(job->in, job->memory, ivp_bench_next(job, bytes - done));
		if (got <= 0)
			return fail(err, "read");
		done += (uint64_t)got;
	}
	return 0;
}

static int prepare_pipes(struct ivp_bench_channel *channel, int size)
{
	int ends[2];

	for (int i = 0; i < 2; i++) {
		if (pipe2(ends, O_CLOEXEC))
			return -errno;
		channel->in[!i] = ends[0];
		channel->out[i] = ends[1];
		if (size && fcntl(ends[1], F_SETPIPE_SZ, size) < 0)
			return -errno;
	}
	return 0;
}

int ivp_bench_fd_pipe(struct ivp_bench_channel *channel)
{
	return prepare_pipes(channel, 0);
}

int ivp_bench_fd_large(struct ivp_bench_channel *channel)
{
	return prepare_pipes(channel, 1 << 20);
}

int ivp_bench_fd_unix(struct ivp_bench_channel *channel)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -errno;
	for (int i = 0; i < 2; i++)
		channel->in[i] = channel->out[i] = ends[i];
	return 0;
}

static int connect_tcp(struct ivp_bench_channel *channel, int listener)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int one = 1;

	if (bind(listener, (struct sockaddr *)&address, len) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &len))
		return -errno;
	channel->in[0] = channel->out[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (channel->in[0] < 0 || connect(channel->in[0], (struct sockaddr *)&address, len))
		return -errno;
	channel->in[1] = channel->out[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (channel->in[1] < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		setsockopt(channel->in[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return 0;
}

int ivp_bench_fd_tcp(struct ivp_bench_channel *channel)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;

	if (listener < 0)
		return -errno;
	ret = connect_tcp(channel, listener);
	close(listener);
	return ret;
}
