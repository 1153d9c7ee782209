/* SPDX-License-Identifier: MIT */
/*
 * sandbox: this process gives up what it needs no more, for good. First the files: Landlock, where the kernel has it; then all system
 * calls but a few: seccomp. Both are for all threads that there are, and all that come.
 */
#ifndef IVP_SANDBOX_H
#define IVP_SANDBOX_H

#include "ivpipe.h"

/* What is still to be done with files. Each is a path, or NULL; a directory stands for all in it. */
struct ivp_sandbox_files {
	const char *sockets; /* a directory in which sockets are made and taken away */
	const char *port;    /* a file to be opened, for reading and writing */
};

/* No other thread may run yet. 0; -EOPNOTSUPP: this kernel has no Landlock; or another negative errno. */
int ivp_sandbox_files(const struct ivp_sandbox_files *files);

enum ivp_sandbox_calls {
	IVP_SANDBOX_MEET,    /* streaming, and finding a peer over a control connection */
	IVP_SANDBOX_STREAM,  /* streaming alone; may follow the other */
	IVP_SANDBOX_FORWARD, /* streaming, and opening what the files allow */
};

/* 0; -EOPNOTSUPP: this kernel, or this build, has no seccomp; or another negative errno. */
int ivp_sandbox_calls(enum ivp_sandbox_calls calls);

#endif
