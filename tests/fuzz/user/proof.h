/* SPDX-License-Identifier: MIT */
/* proof: nobody is let in whose messages and token do not hold, and nobody kept out whose do. */
#ifndef PROOF_H
#define PROOF_H

#include "dialog.h"
#include "lane.h"

/* What became of the handshake. */
void proof_require_met(int ret, const struct ivp_error *err);

/* By these messages of the peer's it was let in: a hello and a ready, or a welcome alone. */
void proof_require(const struct ivp_lane *lane, const struct ivp_message *first, const struct ivp_message *second);

#endif
