/* SPDX-License-Identifier: MIT */
/*
 * control: a byte stream beside the memory, to the peer. It carries the messages of the handshake; its end is the peer's death;
 * and a byte on it, which is zero, wakes a peer that said it sleeps. No message begins with a zero. For the library's own files.
 */
#ifndef IVP_CONTROL_H
#define IVP_CONTROL_H

#include "endpoint.h"
#include "handshake.h"

struct ivp_control;

/* Takes the ends over. -ENOMEM, and then they are closed. */
int ivp_control_new(struct ivp_control **control, const struct ivp_ends *ends, struct ivp_error *err);

/* NULL is fine. A command of exec: is given five seconds to end by itself. */
void ivp_control_close(struct ivp_control *control);

/* 0; -EPIPE: the other end is gone; -ETIMEDOUT: it takes nothing until the deadline. */
int ivp_control_send(struct ivp_control *control, const struct ivp_message *message, int64_t deadline);

/* What has come of a message so far. Zero at the beginning of each. */
struct ivp_control_inbox {
	struct ivp_message message;
	size_t got;
	bool greeted; /* a zero came before it */
};

/* Takes what is there, and does not wait. 0: the message is whole; -EAGAIN: not yet; -EPIPE. */
int ivp_control_take(struct ivp_control *control, struct ivp_control_inbox *inbox);

/* Wake who sleeps at the other end. */
void ivp_control_kick(struct ivp_control *control);

/* Until the other end kicks, or is gone, or ms have passed. Several threads may: a kick wakes all of them. */
void ivp_control_sleep(struct ivp_control *control, int64_t ms);

/* End the sleeps of all our threads. */
void ivp_control_nudge(struct ivp_control *control);

/* Has the other end gone? Does not wait. */
bool ivp_control_ended(struct ivp_control *control);

/* To wait for something to take. */
int ivp_control_fd(const struct ivp_control *control);

#endif
