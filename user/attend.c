// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "attend.h"
#include "error.h"
#include "port.h"

/* Who connected and has not said hello yet. More have to wait for their connection. */
#define CALLS_MAX 16

/* How often the region and a wish to stop are looked after meanwhile. */
#define LOOK_MS 100

/* How often a vacant port is looked after: no event ends that. */
#define VACANT_MS 20

struct call {
	struct ivp_control *control; /* NULL: no call */
	struct ivp_control_inbox inbox;
	int64_t deadline;
	bool vacant; /* a port whose other end nobody has opened since we opened ours */
};

struct ivp_attend {
	const struct ivp_answering *answering;
	char *spec;
	struct ivp_endpoint endpoint;
	int fd;     /* listens; -1: there is one connection at a time, which we open */
	int epoll;  /* of fd and all calls, for loops; -1: nobody asked for it */
	bool spent; /* that is used up, and there is no other after it */
	struct call calls[CALLS_MAX];
};

int ivp_attend_open(struct ivp_attend **out, const struct ivp_answering *answering, struct ivp_error *err)
{
	struct ivp_attend *attend = calloc(1, sizeof(*attend));
	int ret;

	if (!attend)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	attend->answering = answering;
	attend->fd = attend->epoll = -1;
	attend->spec = strdup(answering->options.control);
	ret = attend->spec ? ivp_endpoint_parse(&attend->endpoint, attend->spec, err)
			   : ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	attend->endpoint.listens = true;
	if (!ret) {
		attend->fd = ivp_endpoint_listen(&attend->endpoint, err);
		ret = attend->fd >= 0 || attend->fd == -EOPNOTSUPP ? 0 : attend->fd;
	}
	if (ret)
		ivp_attend_close(attend);
	else
		*out = attend;
	return ret;
}

static void end_call(struct call *call)
{
	ivp_control_close(call->control);
	memset(call, 0, sizeof(*call));
}

void ivp_attend_close(struct ivp_attend *attend)
{
	if (!attend)
		return;
	for (size_t i = 0; i < CALLS_MAX; i++)
		end_call(&attend->calls[i]);
	if (attend->fd >= 0) {
		close(attend->fd);
		ivp_endpoint_forget(&attend->endpoint);
	}
	if (attend->epoll >= 0)
		close(attend->epoll);
	free(attend->spec);
	free(attend);
}

static struct call *free_call(struct ivp_attend *attend)
{
	for (size_t i = 0; i < CALLS_MAX; i++)
		if (!attend->calls[i].control)
			return &attend->calls[i];
	return NULL;
}

static bool has_calls(const struct ivp_attend *attend)
{
	for (size_t i = 0; i < CALLS_MAX; i++)
		if (attend->calls[i].control)
			return true;
	return false;
}

/* What is one connection is opened by us, and once; who is at the other end may take his time, and what he says while we do not have it
 * open is lost. -EAGAIN: not yet. */
static int open_connection(struct ivp_attend *attend, struct ivp_error *err)
{
	struct ivp_error own = {0};
	struct ivp_ends ends;
	int ret;

	if (attend->spent)
		return ivp_fail(err, IVP_FAIL_NO_PEER, -EPIPE, "control connection %.200s: is used up", attend->spec);
	ret = ivp_endpoint_connect(&attend->endpoint, &ends, ivp_now() + LOOK_MS, attend->answering->region->cancel,
				   &own);
	if (ret == -EINTR || own.kind == IVP_FAIL_NO_PEER)
		return -EAGAIN;
	if (ret) {
		if (err)
			*err = own;
		return ret;
	}
	attend->spent = attend->endpoint.kind != IVP_ENDPOINT_SERIAL;
	attend->calls[0].vacant = ends.vacant;
	return ivp_control_new(&attend->calls[0].control, &ends, err);
}

static int take_call(struct ivp_attend *attend, struct ivp_error *err)
{
	struct call *call = free_call(attend);
	struct ivp_ends ends;
	int ret = call ? ivp_endpoint_accept(&attend->endpoint, attend->fd, &ends, err) : -EAGAIN;

	if (ret)
		return ret == -EAGAIN ? 0 : ret;
	call->deadline = ivp_deadline(attend->answering->options.timeout_ms);
	return ivp_control_new(&call->control, &ends, err);
}

/* Until somebody connects, or says something, or it is time to look elsewhere. */
static int wait_for_calls(struct ivp_attend *attend, int64_t deadline, struct ivp_error *err)
{
	int64_t left = deadline - ivp_now();
	int64_t look = attend->calls[0].vacant ? VACANT_MS : LOOK_MS;
	struct pollfd fds[CALLS_MAX + 1];
	nfds_t count = 0;
	int ret;

	for (size_t i = 0; i < CALLS_MAX; i++)
		if (attend->calls[i].control && !attend->calls[i].vacant)
			fds[count++] =
				(struct pollfd){.fd = ivp_control_fd(attend->calls[i].control), .events = POLLIN};
	if (attend->fd >= 0 && free_call(attend))
		fds[count++] = (struct pollfd){.fd = attend->fd, .events = POLLIN};
	ret = poll(fds, count, (int)(left > look ? look : left > 0 ? left : 0));
	if (ret < 0 && errno != EINTR)
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "poll: %s", strerror(errno));
	if (ret > 0 && attend->fd >= 0 && fds[count - 1].fd == attend->fd && fds[count - 1].revents)
		return take_call(attend, err);
	return 0;
}

