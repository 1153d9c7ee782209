// SPDX-License-Identifier: MIT
/*
 * Standard input, as one stream, to recv.c or to `ivpipe recv`.   send REGION [SERVICE]
 *
 *	cc -o send send.c $(pkg-config --cflags --libs libivpipe)
 */
#include <stdio.h>
#include <unistd.h>

#include <ivpipe.h>

static struct ivp_error err;

/* Until everything is in the ring. The receiver may be slow, and is waited for as long as it lives. */
static int send_all(struct ivp_lane *lane)
{
	static char bytes[65536];
	ssize_t got;

	while ((got = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0) {
		ptrdiff_t put = ivp_lane_write_all(lane, bytes, (size_t)got, -1, &err);

		if (put < 0)
			return (int)put;
	}
	if (!got)
		return 0;
	perror("standard input");
	err = (struct ivp_error){.kind = IVP_FAIL_GENERAL};
	/* A stream that just stops must not look as if it were whole. */
	ivp_lane_abort(lane, IVP_VERDICT_READ);
	return -1;
}

/* Everything was said; then the receiver says that it has stored it, undamaged. */
static int finish(struct ivp_lane *lane)
{
	int ret = ivp_lane_wait(lane, IVP_WAIT_ROOM, -1, &err);

	if (!ret)
		ret = ivp_lane_end(lane, &err);
	return ret ? ret : ivp_lane_confirm(lane, -1, &err);
}

int main(int argc, char **argv)
{
	struct ivp_open_options open = {.side = IVP_SIDE_AUTO, .flags = IVP_OPEN_SIGBUS};
	struct ivp_lane_options options = {.size = -1, .wait_ms = 30000, .service = argc > 2 ? argv[2] : NULL};
	struct ivp_region *region = NULL;
	struct ivp_lane *lane = NULL;
	int ret = ivp_region_open(&region, argc > 1 ? argv[1] : "auto", &open, &err);

	if (!ret)
		ret = ivp_connect(&lane, region, &options, &err);
	if (!ret)
		ret = send_all(lane);
	if (!ret)
		ret = finish(lane);
	if (ret && err.text[0])
		fprintf(stderr, "send: %s\n", err.text);
	ivp_lane_close(lane);
	ivp_region_close(region);
	return ret ? (int)err.kind : 0;
}
