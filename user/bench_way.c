// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench_way.h"
#include "error.h"
#include "wait.h"

#define WINDOW      (1 << 20)
#define PATIENCE_MS 20000
/* Looks at a word before the processor is lent to somebody else, who may be the peer. */
#define LOOKS 16384

#define LINE_BYTES 4096

/* A word of each end, in cache lines of their own. */
struct ivp_bench_line {
	struct {
		_Alignas(128) uint32_t turn;
	} ends[2];
};

static int fail(struct ivp_error *err, const char *what)
{
	int number = errno ? -errno : -EPIPE;

	return ivp_fail(err, IVP_FAIL_GENERAL, number, "%s: %s", what, strerror(-number));
}

static size_t next(const struct ivp_bench_job *job, uint64_t left)
{
	return left < job->piece ? (size_t)left : job->piece;
}

/* ---- memory alone ---- */

/* In and out, so that what arrives is private, too; by one process. */
static int memcpy_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	size_t at = 0, len;

	(void)err;
	for (uint64_t done = 0; done < bytes; done += len) {
		len = next(job, bytes - done);
		if (at + len > job->window_size)
			at = 0;
		memcpy(job->window + at, job->memory, len);
		__asm__ __volatile__("" ::: "memory");
		memcpy(job->memory, job->window + at, len);
		__asm__ __volatile__("" ::: "memory");
		at += len;
	}
	return 0;
}

static int nothing_read(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	(void)job;
	(void)bytes;
	(void)err;
	return 0;
}

static int dual_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	size_t len;

	(void)err;
	for (uint64_t done = 0; done < bytes; done += len) {
		len = next(job, bytes - done);
		memcpy(job->window + done % job->window_size, job->memory, len);
		__asm__ __volatile__("" ::: "memory");
	}
	return 0;
}

static int dual_read(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	size_t len;

	(void)err;
	for (uint64_t done = 0; done < bytes; done += len) {
		len = next(job, bytes - done);
		memcpy(job->memory, job->window + done % job->window_size, len);
		__asm__ __volatile__("" ::: "memory");
	}
	return 0;
}

/* ---- a word, looked at or slept on; bytes do not matter ---- */

static int line_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	(void)bytes;
	(void)err;
	__atomic_store_n(&job->line->ends[job->second].turn, ++job->given, __ATOMIC_RELEASE);
	return 0;
}

static int line_read(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	const uint32_t *turn = &job->line->ends[!job->second].turn;
	uint32_t looks = 0;

	(void)bytes;
	(void)err;
	while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) == job->taken)
		if (++looks % LOOKS == 0)
			sched_yield();
	job->taken++;
	return 0;
}

static int futex_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	line_write(job, bytes, err);
	syscall(SYS_futex, &job->line->ends[job->second].turn, FUTEX_WAKE, 1, NULL, NULL, 0);
	return 0;
}

static int futex_read(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	uint32_t *turn = &job->line->ends[!job->second].turn;

	(void)bytes;
	(void)err;
	while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) == job->taken)
		syscall(SYS_futex, turn, FUTEX_WAIT, job->taken, NULL, NULL, 0);
	job->taken++;
	return 0;
}

/* ---- lanes ---- */

static int64_t left_ms(const struct ivp_bench_job *job)
{
	int64_t ms = job->deadline - ivp_now();

	return ms > 0 ? ms : 0;
}

static int overdue(struct ivp_error *err)
{
	return ivp_fail(err, IVP_FAIL_NO_PEER, -ETIMEDOUT, "the peer took too long");
}

int ivp_bench_lane_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	for (uint64_t done = 0; done < bytes;) {
		size_t len = next(job, bytes - done);
		ptrdiff_t put = ivp_lane_write_all(job->lane, job->memory, len, left_ms(job), err);

		if (put < 0)
			return (int)put;
		if ((size_t)put < len)
			return overdue(err);
		done += (uint64_t)put;
	}
	return 0;
}

