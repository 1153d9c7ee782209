/* SPDX-License-Identifier: MIT */
/* meeting: what `xpra check` and `xpra serve` have in common: the memory of both ways, our tokens in it, and what was agreed. */
#ifndef IVP_MEETING_H
#define IVP_MEETING_H

#include <limits.h>

#include "caps.h"
#include "cli.h"
#include "endpoint.h"

struct ivp_meeting {
	struct ivp_cli *cli;
	struct ivp_endpoint endpoint;
	char url[IVP_ENDPOINT_NUMERIC_MAX + PATH_MAX];
	struct ivp_xpra_area *area[IVP_WAYS]; /* IVP_UP: NULL without --back */
	struct ivp_claim claim[IVP_WAYS];     /* ours */
	bool agreed[IVP_WAYS];
	const char *proof;    /* of it, in words */
	struct ivp_caps caps; /* theirs */
	enum ivp_encoding encoding;
};

/* Look at URL and memory, and shut this process in: what would keep Xpra from using it is an error before anything is written. */
int ivp_meeting_begin(struct ivp_meeting *meeting, struct ivp_cli *cli, struct ivp_error *err);
void ivp_meeting_end(struct ivp_meeting *meeting);

/* Place a new token of ours, and fill in the claim. */
int ivp_meeting_place(struct ivp_meeting *meeting, int way, struct ivp_error *err);

/* Theirs: -EMSGSIZE, -EBADMSG and so on, with what to do. */
int ivp_meeting_verify(const struct ivp_meeting *meeting, int way, const char *who, struct ivp_error *err);

/* The areas that Xpra would use, and why not: for status, too. */
int ivp_meeting_open(const struct ivp_cli *cli, const char *address, unsigned int flags, struct ivp_xpra_area **area,
		     struct ivp_error *err);
/* What keeps Xpra from using a memory of this size; NULL: nothing. */
const char *ivp_meeting_size_problem(uint64_t size);

/* Say how it ended. problem: NULL, or what was wrong. */
void ivp_meeting_report(const struct ivp_meeting *meeting, const char *peer, const struct ivp_error *problem);

#endif
