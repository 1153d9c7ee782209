// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench_vm.h"
#include "cli.h"
#include "error.h"
#include "monitor.h"
#include "wait.h"

volatile sig_atomic_t ivp_cli_signal;

static const struct verb {
	enum ivp_verb verb;
	const char *name, *operands, *summary;
	int (*run)(struct ivp_cli *cli);
	int64_t wait_ms;
	bool streams;
} verbs[] = {
	{IVP_VERB_FORMAT, "format", "[OPTION...] REGION", "lay a region out", ivp_cmd_format, 0, false},
	{IVP_VERB_LIST, "list", "[OPTION...]", "show devices and regions", ivp_cmd_list, 0, false},
	{IVP_VERB_INFO, "info", "[OPTION...] [REGION]", "show a region, its lanes and listeners", ivp_cmd_info, 0,
	 false},
	{IVP_VERB_SEND, "send", "[OPTION...] [FILE|-]", "send a file or standard input to a receiver", ivp_cmd_send,
	 30000, true},
	{IVP_VERB_RECV, "recv", "[OPTION...]", "receive a stream to standard output or a file", ivp_cmd_recv, -1, true},
	{IVP_VERB_PIPE, "pipe", "[OPTION...]", "standard input and output, both ways at once", ivp_cmd_pipe, 30000,
	 true},
	{IVP_VERB_FORWARD, "forward", "[OPTION...] [[HOST:]PORT:HOST:PORT...]",
	 "ports of one side lead to targets of the other", ivp_cmd_forward, 30000, false},
	{IVP_VERB_DOCTOR, "doctor", "[OPTION...] [REGION]", "find out what is wrong, or slow, and how to mend it",
	 ivp_cmd_doctor, 0, false},
	{IVP_VERB_BENCH, "bench", "[OPTION...]", "how fast it is, against what else there is", ivp_cmd_bench, 30000,
	 false},
	{IVP_VERB_SETUP, "setup", "[OPTION...] qemu|libvirt|proxmox|incus", "say how a virtual machine gets a device",
	 ivp_cmd_setup, 0, false},
	{IVP_VERB_XPRA_CHECK, "xpra check", "[OPTION...] URL", "would Xpra's server use this memory?",
	 ivp_cmd_xpra_check, 1000, false},
	{IVP_VERB_XPRA_SERVE, "xpra serve", "[OPTION...] URL", "be a server that an Xpra client tries it with",
	 ivp_cmd_xpra_serve, -1, false},
	{IVP_VERB_XPRA_PREPARE, "xpra prepare", "[OPTION...] [REGION]", "zero what a crashed session left",
	 ivp_cmd_xpra_prepare, 0, false},
	{IVP_VERB_XPRA_STATUS, "xpra status", "[OPTION...] [REGION]", "show how full Xpra's memory is",
	 ivp_cmd_xpra_status, 0, false},
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* A verb of one word or of two; how many of them are used up. */
static const struct verb *find_verb(char **words, int *used)
{
	for (const struct verb *verb = verbs; verb < verbs + VERBS; verb++) {
		const char *space = strchr(verb->name, ' ');
		size_t len = space ? (size_t)(space - verb->name) : strlen(verb->name);

		*used = space ? 2 : 1;
		if (strlen(words[0]) == len && !memcmp(words[0], verb->name, len) &&
		    (!space || (words[1] && !strcmp(words[1], space + 1))))
			return verb;
	}
	return NULL;
}

static int help_all(void)
{
	puts("usage: ivpipe VERB [OPTION...] [ARGUMENT]\n"
	     "Streams through memory that machines or processes share.\n");
	for (const struct verb *verb = verbs; verb < verbs + VERBS; verb++)
		printf("  %-12s %s\n", verb->name, verb->summary);
	puts("  help         show this, or the options of a verb: ivpipe help send\n"
	     "  version      show the version\n\n"
	     "  guest$ tar c /data | ivpipe send        host$ ivpipe recv -r /dev/shm/vm0 | tar x");
	return 0;
}

static int help_verb(const struct verb *verb)
{
	printf("usage: ivpipe %s %s\n%s\n\n", verb->name, verb->operands, verb->summary);
	ivp_options_help(verb->verb);
	return 0;
}

static int help(char **words)
{
	int used;
	const struct verb *verb = words[0] ? find_verb(words, &used) : NULL;

	if (words[0] && !verb) {
		ivp_log_error("help: %s: no such verb: see ivpipe help", words[0]);
		return IVP_FAIL_USAGE;
	}
	return verb ? help_verb(verb) : help_all();
}

int ivp_cli_failed(const struct ivp_cli *cli, const struct ivp_error *err)
{
	if (err->number == -EINTR && ivp_cli_signal)
		ivp_log_detail("%s: interrupted", cli->verb_name);
	else
		ivp_log_error("%s: %s", cli->verb_name, err->text);
	return err->kind ? (int)err->kind : IVP_FAIL_GENERAL;
}

static void notice(void *arg, const char *text)
{
	struct ivp_cli *cli = arg;

	ivp_log_notice("%s: waiting: %s", cli->verb_name, text);
}

static int64_t left(const struct ivp_cli *cli)
{
	int64_t ms = cli->deadline - ivp_now();

	return cli->deadline == ivp_deadline(-1) ? -1 : ms > 0 ? ms : 0;
}

int ivp_cli_open(struct ivp_cli *cli, unsigned int flags, struct ivp_region **region, struct ivp_error *err)
{
	struct ivp_open_options options = {
		.flags = flags | IVP_OPEN_SIGBUS | IVP_OPEN_ENCLOSED,
		.side = cli->side,
		.wait_ms = left(cli),
		.cancel = &ivp_cli_signal,
		.notice = notice,
		.notice_arg = cli,
	};

	return ivp_region_open(region, cli->region, &options, err);
}

void ivp_cli_lane_options(const struct ivp_cli *cli, struct ivp_lane_options *options)
{
	*options = (struct ivp_lane_options){
		.service = cli->service,
		.control = cli->control,
		.size = -1,
		.wait_ms = left(cli),
		.timeout_ms = cli->timeout_ms,
		.peer_timeout_ms = cli->peer_timeout_ms,
	};
}

bool ivp_cli_again(const struct ivp_cli *cli, const struct ivp_error *err)
{
	static const struct timespec breath = {.tv_nsec = 100 * 1000 * 1000};

	if ((err->number != -ESTALE && err->number != -ENODEV) || ivp_cli_signal || !left(cli))
		return false;
	ivp_log_notice("%s: %s: opening it again", cli->verb_name, err->text);
	nanosleep(&breath, NULL);
	return true;
}

void ivp_cli_die_by(int number)
{
	sigset_t set;

	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(number);
}

void ivp_cli_broken_pipe(void)
{
	ivp_cli_die_by(SIGPIPE);
	_exit(128 + SIGPIPE);
}

static void on_signal(int number)
{
	ivp_cli_signal = number;
}

/* Without SA_RESTART, so that waits end; once only, so that a second one kills. A signal that whoever started us ignores
 * (nohup, a background job) stays ignored. SIGUSR1 is for the thread that shows progress. */
static void catch_signals(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND}, earlier;
	sigset_t set;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!sigaction(ends[i], NULL, &earlier) && earlier.sa_handler != SIG_IGN)
			sigaction(ends[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* A file that is opened later must not become a standard stream. The wrong way round: using one that was closed still fails. */
static void occupy_standard_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
			_exit(IVP_FAIL_GENERAL);
}

/* What stdio still holds may not fit on the disk. */
static int flush(int code)
{
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	if (errno == EPIPE)
		ivp_cli_broken_pipe();
	ivp_log_error("standard output: %s", strerror(errno));
	return code ? code : IVP_FAIL_GENERAL;
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
	struct ivp_cli cli = {
		.verb = verb->verb,
		.verb_name = verb->name,
		.region = getenv("IVPIPE_REGION"),
		.side = IVP_SIDE_AUTO,
		.progress = -1,
		.monitor = -1,
		.wait_ms = verb->wait_ms,
	};
	int code = ivp_options_parse(&cli, argc, argv);

	if (code)
		return code;
	if (cli.help)
		return help_verb(verb);
	ivp_log_level(cli.quiet ? IVP_LOG_QUIET : cli.verbose ? IVP_LOG_VERBOSE : IVP_LOG_NORMAL);
	if (cli.listen && !cli.wait_given)
		cli.wait_ms = -1;
	cli.deadline = ivp_deadline(cli.wait_ms);
	catch_signals();
	code = verb->streams ? ivp_monitor_run(&cli, verb->run) : verb->run(&cli);
	if (code && ivp_cli_signal)
		ivp_cli_die_by(ivp_cli_signal);
	return code;
}

int main(int argc, char **argv)
{
	const char *word;
	const struct verb *verb;
	int used;

#ifndef IVP_STATIC
	ivp_bench_guest(&argc, &argv);
#endif
	word = argc > 1 ? argv[1] : NULL;
	verb = word ? find_verb(argv + 1, &used) : NULL;
	occupy_standard_streams();
	if (verb)
		return flush(run_verb(verb, argc - used, argv + used));
	if (!word)
		ivp_log_error("no verb: see ivpipe help");
	else if (!strcmp(word, "help") || !strcmp(word, "-h") || !strcmp(word, "--help"))
		return flush(help(argv + 2));
	else if (!strcmp(word, "version") || !strcmp(word, "-V") || !strcmp(word, "--version"))
		return flush(printf("ivpipe %s\n", ivp_version()) < 0);
	else if (!strcmp(word, "xpra"))
		ivp_log_error("xpra: check, serve, prepare or status: see ivpipe help");
	else
		ivp_log_error("%s: no such verb: see ivpipe help", word);
	return IVP_FAIL_USAGE;
}
