// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "lane.h"
#include "pump.h"

/* How often the peer is looked after while a descriptor has nothing to say. */
#define LOOK_MS 250

/* One piece, kept where a cache keeps it: with a digest every byte passes through here. */
#define PIECE 65536

static int interrupted(struct ivp_error *err)
{
	return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
}

/* -EINTR, -ECANCELED, or 0: go on. */
static int stopped(const struct pump *pump, struct ivp_error *err)
{
	if (pump->cancel && *pump->cancel)
		return interrupted(err);
	if (pump->other && atomic_load(pump->other))
		return ivp_fail(err, IVP_FAIL_GENERAL, -ECANCELED, "the other direction failed");
	return 0;
}

/* Files are always ready; asking would be a system call a piece for nothing. */
static bool may_block(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode));
}

/* Until the descriptor can go on, with an eye on signals and, while we read for it, on the peer: what a receiver still has to
 * write is worth writing although its sender is gone. */
static int await(struct pump *pump, short events, struct ivp_error *err)
{
	struct pollfd poll_fd = {.fd = pump->fd, .events = events};

	for (;;) {
		int ret = stopped(pump, err);

		if (ret)
			return ret;
		ret = poll(&poll_fd, 1, LOOK_MS);
		if (ret > 0)
			return 0;
		if (ret < 0 && errno != EINTR)
			return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "%s: %s", pump->name, strerror(errno));
		ret = events == POLLIN ? ivp_lane_check(pump->lane, IVP_WAIT_ROOM, err) : 0;
		if (ret)
			return ret;
	}
}

/* A region that went away shows as EFAULT where the kernel copies for us. */
static int failed(struct pump *pump, struct ivp_error *err)
{
	int number = -errno, ret = number == -EFAULT ? ivp_lane_check(pump->lane, 0, err) : 0;

	return ret ? ret : ivp_fail(err, IVP_FAIL_GENERAL, number, "%s: %s", pump->name, strerror(-number));
}

