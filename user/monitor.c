// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "endpoint.h"
#include "error.h"
#include "monitor.h"
#include "packet_fd.h"
#include "port.h"
#include "wait.h"

struct worker {
	struct ivp_cli *cli;
	pid_t pid, parent;
	int socket, signals;
	sigset_t mask; /* of signals, as it was found */
	struct ivp_output output;
	bool open;                              /* there is an output */
	bool told;                              /* the worker was told to end */
	struct ivp_ends exec;                   /* what --control exec: runs, and our hold of its connection */
	char control[IVP_ENDPOINT_NUMERIC_MAX]; /* as the worker is to have it; "" as it is */
};

/* Without waiting: one that asks without end and does not listen must not make us deaf. One that is about to end hears nothing, too. */
static void give_answer(struct worker *worker, const struct ivp_ask_answer *answer, int fd)
{
	ivp_packet_fd_send(worker->socket, answer, sizeof(*answer), fd, MSG_DONTWAIT);
}

static void close_output(struct worker *worker)
{
	if (worker->open)
		ivp_output_close(&worker->output);
	worker->open = false;
}

static void answer_open(struct worker *worker, const char *sender)
{
	const struct ivp_cli *cli = worker->cli;
	struct ivp_ask_answer answer = {0};

	close_output(worker);
	answer.ret = ivp_output_open(&worker->output, cli->output, sender, cli->force, &answer.err);
	worker->open = !answer.ret;
	answer.standard = worker->open && worker->output.standard;
	answer.fresh = worker->open && worker->output.fresh;
	give_answer(worker, &answer, worker->open && !answer.standard ? worker->output.fd : -1);
	/* The worker's is the only one, so that closing it is the end of writing. */
	if (worker->open && !answer.standard) {
		close(worker->output.fd);
		worker->output.fd = -1;
	}
}

/* So that whoever reads or writes them sees the end when the worker is done with them. */
static void let_go(void)
{
	int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (nowhere < 0)
		return;
	dup2(nowhere, STDIN_FILENO);
	dup2(nowhere, STDOUT_FILENO);
	close(nowhere);
}

/* False when the worker has closed its end, or asks what no worker does. */
static bool serve_worker(struct worker *worker)
{
	struct ivp_ask question;
	struct ivp_ask_answer answer = {0};
	ssize_t got = recv(worker->socket, &question, sizeof(question), MSG_DONTWAIT | MSG_TRUNC);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got != sizeof(question))
		return false;
	question.sender[sizeof(question.sender) - 1] = '\0';
	switch (question.what) {
	case IVP_ASK_OPEN:
		answer_open(worker, question.sender);
		return true;
	case IVP_ASK_COMMIT:
		answer.ret = worker->open ? ivp_output_rename(&worker->output, &answer.err)
					  : ivp_fail(&answer.err, IVP_FAIL_GENERAL, -EINVAL, "no output is open");
		break;
	case IVP_ASK_LET_GO:
		let_go();
		break;
	default:
		close_output(worker);
	}
	give_answer(worker, &answer, -1);
	return true;
}

/* A terminal's signals reach the worker by themselves; of others it is told here, and once: a second one ends it. */
static void pass_on(struct worker *worker, const struct signalfd_siginfo *info)
{
	union sigval value = {.sival_int = (int)info->ssi_signo};

	if (info->ssi_signo == SIGUSR1)
		kill(worker->pid, SIGUSR1);
	else if (info->ssi_signo == SIGCHLD || info->ssi_code == SI_KERNEL)
		return;
	else if (worker->told)
		kill(worker->pid, SIGKILL);
	else
		sigqueue(worker->pid, SIGUSR2, value);
	worker->told = worker->told || info->ssi_signo != SIGUSR1;
}

static void watch_worker(struct worker *worker, int *status)
{
	struct pollfd fds[] = {{.fd = worker->signals, .events = POLLIN}, {.fd = worker->socket, .events = POLLIN}};
	struct signalfd_siginfo info;

	while (waitpid(worker->pid, status, WNOHANG) != worker->pid) {
		poll(fds, 2, -1);
		while (read(worker->signals, &info, sizeof(info)) == sizeof(info))
			pass_on(worker, &info);
		if (fds[1].fd >= 0 && fds[1].revents && !serve_worker(worker)) {
			/* Nobody is to wait for an answer; and its end is told by a signal. */
			shutdown(worker->socket, SHUT_RDWR);
			fds[1].fd = -1;
		}
	}
}