int ivp_bench_lane_read(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	for (uint64_t done = 0; done < bytes;) {
		ptrdiff_t got = ivp_lane_read_some(job->lane, job->memory, next(job, bytes - done), left_ms(job), err);

		if (got < 0)
			return (int)got;
		if (!got)
			return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "the peer ended in the middle of a sample");
		done += (uint64_t)got;
	}
	return 0;
}

/* Each line is looked at, as somebody would who uses it. */
static int view_read(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	volatile char sum = 0;
	const void *span;
	size_t len;
	int ret;

	for (uint64_t done = 0; done < bytes; done += len) {
		len = 0;
		ret = ivp_lane_wait(job->lane, IVP_WAIT_DATA, left_ms(job), err);
		if (!ret)
			ret = ivp_lane_peek(job->lane, &span, &len, err);
		for (size_t i = 0; !ret && i < len; i += 64)
			sum = (char)(sum + ((const char *)span)[i]);
		if (!ret)
			ret = ivp_lane_consume(job->lane, len, err);
		if (ret && ret != -EAGAIN)
			return ret;
	}
	return 0;
}

static int message_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	int ret = 0;

	for (uint64_t done = 0; !ret && done < bytes; done += job->piece)
		ret = ivp_lane_send_message(job->lane, job->memory, job->piece, left_ms(job), err);
	return ret;
}

static int message_read(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	ptrdiff_t got = 1;

	for (uint64_t done = 0; got > 0 && done < bytes; done += job->piece)
		got = ivp_lane_recv_message(job->lane, job->memory, job->piece, left_ms(job), err);
	return got > 0 ? 0 : (int)got;
}

/* ---- descriptors ---- */

static int fd_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	for (uint64_t done = 0; done < bytes;) {
		ssize_t put = write(job->out, job->memory, next(job, bytes - done));

		if (put < 0)
			return fail(err, "write");
		done += (uint64_t)put;
	}
	return 0;
}

static int splice_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	for (uint64_t done = 0; done < bytes;) {
		struct iovec vec = {.iov_base = job->memory, .iov_len = next(job, bytes - done)};
		ssize_t put = vmsplice(job->out, &vec, 1, 0);

		if (put < 0)
			return fail(err, "vmsplice");
		done += (uint64_t)put;
	}
	return 0;
}

static int fd_read(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	for (uint64_t done = 0; done < bytes;) {
		ssize_t got;

		errno = 0;
		got = read(job->in, job->memory, next(job, bytes - done));
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

static int prepare_pipe(struct ivp_bench_channel *channel)
{
	return prepare_pipes(channel, 0);
}

static int prepare_large(struct ivp_bench_channel *channel)
{
	return prepare_pipes(channel, 1 << 20);
}

static int prepare_unix(struct ivp_bench_channel *channel)
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

static int prepare_tcp(struct ivp_bench_channel *channel)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;

	if (listener < 0)
		return -errno;
	ret = connect_tcp(channel, listener);
	close(listener);
	return ret;
}

/* ---- all of them ---- */

static const struct ivp_bench_way ways[] = {
	{"ivpipe", "ivpipe, no digest", ivp_bench_lane_write, ivp_bench_lane_read, NULL, true, false},
	{"ivpipe-digest", "ivpipe", ivp_bench_lane_write, ivp_bench_lane_read, NULL, true, true},
	{"ivpipe-view", "ivpipe, read where it lies", ivp_bench_lane_write, view_read, NULL, true, false},
	{"ivpipe-messages", "ivpipe, messages", message_write, message_read, NULL, true, false},
	{"dual", "two copies, nobody waits (the limit)", dual_write, dual_read, NULL, false, false},
	{"memcpy", "memcpy in and out, one process", memcpy_write, nothing_read, NULL, false, false},
	{"pipe", "pipe", fd_write, fd_read, prepare_pipe, false, false},
	{"pipe-large", "pipe of 1 MiB", fd_write, fd_read, prepare_large, false, false},
	{"vmsplice", "vmsplice into a pipe of 1 MiB", splice_write, fd_read, prepare_large, false, false},
	{"unix", "unix socket", fd_write, fd_read, prepare_unix, false, false},
	{"tcp", "TCP over the loopback", fd_write, fd_read, prepare_tcp, false, false},
	{"line", "a cache line, looked at (the limit)", line_write, line_read, NULL, false, false},
	{"futex", "a bare futex (the limit)", futex_write, futex_read, NULL, false, false},
};

const struct ivp_bench_way *ivp_bench_way(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(ways[i].name, name))
			return &ways[i];
	return NULL;
}

