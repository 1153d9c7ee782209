/* SPDX-License-Identifier: MIT */
/* look: lanes and listeners of a region at one moment, and what two such moments tell: who lives, and how fast the bytes go. */
#ifndef IVP_LOOK_H
#define IVP_LOOK_H

#include "ivpipe.h"

/* Between the two moments: longer than a beat takes. */
#define IVP_LOOK_MS 300

/* Bytes a second that no memory has: whoever announces more lies. */
#define IVP_LOOK_RATE_MAX (UINT64_C(1) << 44)

struct ivp_look {
	int64_t when; /* ivp_now() */
	struct ivp_region_info info;
	uint32_t slots; /* of all sides */
	struct ivp_lane_info *lanes;
	struct ivp_listener_info *listeners;
};

/* 0, -ENOMEM, or what ivp_region_check() says: what went away meanwhile reads as zero, and is no picture of anything. */
int ivp_look_take(struct ivp_look *look, struct ivp_region *region, struct ivp_error *err);
void ivp_look_drop(struct ivp_look *look);
/* Of the same layout? Only then are two looks comparable. */
bool ivp_look_same(const struct ivp_look *first, const struct ivp_look *second);

bool ivp_look_in_use(const struct ivp_end_info *end);
/* Is it worth a second look, because somebody claims to be there who holds no lock of this kernel's? */
bool ivp_look_is_open(const struct ivp_look *look);

/* Where an end lives: "here", "elsewhere" (its beat moves), "dead" (neither, and left behind), "free". */
const char *ivp_look_end(const struct ivp_end_info *first, const struct ivp_end_info *second);
const char *ivp_look_listener(const struct ivp_listener_info *first, const struct ivp_listener_info *second);

/* Bytes a second that the end sent between the looks, `ms` apart, headers included. False: what it announces cannot be. */
bool ivp_look_rate(const struct ivp_end_info *first, const struct ivp_end_info *second, int64_t ms, uint64_t *rate);

#endif
