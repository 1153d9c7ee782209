/* SPDX-License-Identifier: MIT */
/* talk: packets over a connection to a program of Xpra's, with deadlines. */
#ifndef IVP_TALK_H
#define IVP_TALK_H

#include "endpoint.h"
#include "packet.h"

struct ivp_talk {
	struct ivp_ends ends;
	const volatile sig_atomic_t *cancel;
	struct ivp_packet packet; /* the last one, which lies in the buffer */
	u8 *buffer;
	size_t used, len, room; /* of the buffer: used up by the last packet, filled, and in all */
};

/* Takes the ends over. */
void ivp_talk_begin(struct ivp_talk *talk, const struct ivp_ends *ends, const volatile sig_atomic_t *cancel);
void ivp_talk_end(struct ivp_talk *talk);

/* What was written, with its header. -EPIPE, -ETIMEDOUT, -EINTR, and others. */
int ivp_talk_send(struct ivp_talk *talk, const struct ivp_writer *writer, int64_t deadline, struct ivp_error *err);

/* The next packet, into talk->packet, until the next call. -EPIPE: the peer closed the connection; -ETIMEDOUT; -EINTR; and what
 * ivp_packet_take() says. What is sent beside packets is skipped. */
int ivp_talk_next(struct ivp_talk *talk, int64_t deadline, struct ivp_error *err);

#endif
