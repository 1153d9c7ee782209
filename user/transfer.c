// SPDX-License-Identifier: MIT
/* transfer: the calls that wait: bytes until they are moved, and messages whole. */
#define _GNU_SOURCE
#include <errno.h>

#include "error.h"
#include "lane.h"

/* When a call may wait no longer. No clock is asked before there is something to wait for: that costs as much as 2 KiB moved. */
struct patience {
	int64_t ms; /* as the caller gave it */
	int64_t deadline;
	bool begun;
};

static int wait_for(struct ivp_lane *lane, unsigned int what, struct patience *patience, struct ivp_error *err)
{
	int64_t left = patience->ms;

	if (left > 0 && !patience->begun) {
		patience->deadline = ivp_deadline(left);
		patience->begun = true;
	} else if (left > 0) {
		left = patience->deadline - ivp_now();
	}
	return ivp_lane_wait(lane, what, patience->ms < 0 ? -1 : left > 0 ? left : 0, err);
}

ptrdiff_t ivp_lane_write_all(struct ivp_lane *lane, const void *bytes, size_t len, int64_t timeout_ms,
			     struct ivp_error *err)
{
	struct patience patience = {.ms = timeout_ms};
	size_t done = 0;

	while (done < len) {
		ptrdiff_t put = ivp_lane_write(lane, (const u8 *)bytes + done, len - done, err);

		if (put == -EAGAIN)
			put = wait_for(lane, IVP_WAIT_ROOM, &patience, err);
		if (put == -ETIMEDOUT && done)
			break;
		if (put < 0)
			return put;
		done += (size_t)put;
	}
	return (ptrdiff_t)done;
}

ptrdiff_t ivp_lane_read_some(struct ivp_lane *lane, void *bytes, size_t len, int64_t timeout_ms, struct ivp_error *err)
{
	struct patience patience = {.ms = timeout_ms};

	for (;;) {
		ptrdiff_t got = ivp_lane_read(lane, bytes, len, err);
		int ret;

		if (got != -EAGAIN)
			return got;
		ret = wait_for(lane, IVP_WAIT_DATA, &patience, err);
		if (ret)
			return ret;
	}
}

/* What was begun is brought to its end: half a message is worth nothing to anybody. */
int ivp_lane_send_message(struct ivp_lane *lane, const void *bytes, size_t len, int64_t timeout_ms,
			  struct ivp_error *err)
{
	const u8 *from = bytes;

	if (!len)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "a message of no bytes");
	while (len) {
		ptrdiff_t put = ivp_stream_write(lane, from, len, true, err);

		if (put == -EAGAIN)
			put = ivp_lane_wait(lane, IVP_WAIT_ROOM, from == bytes ? timeout_ms : -1, err);
		if (put < 0)
			return (int)put;
		from += put;
		len -= (size_t)put;
	}
	return 0;
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
