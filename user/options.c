// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "endpoint.h"
#include "latest.h"

/* Options without a letter. */
#define LONG_ONLY 256

/* Between two views of list: if nothing is said, and what may be. */
#define WATCH_MS       2000
#define WATCH_LEAST_MS 500
#define WATCH_MOST_MS  (24 * 3600 * 1000)

enum {
	OPT_ACCEL = LONG_ONLY,
	OPT_APPLY,
	OPT_AS,
	OPT_BACK,
	OPT_CONTROL,
	OPT_CREATE,
	OPT_FIX,
	OPT_FORCE,
	OPT_JSON,
	OPT_KEEP,
	OPT_KERNEL,
	OPT_LANES,
	OPT_LATEST,
	OPT_LISTEN,
	OPT_NAME,
	OPT_NO_CHECKSUM,
	OPT_NO_PROGRESS,
	OPT_NO_SANDBOX,
	OPT_PEER_TIMEOUT,
	OPT_PLOT,
	OPT_PROGRESS,
	OPT_QUICK,
	OPT_RATE_LIMIT,
	OPT_ROUNDS,
	OPT_SEED,
	OPT_SELF,
	OPT_SIDE,
	OPT_SIDES,
	OPT_SIZE,
	OPT_SIZES,
	OPT_SPARSE,
	OPT_TIMEOUT,
	OPT_USER,
	OPT_VM,
	OPT_WAIT,
	OPT_WATCH,
	OPT_YES,
};

#define STREAMS (IVP_VERB_SEND | IVP_VERB_RECV | IVP_VERB_PIPE)
#define LANES   (STREAMS | IVP_VERB_FORWARD)
#define MEETS   (IVP_VERB_XPRA_CHECK | IVP_VERB_XPRA_SERVE)
#define LOOKS   (IVP_VERB_XPRA_PREPARE | IVP_VERB_XPRA_STATUS)
#define ALL                                                                                                            \
	(IVP_VERB_FORMAT | IVP_VERB_LIST | IVP_VERB_INFO | IVP_VERB_DOCTOR | IVP_VERB_SETUP | IVP_VERB_BENCH | LANES | \
	 MEETS | LOOKS)

