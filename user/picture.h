/* SPDX-License-Identifier: MIT */
/* picture: a window with one picture in it, for a client of Xpra's to show: its bytes go through the memory, and it says that it had them. */
#ifndef IVP_PICTURE_H
#define IVP_PICTURE_H

#include "ivpipe-xpra.h"
#include "talk.h"

/* After the hellos. -EPIPE: the client left; -ETIMEDOUT: it shows no window, or says nothing of the picture; -EPROTO: it showed it, and
 * did not release its bytes; -EIO: it could not show it. */
int ivp_picture_show(struct ivp_talk *talk, enum ivp_encoding encoding, struct ivp_xpra_area *area, int64_t deadline,
		     struct ivp_error *err);

#endif
