// SPDX-License-Identifier: MIT
/* listener: announces itself in a slot, and answers the clients that ask for it: the server's half of the rendezvous. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "answer.h"
#include "attend.h"
#include "error.h"
#include "listener.h"
#include "locks.h"
#include "watch.h"

/* A hello whose knock was lost is found by a scan of all lanes. */
#define SCAN_MS 1000

/* Clients of other machines cannot wake us: that often at the least we, or the driver, look. */
#define LOOK_US 20000

struct ivp_listener {
	struct ivp_region *region;
	struct ivp_answering answering;
	struct ivp_attend *attend; /* to a control connection; then there is no slot */
	struct ivp_slot __shm *slot;
	int fd;    /* holds the slot's lock */
	u64 byte;  /* which is on that byte */
	u32 knock; /* the accept word that was last seen */
	int64_t scanned;
	/* for loops */
	struct ivp_watch *watch;
	u32 armed_knock; /* the accept word when it was armed; under the watch's lock */
	bool anew;       /* and it was just now; the same */
	u32 own_knock;   /* from here on the watch's thread's: the same word */
	int64_t looked;  /* at all lanes */
	struct ivp_doze doze;
	u64 handled[IVP_LANES_MAX]; /* epochs of hellos that had their answer */
};

static bool slot_read(struct ivp_slot __shm *slot, struct ivp_announced *announced)
{
	announced->id = ivp_load64_acquire(&slot->id);
	announced->beat = ivp_load32(&slot->beat);
	announced->busy = ivp_load32(&slot->busy);
	ivp_copy_from(announced->service, slot->service, IVP_SERVICE_BYTES);
	return announced->id && ivp_service_valid(announced->service);
}

bool ivp_listener_read(struct ivp_region *region, u32 side, u32 number, struct ivp_announced *announced)
{
	announced->side = side;
	announced->number = number;
	if (!slot_read(ivp_region_slot(region, side, number), announced))
		return false;
	announced->local = ivp_locks_held(region->lock_fd, IVP_LOCK_SLOT(side, number), 1);
	return true;
}

int ivp_region_listener(struct ivp_region *region, uint32_t side, uint32_t slot, struct ivp_listener_info *info)
{
	struct ivp_announced announced;

	if (side >= region->sb.sides || slot >= IVP_SLOTS_PER_SIDE)
		return -EINVAL;
	memset(info, 0, sizeof(*info));
	info->side = side;
	info->slot = slot;
	if (!ivp_listener_read(region, side, slot, &announced))
		return 0;
	info->id = announced.id;
	info->beat = announced.beat;
	info->local = announced.local;
	memcpy(info->service, announced.service, IVP_SERVICE_BYTES);
	return 0;
}

/* -EAGAIN: all are taken. */
static int try_slots(struct ivp_listener *listener)
{
	struct ivp_region *region = listener->region;
	int ret = -EAGAIN;

	for (u32 number = 0; number < IVP_SLOTS_PER_SIDE && ret == -EAGAIN; number++) {
		listener->byte = IVP_LOCK_SLOT(region->side, number);
		ret = ivp_locks_take_write(listener->fd, listener->byte);
		if (!ret)
			listener->slot = ivp_region_slot(region, region->side, number);
	}
	return ret;
}

/* Others' listeners come and go: wait for a slot as long as for a client. */
static int take_slot(struct ivp_listener *listener, struct ivp_error *err)
{
	int64_t deadline = ivp_deadline(listener->answering.options.wait_ms);
	struct ivp_doze doze = {.longest_us = LOOK_US};
	struct ivp_region *region = listener->region;
	int ret;

	listener->fd = ivp_region_take_lock_file(region);
	if (listener->fd < 0)
		return ivp_fail_path(err, listener->fd, region->address.lock, NULL);
	while ((ret = try_slots(listener)) == -EAGAIN) {
		if (ivp_region_cancelled(region))
			return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
		if (ivp_now() >= deadline)
			return ivp_fail(err, IVP_FAIL_GENERAL, -EBUSY, "%s: all %u listeners of side %u are taken",
					region->address.path, IVP_SLOTS_PER_SIDE, region->side);
		ivp_doze(&doze);
	}
	return ret ? ivp_fail_path(err, ret, region->address.lock, "cannot be locked") : 0;
}

static int announce(struct ivp_listener *listener, struct ivp_error *err)
{
	struct ivp_slot __shm *slot;
	int ret = take_slot(listener, err);

	if (!ret)
		ret = ivp_random_id(&listener->answering.id, err);
	if (ret)
		return ret;
	slot = listener->slot;
	ivp_store64_release(&slot->id, 0);
	ivp_store32(&slot->busy, 0);
	ivp_copy_to(slot->service, listener->answering.service, IVP_SERVICE_BYTES);
	listener->knock = ivp_load32(&slot->accept);
	ret = ivp_beat_add(listener->region->beat, &slot->beat);
	if (ret)
		return ivp_fail(err, IVP_FAIL_GENERAL, ret, "%s", strerror(-ret));
	/* Release: whoever sees the id sees the service. */
	ivp_store64_release(&slot->id, listener->answering.id);
	return 0;
}