static const struct row {
	int code;
	const char *name, *argument; /* one that begins with a bracket may be left out */
	int verbs;
	const char *help;
} rows[] = {
	{OPT_SELF, "self", NULL, IVP_VERB_BENCH, "both ends here, and pipes, sockets and copies beside"},
	{OPT_VM, "vm", NULL, IVP_VERB_BENCH, "a guest that is made for it, and this host; takes QEMU"},
	{OPT_KERNEL, "kernel", "FILE", IVP_VERB_BENCH, "with --vm: what to boot (the one in /boot that runs here)"},
	{OPT_ACCEL, "accel", "ACCEL", IVP_VERB_BENCH, "with --vm: kvm or tcg (kvm, if a guest comes up under it)"},
	{'r', "region", "REGION", LANES | IVP_VERB_INFO | IVP_VERB_DOCTOR | MEETS | LOOKS,
	 "a file, /dev/ivshmemN, a sysfs resource2, or auto ($IVPIPE_REGION, else auto)"},
	{'r', "region", "REGION", IVP_VERB_BENCH, "the same ($IVPIPE_REGION, else auto; --self: one of its own)"},
	{'s', "service", "NAME", STREAMS, "what the sender asks for, and a receiver offers (default)"},
	{'s', "service", "NAME", IVP_VERB_FORWARD, "what one end asks for, and the other offers (forward)"},
	{'R', "remote", "SPEC", IVP_VERB_FORWARD,
	 "[HOST:]PORT:HOST:PORT, the port on the other side; with --listen a [HOST:]PORT that it may use"},
	{OPT_LISTEN, "listen", NULL, IVP_VERB_FORWARD,
	 "be called; what is named are targets that the other side may reach"},
	{'s', "service", "NAME", IVP_VERB_BENCH, "what one end asks for, and the other offers (bench)"},
	{'o', "output", "FILE", IVP_VERB_RECV, "where to write; appears once complete; %n is the sender's name for it"},
	{'o', "output", "LIST", IVP_VERB_LIST, "the columns to show, such as path,size,users"},
	{'n', "noheadings", NULL, IVP_VERB_LIST, "no line with their names"},
	{'r', "raw", NULL, IVP_VERB_LIST, "for scripts: not aligned, sizes in bytes"},
	{OPT_WATCH, "watch", "[=SECONDS]", IVP_VERB_LIST, "again and again (2s), and how fast each lane is; q ends it"},
	{OPT_LISTEN, "listen", NULL, IVP_VERB_PIPE | IVP_VERB_BENCH,
	 "wait for a peer; one end has to, and the other not"},
	{OPT_KEEP, "keep", NULL, IVP_VERB_RECV, "take one stream after the other"},
	{OPT_KEEP, "keep", NULL, IVP_VERB_BENCH, "with --listen: serve one end after the other"},
	{OPT_SIZES, "sizes", "SIZE,...", IVP_VERB_BENCH, "bytes of a write (4K,64K,1M; --quick: 4K,64K)"},
	{OPT_ROUNDS, "rounds", "N", IVP_VERB_BENCH, "samples of each thing (5; --quick: 3)"},
	{OPT_SEED, "seed", "N", IVP_VERB_BENCH, "of the order of samples (0)"},
	{OPT_QUICK, "quick", NULL, IVP_VERB_BENCH, "shorter samples, and fewer"},
	{OPT_PLOT, "plot", "FILE", IVP_VERB_BENCH, "draw FILE.svg or FILE.png, too; takes gnuplot"},
	{OPT_NAME, "name", "NAME", IVP_VERB_SEND, "the name to tell the receiver (that of FILE)"},
	{OPT_NO_CHECKSUM, "no-checksum", NULL, LANES,
	 "no digest of the contents: faster, and trusts the peer and the memory"},
	{OPT_SPARSE, "sparse", NULL, IVP_VERB_RECV, "leave holes in FILE where there are only zeros"},
	{OPT_LATEST, "latest", "SIZE", IVP_VERB_SEND,
	 "frames of that size: what the receiver has no time for is left out"},
	{OPT_LATEST, "latest", NULL, IVP_VERB_RECV, "the newest frame each time, and none that is older"},
	{OPT_RATE_LIMIT, "rate-limit", "RATE", STREAMS, "at most so many bytes a second, such as 10M"},
	{OPT_WAIT, "wait", "D", STREAMS | IVP_VERB_INFO | IVP_VERB_BENCH,
	 "for a region and a peer, such as 500ms, 3s, 2m, forever (30s; who listens: forever; info: 0)"},
	{OPT_WAIT, "wait", "D", IVP_VERB_FORWARD, "for a region, and with each connection for the other side (30s)"},
	{OPT_WAIT, "wait", "D", MEETS, "for the server or the client (check: 1s; serve: forever)"},
	{OPT_BACK, "back", "REGION", MEETS, "memory for what goes from the client to the server (Xpra 6.3 and later)"},
	{OPT_AS, "as", "VERSION", IVP_VERB_XPRA_CHECK, "be as strict as a client of this version, such as 3.1.3"},
	{OPT_TIMEOUT, "timeout", "D", LANES | MEETS | IVP_VERB_BENCH, "for each answer of the handshake (5s)"},
	{OPT_PEER_TIMEOUT, "peer-timeout", "D", LANES | IVP_VERB_BENCH,
	 "until a peer in another machine that is silent is dead; 0: never (3s)"},
	{OPT_CONTROL, "control", "ADDRESS", STREAMS | IVP_VERB_BENCH,
	 "shake hands over unix:PATH, vsock:CID:PORT, tcp:HOST:PORT, serial:PATH, fd:N or exec:COMMAND"},
	{OPT_SIDE, "side", "N", LANES | IVP_VERB_BENCH, "the side to take (0 with a file, 1 with a device)"},
	{OPT_SIZE, "size", "SIZE", IVP_VERB_FORMAT, "of the file to create, such as 64M"},
	{OPT_LANES, "lanes", "N", IVP_VERB_FORMAT, "streams at one time (as many as fit, at most 256)"},
	{OPT_SIDES, "sides", "N", IVP_VERB_FORMAT, "machines that meet in the region, 2 to 16 (2)"},
	{OPT_CREATE, "create", NULL, IVP_VERB_FORMAT, "make the file; it must not exist"},
	{OPT_FORCE, "force", NULL, IVP_VERB_FORMAT, "over somebody else's data, and under the feet of users"},
	{OPT_FORCE, "force", NULL, IVP_VERB_RECV, "let a file named by %n replace one that exists"},
	{OPT_FIX, "fix", NULL, IVP_VERB_DOCTOR, "mend what can be mended safely, after asking"},
	{OPT_YES, "yes", NULL, IVP_VERB_DOCTOR, "without asking"},
	{OPT_NAME, "name", "NAME", IVP_VERB_SETUP, "of the memory (vm0), and for incus of the instance"},
	{OPT_SIZE, "size", "SIZE", IVP_VERB_SETUP, "of the memory, a power of two (64M)"},
	{OPT_USER, "user", "USER", IVP_VERB_SETUP, "who shall have the memory on the host (you)"},
	{OPT_APPLY, "apply", NULL, IVP_VERB_SETUP, "make the file; it must not exist"},
	{OPT_FORCE, "force", NULL, MEETS | IVP_VERB_XPRA_PREPARE, "although the region is laid out for ivpipe"},
	{OPT_JSON, "json", NULL,
	 IVP_VERB_LIST | IVP_VERB_INFO | IVP_VERB_DOCTOR | IVP_VERB_BENCH | MEETS | IVP_VERB_XPRA_STATUS,
	 "for programs"},
	{OPT_NO_SANDBOX, "no-sandbox", NULL, LANES | IVP_VERB_INFO | MEETS,
	 "keep all rights while streaming; for debugging"},
	{OPT_PROGRESS, "progress", NULL, STREAMS, "show it although standard error is no terminal"},
	{OPT_NO_PROGRESS, "no-progress", NULL, STREAMS, "do not show it"},
	{'q', "quiet", NULL, ALL, "errors only"},
	{'v', "verbose", NULL, ALL, "what happens, and what was chosen"},
	{'h', "help", NULL, ALL, "this"},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

void ivp_options_help(enum ivp_verb verb)
{
	for (const struct row *row = rows; row < rows + ROWS; row++) {
		char left[40], letter[5] = "    ";

		if (!(row->verbs & (int)verb))
			continue;
		if (row->code < LONG_ONLY)
			snprintf(letter, sizeof(letter), "-%c, ", row->code);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, row->name,
			 row->argument && row->argument[0] != '[' ? " " : "", row->argument ? row->argument : "");
		printf("  %-24s %s\n", left, row->help);
	}
}

