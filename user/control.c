// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "error.h"
#include "port.h"
#include "wait.h"

struct ivp_control {
	struct ivp_ends ends;
	pthread_mutex_t lock;
	pthread_cond_t kicked;
	bool watched; /* a thread of ours waits for the descriptor, and the others for that one */
	u32 kicks;    /* how often it came back */
	int nudge;    /* an eventfd that it waits for, too */
};

int ivp_control_new(struct ivp_control **out, const struct ivp_ends *ends, struct ivp_error *err)
{
	struct ivp_control *control = calloc(1, sizeof(*control));
	pthread_condattr_t attr;

	if (control)
		control->nudge = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!control || control->nudge < 0) {
		int number = control ? -errno : -ENOMEM;

		if (!ends->borrowed)
			close(ends->in);
		free(control);
		return ivp_fail(err, IVP_FAIL_GENERAL, number, "control connection: %s", strerror(-number));
	}
	control->ends = *ends;
	pthread_mutex_init(&control->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&control->kicked, &attr);
	pthread_condattr_destroy(&attr);
	*out = control;
	return 0;
}

void ivp_control_close(struct ivp_control *control)
{
	if (!control)
		return;
	if (!control->ends.borrowed)
		close(control->ends.in);
	else if (control->ends.socket)
		shutdown(control->ends.in,
			 SHUT_RDWR); /* others may have it open as well, but nobody uses it after us */
	if (control->ends.child)
		ivp_port_reap(control->ends.child);
	close(control->nudge);
	pthread_cond_destroy(&control->kicked);
	pthread_mutex_destroy(&control->lock);
	free(control);
}

/* Without SIGPIPE, which belongs to our user. */
static ssize_t write_pipe(int fd, const void *bytes, size_t len)
{
	static const struct timespec now;
	sigset_t pipes, pending, old;
	ssize_t put;
	int number;

	sigemptyset(&pipes);
	sigaddset(&pipes, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &pipes, &old);
	put = write(fd, bytes, len);
	number = errno;
	if (put < 0 && number == EPIPE && !sigismember(&pending, SIGPIPE))
		while (sigtimedwait(&pipes, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = number;
	return put;
}

static short wait_for(int fd, short events, int64_t ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};

	return poll(&poll_fd, 1, ms > INT32_MAX ? INT32_MAX : ms > 0 ? (int)ms : 0) > 0 ? poll_fd.revents : 0;
}

/* A descriptor that the user gave us is perhaps one that blocks: it is asked first. A pipe that has room takes at least what a
 * message has. */
static ssize_t write_some(struct ivp_control *control, const void *bytes, size_t len)
{
	if (control->ends.socket)
		return send(control->ends.out, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (!(wait_for(control->ends.out, POLLOUT, 0) & (POLLOUT | POLLERR))) {
		errno = EAGAIN;
		return -1;
	}
	return write_pipe(control->ends.out, bytes, len);
}

static ssize_t read_some(struct ivp_control *control, void *bytes, size_t len)
{
	if (control->ends.socket)
		return recv(control->ends.in, bytes, len, MSG_DONTWAIT);
	if (!(wait_for(control->ends.in, POLLIN, 0) & (POLLIN | POLLHUP | POLLERR))) {
		errno = EAGAIN;
		return -1;
	}
	return read(control->ends.in, bytes, len);
}

int ivp_control_send(struct ivp_control *control, const struct ivp_message *message, int64_t deadline)
{
	const char *bytes = (const char *)message;
	size_t left = sizeof(*message);

	while (left) {
		ssize_t put = write_some(control, bytes, left);

		if (put < 0 && errno != EAGAIN && errno != EINTR)
			return -EPIPE;
		if (put < 0 && ivp_now() >= deadline)
			return -ETIMEDOUT;
		if (put < 0) {
			wait_for(control->ends.out, POLLOUT, 250);
			continue;
		}
		bytes += put;
		left -= (size_t)put;
	}
	return 0;
}

int ivp_control_take(struct ivp_control *control, struct ivp_control_inbox *inbox)
{
	u8 *bytes = (u8 *)&inbox->message;

	while (inbox->got < sizeof(inbox->message)) {
		ssize_t got =
			read_some(control, bytes + inbox->got, inbox->got ? sizeof(inbox->message) - inbox->got : 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return -EAGAIN;
		if (got <= 0)
			return -EPIPE;
		/* A kick, of this session or left from the last, or the greeting. */
		if (!inbox->got && !bytes[0])
			inbox->greeted = true;
		else
			inbox->got += (size_t)got;
	}
	return 0;
}

void ivp_control_kick(struct ivp_control *control)
{
	/* No room for it: then there are kicks enough for the other end to find. */
	if (write_some(control, "", 1) < 0)
		return;
}

bool ivp_control_ended(struct ivp_control *control)
{
	return wait_for(control->ends.in, POLLRDHUP, 0) & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL);
}

static void take_kicks(struct ivp_control *control)
{
	char kicks[64];

	while (read_some(control, kicks, sizeof(kicks)) == sizeof(kicks))
		;
}

/* Those who leave it to another to watch. */
static void follow(struct ivp_control *control, int64_t ms)
{
	u32 kicks = control->kicks;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (control->watched && control->kicks == kicks)
		if (pthread_cond_timedwait(&control->kicked, &control->lock, &until))
			return;
}

/* For those who leave it to this thread, too. */
static void watch(struct ivp_control *control, int64_t ms)
{
	struct pollfd fds[] = {{.fd = control->ends.in, .events = POLLIN | POLLRDHUP},
			       {.fd = control->nudge, .events = POLLIN}};
	uint64_t count;

	if (poll(fds, 2, ms > INT32_MAX ? INT32_MAX : ms > 0 ? (int)ms : 0) <= 0)
		return;
	if (fds[0].revents & POLLIN)
		take_kicks(control);
	if (fds[1].revents && read(control->nudge, &count, sizeof(count)) < 0)
		return;
}

void ivp_control_sleep(struct ivp_control *control, int64_t ms)
{
	pthread_mutex_lock(&control->lock);
	if (control->watched) {
		follow(control, ms);
		pthread_mutex_unlock(&control->lock);
		return;
	}
	control->watched = true;
	pthread_mutex_unlock(&control->lock);
	watch(control, ms);
	pthread_mutex_lock(&control->lock);
	control->watched = false;
	control->kicks++;
	/* Also when nothing came: somebody else has to watch now. */
	pthread_cond_broadcast(&control->kicked);
	pthread_mutex_unlock(&control->lock);
}

void ivp_control_nudge(struct ivp_control *control)
{
	uint64_t one = 1;

	/* It can only fail for having been set often enough. */
	if (write(control->nudge, &one, sizeof(one)) < 0)
		return;
}

int ivp_control_fd(const struct ivp_control *control)
{
	return control->ends.in;
}