int ivp_listen(struct ivp_listener **out, struct ivp_region *region, const struct ivp_lane_options *options,
	       struct ivp_error *err)
{
	struct ivp_listener *listener = calloc(1, sizeof(*listener));
	int ret;

	if (!listener)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	listener->region = listener->answering.region = region;
	listener->answering.options = *options;
	listener->fd = -1;
	ret = ivp_lane_options_check(&listener->answering.options, listener->answering.service, err);
	if (!ret && options->control)
		ret = ivp_attend_open(&listener->attend, &listener->answering, err);
	else if (!ret)
		ret = announce(listener, err);
	if (ret) {
		ivp_listener_close(listener);
		return ret;
	}
	ivp_lane_sweep(region);
	*out = listener;
	return 0;
}

void ivp_listener_close(struct ivp_listener *listener)
{
	if (!listener)
		return;
	if (ivp_region_inherited(listener->region)) {
		if (listener->fd >= 0)
			close(listener->fd);
		return;
	}
	ivp_watch_close(listener->watch);
	if (listener->slot) {
		ivp_beat_remove(listener->region->beat, &listener->slot->beat);
		if (ivp_load64(&listener->slot->id) == listener->answering.id)
			ivp_store64_release(&listener->slot->id, 0);
	}
	if (listener->fd >= 0)
		ivp_region_return_lock_file(listener->region, listener->fd, listener->byte);
	ivp_attend_close(listener->attend);
	free(listener);
}

/* Is there a hello for us on this lane that had no answer yet? */
static bool read_hello(struct ivp_listener *listener, u32 index, struct ivp_heard *hello)
{
	struct ivp_half __shm *half = ivp_region_half(listener->region, index, false);

	if (ivp_load32(&half->state) != IVP_STATE_HELLO || !ivp_lane_hear(listener->region, half, hello))
		return false;
	return hello->state == IVP_STATE_HELLO && hello->epoch != listener->handled[index] &&
	       hello->message.listener_id == listener->answering.id;
}

static bool find_hello(struct ivp_listener *listener, u32 *index, struct ivp_heard *hello)
{
	u32 lanes = listener->region->sb.lanes;

	for (*index = 0; *index < lanes; ++*index)
		if (read_hello(listener, *index, hello))
			return true;
	return false;
}

/* Answer one hello. -EAGAIN: nothing came of it, and the listener goes on. */
static int serve(struct ivp_listener *listener, u32 index, const struct ivp_heard *hello, struct ivp_lane **out,
		 struct ivp_error *err)
{
	struct ivp_lane *lane;
	int ret = ivp_lane_take(&lane, listener->region, index, true, err);

	if (ret)
		return ret;
	listener->handled[index] = hello->epoch;
	return ivp_answer_hello(&listener->answering, lane, hello, out, err);
}

/* Has anybody knocked, or is it time to look everywhere? Acquire: pairs with the client's store after its hello. A client elsewhere
 * first knocks to see whether we live, and does not wait for the next beat. */
static bool knocked(struct ivp_listener *listener, int64_t now)
{
	u32 knock = ivp_load32_acquire(&listener->slot->accept);

	if (knock == listener->knock && now - listener->scanned < SCAN_MS)
		return false;
	if (knock != listener->knock)
		ivp_beat_now(listener->region->beat, &listener->slot->beat);
	listener->knock = knock;
	listener->scanned = now;
	return true;
}

/* Our slot says another id. */
static int overwritten(struct ivp_listener *listener, struct ivp_error *err)
{
	int ret = ivp_region_check(listener->region, err);

	return ret ? ret
		   : ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO,
			      "%s: another user writes this listener: give each machine its own --side",
			      listener->region->address.path);
}

static int check_listener(struct ivp_listener *listener, int64_t deadline, struct ivp_error *err)
{
	int ret = ivp_region_check(listener->region, err);

	if (ret)
		return ret;
	if (ivp_region_cancelled(listener->region))
		return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
	/* Acquire: pairs with the fence of who lays the region out anew, whose first deed it is to take the format id away. */
	if (ivp_load64_acquire(&listener->slot->id) != listener->answering.id)
		return overwritten(listener, err);
	if (ivp_now() >= deadline)
		return ivp_fail(err, IVP_FAIL_NO_PEER, -ETIMEDOUT, "%s: no client came for service '%s'",
				listener->region->address.path, (const char *)listener->answering.service);
	return 0;
}

