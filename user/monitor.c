// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "endpoint.h"
#include "error.h"
#include "monitor.h"
#include "port.h"
#include "region.h"
#include "sandbox.h"
#include "wait.h"

/* A worker's exit code, which is nobody else's: the region is to be opened again. */
#define AGAIN 200

/* The worker asks, one at a time; it may be in an enemy's hands, and can ask for what follows alone. */
enum { ASK_OPEN = 1, ASK_COMMIT, ASK_CLOSE, ASK_LET_GO };

struct ask {
	int what;
	char sender[IVP_NAME_MAX];
};

struct answer {
	int ret;
	bool standard, fresh;
	struct ivp_error err;
};

/* Of the monitor. */
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

/* ---- the worker's side ---- */

static void receive_error(struct ivp_error *err, const struct ivp_error *from)
{
	if (err)
		*err = *from;
}

/* The monitor is dead, and the kernel's signal on its way to us. The peer is told nothing, as of any death: it was no failure to write. */
static void die_with_monitor(void) __attribute__((noreturn));

static void die_with_monitor(void)
{
	_exit(IVP_FAIL_GENERAL);
}

/* With the answer perhaps a descriptor; *fd is -1 without. */
static void ask(const struct ivp_cli *cli, const struct ask *question, struct answer *answer, int *fd)
{
	struct iovec bytes = {.iov_base = answer, .iov_len = sizeof(*answer)};
	char room[CMSG_SPACE(sizeof(int))];
	struct msghdr message = {
		.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	struct cmsghdr *rights;
	ssize_t got;

	*fd = -1;
	do
		got = send(cli->monitor, question, sizeof(*question), MSG_NOSIGNAL);
	while (got < 0 && errno == EINTR);
	if (got != sizeof(*question))
		die_with_monitor();
	do
		got = recvmsg(cli->monitor, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got != sizeof(*answer))
		die_with_monitor();
	rights = CMSG_FIRSTHDR(&message);
	if (rights && rights->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(rights), sizeof(*fd));
}

int ivp_monitor_open_output(struct ivp_cli *cli, struct ivp_output *output, const char *sender, struct ivp_error *err)
{
	struct ask question = {.what = ASK_OPEN};
	struct answer answer;
	int fd;

	if (cli->monitor < 0)
		return ivp_output_open(output, cli->output, sender, cli->force, err);
	*output = (struct ivp_output){.fd = -1};
	strncpy(question.sender, sender, sizeof(question.sender) - 1);
	ask(cli, &question, &answer, &fd);
	receive_error(err, &answer.err);
	if (answer.ret)
		return answer.ret;
	output->standard = answer.standard;
	output->fresh = answer.fresh;
	output->name = answer.standard ? "standard output" : cli->output;
	output->fd = answer.standard ? STDOUT_FILENO : fd;
	return output->fd < 0 ? ivp_fail(err, IVP_FAIL_GENERAL, -EMFILE, "%s: no descriptor for it", output->name) : 0;
}

int ivp_monitor_commit_output(struct ivp_cli *cli, struct ivp_output *output, struct ivp_error *err)
{
	struct ask question = {.what = ASK_COMMIT};
	struct answer answer;
	int fd, ret;

	/* The file's last error is told to whoever wrote it; what it becomes is the monitor's part. */
	ret = ivp_output_commit(output, err);
	if (ret || cli->monitor < 0)
		return ret;
	ask(cli, &question, &answer, &fd);
	receive_error(err, &answer.err);
	return answer.ret;
}

void ivp_monitor_close_output(struct ivp_cli *cli, struct ivp_output *output)
{
	struct ask question = {.what = ASK_CLOSE};
	struct answer answer;
	int fd;

	ivp_output_close(output);
	if (cli->monitor >= 0)
		ask(cli, &question, &answer, &fd);
}

void ivp_monitor_let_go(struct ivp_cli *cli)
{
	struct ask question = {.what = ASK_LET_GO};
	struct answer answer;
	int fd;

	if (cli->monitor >= 0)
		ask(cli, &question, &answer, &fd);
}

static int check_enclosure(const struct ivp_cli *cli, int ret, const char *what, struct ivp_error *err)
{
	if (ret == -EOPNOTSUPP) {
		ivp_log_detail("%s: no sandbox for %s: this system has none", cli->verb_name, what);
		return 0;
	}
	return ret ? ivp_fail(err, IVP_FAIL_GENERAL, ret, "no sandbox for %s: %s: --no-sandbox goes without", what,
			      strerror(-ret))
		   : 0;
}

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !slash ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* A listener makes its socket, and a port may be opened again, in the place it was named by; that may not be there yet. */
static int enclose_files(const struct ivp_cli *cli)
{
	struct ivp_sandbox_files files = {0};
	struct ivp_endpoint endpoint = {0};
	char *directory = NULL;
	int ret;

	if (cli->control && !ivp_endpoint_parse(&endpoint, cli->control, NULL) &&
	    (endpoint.kind == IVP_ENDPOINT_UNIX || endpoint.kind == IVP_ENDPOINT_SERIAL)) {
		directory = directory_of(endpoint.rest);
		if (!directory)
			return -ENOMEM;
		/* One that is not there is the listener's error to tell. */
		if (endpoint.kind == IVP_ENDPOINT_UNIX)
			files.sockets = access(directory, F_OK) ? NULL : directory;
		else
			files.port = access(endpoint.rest, F_OK) ? directory : endpoint.rest;
	}
	ret = ivp_sandbox_files(&files);
	free(directory);
	return ret;
}

int ivp_monitor_enclose(struct ivp_cli *cli, struct ivp_error *err)
{
	enum ivp_sandbox_calls calls = cli->control ? IVP_SANDBOX_MEET : IVP_SANDBOX_STREAM;
	int ret;

	if (cli->no_sandbox)
		return 0;
	ret = check_enclosure(cli, enclose_files(cli), "files", err);
	if (!ret)
		ret = check_enclosure(cli, ivp_sandbox_calls(calls), "system calls", err);
	cli->enclosed = !ret;
	return ret;
}

int ivp_monitor_enclose_more(struct ivp_cli *cli, struct ivp_error *err)
{
	if (!cli->enclosed || !cli->control)
		return 0;
	return check_enclosure(cli, ivp_sandbox_calls(IVP_SANDBOX_STREAM), "system calls", err);
}

int ivp_monitor_enclose_forward(struct ivp_cli *cli, const struct ivp_region *region, struct ivp_error *err)
{
	const struct ivp_sandbox_files files = {.port = region->address.lock};
	int ret;

	if (cli->no_sandbox)
		return 0;
	ret = check_enclosure(cli, ivp_sandbox_files(&files), "files", err);
	if (!ret)
		ret = check_enclosure(cli, ivp_sandbox_calls(IVP_SANDBOX_FORWARD), "system calls", err);
	cli->enclosed = !ret;
	return ret;
}

void ivp_monitor_again(const struct ivp_cli *cli)
{
	if (cli->enclosed)
		_exit(AGAIN);
}

/* ---- the monitor's side ---- */

static void give_answer(struct worker *worker, const struct answer *answer, int fd)
{
	struct iovec bytes = {.iov_base = (void *)answer, .iov_len = sizeof(*answer)};
	char room[CMSG_SPACE(sizeof(int))] = {0};
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *rights;

		message.msg_control = room;
		message.msg_controllen = sizeof(room);
		rights = CMSG_FIRSTHDR(&message);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	}
	/* A worker that does not listen is about to end. */
	if (sendmsg(worker->socket, &message, MSG_NOSIGNAL) < 0)
		return;
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
	struct answer answer = {0};

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

/* False when the worker has closed its end. */
static bool serve_worker(struct worker *worker)
{
	struct ask question;
	struct answer answer = {0};
	ssize_t got = recv(worker->socket, &question, sizeof(question), MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got != sizeof(question))
		return false;
	question.sender[sizeof(question.sender) - 1] = '\0';
	switch (question.what) {
	case ASK_OPEN:
		answer_open(worker, question.sender);
		return true;
	case ASK_COMMIT:
		answer.ret = worker->open ? ivp_output_rename(&worker->output, &answer.err)
					  : ivp_fail(&answer.err, IVP_FAIL_GENERAL, -EINVAL, "no output is open");
		break;
	case ASK_LET_GO:
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
		if (fds[1].fd >= 0 && fds[1].revents && !serve_worker(worker))
			fds[1].fd = -1; /* its end is told by a signal */
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
		if (code != AGAIN)
			return code;
		if (cli->keep)
			cli->deadline = ivp_deadline(cli->wait_ms);
		nanosleep(&breath, NULL);
	}
}
