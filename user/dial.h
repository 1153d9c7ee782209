/* SPDX-License-Identifier: MIT */
/* dial: a client's rendezvous over a control connection. For the library's own files. */
#ifndef IVP_DIAL_H
#define IVP_DIAL_H

#include "lane.h"

/* ivp_connect(), where options->control names the connection. */
int ivp_dial(struct ivp_lane **lane, struct ivp_region *region, const struct ivp_lane_options *options,
	     struct ivp_error *err);

#endif
