/* SPDX-License-Identifier: MIT */
/* forward_lanes: what the files of the process with the region share. Each connection is a thread, and so is each port asked for. */
#ifndef IVP_FORWARD_LANES_H
#define IVP_FORWARD_LANES_H

#include <pthread.h>

#include "forward.h"

/* How often those who wait look up. */
#define IVP_LANES_LOOK_MS 250

/* In front of what names a port that is asked for: "listen SERVICE ADDRESS". */
#define IVP_LANES_LISTEN "listen "

/* Said first, in a byte, by who was asked for something by name. */
enum ivp_lanes_word { IVP_WORD_YES, IVP_WORD_NOT_ALLOWED, IVP_WORD_REFUSED, IVP_WORD_SILENT, IVP_WORD_FAILED };

/* Who asked for a port of ours; the last one to do so has it. */
struct ivp_lanes_owner {
	char service[IVP_SERVICE_MAX];
	uint64_t turn;
};

struct ivp_lanes {
	struct ivp_forward *forward;
	struct ivp_region *region;
	char back[IVP_SERVICE_MAX]; /* the service by which comes what was asked for with -R */
	/* under the lock */
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool stop; /* nothing more is begun: */
	int ret;   /* why */
	struct ivp_error err;
	unsigned int calls; /* threads that use the region */
	struct ivp_lanes_owner owners[IVP_FORWARD_RULES];
};
extern struct ivp_lanes ivp_lanes;

/* forward_ask.c: a question to the process with the sockets. 0 or more, or a negative errno; *fd, of a target, is the caller's. */
int ivp_lanes_ask(enum ivp_forward_what what, const char *address, int *fd);
void ivp_lanes_answer(const struct ivp_forward_message *message, int fd);
/* End it all, with this failure if it is the first one. */
void ivp_lanes_stop(int ret, const struct ivp_error *err);
bool ivp_lanes_stopping(void);
/* Until something changes, or it is time to look whether a signal came. Under the lock. */
void ivp_lanes_await(void);
/* Of one connection; the others go on. */
void ivp_lanes_failed(const char *what, const struct ivp_error *err);
/* Close a socket so that its peer does not take that for the end of the data. */
void ivp_lanes_reset(int fd);

/* forward_call.c: lanes that we ask for: for a caller of a port, and for a port on the other side (a thread). */
void ivp_lanes_call(uint32_t port, int fd);
void *ivp_lanes_request(void *target);

/* forward_serve.c: a lane that came; closes it. */
void ivp_lanes_serve(struct ivp_lane *lane);

#endif