static int refuse(const struct ivp_cli *cli, const char *name, const char *text, const char *wanted)
{
	ivp_log_error("%s: --%s %s: give %s", cli->verb_name, name, text, wanted);
	return IVP_FAIL_USAGE;
}

static int parse_count(const struct ivp_cli *cli, const char *name, const char *text, uint64_t most, uint64_t *value)
{
	if (ivp_options_size(text, value) || text[strspn(text, "0123456789")] || *value > most)
		return refuse(cli, name, text, "a whole number that is not too large");
	return 0;
}

static int parse_rounds(struct ivp_cli *cli, const char *text)
{
	int ret = parse_count(cli, "rounds", text, 1000, &cli->rounds);

	return !ret && !cli->rounds ? refuse(cli, "rounds", text, "1 at least") : ret;
}

/* zero: what 0 means to the library, where that is its default. */
static int parse_duration(const struct ivp_cli *cli, const char *name, const char *text, int64_t zero, int64_t *ms)
{
	if (ivp_options_duration(text, ms) || (!*ms && !zero && strcmp(name, "wait")))
		return refuse(cli, name, text, "a time such as 500ms, 3s or 2m");
	if (!*ms && zero)
		*ms = zero;
	return 0;
}

/* Not so often that a beat could be missed between two looks, nor that the looking costs more than the streams. */
static int parse_watch(struct ivp_cli *cli, const char *text)
{
	if (!text)
		cli->watch_ms = WATCH_MS;
	else if (ivp_options_duration(text, &cli->watch_ms) || cli->watch_ms < WATCH_LEAST_MS ||
		 cli->watch_ms > WATCH_MOST_MS)
		return refuse(cli, "watch", text, "a time from 500ms to 24h");
	return 0;
}

