// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>

#include "choose.h"
#include "locks.h"

/* A lane whose server's end was left in the middle is taken when that long nothing beat there. */
#define ABANDONED_MS 10000

void ivp_seen_watch(struct ivp_seen *seen, u64 id, u32 beat, int64_t now)
{
	if (seen->id != id || !seen->since) {
		*seen = (struct ivp_seen){.id = id, .beat = beat, .since = now};
	} else if (seen->beat != beat) {
		seen->beat = beat;
		seen->moved = true;
		seen->since = now;
	}
}

/* May a client take this lane now? */
static bool lane_free(struct ivp_choice *choice, struct ivp_region *region, u32 index)
{
	struct ivp_half __shm *half = ivp_region_half(region, index, true);
	int64_t now = ivp_now();

	if (ivp_locks_held(region->lock_fd, IVP_LOCK_SERVER(index), 1))
		return false;
	if (ivp_state_over(ivp_load32_acquire(&half->state)))
		return true;
	ivp_seen_watch(&choice->lanes[index], ivp_load64(&half->epoch), ivp_load32(&half->beat), now);
	return now - choice->lanes[index].since > ABANDONED_MS;
}

int ivp_choose_lane(struct ivp_choice *choice, struct ivp_region *region, struct ivp_lane **lane, struct ivp_error *err)
{
	const struct ivp_superblock *sb = &region->sb;
	u32 count = sb->lanes / sb->sides, first = region->side * count, start;
	int ret = ivp_random(&start, sizeof(start), err);

	for (u32 i = 0; i < count && !ret; i++) {
		u32 index = first + (start % count + i) % count;

		if (!lane_free(choice, region, index))
			continue;
		ret = ivp_lane_take(lane, region, index, false, err);
		if (!ret)
			return 0;
		if (ret == -EAGAIN)
			ret = 0;
	}
	return ret ? ret : -EAGAIN;
}
