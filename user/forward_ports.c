// SPDX-License-Identifier: MIT
/* forward_ports: the process with the sockets: it listens and connects for the other one, within what its user allowed. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "forward.h"
#include "monitor.h"
#include "socket.h"
#include "wait.h"

/* How long a target may take to answer. */
#define TARGET_MS 10000

static int open_port(struct ivp_forward_port *port)
{
	struct ivp_error err;
	int fd;

	if (port->fd >= 0)
		return 0;
	if (ivp_endpoint_parse(&port->endpoint, port->listen, NULL))
		return -EINVAL;
	fd = ivp_endpoint_listen(&port->endpoint, &err);
	if (fd < 0)
		return fd;
	port->fd = fd;
	return 0;
}

static void close_port(struct ivp_forward_port *port)
{
	if (port->fd < 0)
		return;
	ivp_endpoint_forget(&port->endpoint);
	close(port->fd);
	port->fd = -1;
}

static void close_ports(struct ivp_forward *forward)
{
	for (size_t i = 0; i < forward->port_count; i++)
		close_port(&forward->ports[i]);
}

int ivp_forward_open(struct ivp_forward *forward)
{
	for (size_t i = 0; i < forward->port_count; i++) {
		struct ivp_forward_port *port = &forward->ports[i];
		int ret = open_port(port);

		if (!ret)
			continue;
		ivp_log_error("%s: %s: cannot listen: %s", forward->cli->verb_name, port->listen, strerror(-ret));
		close_ports(forward);
		return ret == -EACCES || ret == -EPERM ? IVP_FAIL_PERMISSION : IVP_FAIL_GENERAL;
	}
	return 0;
}

/* ---- targets ---- */

/* At a time: as many as an honest other process could have. */
#define ERRANDS_MOST 512

static _Atomic(unsigned int) errands;

struct errand {
	int socket;
	struct ivp_forward_message answer;
	const char *address;
};

static int connect_to(const char *address)
{
	int64_t deadline = ivp_now() + TARGET_MS;
	struct ivp_endpoint endpoint;

	if (ivp_endpoint_parse(&endpoint, address, NULL))
		return -EINVAL;
	switch (endpoint.kind) {
	case IVP_ENDPOINT_UNIX:
		return ivp_socket_connect_unix(endpoint.rest, deadline, NULL);
	case IVP_ENDPOINT_VSOCK:
		return ivp_socket_connect_vsock(endpoint.cid, endpoint.port, deadline, NULL);
	default:
		return ivp_socket_connect_tcp(endpoint.host, endpoint.port, deadline, NULL, NULL);
	}
}

static void *run_errand(void *arg)
{
	struct errand *errand = arg;
	int fd = connect_to(errand->address);

	errand->answer.number = fd < 0 ? fd : 0;
	/* A worker that does not listen is about to end. */
	ivp_forward_say(errand->socket, &errand->answer, fd);
	if (fd >= 0)
		close(fd);
	free(errand);
	atomic_fetch_sub(&errands, 1);
	return NULL;
}

static const char *allowed(const struct ivp_forward *forward, const char *name)
{
	/* Who names none gets the only one there is. */
	if (!name[0] && forward->target_count == 1)
		return forward->targets[0].address;
	for (size_t i = 0; i < forward->target_count; i++)
		if (!strcmp(forward->targets[i].name, name))
			return forward->targets[i].address;
	return NULL;
}

/* A name may have to be looked up, and a target be slow: nobody else is to wait for that. */
static int send_errand(struct ivp_forward *forward, const struct ivp_forward_message *question)
{
	const char *address = allowed(forward, question->address);
	struct errand *errand;
	pthread_t thread;

	if (!address)
		return -EACCES;
	errand = atomic_load(&errands) < ERRANDS_MOST ? calloc(1, sizeof(*errand)) : NULL;
	if (!errand)
		return -ENOMEM;
	*errand = (struct errand){.socket = forward->socket, .address = address};
	errand->answer = (struct ivp_forward_message){.what = IVP_FORWARD_ANSWER, .id = question->id};
	atomic_fetch_add(&errands, 1);
	if (pthread_create(&thread, NULL, run_errand, errand)) {
		atomic_fetch_sub(&errands, 1);
		free(errand);
		return -EAGAIN;
	}
	pthread_detach(thread);
	return 1;
}

/* ---- the other process's questions ---- */

static int listen_on(struct ivp_forward *forward, const char *name)
{
	for (size_t i = 0; i < forward->port_count; i++)
		if (!strcmp(forward->ports[i].listen, name)) {
			int ret = open_port(&forward->ports[i]);

			return ret ? ret : (int)i;
		}
	return -EACCES;
}

