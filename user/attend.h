/* SPDX-License-Identifier: MIT */
/* attend: a server's rendezvous over a control connection. For the library's own files. */
#ifndef IVP_ATTEND_H
#define IVP_ATTEND_H

#include "answer.h"

struct ivp_attend;

/* By answering->options.control. The answering stays the caller's. */
int ivp_attend_open(struct ivp_attend **attend, const struct ivp_answering *answering, struct ivp_error *err);

/* As ivp_accept(). */
int ivp_attend_accept(struct ivp_attend *attend, struct ivp_lane **lane, struct ivp_error *err);

/* For ivp_listener_fd() and ivp_listener_arm(): readable when somebody calls, or a caller says something. -EOPNOTSUPP where there is but
 * one connection, which nobody announces. */
int ivp_attend_fd(struct ivp_attend *attend, struct ivp_error *err);
int ivp_attend_arm(struct ivp_attend *attend, struct ivp_error *err);

/* NULL is fine. */
void ivp_attend_close(struct ivp_attend *attend);

#endif