static int parse_latest(struct ivp_cli *cli, const char *text)
{
	if (cli->verb == IVP_VERB_RECV)
		cli->latest = 1;
	else if (ivp_options_size(text, &cli->latest) || !cli->latest || cli->latest > IVP_LATEST_MOST)
		return refuse(cli, "latest", text, "the size of a frame, 256M at the most");
	return 0;
}

static int add_remote(struct ivp_cli *cli, const char *text)
{
	if (cli->remotes == IVP_REMOTES)
		return refuse(cli, "remote", text, "32 of them at the most");
	cli->remote[cli->remotes++] = text;
	return 0;
}

static int apply_value(struct ivp_cli *cli, int code, const char *text)
{
	uint64_t side;

	switch (code) {
	case 'R':
		return add_remote(cli, text);
	case OPT_WAIT:
		cli->wait_given = true;
		return parse_duration(cli, "wait", text, 0, &cli->wait_ms);
	case OPT_WATCH:
		return parse_watch(cli, text);
	case OPT_TIMEOUT:
		return parse_duration(cli, "timeout", text, 0, &cli->timeout_ms);
	case OPT_PEER_TIMEOUT:
		return parse_duration(cli, "peer-timeout", text, -1, &cli->peer_timeout_ms);
	case OPT_LANES:
		return parse_count(cli, "lanes", text, 256, &cli->lanes);
	case OPT_SIDES:
		return parse_count(cli, "sides", text, 16, &cli->sides);
	case OPT_ROUNDS:
		return parse_rounds(cli, text);
	case OPT_SEED:
		return parse_count(cli, "seed", text, UINT32_MAX, &cli->seed);
	case OPT_SIDE:
		if (parse_count(cli, "side", text, 15, &side))
			return IVP_FAIL_USAGE;
		cli->side = (int)side;
		return 0;
	case OPT_RATE_LIMIT:
		if (ivp_options_size(text, &cli->rate) || !cli->rate)
			return refuse(cli, "rate-limit", text, "bytes a second, such as 500K or 10M");
		return 0;
	case OPT_LATEST:
		return parse_latest(cli, text);
	default:
		if (ivp_options_size(text, &cli->size) || !cli->size)
			return refuse(cli, "size", text, "a size such as 64M (MiB) or 64MB (10^6 bytes)");
		return 0;
	}
}

static bool apply_flag(struct ivp_cli *cli, int code)
{
	switch (code) {
	case 'h':
		return cli->help = true;
	case 'q':
		return cli->quiet = true;
	case 'v':
		return cli->verbose = true;
	case 'n':
		return cli->no_headings = true;
	case 'r':
		return cli->raw = true;
	case OPT_KEEP:
		return cli->keep = true;
	case OPT_CREATE:
		return cli->create = true;
	case OPT_FORCE:
		return cli->force = true;
	case OPT_FIX:
		return cli->fix = true;
	case OPT_YES:
		return cli->yes = true;
	case OPT_APPLY:
		return cli->apply = true;
	case OPT_JSON:
		return cli->json = true;
	case OPT_NO_CHECKSUM:
		return cli->no_checksum = true;
	case OPT_NO_SANDBOX:
		return cli->no_sandbox = true;
	case OPT_LISTEN:
		return cli->listen = true;
	case OPT_SPARSE:
		return cli->sparse = true;
	case OPT_SELF:
		return cli->self = true;
	case OPT_QUICK:
		return cli->quick = true;
	case OPT_VM:
		return cli->vm = true;
	case OPT_PROGRESS:
	case OPT_NO_PROGRESS:
		cli->progress = code == OPT_PROGRESS;
		return true;
	default:
		return false;
	}
}

static const char **word_of(struct ivp_cli *cli, int code)
{
	switch (code) {
	case 'r':
		return cli->verb == IVP_VERB_LIST ? NULL : &cli->region;
	case 's':
		return &cli->service;
	case 'o':
		return &cli->output;
	case OPT_NAME:
		return &cli->name;
	case OPT_CONTROL:
		return &cli->control;
	case OPT_USER:
		return &cli->user;
	case OPT_SIZES:
		return &cli->sizes;
	case OPT_PLOT:
		return &cli->plot;
	case OPT_KERNEL:
		return &cli->kernel;
	case OPT_ACCEL:
		return &cli->accel;
	case OPT_BACK:
		return &cli->back;
	case OPT_AS:
		return &cli->as;
	default:
		return NULL;
	}
}