int ivp_bench_channel_open(struct ivp_bench_channel *channel, const struct ivp_bench_way *way, size_t window,
			   size_t piece, struct ivp_error *err)
{
	int ret;

	*channel = (struct ivp_bench_channel){.in = {-1, -1}, .out = {-1, -1}};
	channel->window_size = window ? window : WINDOW;
	/* A piece may begin anywhere in the window. */
	channel->mapped = LINE_BYTES + channel->window_size + piece;
	channel->line = mmap(NULL, channel->mapped, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS | (way->lane ? 0 : MAP_POPULATE), -1, 0);
	if (channel->line == MAP_FAILED) {
		channel->line = NULL;
		return fail(err, "memory");
	}
	channel->window = (char *)channel->line + LINE_BYTES;
	ret = way->prepare ? way->prepare(channel) : 0;
	if (!ret)
		return 0;
	ivp_bench_channel_close(channel);
	return ivp_fail(err, IVP_FAIL_GENERAL, ret, "%s: %s", way->title, strerror(-ret));
}

static void close_end(struct ivp_bench_channel *channel, int i)
{
	if (channel->in[i] >= 0)
		close(channel->in[i]);
	if (channel->out[i] >= 0 && channel->out[i] != channel->in[i])
		close(channel->out[i]);
	channel->in[i] = channel->out[i] = -1;
}

void ivp_bench_channel_close(struct ivp_bench_channel *channel)
{
	close_end(channel, 0);
	close_end(channel, 1);
	if (channel->line)
		munmap(channel->line, channel->mapped);
	channel->line = NULL;
}

int ivp_bench_job_memory(struct ivp_bench_job *job, struct ivp_error *err)
{
	job->memory = aligned_alloc(4096, (job->piece + 4095) & ~(size_t)4095);
	if (!job->memory)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	memset(job->memory, 1, job->piece);
	return 0;
}

static int connect_lane(struct ivp_bench_job *job, const struct ivp_bench_address *address, struct ivp_error *err)
{
	struct ivp_lane_options options = {.service = address->service, .size = -1, .wait_ms = PATIENCE_MS};
	struct ivp_open_options open = {.flags = IVP_OPEN_SIGBUS, .side = IVP_SIDE_AUTO};
	struct ivp_listener *listener;
	int ret = ivp_region_open(&job->region, address->region, &open, err);

	if (ret)
		return ret;
	if (!job->second)
		return ivp_connect(&job->lane, job->region, &options, err);
	ret = ivp_listen(&listener, job->region, &options, err);
	if (ret)
		return ret;
	ret = ivp_accept(&job->lane, listener, err);
	ivp_listener_close(listener);
	return ret;
}

/* What the other end has is closed here, so that its death is the end of what comes. */
int ivp_bench_job_begin(struct ivp_bench_job *job, const struct ivp_bench_way *way, struct ivp_bench_channel *channel,
			const struct ivp_bench_address *address, struct ivp_error *err)
{
	int ret = ivp_bench_job_memory(job, err);

	if (ret)
		return ret;
	close_end(channel, !job->second);
	job->in = channel->in[job->second];
	job->out = channel->out[job->second];
	job->window = channel->window;
	job->window_size = channel->window_size;
	job->line = channel->line;
	job->deadline = ivp_deadline(PATIENCE_MS);
	if (!way->lane)
		return 0;
	ret = connect_lane(job, address, err);
	if (!ret && !way->digest)
		ivp_lane_no_digest(job->lane);
	return ret;
}

void ivp_bench_job_end(struct ivp_bench_job *job)
{
	ivp_lane_close(job->lane);
	if (job->region)
		ivp_region_close(job->region);
	free(job->memory);
	*job = (struct ivp_bench_job){0};
}
