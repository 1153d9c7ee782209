// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "lane.h"
#include "latest.h"

/* How often those who wait look up. */
#define LOOK_MS 250

struct frame {
	char *bytes;
	size_t len, room;
};

/* Between the thread that moves bytes at the descriptor's speed and the one that moves them at the lane's: one fills `filled`, the
 * other one uses `used`, and what lies between them belongs to nobody. */
struct box {
	struct pump *pump;
	pthread_t thread; /* of the descriptor */
	struct ivp_error err;
	struct frame filled, used;
	size_t size;
	/* under the lock */
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct frame waits;
	bool fresh, ended; /* there is one that nobody had; there comes no other */
	bool stop, done;   /* the thread has to end; and has: */
	int ret;
};

static bool stopped(struct box *box)
{
	bool stop;

	pthread_mutex_lock(&box->lock);
	stop = box->stop || (box->pump->cancel && *box->pump->cancel);
	pthread_mutex_unlock(&box->lock);
	return stop;
}

/* Under the lock. */
static void await(struct box *box)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&box->change, &box->lock, &until);
}

static void swap(struct frame *one, struct frame *other)
{
	struct frame kept = *one;

	*one = *other;
	*other = kept;
}

/* `filled` is the newest one now, whatever became of the one before. False: nobody will use it. */
static bool publish(struct box *box)
{
	bool wanted;

	pthread_mutex_lock(&box->lock);
	swap(&box->filled, &box->waits);
	box->fresh = true;
	wanted = !box->done;
	pthread_cond_broadcast(&box->change);
	pthread_mutex_unlock(&box->lock);
	return wanted;
}

static void end(struct box *box)
{
	pthread_mutex_lock(&box->lock);
	box->ended = true;
	pthread_cond_broadcast(&box->change);
	pthread_mutex_unlock(&box->lock);
}

/* 1: `used` is the newest; 0: not yet; -ENODATA: there comes no other. Under the lock. */
static int take(struct box *box)
{
	if (!box->fresh)
		return box->ended ? -ENODATA : 0;
	swap(&box->used, &box->waits);
	box->fresh = false;
	return 1;
}

/* Not malloc's, which looks into /proc before it makes the heap of a thread smaller: the sandbox has no files. */
static int make_room(struct frame *frame, size_t len)
{
	void *bytes;

	if (len <= frame->room)
		return 0;
	if (frame->bytes)
		bytes = mremap(frame->bytes, frame->room, len, MREMAP_MAYMOVE);
	else
		bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (bytes == MAP_FAILED)
		return -ENOMEM;
	frame->bytes = bytes;
	frame->room = len;
	return 0;
}

static int no_memory(struct ivp_error *err)
{
	return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory for a frame");
}

static void free_frame(const struct frame *frame)
{
	if (frame->bytes)
		munmap(frame->bytes, frame->room);
}

static void free_box(struct box *box)
{
	free_frame(&box->filled);
	free_frame(&box->used);
	free_frame(&box->waits);
}

static int descriptor_failed(struct box *box)
{
	return ivp_fail(&box->err, IVP_FAIL_GENERAL, -errno, "%s: %s", box->pump->name, strerror(errno));
}

/* ---- the descriptor's thread ---- */

static void finish(struct box *box, int ret)
{
	pthread_mutex_lock(&box->lock);
	box->ret = ret;
	box->done = true;
	pthread_cond_broadcast(&box->change);
	pthread_mutex_unlock(&box->lock);
}

/* Bytes, 0 at the end, or an error. */
static ssize_t read_part(struct box *box)
{
	struct pollfd poll_fd = {.fd = box->pump->fd, .events = POLLIN};
	struct frame *frame = &box->filled;

	for (;;) {
		ssize_t got;

		if (stopped(box))
			return -ECANCELED;
		if (poll(&poll_fd, 1, LOOK_MS) <= 0)
			continue;
		got = read(box->pump->fd, frame->bytes + frame->len, box->size - frame->len);
		if (got >= 0)
			return got;
		if (errno != EINTR && errno != EAGAIN)
			return descriptor_failed(box);
	}
}

