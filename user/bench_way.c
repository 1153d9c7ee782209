// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench_way.h"
#include "error.h"
#include "wait.h"

#define WINDOW      (1 << 20)
#define PATIENCE_MS 20000
#define CALLS       64
#define MANY        256
/* Looks at a word before the processor is lent to somebody else, who may be the peer. */
#define LOOKS 16384

#define LINE_BYTES 4096

/* A word of each end, in cache lines of their own. */
struct ivp_bench_line {
	struct {
		_Alignas(128) uint32_t turn;
	} ends[2];
};

/* ---- memory alone ---- */

/* In and out, so that what arrives is private, too; by one process. */
static int memcpy_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	size_t at = 0, len;

	(void)err;
	for (uint64_t done = 0; done < bytes; done += len) {
		len = ivp_bench_next(job, bytes - done);
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
		len = ivp_bench_next(job, bytes - done);
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
		len = ivp_bench_next(job, bytes - done);
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

void ivp_bench_job_limit(struct ivp_bench_job *job, int64_t ms)
{
	job->deadline = ivp_deadline(ms);
	job->calls = 0;
}

/* The clock is asked once for many calls: it takes as long as a small message does. */
static int64_t left_ms(struct ivp_bench_job *job)
{
	int64_t ms;

	if (job->calls++ % CALLS)
		return job->patience;
	ms = job->deadline - ivp_now();
	return job->patience = ms > 0 ? ms : 0;
}

static int overdue(struct ivp_error *err)
{
	return ivp_fail(err, IVP_FAIL_NO_PEER, -ETIMEDOUT, "the peer took too long");
}

int ivp_bench_lane_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	int64_t patience = left_ms(job);

	for (uint64_t done = 0; done < bytes;) {
		size_t len = ivp_bench_next(job, bytes - done);
		ptrdiff_t put = ivp_lane_write_all(job->lane, job->memory, len, patience, err);

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
	int64_t patience = left_ms(job);

	for (uint64_t done = 0; done < bytes;) {
		ptrdiff_t got =
			ivp_lane_read_some(job->lane, job->memory, ivp_bench_next(job, bytes - done), patience, err);

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
	int64_t patience = left_ms(job);
	volatile char sum = 0;
	const void *span;
	size_t len;
	int ret;

	for (uint64_t done = 0; done < bytes; done += len) {
		len = 0;
		ret = ivp_lane_wait(job->lane, IVP_WAIT_DATA, patience, err);
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
	int64_t patience = left_ms(job);
	int ret = 0;

	for (uint64_t done = 0; !ret && done < bytes; done += job->piece)
		ret = ivp_lane_send_message(job->lane, job->memory, job->piece, patience, err);
	return ret;
}

static int message_read(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	int64_t patience = left_ms(job);
	ptrdiff_t got = 1;

	for (uint64_t done = 0; got > 0 && done < bytes; done += job->piece)
		got = ivp_lane_recv_message(job->lane, job->memory, job->piece, patience, err);
	return got > 0 ? 0 : (int)got;
}

static int many_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	struct iovec messages[MANY];
	ptrdiff_t put = 1;

	for (int i = 0; i < MANY; i++)
		messages[i] = (struct iovec){job->memory, job->piece};
	for (uint64_t left = bytes / job->piece; put > 0 && left; left -= (uint64_t)put) {
		put = ivp_lane_send_messages(job->lane, messages, left < MANY ? left : MANY, left_ms(job), err);
		if (put < 0)
			return (int)put;
	}
	return 0;
}

static int many_read(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	struct iovec rooms[MANY];
	size_t lens[MANY];
	ptrdiff_t got;

	for (int i = 0; i < MANY; i++)
		rooms[i] = (struct iovec){job->memory, job->piece};
	for (uint64_t left = bytes / job->piece; left; left -= (uint64_t)got) {
		got = ivp_lane_recv_messages(job->lane, rooms, lens, left < MANY ? left : MANY, left_ms(job), err);
		if (got <= 0)
			return (int)got;
	}
	return 0;
}

/* The same, told to the other end a lot at a time. */
static int held_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	int ret;

	ivp_lane_hold(job->lane, true);
	ret = ivp_bench_lane_write(job, bytes, err);
	ivp_lane_hold(job->lane, false);
	return ret;
}

static int held_messages_write(struct ivp_bench_job *job, uint64_t bytes, struct ivp_error *err)
{
	int ret;

	ivp_lane_hold(job->lane, true);
	ret = message_write(job, bytes, err);
	ivp_lane_hold(job->lane, false);
	return ret;
}

/* ---- all of them ---- */

static const struct ivp_bench_way ways[] = {
	{"ivpipe", "ivpipe, no digest", ivp_bench_lane_write, ivp_bench_lane_read, NULL, true, false},
	{"ivpipe-digest", "ivpipe", ivp_bench_lane_write, ivp_bench_lane_read, NULL, true, true},
	{"ivpipe-view", "ivpipe, read where it lies", ivp_bench_lane_write, view_read, NULL, true, false},
	{"ivpipe-messages", "ivpipe, messages", message_write, message_read, NULL, true, false},
	{"ivpipe-held", "ivpipe, no digest, held", held_write, ivp_bench_lane_read, NULL, true, false},
	{"ivpipe-messages-held", "ivpipe, messages, held", held_messages_write, message_read, NULL, true, false},
	{"ivpipe-messages-many", "ivpipe, messages, 256 at a time", many_write, many_read, NULL, true, false},
	{"dual", "two copies, nobody waits (the limit)", dual_write, dual_read, NULL, false, false},
	{"memcpy", "memcpy in and out, one process", memcpy_write, nothing_read, NULL, false, false},
	{"pipe", "pipe", ivp_bench_fd_write, ivp_bench_fd_read, ivp_bench_fd_pipe, false, false},
	{"pipe-large", "pipe of 1 MiB", ivp_bench_fd_write, ivp_bench_fd_read, ivp_bench_fd_large, false, false},
	{"vmsplice", "vmsplice into a pipe of 1 MiB", ivp_bench_fd_splice, ivp_bench_fd_read, ivp_bench_fd_large, false,
	 false},
	{"unix", "unix socket", ivp_bench_fd_write, ivp_bench_fd_read, ivp_bench_fd_unix, false, false},
	{"tcp", "TCP over the loopback", ivp_bench_fd_write, ivp_bench_fd_read, ivp_bench_fd_tcp, false, false},
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
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "memory: %s", strerror(errno));
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
	ivp_bench_job_limit(job, PATIENCE_MS);
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
