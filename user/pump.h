/* SPDX-License-Identifier: MIT */
/* pump: carries a descriptor's bytes into a lane, or a lane's into a descriptor, until the end of either. */
#ifndef IVP_PUMP_H
#define IVP_PUMP_H

#include "ivpipe.h"

struct pump {
	struct ivp_lane *lane;
	int fd;
	bool digest;                         /* copy through a private buffer and digest it; else straight to and fro */
	const char *name;                    /* of the descriptor, for messages */
	const volatile sig_atomic_t *cancel; /* non-zero: stop, -EINTR */
	void (*progress)(void *arg, uint64_t bytes); /* after each piece, the total so far; or NULL */
	void *progress_arg;
	uint64_t bytes; /* out: moved so far, valid after an error too */
	bool closed;    /* out: receiving, the descriptor's reader went away (EPIPE) */
};

/* Read fd to its end into the lane, say the end, and wait until the receiver has confirmed it. The peer has been told why
 * where that fails. 0 or a negative errno with *err filled. */
int ivp_pump_send(struct pump *pump, struct ivp_error *err);

/* Write what comes to fd until the sender's end record held. The verdict OK is left to the caller, who may have a file to
 * rename first; any other was told. */
int ivp_pump_recv(struct pump *pump, struct ivp_error *err);

#endif