/* -EAGAIN: nothing has come of it, yet or at all. */
static int hear_call(struct ivp_attend *attend, struct call *call, struct ivp_lane **lane, struct ivp_error *err)
{
	struct ivp_control *control = call->control;
	struct ivp_message hello;
	int ret;

	call->vacant = call->vacant && ivp_port_vacant(ivp_control_fd(control));
	if (call->vacant)
		return -EAGAIN;
	/* One connection is there before anybody has come. */
	if (attend->fd < 0 && !call->inbox.got)
		call->deadline = ivp_deadline(attend->answering->options.timeout_ms);
	ret = ivp_control_take(control, &call->inbox);
	if (ret == -EAGAIN && ivp_now() < call->deadline)
		return -EAGAIN;
	/* Who does not even say hello is no client, but perhaps somebody who tries all ports. */
	if (ret || call->inbox.message.type != IVP_MESSAGE_HELLO) {
		end_call(call);
		return -EAGAIN;
	}
	hello = call->inbox.message;
	memset(call, 0, sizeof(*call));
	/* From here on it need not wait for others: the greeting. */
	ivp_control_kick(control);
	return ivp_answer_call(attend->answering, control, &hello, lane, err);
}

static int hear_calls(struct ivp_attend *attend, struct ivp_lane **lane, struct ivp_error *err)
{
	int ret = -EAGAIN;

	for (size_t i = 0; i < CALLS_MAX && ret == -EAGAIN; i++)
		if (attend->calls[i].control)
			ret = hear_call(attend, &attend->calls[i], lane, err);
	return ret;
}

static int check(const struct ivp_attend *attend, struct ivp_error *err)
{
	int ret = ivp_region_check(attend->answering->region, err);

	if (!ret && ivp_region_cancelled(attend->answering->region))
		ret = ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
	return ret;
}

static int nobody(const struct ivp_attend *attend, struct ivp_error *err)
{
	return ivp_fail(err, IVP_FAIL_NO_PEER, -ETIMEDOUT, "%s: no client came for service '%s' on %.200s",
			attend->answering->region->address.path, (const char *)attend->answering->service,
			attend->spec);
}

/* Whoever does not wait gets one look. */
int ivp_attend_accept(struct ivp_attend *attend, struct ivp_lane **lane, struct ivp_error *err)
{
	int64_t deadline = ivp_deadline(attend->answering->options.wait_ms);
	int ret;

	for (;;) {
		ret = check(attend, err);
		if (!ret && attend->fd < 0 && !has_calls(attend))
			ret = open_connection(attend, err);
		if (!ret)
			ret = wait_for_calls(attend, deadline, err);
		if (!ret)
			ret = hear_calls(attend, lane, err);
		if (ret != -EAGAIN)
			return ret;
		if (ivp_now() >= deadline)
			return nobody(attend, err);
	}
}

int ivp_attend_fd(struct ivp_attend *attend, struct ivp_error *err)
{
	if (attend->fd < 0)
		return ivp_fail(err, IVP_FAIL_USAGE, -EOPNOTSUPP,
				"control connection %.200s: nobody announces itself there", attend->spec);
	if (attend->epoll < 0)
		attend->epoll = epoll_create1(EPOLL_CLOEXEC);
	return attend->epoll < 0 ? ivp_fail(err, IVP_FAIL_GENERAL, -errno, "epoll: %s", strerror(errno))
				 : attend->epoll;
}

static int attend_to(struct ivp_attend *attend, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(attend->epoll, EPOLL_CTL_ADD, fd, &event) && errno != EEXIST ? -errno : 0;
}

int ivp_attend_arm(struct ivp_attend *attend, struct ivp_error *err)
{
	struct epoll_event event;
	int ret = ivp_attend_fd(attend, err);

	if (ret < 0)
		return ret;
	/* Those that were closed have gone by themselves. */
	ret = attend_to(attend, attend->fd);
	for (size_t i = 0; i < CALLS_MAX && !ret; i++)
		if (attend->calls[i].control)
			ret = attend_to(attend, ivp_control_fd(attend->calls[i].control));
	if (ret)
		return ivp_fail(err, IVP_FAIL_GENERAL, ret, "epoll: %s", strerror(-ret));
	return epoll_wait(attend->epoll, &event, 1, 0) > 0;
}
