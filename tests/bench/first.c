// SPDX-License-Identifier: MIT
/*
 * first: how long it takes from a sender's start until the first byte of it comes out of a receiver.
 *
 *   first MS WORD RECEIVER [ARG...] :: SENDER [ARG...]       prints us
 *
 * The receiver is ready when it has said WORD on standard error, and is then let wait for MS, as somebody would who types. The
 * sender has 64 bytes to send. What counts begins with the fork(2) that is to become the sender.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 10000

static void die(const char *what, const char *why)
{
	fprintf(stderr, "first: %s: %s\n", what, why);
	exit(1);
}

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* A descriptor of -1 is left as it is. */
static pid_t start(char **argv, int in, int out, int err)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork", strerror(errno));
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (in >= 0)
		dup2(in, STDIN_FILENO);
	if (out >= 0)
		dup2(out, STDOUT_FILENO);
	if (err >= 0)
		dup2(err, STDERR_FILENO);
	execvp(argv[0], argv);
	die(argv[0], strerror(errno));
	return 0;
}

static void await_readable(int fd, const char *what)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	if (poll(&ready, 1, PATIENCE_MS) != 1 || !(ready.revents & POLLIN))
		die(what, "nothing came");
}

static void await_word(int fd, const char *word)
{
	char said[4096];
	size_t len = 0;
	ssize_t got;

	do {
		await_readable(fd, "the receiver's word");
		got = read(fd, said + len, sizeof(said) - 1 - len);
		if (got <= 0)
			die("the receiver's word", said);
		len += (size_t)got;
		said[len] = 0;
	} while (!strstr(said, word));
}

static int some_bytes(void)
{
	static const char bytes[64] = "so much";
	int fd = memfd_create("first", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, sizeof(bytes)) != sizeof(bytes) || lseek(fd, 0, SEEK_SET))
		die("memfd", strerror(errno));
	return fd;
}

static void await_end(pid_t pid, const char *who)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status)
		die(who, "it failed");
}

int main(int argc, char **argv)
{
	int out[2], err[2], input = some_bytes(), at = 3;
	pid_t receiver, sender;
	double began, came;

	while (at < argc && strcmp(argv[at], "::"))
		at++;
	if (at + 1 >= argc)
		die("usage", "first MS WORD RECEIVER... :: SENDER...");
	argv[at] = NULL;
	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		die("pipe", strerror(errno));
	receiver = start(argv + 3, -1, out[1], err[1]);
	await_word(err[0], argv[2]);
	usleep((useconds_t)atoi(argv[1]) * 1000);
	began = now_us();
	sender = start(argv + at + 1, input, -1, -1);
	await_readable(out[0], "the first byte");
	came = now_us();
	await_end(sender, "the sender");
	await_end(receiver, "the receiver");
	printf("%.1f\n", came - began);
	return 0;
}
