// SPDX-License-Identifier: MIT
/* messages: the calls that wait until messages are moved, each whole: one, or many at a time. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>

#include "error.h"
#include "lane.h"

/* What was begun is brought to its end: half a message is worth nothing to anybody. */
static int send_one(struct ivp_lane *lane, const void *bytes, size_t len, struct ivp_patience *patience,
		    struct ivp_error *err)
{
	struct ivp_patience forever = {.ms = -1};
	const u8 *from = bytes;

	if (!len)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "a message of no bytes");
	while (len) {
		ptrdiff_t put = ivp_stream_write(lane, from, len, true, err);

		if (put == -EAGAIN)
			put = ivp_stream_wait(lane, IVP_WAIT_ROOM, from == bytes ? patience : &forever, err);
		if (put < 0)
			return (int)put;
		from += put;
		len -= (size_t)put;
	}
	return 0;
}

int ivp_lane_send_message(struct ivp_lane *lane, const void *bytes, size_t len, int64_t timeout_ms,
			  struct ivp_error *err)
{
	struct ivp_patience patience = {.ms = timeout_ms};

	return send_one(lane, bytes, len, &patience, err);
}

static u32 at_once(size_t count)
{
	return count < INT_MAX ? (u32)count : INT_MAX;
}

/* The next ones: how many, or 0 where that has to be asked again. */
static int send_some(struct ivp_lane *lane, const struct iovec *messages, size_t count, struct ivp_patience *patience,
		     struct ivp_error *err)
{
	int put = ivp_stream_put_many(lane, messages, at_once(count), err), ret;

	if (put == -EAGAIN)
		return ivp_stream_wait(lane, IVP_WAIT_ROOM, patience, err);
	if (put)
		return put;
	/* It is large, or empty. */
	ret = send_one(lane, messages->iov_base, messages->iov_len, patience, err);
	return ret ? ret : 1;
}

ptrdiff_t ivp_lane_send_messages(struct ivp_lane *lane, const struct iovec *messages, size_t count, int64_t timeout_ms,
				 struct ivp_error *err)
{
	struct ivp_patience patience = {.ms = timeout_ms};
	size_t done = 0;

	if (!count)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "no message to send");
	while (done < count) {
		int put = send_some(lane, messages + done, count - done, &patience, err);

		/* Said when it is asked for: the ones before are on their way. */
		if (done && (put == -ETIMEDOUT || put == -EINVAL))
			break;
		if (put < 0)
			return put;
		done += (size_t)put;
	}
	return (ptrdiff_t)done;
}

/* The next piece, of which no more than room is kept where there is room. */
static ptrdiff_t next_piece(struct ivp_lane *lane, u8 *to, size_t room, bool *more, int64_t timeout_ms,
			    struct ivp_error *err)
{
	for (;;) {
		ptrdiff_t got = ivp_stream_read(lane, room ? to : NULL, room, more, err);
		int ret;

		if (got != -EAGAIN)
			return got;
		ret = ivp_lane_wait(lane, IVP_WAIT_DATA, timeout_ms, err);
		if (ret)
			return ret;
	}
}

ptrdiff_t ivp_lane_recv_message(struct ivp_lane *lane, void *bytes, size_t len, int64_t timeout_ms,
				struct ivp_error *err)
{
	size_t kept = 0, lost = 0;
	bool more = true;

	if (!len)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "a message into no bytes");
	while (more) {
		bool begun = kept + lost;
		ptrdiff_t got = next_piece(lane, (u8 *)bytes + kept, len - kept, &more, begun ? -1 : timeout_ms, err);

		if (!got && begun)
			return ivp_fail(err, IVP_FAIL_DAMAGED, -EBADMSG, "lane %u: ended in the middle of a message",
					lane->index);
		if (got <= 0)
			return got;
		if (kept < len)
			kept += (size_t)got;
		else
			lost += (size_t)got;
	}
	return lost ? ivp_fail(err, IVP_FAIL_GENERAL, -EMSGSIZE, "lane %u: a message of %zu bytes, and room for %zu",
			       lane->index, kept + lost, len)
		    : (ptrdiff_t)kept;
}

ptrdiff_t ivp_lane_recv_messages(struct ivp_lane *lane, const struct iovec *rooms, size_t *lens, size_t count,
				 int64_t timeout_ms, struct ivp_error *err)
{
	ptrdiff_t got;
	int ret;

	if (!count)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "no room for a message");
	while ((got = ivp_stream_take_many(lane, rooms, lens, at_once(count), err)) == -EAGAIN) {
		ret = ivp_lane_wait(lane, IVP_WAIT_DATA, timeout_ms, err);
		if (ret)
			return ret;
	}
	if (got)
		return got;
	/* It is large, of several records, or the end. */
	got = ivp_lane_recv_message(lane, rooms->iov_base, rooms->iov_len, timeout_ms, err);
	if (got <= 0)
		return got;
	*lens = (size_t)got;
	return 1;
}
