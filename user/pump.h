/* SPDX-License-Identifier: MIT */
/* pump: carries a descriptor's bytes into a lane, or a lane's into a descriptor, until the end of either. */
#ifndef IVP_PUMP_H
#define IVP_PUMP_H

#include <stdatomic.h>

#include "holes.h"
#include "ivpipe.h"
#include "rate.h"
#include "source.h"

struct pump {
	struct ivp_lane *lane;
	int fd;
	bool own_file;                       /* sending: a regular file, opened by us and for nobody else */
	bool digest;                         /* copy through a private buffer and digest it; else straight to and fro */
	const char *name;                    /* of the descriptor, for messages */
	bool (*broken)(struct pump *pump);   /* of a socket: is the end that was read none? or NULL */
	const volatile sig_atomic_t *cancel; /* non-zero: stop, -EINTR */
	_Atomic(int) *other;                 /* non-zero: the other direction has failed: stop, -ECANCELED; or NULL */
	struct ivp_rate rate;
	bool sparse;                                 /* receiving into an empty regular file: leave holes for zeros */
	void (*progress)(void *arg, uint64_t bytes); /* after each piece, the total so far; or NULL */
	void *progress_arg;
	uint64_t bytes; /* out: moved so far, valid after an error too */
	bool closed; /* out: nobody wants the rest: the descriptor's reader went away (EPIPE), or sending, the receiver's did */
	struct ivp_holes holes;
	struct ivp_source source;
};

/* Read fd to its end into the lane, say the end, and wait until the receiver has confirmed it. The peer has been told why
 * where that fails. 0 or a negative errno with *err filled. */
int ivp_pump_send(struct pump *pump, struct ivp_error *err);

/* Write what comes to fd until the sender's end record held. The verdict OK is left to the caller, who may have a file to
 * rename first; any other was told, and so was that nobody wants the rest. */
int ivp_pump_recv(struct pump *pump, struct ivp_error *err);

/* The parts of these that another way to move bytes shares: the end of what is sent, until it is confirmed; telling the peer of a
 * failure, sending and receiving. */
int ivp_pump_end(struct pump *pump, struct ivp_error *err);
void ivp_pump_give_up(struct pump *pump, int ret, const struct ivp_error *err, enum ivp_verdict why);
void ivp_pump_refuse(struct pump *pump, int ret, const struct ivp_error *err);

#endif