/* Bytes, 0 at the end, or an error of which the peer has been told. */
static ssize_t read_some(struct pump *pump, void *to, size_t len, bool blocks, struct ivp_error *err)
{
	ssize_t got;

	for (;;) {
		int ret = blocks ? await(pump, POLLIN, err) : 0;

		if (ret)
			return ret;
		got = pump->own_file ? ivp_source_read(&pump->source, to, len) : read(pump->fd, to, len);
		if (!got && len && pump->broken && pump->broken(pump))
			return ivp_fail(err, IVP_FAIL_GENERAL, -ECONNRESET, "%s: %s", pump->name, strerror(ECONNRESET));
		if (got >= 0)
			return got;
		if (errno == EINTR)
			ret = stopped(pump, err);
		else if (errno == EAGAIN)
			blocks = true;
		else
			ret = failed(pump, err);
		if (ret)
			return ret;
	}
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* One piece more has passed; pauses if that was too fast. A sender looks after the peer meanwhile; what a receiver has to take is
 * in the ring, whatever became of the peer. */
static int moved(struct pump *pump, size_t bytes, bool sending, struct ivp_error *err)
{
	int64_t until;
	int ret;

	pump->bytes += bytes;
	if (pump->progress)
		pump->progress(pump->progress_arg, pump->bytes);
	ret = stopped(pump, err);
	if (ret || !pump->rate.per_second)
		return ret;
	until = now_ns();
	until += ivp_rate_pause(&pump->rate, bytes, until);
	for (;;) {
		int64_t left = (until - now_ns() + 999999) / 1000000;

		if (left <= 0)
			return 0;
		poll(NULL, 0, left < LOOK_MS ? (int)left : LOOK_MS);
		ret = stopped(pump, err);
		if (!ret && sending)
			ret = ivp_lane_check(pump->lane, IVP_WAIT_ROOM, err);
		if (ret)
			return ret;
	}
}

/* Through the buffer, all of it: the lane takes what fits without crumbs. */
static int put(struct pump *pump, const char *bytes, size_t len, struct ivp_error *err)
{
	while (len) {
		ptrdiff_t put = ivp_lane_write(pump->lane, bytes, len, err);

		if (put == -EAGAIN)
			put = ivp_lane_wait(pump->lane, IVP_WAIT_ROOM, -1, err);
		if (put < 0)
			return (int)put;
		bytes += put;
		len -= (size_t)put;
	}
	return 0;
}

static ssize_t send_piece(struct pump *pump, void *buffer, bool blocks, struct ivp_error *err)
{
	size_t len = ivp_lane_piece(pump->lane);
	void *span = buffer;
	ssize_t got;
	int ret = 0;

	if (len > PIECE)
		len = PIECE;
	len = ivp_rate_piece(&pump->rate, len);
	if (!pump->digest)
		while ((ret = ivp_lane_reserve(pump->lane, &span, &len, err)) == -EAGAIN) {
			ret = ivp_lane_wait(pump->lane, IVP_WAIT_ROOM, -1, err);
			if (ret)
				return ret;
		}
	if (ret)
		return ret;
	got = read_some(pump, span, len, blocks, err);
	if (got <= 0)
		return got;
	ret = pump->digest ? put(pump, buffer, (size_t)got, err) : ivp_lane_commit(pump->lane, (size_t)got, err);
	return ret ? ret : got;
}

int ivp_pump_end(struct pump *pump, struct ivp_error *err)
{
	int ret;

	while ((ret = ivp_lane_end(pump->lane, err)) == -EAGAIN) {
		ret = ivp_lane_wait(pump->lane, IVP_WAIT_ROOM, -1, err);
		if (ret)
			return ret;
	}
	return ret ? ret : ivp_lane_confirm(pump->lane, -1, err);
}

/* What to tell the peer about a failure of ours; nothing where it is the peer's own. */
void ivp_pump_give_up(struct pump *pump, int ret, const struct ivp_error *err, enum ivp_verdict why)
{
	if (ret == -ECANCELED)
		return; /* the other direction has told the peer */
	if (ret == -EINTR)
		ivp_lane_abort(pump->lane, IVP_VERDICT_INTERRUPT);
	else if (ret == -EPROTO)
		ivp_lane_abort(pump->lane, IVP_VERDICT_BROKEN);
	else if (ret == -EBADMSG)
		ivp_lane_abort(pump->lane, IVP_VERDICT_DAMAGED);
	else if (err->kind == IVP_FAIL_GENERAL)
		ivp_lane_abort(pump->lane, ret == -ENOSPC || ret == -EDQUOT ? IVP_VERDICT_NO_SPACE : why);
}

int ivp_pump_send(struct pump *pump, struct ivp_error *err)
{
	bool blocks = may_block(pump->fd);
	void *buffer = pump->digest ? malloc(PIECE) : NULL;
	ssize_t got;
	int ret = 0;

	if (pump->digest && !buffer)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	if (!pump->digest)
		ivp_lane_no_digest(pump->lane);
	if (pump->own_file)
		ivp_source_begin(&pump->source, pump->fd, pump->lane->region->copy_in);
	do {
		got = send_piece(pump, buffer, blocks, err);
		ret = got > 0 ? moved(pump, (size_t)got, true, err) : (int)got;
	} while (got > 0 && !ret);
	if (!ret)
		ret = ivp_pump_end(pump, err);
	pump->closed = ret == -EPIPE && ivp_lane_peer_verdict(pump->lane) == IVP_VERDICT_CLOSED;
	if (ret)
		ivp_pump_give_up(pump, ret, err, IVP_VERDICT_READ);
	if (pump->own_file)
		ivp_source_end(&pump->source);
	free(buffer);
	return ret;
}

static ssize_t write_some(struct pump *pump, const char *from, size_t len)
{
	return pump->sparse ? ivp_holes_write(&pump->holes, from, len) : write(pump->fd, from, len);
}

/* A write that blocks is woken by a signal, and what else happens meanwhile does not concern it. */
static int write_all(struct pump *pump, const char *from, size_t len, struct ivp_error *err)
{
	while (len) {
		ssize_t put = write_some(pump, from, len);
		int ret = 0;

		if (put >= 0) {
			from += put;
			len -= (size_t)put;
			continue;
		}
		if (errno == EPIPE)
			pump->closed = true;
		if (errno == EINTR)
			ret = stopped(pump, err);
		else if (errno == EAGAIN)
			ret = await(pump, POLLOUT, err);
		else
			ret = failed(pump, err);
		if (ret)
			return ret;
	}
	return 0;
}

/* Straight from the ring: no digest covers this. */
static ssize_t recv_in_place(struct pump *pump, struct ivp_error *err)
{
	const void *span;
	size_t len;
	int ret = ivp_lane_peek(pump->lane, &span, &len, err);

	if (ret)
		return ret;
	if (!len)
		return ivp_lane_read(pump->lane, NULL, 0, err);
	len = ivp_rate_piece(&pump->rate, len);
	ret = write_all(pump, span, len, err);
	if (!ret)
		ret = ivp_lane_consume(pump->lane, len, err);
	return ret ? ret : (ssize_t)len;
}

static ssize_t recv_copied(struct pump *pump, void *buffer, struct ivp_error *err)
{
	ssize_t got = ivp_lane_read(pump->lane, buffer, ivp_rate_piece(&pump->rate, PIECE), err);
	int ret = got > 0 ? write_all(pump, buffer, (size_t)got, err) : 0;

	return ret ? ret : got;
}

static ssize_t recv_piece(struct pump *pump, void *buffer, struct ivp_error *err)
{
	for (;;) {
		ssize_t got = buffer ? recv_copied(pump, buffer, err) : recv_in_place(pump, err);
		int ret;

		if (got != -EAGAIN)
			return got;
		ret = ivp_lane_wait(pump->lane, IVP_WAIT_DATA, -1, err);
		if (ret)
			return ret;
	}
}

/* A sender that has nobody to send to goes on receiving, perhaps; any other failure ends the lane. */
void ivp_pump_refuse(struct pump *pump, int ret, const struct ivp_error *err)
{
	if (pump->closed)
		ivp_lane_verdict(pump->lane, IVP_VERDICT_CLOSED);
	else
		ivp_pump_give_up(pump, ret, err, IVP_VERDICT_WRITE);
}

int ivp_pump_recv(struct pump *pump, struct ivp_error *err)
{
	void *buffer = pump->digest ? malloc(PIECE) : NULL;
	ssize_t got;
	int ret = 0;

	if (pump->digest && !buffer)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	pump->holes = (struct ivp_holes){.fd = pump->fd};
	do {
		got = recv_piece(pump, buffer, err);
		ret = got > 0 ? moved(pump, (size_t)got, false, err) : (int)got;
	} while (got > 0 && !ret);
	if (!ret && pump->sparse && ivp_holes_end(&pump->holes))
		ret = failed(pump, err);
	if (ret)
		ivp_pump_refuse(pump, ret, err);
	free(buffer);
	return ret;
}