static void *read_frames(void *arg)
{
	struct box *box = arg;
	ssize_t got = 0;

	box->filled.len = 0;
	while (!make_room(&box->filled, box->size) && (got = read_part(box)) > 0) {
		box->filled.len += (size_t)got;
		if (box->filled.len < box->size)
			continue;
		publish(box);
		box->filled.len = 0;
	}
	if (box->filled.room < box->size)
		got = no_memory(&box->err);
	if (!got && box->filled.len)
		got = ivp_fail(&box->err, IVP_FAIL_GENERAL, -EBADMSG,
			       "%s: ended after %zu bytes of a frame of %zu: is that its size?", box->pump->name,
			       box->filled.len, box->size);
	end(box);
	finish(box, (int)got);
	return NULL;
}

static int write_frame(struct box *box)
{
	struct pollfd poll_fd = {.fd = box->pump->fd, .events = POLLOUT};
	size_t done = 0;

	while (done < box->used.len) {
		ssize_t put = write(box->pump->fd, box->used.bytes + done, box->used.len - done);

		if (put >= 0)
			done += (size_t)put;
		else if (errno == EAGAIN)
			poll(&poll_fd, 1, LOOK_MS);
		else if (errno != EINTR)
			return box->pump->closed = errno == EPIPE, descriptor_failed(box);
		if (put < 0 && stopped(box))
			return -ECANCELED;
	}
	box->pump->bytes += done;
	if (box->pump->progress)
		box->pump->progress(box->pump->progress_arg, box->pump->bytes);
	return 0;
}

static void *write_frames(void *arg)
{
	struct box *box = arg;
	int ret;

	do {
		pthread_mutex_lock(&box->lock);
		while (!(ret = take(box)) && !box->stop)
			await(box);
		pthread_mutex_unlock(&box->lock);
		if (ret > 0)
			ret = write_frame(box);
		else if (!ret)
			ret = -ECANCELED;
	} while (!ret);
	finish(box, ret == -ENODATA ? 0 : ret);
	return NULL;
}

/* ---- the lane's ---- */

static void nothing(int number)
{
	(void)number;
}

static int begin(struct box *box, void *(*run)(void *), struct ivp_error *err)
{
	struct sigaction nudge = {.sa_handler = nothing};
	int ret;

	pthread_mutex_init(&box->lock, NULL);
	pthread_cond_init(&box->change, NULL);
	sigaction(SIGURG, &nudge, NULL);
	if (!box->pump->digest)
		ivp_lane_no_digest(box->pump->lane);
	ret = -pthread_create(&box->thread, NULL, run, box);
	return ret ? ivp_fail(err, IVP_FAIL_GENERAL, ret, "no thread: %s", strerror(-ret)) : 0;
}

/* Who is in the middle of a write that blocks comes out by a signal, and one that came just before it is no help: so again. `ret` is of
 * the lane's part; without `stop` the thread goes on to its own end. */
static int join(struct box *box, bool stop, int ret, struct ivp_error *err)
{
	pthread_mutex_lock(&box->lock);
	box->stop = stop;
	pthread_cond_broadcast(&box->change);
	while (!box->done) {
		await(box);
		if (!box->done && (box->stop || (box->pump->cancel && *box->pump->cancel)))
			pthread_kill(box->thread, SIGURG);
	}
	pthread_mutex_unlock(&box->lock);
	pthread_join(box->thread, NULL);
	if (box->pump->cancel && *box->pump->cancel)
		return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
	/* Its failure is why the lane's part ended, if it failed at all. */
	if (box->ret && box->ret != -ECANCELED) {
		*err = box->err;
		return box->ret;
	}
	return ret;
}