/* Processes on this kernel wake us, where there is a way; others we, or the driver, have to look for. */
static void rest(struct ivp_listener *listener, u32 knock, struct ivp_doze *doze, int64_t deadline)
{
	enum ivp_way way = ivp_word_way(listener->region, true);
	int64_t ms = way == IVP_WAY_FUTEX ? LOOK_US / 1000 : IVP_BEAT_MS, left = deadline - ivp_now();

	if (way == IVP_WAY_POLL)
		ivp_doze(doze);
	else if (!ivp_doze_spin(doze) && left > 0)
		ivp_word_sleep(listener->region, &listener->slot->accept, knock, doze, ms < left ? ms : left);
}

static int accept_one(struct ivp_lane **lane, struct ivp_listener *listener, struct ivp_error *err)
{
	int64_t deadline = ivp_deadline(listener->answering.options.wait_ms);
	struct ivp_doze doze = {.longest_us = LOOK_US};
	struct ivp_heard hello;
	bool more = true;
	u32 index;
	int ret;

	/* One hello a turn: clients that come to nothing, however many, keep nobody from looking at the clock. */
	for (;;) {
		if (knocked(listener, ivp_now()) || more) {
			more = find_hello(listener, &index, &hello);
			ret = more ? serve(listener, index, &hello, lane, err) : -EAGAIN;
			if (ret != -EAGAIN)
				return ret;
		}
		ret = check_listener(listener, deadline, err);
		if (ret)
			return ret;
		if (more)
			ivp_doze(&doze);
		else
			rest(listener, listener->knock, &doze, deadline);
	}
}

/* Between calls the caller is with a client, and says so: who comes then waits for his turn. */
int ivp_accept(struct ivp_lane **lane, struct ivp_listener *listener, struct ivp_error *err)
{
	int ret;

	if (listener->attend)
		return ivp_attend_accept(listener->attend, lane, err);
	if (listener->watch)
		ivp_watch_disarm(listener->watch);
	ivp_store32_release(&listener->slot->busy, 0);
	ret = accept_one(lane, listener, err);
	ivp_store32_release(&listener->slot->busy, 1);
	return ret;
}

int ivp_accept_within(struct ivp_lane **lane, struct ivp_listener *listener, int64_t wait_ms, struct ivp_error *err)
{
	struct ivp_lane_options *options = &listener->answering.options;
	int64_t usual = options->wait_ms;
	int ret;

	options->wait_ms = wait_ms;
	ret = ivp_accept(lane, listener, err);
	options->wait_ms = usual;
	return ret;
}

/* ---- for loops ---- */

static bool due(void *arg)
{
	struct ivp_listener *listener = arg;
	struct ivp_heard hello;
	int64_t now = ivp_now();
	u32 index, knock;

	if (listener->anew) {
		listener->own_knock = listener->armed_knock;
		listener->looked = now;
		listener->doze = (struct ivp_doze){.longest_us = LOOK_US};
		listener->anew = false;
	}
	if (check_listener(listener, INT64_MAX, NULL))
		return true;
	knock = ivp_load32_acquire(&listener->slot->accept);
	if (knock != listener->own_knock)
		ivp_beat_now(listener->region->beat, &listener->slot->beat);
	else if (now - listener->looked < SCAN_MS)
		return false;
	listener->own_knock = knock;
	listener->looked = now;
	return find_hello(listener, &index, &hello);
}

static void sleep_a_little(void *arg)
{
	struct ivp_listener *listener = arg;

	rest(listener, listener->own_knock, &listener->doze, ivp_deadline(SCAN_MS));
}

static void wake(void *arg)
{
	struct ivp_listener *listener = arg;

	ivp_word_wake(listener->region, &listener->slot->accept);
}

int ivp_listener_fd(struct ivp_listener *listener, struct ivp_error *err)
{
	static const struct ivp_watch_calls calls = {.due = due, .sleep = sleep_a_little, .wake = wake};
	int ret = 0;

	if (listener->attend)
		return ivp_attend_fd(listener->attend, err);
	if (!listener->watch)
		ret = ivp_watch_open(&listener->watch, &calls, listener);
	return ret ? ivp_fail(err, IVP_FAIL_GENERAL, ret, "no descriptor to wait for: %s", strerror(-ret))
		   : ivp_watch_fd(listener->watch);
}

static void begin(void *arg)
{
	struct ivp_listener *listener = arg;

	listener->armed_knock = ivp_load32_acquire(&listener->slot->accept);
	listener->anew = true;
}

/* A client that finds us busy would wait for nothing: whoever waits in a loop has time. */
int ivp_listener_arm(struct ivp_listener *listener, struct ivp_error *err)
{
	struct ivp_heard hello;
	u32 index;
	int ret;

	if (listener->attend)
		return ivp_attend_arm(listener->attend, err);
	ret = ivp_listener_fd(listener, err);
	if (ret < 0)
		return ret;
	ivp_store32_release(&listener->slot->busy, 0);
	ivp_watch_arm(listener->watch, begin);
	if (!find_hello(listener, &index, &hello) && !check_listener(listener, INT64_MAX, NULL))
		return 0;
	ivp_watch_fire(listener->watch);
	return 1;
}
