// SPDX-License-Identifier: MIT
/* transfer: the calls that wait until bytes are moved. */
#define _GNU_SOURCE
#include <errno.h>

#include "error.h"
#include "lane.h"

ptrdiff_t ivp_lane_write_all(struct ivp_lane *lane, const void *bytes, size_t len, int64_t timeout_ms,
			     struct ivp_error *err)
{
	struct ivp_patience patience = {.ms = timeout_ms};
	size_t done = 0;

	while (done < len) {
		ptrdiff_t put = ivp_lane_write(lane, (const u8 *)bytes + done, len - done, err);

		if (put == -EAGAIN)
			put = ivp_stream_wait(lane, IVP_WAIT_ROOM, &patience, err);
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
	struct ivp_patience patience = {.ms = timeout_ms};

	for (;;) {
		ptrdiff_t got = ivp_lane_read(lane, bytes, len, err);
		int ret;

		if (got != -EAGAIN)
			return got;
		ret = ivp_stream_wait(lane, IVP_WAIT_DATA, &patience, err);
		if (ret)
			return ret;
	}
}
