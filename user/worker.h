/* SPDX-License-Identifier: MIT */
/*
 * worker: the child that has a stream's region, and what it can still do: ask its monitor, which opens and renames files for it, and
 * give up all else. Without a sandbox there is one process, and the calls below do what they say themselves.
 */
#ifndef IVP_WORKER_H
#define IVP_WORKER_H

#include "cli.h"

/* The region is mapped, and all else open: give up the rest. What this system does not have is said when it is to be verbose; what
 * cannot be had although it should is a negative errno. */
int ivp_worker_enclose(struct ivp_cli *cli, struct ivp_error *err);
/* A peer was found, and nobody else is looked for: no socket is needed any more. */
int ivp_worker_enclose_more(struct ivp_cli *cli, struct ivp_error *err);

/* Instead of both: of a worker that opens the region again for each lane, and nothing else. */
int ivp_worker_enclose_forward(struct ivp_cli *cli, const struct ivp_region *region, struct ivp_error *err);

/* The region went away before there was a peer. Ends the worker, and a new one begins; returns without a sandbox. */
void ivp_worker_again(const struct ivp_cli *cli);

/* Once it has a peer: standard input and output are the worker's own from now on. */
void ivp_worker_let_go(struct ivp_cli *cli);

/* As the calls of output.c, which whoever may open files makes. */
int ivp_worker_open_output(struct ivp_cli *cli, struct ivp_output *output, const char *sender, struct ivp_error *err);
int ivp_worker_commit_output(struct ivp_cli *cli, struct ivp_output *output, struct ivp_error *err);
void ivp_worker_close_output(struct ivp_cli *cli, struct ivp_output *output);

#endif
