/* SPDX-License-Identifier: MIT */
/*
 * monitor: the small parent of a stream. It never touches the region: a child, the worker, does that, and shuts itself in. What must
 * open and rename files stays here, and so do signals and the exit code. Without a sandbox there is one process, and the calls below
 * do what they say themselves.
 */
#ifndef IVP_MONITOR_H
#define IVP_MONITOR_H

#include "cli.h"

/* Run the verb's work, in a worker unless there is to be no sandbox. Returns the exit code, or ends as the worker did, by its signal. */
int ivp_monitor_run(struct ivp_cli *cli, int (*work)(struct ivp_cli *cli));

/* The worker's: the region is mapped, and all else open: give up the rest. What this system does not have is said when it is to be
 * verbose; what cannot be had although it should is a negative errno. */
int ivp_monitor_enclose(struct ivp_cli *cli, struct ivp_error *err);
/* A peer was found, and nobody else is looked for: no socket is needed any more. */
int ivp_monitor_enclose_more(struct ivp_cli *cli, struct ivp_error *err);

/* Instead of both: of a worker that opens the region again for each lane, and nothing else. */
int ivp_monitor_enclose_forward(struct ivp_cli *cli, const struct ivp_region *region, struct ivp_error *err);

/* The worker's: the region went away before there was a peer. Ends the worker, and a new one begins; returns without a sandbox. */
void ivp_monitor_again(const struct ivp_cli *cli);

/* The worker's, once it has a peer: standard input and output are its own from now on. */
void ivp_monitor_let_go(struct ivp_cli *cli);

/* As the calls of output.c, which whoever may open files makes. */
int ivp_monitor_open_output(struct ivp_cli *cli, struct ivp_output *output, const char *sender, struct ivp_error *err);
int ivp_monitor_commit_output(struct ivp_cli *cli, struct ivp_output *output, struct ivp_error *err);
void ivp_monitor_close_output(struct ivp_cli *cli, struct ivp_output *output);

#endif
