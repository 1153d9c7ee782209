// SPDX-License-Identifier: MIT
/* forward_lanes: the process with the region: callers of ports get lanes, and lanes that come get what was allowed. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "error.h"
#include "forward_lanes.h"

/* More than a region has lanes. */
#define CALLS_MOST 512

struct call {
	struct ivp_lane *lane; /* NULL: to be made, for a caller of: */
	int fd;
	uint32_t port;
};

static void *run_call(void *arg)
{
	struct call call = *(struct call *)arg;

	free(arg);
	if (call.lane)
		ivp_lanes_serve(call.lane);
	else
		ivp_lanes_call(call.port, call.fd);
	pthread_mutex_lock(&ivp_lanes.lock);
	ivp_lanes.calls--;
	pthread_cond_broadcast(&ivp_lanes.change);
	pthread_mutex_unlock(&ivp_lanes.lock);
	return NULL;
}

/* Owns lane and descriptor. */
static void begin_call(struct call call)
{
	struct call *copy = malloc(sizeof(*copy));
	pthread_t thread;
	bool begun;

	pthread_mutex_lock(&ivp_lanes.lock);
	begun = copy && ivp_lanes.calls < CALLS_MOST;
	if (begun) {
		*copy = call;
		begun = !pthread_create(&thread, NULL, run_call, copy);
	}
	ivp_lanes.calls += begun;
	pthread_mutex_unlock(&ivp_lanes.lock);
	if (begun) {
		pthread_detach(thread);
		return;
	}
	free(copy);
	ivp_log_error("%s: too many connections at once: one is refused", ivp_lanes.forward->cli->verb_name);
	if (call.lane)
		ivp_lane_close(call.lane);
	else
		ivp_lanes_reset(call.fd);
}

/* What the process with the sockets says. */
static void *listen_to_ports(void *arg)
{
	struct pollfd poll_fd = {.fd = ivp_lanes.forward->socket, .events = POLLIN};
	struct ivp_forward_message message;
	struct ivp_error err;
	int fd;

	(void)arg;
	while (!ivp_lanes_stopping()) {
		if (poll(&poll_fd, 1, IVP_LANES_LOOK_MS) <= 0)
			continue;
		if (ivp_forward_hear(ivp_lanes.forward->socket, &message, &fd)) {
			ivp_lanes_stop(ivp_fail(&err, IVP_FAIL_GENERAL, -EPIPE, "the process with the sockets is gone"),
				       &err);
			break;
		}
		if (message.what == IVP_FORWARD_ANSWER)
			ivp_lanes_answer(&message, fd);
		else if (fd >= 0 && message.id < ivp_lanes.forward->port_count)
			begin_call((struct call){.fd = fd, .port = message.id});
		else if (fd >= 0)
			close(fd);
	}
	return NULL;
}

/* Until there is nothing to accept any more. */
static void accept_lanes(struct ivp_listener *listener)
{
	while (!ivp_lanes_stopping()) {
		struct ivp_error err = {0};
		struct ivp_lane *lane;
		int ret = ivp_accept_within(&lane, listener, IVP_LANES_LOOK_MS * 4, &err);

		if (!ret)
			begin_call((struct call){.lane = lane, .fd = -1});
		else if (err.kind == IVP_FAIL_REFUSED || (err.kind == IVP_FAIL_NO_PEER && ret != -ETIMEDOUT))
			ivp_lanes_failed("a client", &err);
		else if (err.kind != IVP_FAIL_NO_PEER)
			ivp_lanes_stop(ret, &err);
	}
}

static void await_stop(void)
{
	pthread_mutex_lock(&ivp_lanes.lock);
	while (!ivp_lanes.stop && !ivp_cli_signal)
		ivp_lanes_await();
	pthread_mutex_unlock(&ivp_lanes.lock);
}

/* Whatever waits looks for a signal, and so it gets one, unless there was one. Calls come last, for threads begin them. */
static void end_all(pthread_t *threads, size_t count)
{
	bool ours = !ivp_cli_signal;

	if (ours)
		ivp_cli_signal = SIGTERM;
	while (count)
		pthread_join(threads[--count], NULL);
	pthread_mutex_lock(&ivp_lanes.lock);
	while (ivp_lanes.calls)
		ivp_lanes_await();
	pthread_mutex_unlock(&ivp_lanes.lock);
	if (ours)
		ivp_cli_signal = 0;
}

static int run_threads(struct ivp_listener *listener, struct ivp_error *err)
{
	pthread_t threads[1 + IVP_FORWARD_RULES];
	size_t count = 0, asked = ivp_lanes.forward->cli->listen ? 0 : ivp_lanes.forward->target_count;
	int ret = -pthread_create(&threads[count], NULL, listen_to_ports, NULL);

	count += !ret;
	for (size_t i = 0; i < asked && !ret; i++) {
		ret = -pthread_create(&threads[count], NULL, ivp_lanes_request, &ivp_lanes.forward->targets[i]);
		count += !ret;
	}
	if (ret)
		ivp_lanes_stop(ivp_fail(err, IVP_FAIL_GENERAL, ret, "no thread: %s", strerror(-ret)), err);
	else if (listener)
		accept_lanes(listener);
	else
		await_stop();
	end_all(threads, count);
	if (ivp_lanes.ret) {
		*err = ivp_lanes.err;
		return ivp_lanes.ret;
	}
	return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
}

/* Who is called needs a service, and so does who asked to be called back: one of its own. */
static int listen_for_lanes(struct ivp_listener **listener, struct ivp_error *err)
{
	struct ivp_lane_options options;
	unsigned int number;
	int ret;

	*listener = NULL;
	if (!ivp_lanes.forward->target_count && !ivp_lanes.forward->cli->listen)
		return 0;
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "no random number: %s", strerror(errno));
	snprintf(ivp_lanes.back, sizeof(ivp_lanes.back), "back-%08x", number);
	ivp_cli_lane_options(ivp_lanes.forward->cli, &options);
	options.service = !ivp_lanes.forward->cli->listen   ? ivp_lanes.back
			  : ivp_lanes.forward->cli->service ? ivp_lanes.forward->cli->service
							    : IVP_FORWARD_SERVICE;
	ret = ivp_listen(listener, ivp_lanes.region, &options, err);
	if (!ret && ivp_lanes.forward->cli->listen)
		ivp_log_notice("%s: listening for %s", ivp_lanes.forward->cli->verb_name, options.service);
	return ret;
}

int ivp_forward_lanes(struct ivp_forward *forward, struct ivp_region *region, struct ivp_error *err)
{
	struct ivp_forward_message silence = {.what = IVP_FORWARD_SILENCE, .id = UINT32_MAX};
	struct ivp_listener *listener;
	int ret;

	ivp_lanes.forward = forward;
	ivp_lanes.region = region;
	ivp_lanes.stop = false;
	ivp_lanes.ret = 0;
	ivp_forward_say(forward->socket, &silence, -1);
	ret = listen_for_lanes(&listener, err);
	if (!ret)
		ret = run_threads(listener, err);
	ivp_listener_close(listener);
	return ret;
}
