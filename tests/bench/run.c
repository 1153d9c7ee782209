// SPDX-License-Identifier: MIT
/*
 * run: start commands at once, and tell how long they took together and what memory each had.
 *
 *   run [-i FILE] [-o FILE] [-m] COMMAND [ARG...] [| or :: COMMAND [ARG...]]
 *
 * `|` (an argument of its own) joins two commands by a pipe, `::` lets them run beside each other. The first reads FILE (-i) and
 * the last writes FILE (-o, made anew); /dev/null else. Prints one line: seconds from the first start to the last end; then,
 * for each command, CPU seconds and the largest resident memory in KiB as wait4(2) tells it. With -m, which costs time, there
 * follows what was the largest seen of it without shared memory, that is RssAnon + RssFile of /proc/PID/status.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 8

struct command {
	char **argv;
	bool piped; /* its output is the next one's input */
	pid_t pid;
	int pidfd;
	struct rusage usage;
	long private_kib;
};

static struct command commands[COMMANDS_MAX];
static int count;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void split(char **argv)
{
	commands[count++].argv = argv;
	for (; *argv; argv++) {
		bool piped = !strcmp(*argv, "|");

		if (!piped && strcmp(*argv, "::"))
			continue;
		if (count == COMMANDS_MAX)
			die("too many commands");
		*argv = NULL;
		commands[count - 1].piped = piped;
		commands[count++].argv = argv + 1;
	}
}

/* Takes both descriptors over. */
static void start(struct command *command, int in, int out)
{
	command->pid = fork();
	if (command->pid < 0)
		die("fork");
	if (!command->pid) {
		dup2(in, STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		execvp(command->argv[0], command->argv);
		die(command->argv[0]);
	}
	command->pidfd = (int)syscall(SYS_pidfd_open, command->pid, 0);
	close(in);
	close(out);
}

static void start_all(const char *input, const char *output)
{
	int in = open(input ? input : "/dev/null", O_RDONLY | O_CLOEXEC);

	for (int i = 0; i < count; i++) {
		int ends[2] = {-1, -1}, out;

		if (commands[i].piped && pipe2(ends, O_CLOEXEC))
			die("pipe");
		if (i + 1 == count && output)
			out = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		else
			out = commands[i].piped ? ends[1] : open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (in < 0 || out < 0)
			die(in < 0 ? input : output);
		start(&commands[i], in, out);
		in = commands[i].piped ? ends[0] : open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	close(in);
}

static long private_kib(pid_t pid)
{
	char path[64], line[256];
	long sum = 0, kib;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "RssAnon: %ld", &kib) == 1 || sscanf(line, "RssFile: %ld", &kib) == 1)
			sum += kib;
	fclose(file);
	return sum;
}

static void sample(void)
{
	for (int i = 0; i < count; i++) {
		long kib = private_kib(commands[i].pid);

		if (kib > commands[i].private_kib)
			commands[i].private_kib = kib;
	}
}

/* Until this one has ended; all are looked at meanwhile, each two milliseconds. */
static int finish(struct command *command, bool memory)
{
	struct pollfd ended = {.fd = command->pidfd, .events = POLLIN};
	int status;

	while (memory && command->pidfd >= 0 && poll(&ended, 1, 2) == 0)
		sample();
	while (wait4(command->pid, &status, 0, &command->usage) < 0)
		if (errno != EINTR)
			die("wait4");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static double cpu(const struct rusage *usage)
{
	return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
	       (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	const char *input = NULL, *output = NULL;
	bool memory = false;
	int option, worst = 0;
	double began;

	while ((option = getopt(argc, argv, "+i:o:m")) != -1) {
		if (option == 'i')
			input = optarg;
		else if (option == 'o')
			output = optarg;
		else if (option == 'm')
			memory = true;
		else
			return 2;
	}
	if (optind == argc)
		return 2;
	split(argv + optind);
	began = now();
	start_all(input, output);
	for (int i = 0; i < count; i++) {
		int status = finish(&commands[i], memory);

		if (status) {
			fprintf(stderr, "%s: status %d\n", commands[i].argv[0], status);
			worst = 1;
		}
	}
	printf("%.6f", now() - began);
	for (int i = 0; i < count; i++) {
		printf(" %.6f %ld", cpu(&commands[i].usage), commands[i].usage.ru_maxrss);
		if (memory)
			printf(" %ld", commands[i].private_kib);
	}
	printf("\n");
	return worst;
}
