// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "handshake.h"
#include "look.h"
#include "region.h"
#include "wait.h"

int ivp_look_take(struct ivp_look *look, struct ivp_region *region, struct ivp_error *err)
{
	memset(look, 0, sizeof(*look));
	ivp_region_describe(region, &look->info);
	look->slots = look->info.sides * IVP_LISTENERS_PER_SIDE;
	look->lanes = calloc(look->info.lanes, sizeof(*look->lanes));
	look->listeners = calloc(look->slots, sizeof(*look->listeners));
	if (!look->lanes || !look->listeners)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	for (uint32_t i = 0; i < look->info.lanes; i++)
		ivp_region_lane(region, i, &look->lanes[i]);
	for (uint32_t i = 0; i < look->slots; i++)
		ivp_region_listener(region, i / IVP_LISTENERS_PER_SIDE, i % IVP_LISTENERS_PER_SIDE,
				    &look->listeners[i]);
	look->when = ivp_now();
	return ivp_region_check(region, err);
}

void ivp_look_drop(struct ivp_look *look)
{
	free(look->lanes);
	free(look->listeners);
	memset(look, 0, sizeof(*look));
}

bool ivp_look_same(const struct ivp_look *first, const struct ivp_look *second)
{
	return first->lanes && second->lanes && first->info.format_id == second->info.format_id &&
	       first->info.lanes == second->info.lanes && first->slots == second->slots;
}

bool ivp_look_in_use(const struct ivp_end_info *end)
{
	return end->local || !ivp_state_over(end->state);
}

bool ivp_look_is_open(const struct ivp_look *look)
{
	for (uint32_t i = 0; i < look->info.lanes; i++) {
		const struct ivp_end_info *client = &look->lanes[i].client, *server = &look->lanes[i].server;

		if ((!client->local && ivp_look_in_use(client)) || (!server->local && ivp_look_in_use(server)))
			return true;
	}
	for (uint32_t i = 0; i < look->slots; i++)
		if (look->listeners[i].id && !look->listeners[i].local)
			return true;
	return false;
}

static const char *life(bool local, bool moved, bool over)
{
	return local ? "here" : moved ? "elsewhere" : over ? "free" : "dead";
}

const char *ivp_look_end(const struct ivp_end_info *first, const struct ivp_end_info *second)
{
	return life(second->local, first->beat != second->beat, ivp_state_over(second->state));
}

const char *ivp_look_listener(const struct ivp_listener_info *first, const struct ivp_listener_info *second)
{
	return life(second->local, first->beat != second->beat, !second->id);
}

/* Positions begin at 0 with each epoch. A difference is one modulo 2^64, so that a position that went back is a huge one. */
bool ivp_look_rate(const struct ivp_end_info *first, const struct ivp_end_info *second, int64_t ms, uint64_t *rate)
{
	uint64_t moved = second->sent - (first->epoch == second->epoch ? first->sent : 0);
	double value = ms > 0 ? (double)moved * 1000 / (double)ms : 0;

	*rate = 0;
	if (ms <= 0 || value > (double)IVP_LOOK_RATE_MAX)
		return false;
	*rate = (uint64_t)value;
	return true;
}
