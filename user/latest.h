/* SPDX-License-Identifier: MIT */
/* latest: as pump, for frames of which only the newest is worth anything. Each end keeps one that waits, and a newer one takes its place. */
#ifndef IVP_LATEST_H
#define IVP_LATEST_H

#include "pump.h"

/* What a frame may have, since each end has room for three. */
#define IVP_LATEST_MOST (256 << 20)

/* Frames of so many bytes. Nobody who writes to the descriptor is kept waiting; the last frame is sent always. -EBADMSG: the input ended
 * in the middle of one. */
int ivp_latest_send(struct pump *pump, size_t size, struct ivp_error *err);

/* Whole frames to the descriptor, each newer than the one before; the last one always. The verdict OK is left to the caller. */
int ivp_latest_recv(struct pump *pump, struct ivp_error *err);

#endif