static void silence(struct ivp_forward *forward, uint32_t id)
{
	/* What the user himself asked for is listened on all the time. */
	for (size_t i = 0; i < forward->port_count && forward->cli->listen; i++)
		if (id == UINT32_MAX || id == i)
			close_port(&forward->ports[i]);
}

/* False: the other process has ended. */
static bool serve_lanes(struct ivp_forward *forward)
{
	struct ivp_forward_message message, answer = {.what = IVP_FORWARD_ANSWER};
	int fd;

	if (ivp_forward_hear(forward->socket, &message, &fd))
		return false;
	if (fd >= 0)
		close(fd);
	answer.id = message.id;
	if (message.what == IVP_FORWARD_SILENCE) {
		silence(forward, message.id);
		return true;
	}
	if (message.what == IVP_FORWARD_OPEN)
		answer.number = send_errand(forward, &message);
	else
		answer.number = listen_on(forward, message.address);
	/* A target's answer comes when it has one. */
	return (message.what == IVP_FORWARD_OPEN && answer.number > 0) ||
	       !ivp_forward_say(forward->socket, &answer, -1);
}

static void take_caller(struct ivp_forward *forward, size_t number)
{
	struct ivp_forward_port *port = &forward->ports[number];
	struct ivp_forward_message message = {.what = IVP_FORWARD_CALLER, .id = (uint32_t)number};
	static const struct linger resets = {.l_onoff = 1};
	struct ivp_ends ends;

	if (ivp_endpoint_accept(&port->endpoint, port->fd, &ends, NULL))
		return;
	/* Until all of it was carried. */
	setsockopt(ends.in, SOL_SOCKET, SO_LINGER, &resets, sizeof(resets));
	ivp_forward_say(forward->socket, &message, ends.in);
	close(ends.in);
}

/* ---- the other process ---- */

/* A terminal's signals reach it by themselves. */
static void pass_on(int signals, pid_t child)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD && info.ssi_code != SI_KERNEL)
			kill(child, (int)info.ssi_signo);
}

static int watch(struct ivp_forward *forward, int signals, pid_t child)
{
	struct pollfd fds[2 + IVP_FORWARD_RULES];
	int status;

	while (waitpid(child, &status, WNOHANG) != child) {
		fds[0] = (struct pollfd){.fd = signals, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = forward->socket, .events = POLLIN};
		for (size_t i = 0; i < forward->port_count; i++)
			fds[2 + i] = (struct pollfd){.fd = forward->ports[i].fd, .events = POLLIN};
		if (poll(fds, 2 + forward->port_count, -1) < 0)
			continue;
		pass_on(signals, child);
		for (size_t i = 0; i < forward->port_count; i++)
			if (fds[2 + i].revents)
				take_caller(forward, i);
		if (fds[1].revents && !serve_lanes(forward)) {
			waitpid(child, &status, 0);
			break;
		}
	}
	return status;
}

/* Those that would end us, but for those that whoever started us wants ignored. */
static void choose_signals(sigset_t *set)
{
	static const int all[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
	struct sigaction action;

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!sigaction(all[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(set, all[i]);
}

static pid_t start(struct ivp_forward *forward, int other, const sigset_t *mask, int (*work)(struct ivp_cli *cli))
{
	pid_t parent = getpid(), child = fork();

	if (child)
		return child;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(IVP_FAIL_GENERAL);
	for (size_t i = 0; i < forward->port_count; i++)
		if (forward->ports[i].fd >= 0)
			close(forward->ports[i].fd);
	close(forward->socket);
	forward->socket = other;
	sigprocmask(SIG_SETMASK, mask, NULL);
	parent = ivp_monitor_run(forward->cli, work);
	if (parent && ivp_cli_signal)
		ivp_cli_die_by(ivp_cli_signal);
	_exit(parent);
}

int ivp_forward_ports(struct ivp_forward *forward, int (*work)(struct ivp_cli *cli))
{
	int pair[2], signals, status;
	sigset_t set, mask;
	pid_t child;

	choose_signals(&set);
	sigprocmask(SIG_BLOCK, &set, &mask);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		ivp_log_error("%s: no second process: %s", forward->cli->verb_name, strerror(errno));
		return IVP_FAIL_GENERAL;
	}
	forward->socket = pair[0];
	for (size_t i = 0; i < forward->port_count && !forward->cli->listen; i++)
		ivp_log_notice("%s: %s: listening", forward->cli->verb_name, forward->ports[i].listen);
	child = start(forward, pair[1], &mask, work);
	close(pair[1]);
	if (child < 0) {
		ivp_log_error("%s: no second process: %s", forward->cli->verb_name, strerror(errno));
		return IVP_FAIL_GENERAL;
	}
	status = watch(forward, signals, child);
	close_ports(forward);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	ivp_cli_die_by(WTERMSIG(status));
	return IVP_FAIL_GENERAL;
}