/* 1: a frame; 0: the end; or a negative errno. */
static int next_to_send(struct box *box, struct ivp_error *err)
{
	for (;;) {
		int ret;

		pthread_mutex_lock(&box->lock);
		ret = take(box);
		if (!ret) {
			await(box);
			ret = take(box);
		}
		pthread_mutex_unlock(&box->lock);
		if (ret)
			return ret == -ENODATA ? 0 : ret;
		if (box->pump->cancel && *box->pump->cancel)
			return -ECANCELED;
		ret = ivp_lane_check(box->pump->lane, IVP_WAIT_ROOM, err);
		if (ret)
			return ret;
	}
}

static int send_frames(struct box *box, struct ivp_error *err)
{
	int ret;

	while ((ret = next_to_send(box, err)) > 0) {
		ret = ivp_lane_send_message(box->pump->lane, box->used.bytes, box->used.len, -1, err);
		if (ret)
			return ret;
		box->pump->bytes += box->used.len;
		if (box->pump->progress)
			box->pump->progress(box->pump->progress_arg, box->pump->bytes);
	}
	return ret;
}

int ivp_latest_send(struct pump *pump, size_t size, struct ivp_error *err)
{
	struct box box = {.pump = pump, .size = size};
	int ret = begin(&box, read_frames, err);

	if (!ret) {
		ret = send_frames(&box, err);
		ret = join(&box, ret, ret, err);
	}
	if (!ret)
		ret = ivp_pump_end(pump, err);
	pump->closed = ret == -EPIPE && ivp_lane_peer_verdict(pump->lane) == IVP_VERDICT_CLOSED;
	if (ret)
		ivp_pump_give_up(pump, ret, err, IVP_VERDICT_READ);
	free_box(&box);
	return ret;
}

/* As the lane waits, and with an eye on the thread that writes. */
static int await_piece(struct box *box, struct ivp_error *err)
{
	for (;;) {
		int ret = ivp_lane_wait(box->pump->lane, IVP_WAIT_DATA, LOOK_MS, err);
		bool done;

		if (ret != -ETIMEDOUT)
			return ret;
		pthread_mutex_lock(&box->lock);
		done = box->done;
		pthread_mutex_unlock(&box->lock);
		if (done)
			return -ECANCELED;
	}
}

/* A piece more of `filled`; 0 at the end. Room is made for what came, never for what was announced. */
static ptrdiff_t read_piece(struct box *box, bool *more, struct ivp_error *err)
{
	struct frame *frame = &box->filled;
	size_t piece = ivp_lane_piece(box->pump->lane), wanted = frame->len + piece;
	ptrdiff_t got;

	if (wanted > (size_t)IVP_LATEST_MOST + piece)
		return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "a frame of more than %d MiB", IVP_LATEST_MOST >> 20);
	if (wanted > frame->room && make_room(frame, wanted < 2 * frame->room ? 2 * frame->room : wanted))
		return no_memory(err);
	while ((got = ivp_stream_read(box->pump->lane, frame->bytes + frame->len, piece, more, err)) == -EAGAIN) {
		int ret = await_piece(box, err);

		if (ret)
			return ret;
	}
	return got;
}

static int recv_frames(struct box *box, struct ivp_error *err)
{
	bool more = false;
	ptrdiff_t got;

	box->filled.len = 0;
	while ((got = read_piece(box, &more, err)) > 0) {
		box->filled.len += (size_t)got;
		if (more)
			continue;
		if (!publish(box))
			return -ECANCELED;
		box->filled.len = 0;
	}
	if (!got && box->filled.len)
		return ivp_fail(err, IVP_FAIL_DAMAGED, -EBADMSG, "the stream ended in the middle of a frame");
	return (int)got;
}

int ivp_latest_recv(struct pump *pump, struct ivp_error *err)
{
	struct box box = {.pump = pump};
	int ret = begin(&box, write_frames, err);

	if (!ret) {
		/* What came whole is worth writing, whatever became of the sender. */
		ret = recv_frames(&box, err);
		end(&box);
		ret = join(&box, false, ret, err);
	}
	if (ret)
		ivp_pump_refuse(pump, ret, err);
	free_box(&box);
	return ret;
}
