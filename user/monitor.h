/* SPDX-License-Identifier: MIT */
/*
 * monitor: the small parent of a stream. It never touches the region: a child, the worker, does that, and shuts itself in. What must
 * open and rename files stays here, and so do signals and the exit code.
 */
#ifndef IVP_MONITOR_H
#define IVP_MONITOR_H

#include "cli.h"

/* Run the verb's work, in a worker unless there is to be no sandbox. Returns the exit code, or ends as the worker did, by its signal. */
int ivp_monitor_run(struct ivp_cli *cli, int (*work)(struct ivp_cli *cli));

#endif
