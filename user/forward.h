/* SPDX-License-Identifier: MIT */
/*
 * forward: connections to sockets, each carried by a lane of its own. One process has the sockets and never sees the region (ports); its
 * child's worker has the region and no right to open anything but that (lanes). What goes between them is the messages below.
 */
#ifndef IVP_FORWARD_H
#define IVP_FORWARD_H

#include "cli.h"
#include "endpoint.h"

#define IVP_FORWARD_RULES   32  /* of each kind */
#define IVP_FORWARD_ADDRESS 200 /* bytes with its NUL, so that one fits into a hello */

/* Where none is named. */
#define IVP_FORWARD_SERVICE "forward"

/* Addresses are written as of a control connection: tcp:HOST:PORT, unix:PATH, vsock:CID:PORT. */
struct ivp_forward_port {
	char listen[IVP_FORWARD_ADDRESS];
	char target[IVP_FORWARD_ADDRESS]; /* on the other side; "" leaves it to that, or to who asked for the port */
	struct ivp_endpoint endpoint;
	int fd; /* -1: not listening */
};

/* What the other side may reach here, and by what name. */
struct ivp_forward_target {
	char name[IVP_FORWARD_ADDRESS], address[IVP_FORWARD_ADDRESS];
};

struct ivp_forward {
	struct ivp_cli *cli;
	struct ivp_forward_port ports[IVP_FORWARD_RULES]; /* ours; with --listen those that the peer may ask for */
	size_t port_count;
	struct ivp_forward_target targets[IVP_FORWARD_RULES];
	size_t target_count;
	int socket; /* between the two processes */
};

/* Of ports and lanes. */
enum ivp_forward_what {
	IVP_FORWARD_CALLER = 1, /* to lanes: a descriptor, of port `id` */
	IVP_FORWARD_ANSWER,     /* to lanes: to the question `id`; `number` is 0 or negative; with OPEN a descriptor */
	IVP_FORWARD_OPEN,       /* to ports: connect to the target of this name */
	IVP_FORWARD_LISTEN,     /* to ports: of this name; the answer's number is the port's */
	IVP_FORWARD_SILENCE,    /* to ports: listen no more on port `id`; all of them: -1. Not answered */
};

struct ivp_forward_message {
	int what, number;
	uint32_t id;
	char address[IVP_FORWARD_ADDRESS];
};

/* forward_words.c: fills ports and targets from operands and -R. 0, or an exit code after a line that says why. */
int ivp_forward_parse(struct ivp_forward *forward);

/* forward_ports.c: listen on what is ours from the beginning; 0, or an exit code. */
int ivp_forward_open(struct ivp_forward *forward);
/* Run the verb's other process, and serve it until it ends. Returns its exit code, or ends as it did. */
int ivp_forward_ports(struct ivp_forward *forward, int (*work)(struct ivp_cli *cli));

/* forward_talk.c: one message, perhaps with a descriptor, *fd (-1: none). 0; -EPIPE: the other process is gone. */
int ivp_forward_say(int socket, const struct ivp_forward_message *message, int fd);
int ivp_forward_hear(int socket, struct ivp_forward_message *message, int *fd);

/* forward_lanes.c: the worker, until a signal ends it. 0, or 1: open the region again; or a negative errno. */
int ivp_forward_lanes(struct ivp_forward *forward, struct ivp_region *region, struct ivp_error *err);

/* forward_carry.c: both ways at once between a lane and a socket, which it closes. A failure of either is told to both. */
int ivp_forward_carry(const struct ivp_cli *cli, struct ivp_lane *lane, int fd, struct ivp_error *err);

#endif
