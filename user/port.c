// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "error.h"
#include "port.h"
#include "socket.h"
#include "wait.h"

extern char **environ;

/* How long a command may go on after the end of its connection, and after being told. */
#define CHILD_PATIENCE_MS 5000

static void make_raw(int fd)
{
	struct termios attributes;

	if (tcgetattr(fd, &attributes))
		return;
	cfmakeraw(&attributes);
	tcsetattr(fd, TCSANOW, &attributes);
}

/* A virtio port says by POLLHUP that nobody has the other end of it open, and that there is something to read, namely nothing. One that
 * was unplugged says the former alone. */
bool ivp_port_vacant(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLIN | POLLHUP)) == (POLLIN | POLLHUP);
}

int ivp_port_open(const char *path, bool listens, struct ivp_ends *ends)
{
	struct stat st;
	int fd;

	ends->socket = !stat(path, &st) && S_ISSOCK(st.st_mode);
	if (ends->socket)
		return ivp_socket_connect_unix(path, ivp_now() + 1000, NULL);
	fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	make_raw(fd);
	ends->vacant = ivp_port_vacant(fd);
	if (listens || !ends->vacant)
		return fd;
	close(fd);
	return -ECONNREFUSED;
}

int ivp_port_borrow(const struct ivp_endpoint *endpoint, struct ivp_ends *ends, struct ivp_error *err)
{
	struct stat st;

	if (fcntl(endpoint->in, F_GETFD) < 0 || fcntl(endpoint->out, F_GETFD) < 0)
		return ivp_fail(err, IVP_FAIL_USAGE, -EBADF, "control connection: descriptor %d is not open",
				fcntl(endpoint->in, F_GETFD) < 0 ? endpoint->in : endpoint->out);
	ends->in = endpoint->in;
	ends->out = endpoint->out;
	ends->borrowed = true;
	ends->socket = ends->in == ends->out && !fstat(ends->in, &st) && S_ISSOCK(st.st_mode);
	return 0;
}

/* The command has one end of a pair of sockets for its standard input and output, and what we have for standard error. */
static int spawn(const char *command, int end, pid_t *child)
{
	const char *const argv[] = {"sh", "-c", command, NULL};
	posix_spawn_file_actions_t actions;
	int ret;

	posix_spawn_file_actions_init(&actions);
	ret = posix_spawn_file_actions_adddup2(&actions, end, 0);
	if (!ret)
		ret = posix_spawn_file_actions_adddup2(&actions, end, 1);
	if (!ret)
		ret = posix_spawn(child, "/bin/sh", &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -ret;
}

int ivp_port_run(const char *command, struct ivp_ends *ends)
{
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	ret = spawn(command, pair[1], &ends->child);
	close(pair[1]);
	if (ret) {
		close(pair[0]);
		return ret;
	}
	ends->in = ends->out = pair[0];
	ends->socket = true;
	return 0;
}

/* It sees the end of its input; one that goes on nevertheless is told twice. */
void ivp_port_reap(pid_t child)
{
	static const int ends[] = {0, SIGTERM, SIGKILL};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		int64_t deadline = ivp_now() + CHILD_PATIENCE_MS;
		struct ivp_doze doze = {.looks = ~0u / 2, .longest_us = 20000};

		if (ends[i])
			kill(child, ends[i]);
		while (ivp_now() < deadline) {
			pid_t ended = waitpid(child, NULL, WNOHANG);

			if (ended == child || (ended < 0 && errno == ECHILD))
				return;
			ivp_doze(&doze);
		}
	}
}
