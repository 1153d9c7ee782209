// SPDX-License-Identifier: MIT
/*
 * Messages to and from several clients at a time, in one loop: answers each in capital letters.   server REGION [CLIENTS]
 *
 *	cc -o server server.c $(pkg-config --cflags --libs libivpipe)
 *
 * Ends after so many clients, or never. A descriptor says when to call; what is called does not wait, but for a slow reader of
 * what we answer: whoever may not wait for that either arms the lane for IVP_WAIT_ROOM and goes on later.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include <ivpipe.h>

static struct ivp_error err;
static long clients = -1;

static int fail(const char *what)
{
	fprintf(stderr, "server: %s%s%s\n", what, err.text[0] ? ": " : "", err.text);
	return err.kind ? (int)err.kind : IVP_FAIL_GENERAL;
}

static int watch(int loop, int fd, void *whose)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = whose};

	return fd < 0 ? -1 : epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
}

/* Length of a message that was answered; 0 at the client's end. */
static ptrdiff_t answer_one(struct ivp_lane *lane)
{
	static char bytes[65536];
	ptrdiff_t got = ivp_lane_recv_message(lane, bytes, sizeof(bytes), 0, &err);
	int ret;

	if (got <= 0)
		return got;
	for (ptrdiff_t i = 0; i < got; i++)
		bytes[i] = (char)toupper((unsigned char)bytes[i]);
	ret = ivp_lane_send_message(lane, bytes, (size_t)got, -1, &err);
	return ret ? ret : got;
}

/* Everything that is there, until the descriptor is armed. A client that ends, or fails, is no reason to stop. */
static void serve(struct ivp_lane *lane)
{
	while (ivp_lane_arm(lane, IVP_WAIT_DATA, &err) > 0) {
		ptrdiff_t got = answer_one(lane);

		if (got > 0)
			continue;
		if (got)
			fail("a client");
		else
			ivp_lane_verdict(lane, IVP_VERDICT_OK);
		/* Its descriptor leaves the loop by being closed. */
		ivp_lane_close(lane);
		clients--;
		return;
	}
}

static void take_clients(int loop, struct ivp_listener *listener)
{
	while (ivp_listener_arm(listener, &err) > 0) {
		struct ivp_lane *lane;

		if (ivp_accept(&lane, listener, &err)) {
			/* Somebody knocked and did not come in. But if the region is gone, so is the listener. */
			if (err.kind != IVP_FAIL_NO_PEER && err.kind != IVP_FAIL_REFUSED)
				exit(fail("accept"));
			continue;
		}
		if (watch(loop, ivp_lane_fd(lane, &err), lane))
			exit(fail("epoll"));
		serve(lane);
	}
}

int main(int argc, char **argv)
{
	struct ivp_open_options open = {.side = IVP_SIDE_AUTO, .flags = IVP_OPEN_SIGBUS};
	struct ivp_lane_options options = {.service = "capitals"}; /* wait_ms 0: the loop waits */
	struct ivp_listener *listener;
	struct ivp_region *region;
	struct epoll_event event;
	int loop = epoll_create1(EPOLL_CLOEXEC);

	if (argc > 2)
		clients = atol(argv[2]);
	if (ivp_region_open(&region, argc > 1 ? argv[1] : "auto", &open, &err) ||
	    ivp_listen(&listener, region, &options, &err))
		return fail("no listener");
	if (watch(loop, ivp_listener_fd(listener, &err), NULL))
		return fail("epoll");
	take_clients(loop, listener);
	while (clients && epoll_wait(loop, &event, 1, -1) > 0) {
		if (event.data.ptr)
			serve(event.data.ptr);
		else
			take_clients(loop, listener);
	}
	ivp_listener_close(listener);
	ivp_region_close(region);
	return 0;
}