static int apply(struct ivp_cli *cli, int code, const char *text)
{
	const char **word = word_of(cli, code);

	if (word)
		*word = text;
	return word || apply_flag(cli, code) ? 0 : apply_value(cli, code, text);
}

static int kind_of_argument(const struct row *row)
{
	return !row->argument ? no_argument : row->argument[0] == '[' ? optional_argument : required_argument;
}

/* The rows of one verb, as getopt_long() wants them. The colon in front tells a missing argument from an unknown option. */
static void choose(enum ivp_verb verb, char *letters, struct option *options)
{
	*letters++ = ':';
	for (const struct row *row = rows; row < rows + ROWS; row++) {
		if (!(row->verbs & (int)verb))
			continue;
		*options++ = (struct option){row->name, kind_of_argument(row), NULL, row->code};
		if (row->code >= LONG_ONLY)
			continue;
		*letters++ = (char)row->code;
		if (row->argument)
			*letters++ = ':';
	}
	*letters = '\0';
	*options = (struct option){0};
}

static int complain(const struct ivp_cli *cli, int result, const char *word)
{
	char letter[3] = {'-', (char)optopt, '\0'};
	bool is_letter = optopt && optopt < LONG_ONLY && word[0] == '-' && word[1] != '-';

	ivp_log_error("%s: %s: %s: see ivpipe help %s", cli->verb_name, is_letter ? letter : word,
		      result == ':'         ? "needs an argument"
		      : optopt >= LONG_ONLY ? "takes no argument"
					    : "no such option",
		      cli->verb_name);
	return IVP_FAIL_USAGE;
}

/* Before anything is waited for. */
static int check_control(const struct ivp_cli *cli)
{
	struct ivp_endpoint endpoint;
	struct ivp_error err;
	struct ivp_ends ends;

	if (!cli->control)
		return 0;
	if (ivp_endpoint_parse(&endpoint, cli->control, &err)) {
		ivp_log_error("%s: %s", cli->verb_name, err.text);
		return IVP_FAIL_USAGE;
	}
	/* Before the worker opens some of its own. */
	if (endpoint.kind == IVP_ENDPOINT_FD && ivp_endpoint_connect(&endpoint, &ends, 0, NULL, &err)) {
		ivp_log_error("%s: %s", cli->verb_name, err.text);
		return IVP_FAIL_USAGE;
	}
	if (cli->keep && (endpoint.kind == IVP_ENDPOINT_FD || endpoint.kind == IVP_ENDPOINT_EXEC)) {
		ivp_log_error("%s: --keep --control %s: that is one connection, and ends with its stream",
			      cli->verb_name, cli->control);
		return IVP_FAIL_USAGE;
	}
	return 0;
}

int ivp_options_parse(struct ivp_cli *cli, int argc, char **argv)
{
	struct option options[ROWS + 1];
	char letters[2 * ROWS + 2];
	int code, ret;

	choose(cli->verb, letters, options);
	opterr = 0;
	while ((code = getopt_long(argc, argv, letters, options, NULL)) >= 0) {
		if (code == ':' || code == '?')
			/* musl goes past the argument that is missing. */
			return complain(cli, code, argv[optind - 1] ? argv[optind - 1] : argv[optind - 2]);
		ret = apply(cli, code, optarg);
		if (ret)
			return ret;
	}
	if (cli->verb != IVP_VERB_FORWARD &&
	    argc - optind > !(cli->verb & (IVP_VERB_LIST | IVP_VERB_RECV | IVP_VERB_PIPE | IVP_VERB_BENCH))) {
		ivp_log_error("%s: %s: one argument too many: see ivpipe help %s", cli->verb_name, argv[argc - 1],
			      cli->verb_name);
		return IVP_FAIL_USAGE;
	}
	if (cli->latest && (cli->rate || cli->sparse)) {
		ivp_log_error("%s: --latest: what has no time is left out: give neither --rate-limit nor --sparse",
			      cli->verb_name);
		return IVP_FAIL_USAGE;
	}
	cli->argument = argv[optind];
	cli->operand = argv + optind;
	cli->operands = argc - optind;
	return check_control(cli);
}
