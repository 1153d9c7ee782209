/* SPDX-License-Identifier: MIT */
/* cli: what the helper's own files share. One subcommand a file; all of them get one struct ivp_cli. */
#ifndef IVP_CLI_H
#define IVP_CLI_H

#include "ivpipe.h"
#include "log.h"

enum ivp_verb {
	IVP_VERB_FORMAT = 1 << 0,
	IVP_VERB_LIST = 1 << 1,
	IVP_VERB_INFO = 1 << 2,
	IVP_VERB_SEND = 1 << 3,
	IVP_VERB_RECV = 1 << 4,
	IVP_VERB_PIPE = 1 << 5,
	IVP_VERB_DOCTOR = 1 << 6,
	IVP_VERB_SETUP = 1 << 7,
	IVP_VERB_XPRA_CHECK = 1 << 8,
	IVP_VERB_XPRA_SERVE = 1 << 9,
	IVP_VERB_XPRA_PREPARE = 1 << 10,
	IVP_VERB_XPRA_STATUS = 1 << 11,
	IVP_VERB_BENCH = 1 << 12,
	IVP_VERB_FORWARD = 1 << 13,
};

/* -R may be given so often. */
#define IVP_REMOTES 32

struct ivp_cli {
	enum ivp_verb verb;
	const char *verb_name;
	const char *region, *service, *output, *name, *control;
	const char *back, *as; /* xpra: memory for the other direction; a version */
	const char *argument;  /* the one operand, or NULL */
	char **operand;        /* forward: all of them; and each -R */
	int operands, remotes;
	const char *remote[IVP_REMOTES];
	bool help, quiet, verbose, keep, create, force, json, no_checksum, listen, sparse, wait_given, no_sandbox;
	bool fix, yes;         /* doctor */
	bool no_headings, raw; /* list; and between two views, 0: one view: */
	int64_t watch_ms;
	bool apply; /* setup, and the user who shall have the memory: */
	const char *user;
	bool self, quick; /* bench, and: */
	const char *sizes, *plot;
	bool vm; /* and then: */
	const char *kernel, *accel;
	uint64_t rounds, seed;
	bool enclosed; /* this process has shut itself in */
	int monitor;   /* a worker's way to the process that opens files; -1: this one does */
	int progress;  /* 1 yes, 0 no, -1 if standard error is a terminal */
	int side;
	int64_t wait_ms, timeout_ms, peer_timeout_ms; /* as in struct ivp_lane_options */
	uint64_t size, lanes, sides;
	uint64_t rate;    /* bytes a second; 0: no limit */
	uint64_t latest;  /* send: bytes of a frame, of which the newest is wanted; recv: only that; 0: all is */
	int64_t deadline; /* until which a region or a peer is waited for */
};

int ivp_cmd_bench(struct ivp_cli *cli);
int ivp_cmd_doctor(struct ivp_cli *cli);
int ivp_cmd_forward(struct ivp_cli *cli);
int ivp_cmd_format(struct ivp_cli *cli);
int ivp_cmd_list(struct ivp_cli *cli);
int ivp_cmd_info(struct ivp_cli *cli);
int ivp_cmd_send(struct ivp_cli *cli);
int ivp_cmd_recv(struct ivp_cli *cli);
int ivp_cmd_pipe(struct ivp_cli *cli);
int ivp_cmd_setup(struct ivp_cli *cli);
int ivp_cmd_xpra_check(struct ivp_cli *cli);
int ivp_cmd_xpra_serve(struct ivp_cli *cli);
int ivp_cmd_xpra_prepare(struct ivp_cli *cli);
int ivp_cmd_xpra_status(struct ivp_cli *cli);

/* main.c: the signal that asked us to end, or 0; what the commands have in common. */
extern volatile sig_atomic_t ivp_cli_signal;
/* Say what went wrong, unless it is the end that the user asked for; returns the exit code. */
int ivp_cli_failed(const struct ivp_cli *cli, const struct ivp_error *err);
int ivp_cli_open(struct ivp_cli *cli, unsigned int flags, struct ivp_region **region, struct ivp_error *err);
void ivp_cli_lane_options(const struct ivp_cli *cli, struct ivp_lane_options *options);
/* True if the region went away while a peer was waited for, and there is time to open its path again; takes a breath. */
bool ivp_cli_again(const struct ivp_cli *cli, const struct ivp_error *err);
/* End as by this signal, which nobody catches. */
void ivp_cli_die_by(int number);
/* The output's reader has gone: end as a process without a handler would. */
void ivp_cli_broken_pipe(void) __attribute__((noreturn));

/* options.c: parses; says what is wrong and returns an exit code, or 0. */
int ivp_options_parse(struct ivp_cli *cli, int argc, char **argv);
void ivp_options_help(enum ivp_verb verb);

/* options_quantity.c: 0 or a negative errno. */
int ivp_options_size(const char *text, uint64_t *bytes);
int ivp_options_duration(const char *text, int64_t *ms);
/* "64 MiB", "1.5 GiB": short, for people. */
#define IVP_SIZE_TEXT 32
const char *ivp_options_size_text(char text[IVP_SIZE_TEXT], uint64_t bytes);

/* progress.c: how far a stream is; on a thread of its own, so that a stream that stands still is seen to. */
void ivp_progress_start(const struct ivp_cli *cli);
void ivp_progress_wait(const char *what); /* nothing moves yet: `what` is waited for */
void ivp_progress_stream(int64_t size);   /* a stream begins; -1: size unknown */
/* Of one direction, or with IVP_PROGRESS_OTHER of a second one. */
void ivp_progress_update(void *arg, uint64_t bytes);
#define IVP_PROGRESS_OTHER ((void *)1)
void ivp_progress_end(void); /* it ended: wipe the line, and say the total */
void ivp_progress_stop(void);

/* output.c: where recv puts a stream. */
struct ivp_output {
	int fd;
	const char *name; /* for messages */
	char *target;     /* what the temporary file becomes; NULL where fd is written to as it is */
	char *temporary;  /* NULL once it has been renamed */
	bool replace;     /* an existing target may be replaced */
	bool standard;    /* standard output */
	bool fresh;       /* an empty regular file, which can have holes */
};
/* Before anybody is kept waiting: is there a place for `spec`? NULL and "-" are standard output. 0 or -errno. */
int ivp_output_check(const char *spec, const char *region, struct ivp_error *err);
/* That of a path, for the caller to free; "." where none is named. NULL: no memory. */
char *ivp_output_directory(const char *path);
/* sender: the name that the sender gave; %n in spec. */
int ivp_output_open(struct ivp_output *output, const char *spec, const char *sender, bool force, struct ivp_error *err);
int ivp_output_commit(struct ivp_output *output, struct ivp_error *err);
/* The second half of that, for whoever has no descriptor of it any more. */
int ivp_output_rename(struct ivp_output *output, struct ivp_error *err);
/* After a commit too; a temporary file that was not committed is removed. */
void ivp_output_close(struct ivp_output *output);

#endif
