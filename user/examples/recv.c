// SPDX-License-Identifier: MIT
/*
 * One stream, of send.c or of `ivpipe send`, to standard output.   recv REGION [SERVICE]
 *
 *	cc -o recv recv.c $(pkg-config --cflags --libs libivpipe)
 */
#include <stdio.h>

#include <ivpipe.h>

static struct ivp_error err;

/* To the end, where number and digest of the bytes are compared with the sender's. */
static int receive_all(struct ivp_lane *lane)
{
	static char bytes[65536];
	ptrdiff_t got;

	while ((got = ivp_lane_read_some(lane, bytes, sizeof(bytes), -1, &err)) > 0)
		if (fwrite(bytes, 1, (size_t)got, stdout) != (size_t)got)
			break;
	if (got < 0) {
		ivp_lane_abort(lane, err.kind == IVP_FAIL_DAMAGED ? IVP_VERDICT_DAMAGED : IVP_VERDICT_WRITE);
		return (int)got;
	}
	if (!got && !fflush(stdout)) {
		/* The sender waits for this word. Say it when everything is where it belongs, and not before. */
		ivp_lane_verdict(lane, IVP_VERDICT_OK);
		return 0;
	}
	perror("standard output");
	err = (struct ivp_error){.kind = IVP_FAIL_GENERAL};
	ivp_lane_abort(lane, IVP_VERDICT_WRITE);
	return -1;
}

int main(int argc, char **argv)
{
	struct ivp_open_options open = {.side = IVP_SIDE_AUTO, .flags = IVP_OPEN_SIGBUS};
	struct ivp_lane_options options = {.wait_ms = -1, .service = argc > 2 ? argv[2] : NULL};
	struct ivp_listener *listener = NULL;
	struct ivp_region *region = NULL;
	struct ivp_lane *lane = NULL;
	int ret = ivp_region_open(&region, argc > 1 ? argv[1] : "auto", &open, &err);

	if (!ret)
		ret = ivp_listen(&listener, region, &options, &err);
	if (!ret)
		ret = ivp_accept(&lane, listener, &err);
	if (!ret)
		ret = receive_all(lane);
	if (ret && err.text[0])
		fprintf(stderr, "recv: %s\n", err.text);
	ivp_lane_close(lane);
	ivp_listener_close(listener);
	ivp_region_close(region);
	return ret ? (int)err.kind : 0;
}