/* Those that would end us, but for those that whoever started us wants ignored. */
static void choose_signals(sigset_t *set)
{
	static const int all[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD};

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct sigaction action;

		if (!sigaction(all[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(set, all[i]);
	}
}

static void told_to_end(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	/* A terminal's signal may have come first. */
	if (!ivp_cli_signal)
		ivp_cli_signal = info->si_value.sival_int;
}

static void be_worker(struct worker *worker, int socket, int (*work)(struct ivp_cli *cli)) __attribute__((noreturn));

static void be_worker(struct worker *worker, int socket, int (*work)(struct ivp_cli *cli))
{
	struct sigaction action = {.sa_sigaction = told_to_end, .sa_flags = SA_SIGINFO};
	struct ivp_cli *cli = worker->cli;
	int code;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != worker->parent)
		_exit(IVP_FAIL_GENERAL);
	close(worker->socket);
	close(worker->signals);
	sigaction(SIGUSR2, &action, NULL);
	sigprocmask(SIG_SETMASK, &worker->mask, NULL);
	cli->monitor = socket;
	code = work(cli);
	if (code && ivp_cli_signal)
		ivp_cli_die_by(ivp_cli_signal);
	_exit(code);
}

/* Before the worker shuts itself in: names become addresses, and a command a descriptor. */
static int prepare_control(struct worker *worker, struct ivp_error *err)
{
	struct ivp_cli *cli = worker->cli;
	struct ivp_endpoint endpoint;
	int ret;

	worker->exec = (struct ivp_ends){.in = -1};
	if (!cli->control)
		return 0;
	ret = ivp_endpoint_parse(&endpoint, cli->control, err);
	if (!ret)
		ret = ivp_endpoint_resolve(&endpoint, worker->control, err);
	if (ret || endpoint.kind != IVP_ENDPOINT_EXEC)
		return ret;
	ret = ivp_endpoint_connect(&endpoint, &worker->exec, 0, NULL, err);
	if (ret)
		return ret;
	snprintf(worker->control, sizeof(worker->control), "fd:%d", worker->exec.in);
	return 0;
}

static int start_worker(struct worker *worker, int (*work)(struct ivp_cli *cli), struct ivp_error *err)
{
	const char *control = worker->cli->control;
	sigset_t signals, told;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "socketpair: %s", strerror(errno));
	choose_signals(&signals);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	worker->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	worker->socket = pair[0];
	worker->told = false;
	if (worker->control[0])
		worker->cli->control = worker->control;
	/* Who is told to end before it can listen hears of it when it does. */
	sigemptyset(&told);
	sigaddset(&told, SIGUSR2);
	sigprocmask(SIG_BLOCK, &told, NULL);
	worker->pid = worker->signals < 0 ? -1 : fork();
	if (!worker->pid)
		be_worker(worker, pair[1], work);
	sigprocmask(SIG_UNBLOCK, &told, NULL);
	worker->cli->control = control;
	close(pair[1]);
	if (worker->exec.in >= 0)
		close(worker->exec.in);
	if (worker->pid < 0)
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "no worker: %s", strerror(errno));
	return 0;
}

static void end_worker(struct worker *worker)
{
	close_output(worker);
	close(worker->socket);
	if (worker->signals >= 0)
		close(worker->signals);
	if (worker->exec.child)
		ivp_port_reap(worker->exec.child);
}

/* One worker's life; its exit code, or what stands for the signal that ended it. */
static int run_worker(struct worker *worker, int (*work)(struct ivp_cli *cli), int *status)
{
	struct ivp_error err = {0};
	int ret = prepare_control(worker, &err);

	if (!ret)
		ret = start_worker(worker, work, &err);
	if (ret)
		return ivp_cli_failed(worker->cli, &err);
	watch_worker(worker, status);
	end_worker(worker);
	return WIFEXITED(*status) ? WEXITSTATUS(*status) : -1;
}

/* What ends a process from outside ends us the same way; what it did itself is an error of ours. */
static int killed(const struct ivp_cli *cli, int number)
{
	if (number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGPIPE || number == SIGKILL)
		ivp_cli_die_by(number);
	if (number == SIGSYS)
		ivp_log_error("%s: the sandbox stopped it at a system call it has no use for: a fault of ivpipe's, or "
			      "an attack",
			      cli->verb_name);
	else
		ivp_log_error("%s: it died of signal %d (%s): a fault of ivpipe's, or an attack", cli->verb_name,
			      number, strsignal(number));
	return IVP_FAIL_GENERAL;
}

int ivp_monitor_run(struct ivp_cli *cli, int (*work)(struct ivp_cli *cli))
{
	static const struct timespec breath = {.tv_nsec = 100 * 1000 * 1000};
	sigset_t mask;
	int code, status = 0;

	if (cli->no_sandbox)
		return work(cli);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	for (;;) {
		struct worker worker = {
			.cli = cli, .parent = getpid(), .mask = mask, .pid = -1, .socket = -1, .signals = -1};

		code = run_worker(&worker, work, &status);
		if (code < 0)
			return killed(cli, WTERMSIG(status));
		if (code != IVP_ASK_AGAIN)
			return code;
		if (cli->keep)
			cli->deadline = ivp_deadline(cli->wait_ms);
		nanosleep(&breath, NULL);
	}
}
