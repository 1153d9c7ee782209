// SPDX-License-Identifier: MIT
/* The monitor and its worker, of which each can be an enemy's or dead: what is asked that nobody should, and what is never answered. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "../../user/monitor.c"
#include "../../user/worker.h"
#include "check.h"

#define FLOOD 10000
/* The longest that a monitor may need for all that one worker asks, in seconds. */
#define DEADLINE 60

volatile sig_atomic_t ivp_cli_signal;

int ivp_cli_failed(const struct ivp_cli *cli, const struct ivp_error *err)
{
	(void)cli;
	return (int)err->kind;
}

void ivp_cli_die_by(int number)
{
	signal(number, SIG_DFL);
	raise(number);
}

/* The exit code of a child that does this, or 128 and the signal that ended it: SIGALRM's, when it did not end. Whom it leaves behind
 * ends then. */
static int child(int (*body)(struct ivp_cli *cli), struct ivp_cli *cli)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		setpgid(0, 0);
		alarm(DEADLINE);
		_exit(body(cli));
	}
	waitpid(pid, &status, 0);
	kill(-pid, SIGKILL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- a worker whose monitor is dead ---- */

static struct ivp_output written;

static int opens(struct ivp_cli *cli)
{
	ivp_worker_open_output(cli, &written, "name", NULL);
	return 0;
}

static int commits(struct ivp_cli *cli)
{
	ivp_worker_commit_output(cli, &written, NULL);
	return 0;
}

static int closes(struct ivp_cli *cli)
{
	ivp_worker_close_output(cli, &written);
	return 0;
}

static int lets_go(struct ivp_cli *cli)
{
	ivp_worker_let_go(cli);
	return 0;
}

static void check_orphan(const char *what, int (*body)(struct ivp_cli *cli))
{
	struct ivp_cli cli = {.output = "orphan"};
	int pair[2];
	char text[80];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		exit(2);
	close(pair[0]);
	written = (struct ivp_output){.fd = -1, .standard = true, .name = "standard output"};
	written.fd = dup(STDOUT_FILENO);
	cli.monitor = pair[1];
	snprintf(text, sizeof(text), "without its monitor a worker that %s ends there, and says nothing", what);
	check(child(body, &cli) == IVP_FAIL_GENERAL, text);
	close(written.fd);
	close(pair[1]);
}

static void check_orphans(void)
{
	check_orphan("opens its output", opens);
	check_orphan("commits it", commits);
	check_orphan("closes it", closes);
	check_orphan("lets go", lets_go);
}

/* ---- a monitor whose worker is an enemy's ---- */

static int (*enemy)(struct ivp_cli *cli);

static int guarded(struct ivp_cli *cli)
{
	return ivp_monitor_run(cli, enemy);
}

/* What comes of the monitor of such a worker. */
static int monitored(int (*work)(struct ivp_cli *cli), const char *output)
{
	struct ivp_cli cli = {.verb_name = "recv", .output = output, .monitor = -1};

	enemy = work;
	return child(guarded, &cli);
}

/* As the worker's own, but that each word of it is the caller's. */
static struct ivp_ask_answer asked(struct ivp_cli *cli, enum ivp_ask_what what, const char *sender, int *fd)
{
	struct ivp_ask question = {.what = what};
	struct ivp_ask_answer answer = {.ret = -ENOTCONN};
	char room[CMSG_SPACE(sizeof(int))];
	struct iovec bytes = {.iov_base = &answer, .iov_len = sizeof(answer)};
	struct msghdr message = {
		.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	struct cmsghdr *rights;

	*fd = -1;
	memset(question.sender, sender ? sender[0] : 0, sizeof(question.sender));
	if (sender && sender[1])
		strncpy(question.sender, sender, sizeof(question.sender) - 1);
	if (send(cli->monitor, &question, sizeof(question), MSG_NOSIGNAL) != sizeof(question) ||
	    recvmsg(cli->monitor, &message, 0) != sizeof(answer))
		return answer;
	rights = CMSG_FIRSTHDR(&message);
	if (rights)
		memcpy(fd, CMSG_DATA(rights), sizeof(*fd));
	return answer;
}

/* Files in the directory that is the current one; with `hidden` those whose names begin with a dot. */
static int files(bool hidden)
{
	DIR *directory = opendir(".");
	const struct dirent *entry;
	int count = 0;

	while (directory && (entry = readdir(directory)))
		count += (entry->d_name[0] == '.') == hidden && strcmp(entry->d_name, ".") &&
			 strcmp(entry->d_name, "..");
	if (directory)
		closedir(directory);
	return count;
}

static int commits_nothing(struct ivp_cli *cli)
{
	int fd;

	return asked(cli, IVP_ASK_COMMIT, NULL, &fd).ret == -EINVAL && fd < 0 ? 0 : 90;
}

static int commits_twice(struct ivp_cli *cli)
{
	int fd, none;

	if (asked(cli, IVP_ASK_OPEN, "x", &fd).ret || fd < 0 || write(fd, "once", 4) != 4 || files(true) != 1)
		return 90;
	if (asked(cli, IVP_ASK_COMMIT, NULL, &none).ret || none >= 0 || files(false) != 1 || files(true))
		return 91;
	return asked(cli, IVP_ASK_COMMIT, NULL, &none).ret || none >= 0 || files(false) != 1 ? 92 : 0;
}

static int commits_what_is_closed(struct ivp_cli *cli)
{
	int fd, none;

	if (asked(cli, IVP_ASK_OPEN, "x", &fd).ret || asked(cli, IVP_ASK_CLOSE, NULL, &none).ret || files(true))
		return 90;
	return asked(cli, IVP_ASK_COMMIT, NULL, &none).ret == -EINVAL && !files(false) ? 0 : 91;
}

static int opens_again_and_again(struct ivp_cli *cli)
{
	for (int i = 0; i < 100; i++) {
		int fd;

		if (asked(cli, IVP_ASK_OPEN, "x", &fd).ret || fd < 0 || files(true) != 1)
			return 90;
		close(fd);
	}
	return 0;
}

static int opens_elsewhere(struct ivp_cli *cli)
{
	static const char *const names[] = {"../up", "/tmp/../../up", "..", ".bashrc", "a/", "/"};
	int fd, got = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (asked(cli, IVP_ASK_OPEN, names[i], &fd).ret)
			continue;
		asked(cli, IVP_ASK_COMMIT, NULL, &fd);
		got++;
	}
	/* "up" is there when it is named for the second time. */
	return got == 2 && !access("up", F_OK) && !access("_bashrc", F_OK) && access("../up", F_OK) ? 0 : 90;
}

static int names_without_end(struct ivp_cli *cli)
{
	char name[NAME_MAX + 1];
	int fd;

	if (asked(cli, IVP_ASK_OPEN, "n", &fd).ret || asked(cli, IVP_ASK_COMMIT, NULL, &fd).ret || files(false) != 1)
		return 90;
	memset(name, 'n', sizeof(name));
	name[IVP_NAME_MAX - 1 < NAME_MAX ? IVP_NAME_MAX - 1 : NAME_MAX] = '\0';
	return access(name, F_OK) ? 91 : 0;
}

static int asks_what_is_not_there(struct ivp_cli *cli)
{
	static const int whats[] = {0, 5, -1, INT_MAX, INT_MIN};
	int fd;

	for (size_t i = 0; i < sizeof(whats) / sizeof(whats[0]); i++)
		if (asked(cli, (enum ivp_ask_what)whats[i], "x", &fd).ret || fd >= 0 || files(true) || files(false))
			return 90;
	return 0;
}

/* What is broken is not answered, and ends the talk: 7, if so. */
static int sends(struct ivp_cli *cli, const void *bytes, size_t len)
{
	char got;

	if (send(cli->monitor, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		return 90;
	return recv(cli->monitor, &got, 1, 0) == 0 ? 7 : 91;
}

static int asks_in_pieces(struct ivp_cli *cli)
{
	static const struct ivp_ask question = {.what = IVP_ASK_OPEN, .sender = "x"};

	return sends(cli, &question, sizeof(question.what));
}

static int asks_too_much(struct ivp_cli *cli)
{
	static const struct ivp_ask questions[2] = {{.what = IVP_ASK_OPEN, .sender = "x"}};

	return sends(cli, questions, sizeof(questions));
}

/* Of as much as there is room for in both directions, and then of more. */
static int does_not_listen(struct ivp_cli *cli)
{
	static const struct ivp_ask question = {.what = IVP_ASK_OPEN, .sender = "x"};

	for (int i = 0; i < FLOOD; i++)
		if (send(cli->monitor, &question, sizeof(question), MSG_NOSIGNAL) != sizeof(question))
			return 90;
	return 7;
}

static int closes_and_lives_on(struct ivp_cli *cli)
{
	close(cli->monitor);
	return files(true) || files(false) ? 90 : 7;
}

/* A child of the worker's keeps its end of the socket. */
static int leaves_a_child(struct ivp_cli *cli)
{
	int hold[2], fd;

	if (pipe(hold) || asked(cli, IVP_ASK_OPEN, "x", &fd).ret)
		return 90;
	if (!fork()) {
		alarm(DEADLINE);
		pause();
	}
	return 7;
}

static int dies_at_a_call(struct ivp_cli *cli)
{
	(void)cli;
	raise(SIGSYS);
	return 0;
}

static int dies_of_a_fault(struct ivp_cli *cli)
{
	static const struct rlimit none;

	(void)cli;
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
	return 0;
}

/* In a directory of its own, of which nothing is left but what is counted. */
static void check_enemy(const char *what, int (*work)(struct ivp_cli *cli), const char *output, int code, int left)
{
	static int number;
	char name[16];
	int got;

	snprintf(name, sizeof(name), "%d", number++);
	if (mkdir(name, 0700) || chdir(name))
		exit(2);
	got = monitored(work, output);
	if (got != code)
		printf("# %d instead of %d\n", got, code);
	check(got == code && files(false) == left && !files(true), what);
	if (chdir(".."))
		exit(2);
}

static void check_enemies(void)
{
	check_enemy("nothing is open, and committed", commits_nothing, "file", 0, 0);
	check_enemy("one output is committed twice", commits_twice, "file", 0, 1);
	check_enemy("and one with the sender's name", commits_twice, "%n", 0, 1);
	check_enemy("what is closed is not committed", commits_what_is_closed, "file", 0, 0);
	check_enemy("opened a hundred times there is one file, and none afterwards", opens_again_and_again, "file", 0,
		    0);
	check_enemy("no name leads out of the directory, or to a file of settings", opens_elsewhere, "%n", 0, 2);
	check_enemy("a name that has no end", names_without_end, "%n", 0, 1);
	check_enemy("what cannot be asked changes nothing", asks_what_is_not_there, "file", 0, 0);
	check_enemy("who asks in pieces is heard no more", asks_in_pieces, "file", 7, 0);
	check_enemy("and who asks too much", asks_too_much, "file", 7, 0);
	check_enemy("who asks without end and does not listen", does_not_listen, "file", 7, 0);
	check_enemy("who closes the way and lives on", closes_and_lives_on, "file", 7, 0);
	check_enemy("whose child keeps it", leaves_a_child, "file", 7, 0);
	check_enemy("who makes a call that he must not", dies_at_a_call, "file", IVP_FAIL_GENERAL, 0);
	check_enemy("who dies of a fault", dies_of_a_fault, "file", IVP_FAIL_GENERAL, 0);
}

int main(void)
{
	char top[] = "/tmp/ivp-monitor-XXXXXX", command[64];

	if (!mkdtemp(top) || chdir(top))
		return 2;
	check_orphans();
	check_enemies();
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command) || check_done();
}
