/* SPDX-License-Identifier: MIT */
/*
 * ask: what a worker asks of its monitor, one thing at a time, and what it is answered, over a pair of packet sockets. The worker may be
 * in an enemy's hands: what follows is all that can be asked, and no word of it is believed.
 */
#ifndef IVP_ASK_H
#define IVP_ASK_H

#include "ivpipe.h"

/* A worker's exit code, which is nobody else's: the region is to be opened again. */
#define IVP_ASK_AGAIN 200

enum ivp_ask_what { IVP_ASK_OPEN = 1, IVP_ASK_COMMIT, IVP_ASK_CLOSE, IVP_ASK_LET_GO };

struct ivp_ask {
	enum ivp_ask_what what;
	char sender[IVP_NAME_MAX]; /* the name that the sender of a stream gave, of IVP_ASK_OPEN */
};

/* With that to IVP_ASK_OPEN comes a descriptor, unless the output is standard output. */
struct ivp_ask_answer {
	int ret;              /* 0 or a negative errno, and err says more */
	bool standard, fresh; /* as in struct ivp_output */
	struct ivp_error err;
};

#endif
