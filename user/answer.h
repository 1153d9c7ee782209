/* SPDX-License-Identifier: MIT */
/* answer: the server's part of the handshake, for one hello. Either way: through the memory, or a control connection. */
#ifndef IVP_ANSWER_H
#define IVP_ANSWER_H

#include "lane.h"

/* Who answers. */
struct ivp_answering {
	struct ivp_region *region;
	struct ivp_lane_options options; /* checked */
	u8 service[IVP_SERVICE_BYTES];
	u64 id; /* of the listener; 0 over a control connection */
};

/* A hello that lay in the client half of a lane of which we have taken the server's end; the lane is closed where nothing comes of
 * it. -EAGAIN: nothing came of it; -ECONNREFUSED: somebody's proof was wrong. */
int ivp_answer_hello(const struct ivp_answering *answering, struct ivp_lane *lane, const struct ivp_heard *hello,
		     struct ivp_lane **out, struct ivp_error *err);

/* A hello that came over a connection, which goes to the lane, or is closed. The same errors. */
int ivp_answer_call(const struct ivp_answering *answering, struct ivp_control *control, const struct ivp_message *hello,
		    struct ivp_lane **out, struct ivp_error *err);

#endif
