/* SPDX-License-Identifier: MIT */
/*
 * flow: bytes and messages through a lane whose peer owns all that it shares with us. Until that does what is not in order, what it
 * sent arrives, whole and once; whatever it does, each call ends, and says why.
 */
#ifndef FLOW_H
#define FLOW_H

#include "lane.h"

void flow_through(struct ivp_lane *lane);

#endif
