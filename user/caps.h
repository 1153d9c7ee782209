/* SPDX-License-Identifier: MIT */
/*
 * caps: what two programs of Xpra tell each other of mmap in their hellos, in the words of each version.
 *
 *   flat     mmap_file, mmap_size, mmap_token ...; the answer has mmap_enabled       3 and 4
 *   nested   mmap: {file, size, token ...}; the answer has mmap: {enabled ...}       5, and 6.0 to 6.2
 *   areas    mmap: {read: {...}, write: {...}}, each from the speaker's view         6.3 and later
 */
#ifndef IVP_CAPS_H
#define IVP_CAPS_H

#include "encode.h"
#include "ivpipe-xpra.h"
#include "packet.h"

enum {
	IVP_FORM_FLAT = 1 << 0,
	IVP_FORM_NESTED = 1 << 1,
	IVP_FORM_AREAS = 1 << 2,
	IVP_FORM_NAMESPACE = 1 << 3, /* a client of 5, which makes servers of 3 and 4 look elsewhere */
};
#define IVP_FORM_ALL (IVP_FORM_FLAT | IVP_FORM_NESTED | IVP_FORM_AREAS)

/* One area as somebody announces it. */
struct ivp_claim {
	bool given; /* with a token that is well-formed */
	u64 size;   /* 0: not said */
	struct ivp_xpra_token token;
	char file[256];
};

enum {
	IVP_DOWN, /* from the server to the client: pictures */
	IVP_UP,   /* the other way; 6.3 and later */
	IVP_WAYS,
};

struct ivp_caps {
	char version[32];
	unsigned int forms;   /* in which something of mmap is said */
	bool windows;         /* a client that shows some */
	unsigned int enabled; /* an answer: in which it is said that mmap is on */
	struct ivp_claim claim[IVP_WAYS];
};

/* Of a hello packet. -EPROTO: it is none. */
int ivp_caps_read(struct ivp_caps *caps, const struct ivp_packet *hello, bool from_server);

/* What a client of a version says, and the one form that it demands of the answer; which clients use mmap with a server of a
 * version, and whether one does. What is no version counts as the newest. */
unsigned int ivp_caps_forms(const char *version);
unsigned int ivp_caps_demand(const char *version);
const char *ivp_caps_clients(const char *version);
bool ivp_caps_agree(const char *client, const char *server);

/* What is said of each way's area; NULL: nothing. */
struct ivp_offer {
	const char *version;
	unsigned int forms;
	const struct ivp_claim *claim[IVP_WAYS];
};
void ivp_caps_put_client(struct ivp_writer *writer, const struct ivp_offer *offer);
/* In all forms. */
void ivp_caps_put_server(struct ivp_writer *writer, const struct ivp_offer *offer);
/* A client that only asks what the server is. */
void ivp_caps_put_question(struct ivp_writer *writer, const char *version);

#endif
