/* SPDX-License-Identifier: MIT */
/* choose: which lane a client may take. For the library's own files. */
#ifndef IVP_CHOOSE_H
#define IVP_CHOOSE_H

#include "lane.h"

/* What was seen of one beating word, by our own clock. Zero at the beginning. */
struct ivp_seen {
	u64 id;
	u32 beat;
	bool moved;
	bool asked;    /* for a sign of life */
	int64_t since; /* of the last change */
};

/* One more look, at `now`. Another id is another word. */
void ivp_seen_watch(struct ivp_seen *seen, u64 id, u32 beat, int64_t now);

/* What was seen of the server ends of lanes so far. Zero at the beginning of a search. */
struct ivp_choice {
	struct ivp_seen lanes[IVP_LANES_MAX];
};

/* Take the client's end of a lane of our side, from a random one on, so that those who come together do not all try the same.
 * -EAGAIN: all are taken, ask again later. */
int ivp_choose_lane(struct ivp_choice *choice, struct ivp_region *region, struct ivp_lane **lane,
		    struct ivp_error *err);

#endif
