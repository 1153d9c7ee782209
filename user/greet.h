/* SPDX-License-Identifier: MIT */
/* greet: the client's part of the handshake, on a lane that it has taken. Either way: through the memory, or a control connection. */
#ifndef IVP_GREET_H
#define IVP_GREET_H

#include "lane.h"

/* What a client knows of the listener that it greets. */
struct ivp_greeting {
	struct ivp_region *region;
	struct ivp_lane_options options; /* checked */
	u8 service[IVP_SERVICE_BYTES];
	u64 listener_id;          /* 0 over a control connection: whoever is at its other end */
	u32 side;                 /* ~0 over a control connection: any */
	struct ivp_message hello; /* that was said last */
};

/* Hide a token in our ring, and say hello. As ivp_lane_say(). */
int ivp_greet_hello(struct ivp_greeting *greeting, struct ivp_lane *lane, struct ivp_error *err);

/* Judge the welcome, whose epoch is in lane->their_epoch; then say ready, and the lane is open. -ECONNREFUSED: it does not hold, and
 * the listener was told so; -EAGAIN: the listener has given us up. */
int ivp_greet_prove(const struct ivp_greeting *greeting, struct ivp_lane *lane, const struct ivp_message *welcome,
		    struct ivp_error *err);

/* A refusal came: -ECONNREFUSED, and *err says why; or -EAGAIN: ask again. */
int ivp_greet_refused(const struct ivp_message *refusal, struct ivp_error *err);

#endif
