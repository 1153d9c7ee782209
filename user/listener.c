// SPDX-License-Identifier: MIT
/* listener: announces itself in a slot, and answers the clients that ask for it: the server's half of the rendezvous. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "error.h"
#include "lane.h"
#include "listener.h"
#include "locks.h"

/* A hello whose knock was lost is found by a scan of all lanes. */
#define SCAN_MS 1000

/* Clients of other machines cannot wake us: that often at the least we, or the driver, look. */
#define LOOK_US 20000

struct ivp_listener {
	struct ivp_region *region;
	struct ivp_lane_options options;
	u8 service[IVP_SERVICE_BYTES];
	struct ivp_slot __shm *slot;
	int fd; /* holds the slot's lock */
	u64 id;
	u32 knock; /* the accept word that was last seen */
	int64_t scanned;
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
		ret = ivp_locks_take_write(listener->fd, IVP_LOCK_SLOT(region->side, number));
		if (!ret)
			listener->slot = ivp_region_slot(region, region->side, number);
	}
	return ret;
}

/* Others' listeners come and go: wait for a slot as long as for a client. */
static int take_slot(struct ivp_listener *listener, struct ivp_error *err)
{
	int64_t deadline = ivp_deadline(listener->options.wait_ms);
	struct ivp_doze doze = {.longest_us = LOOK_US};
	struct ivp_region *region = listener->region;
	int ret;

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
	struct ivp_slot __shm *slot = listener->slot;
	int ret = ivp_random_id(&listener->id, err);

	if (ret)
		return ret;
	ivp_store64_release(&slot->id, 0);
	ivp_store32(&slot->busy, 0);
	ivp_copy_to(slot->service, listener->service, IVP_SERVICE_BYTES);
	listener->knock = ivp_load32(&slot->accept);
	ret = ivp_beat_add(listener->region->beat, &slot->beat);
	if (ret)
		return ivp_fail(err, IVP_FAIL_GENERAL, ret, "%s", strerror(-ret));
	/* Release: whoever sees the id sees the service. */
	ivp_store64_release(&slot->id, listener->id);
	return 0;
}

int ivp_listen(struct ivp_listener **out, struct ivp_region *region, const struct ivp_lane_options *options,
	       struct ivp_error *err)
{
	struct ivp_listener *listener = calloc(1, sizeof(*listener));
	int ret;

	if (!listener)
		return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
	listener->region = region;
	listener->options = *options;
	listener->fd = -1;
	ret = ivp_lane_options_check(&listener->options, listener->service, err);
	if (!ret) {
		listener->fd = ivp_locks_open(region->address.lock, true);
		ret = listener->fd < 0 ? ivp_fail_path(err, listener->fd, region->address.lock, NULL) : 0;
	}
	if (!ret)
		ret = take_slot(listener, err);
	if (!ret)
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
	if (listener->slot) {
		ivp_beat_remove(listener->region->beat, &listener->slot->beat);
		if (ivp_load64(&listener->slot->id) == listener->id)
			ivp_store64_release(&listener->slot->id, 0);
	}
	if (listener->fd >= 0)
		close(listener->fd);
	free(listener);
}

static void expect(const struct ivp_listener *listener, u32 lane, u64 epoch, u64 ours, struct ivp_expect *expect)
{
	*expect = (struct ivp_expect){
		.sb = &listener->region->sb,
		.listener_id = listener->id,
		.epoch = epoch,
		.peer_epoch = ours,
		.lane = lane,
		.side = ivp_lane_side(&listener->region->sb, lane),
		.service = listener->service,
	};
}

/* Is there a hello for us on this lane that had no answer yet? */
static bool read_hello(struct ivp_listener *listener, u32 index, struct ivp_heard *hello)
{
	struct ivp_half __shm *half = ivp_region_half(listener->region, index, false);

	if (ivp_load32(&half->state) != IVP_STATE_HELLO || !ivp_lane_hear(listener->region, half, hello))
		return false;
	return hello->state == IVP_STATE_HELLO && hello->epoch != listener->handled[index] &&
	       hello->message.listener_id == listener->id;
}

static bool find_hello(struct ivp_listener *listener, u32 *index, struct ivp_heard *hello)
{
	u32 lanes = listener->region->sb.lanes;

	for (*index = 0; *index < lanes; ++*index)
		if (read_hello(listener, *index, hello))
			return true;
	return false;
}

static enum ivp_reason check_hello(const struct ivp_listener *listener, const struct ivp_lane *lane,
				   const struct ivp_message *hello)
{
	struct ivp_expect knows;
	enum ivp_reason reason;

	expect(listener, lane->index, lane->their_epoch, 0, &knows);
	reason = ivp_hello_check(hello, &knows);
	if (reason == IVP_REASON_OK && !ivp_lane_find_token(lane, hello))
		reason = IVP_REASON_TOKEN;
	return reason;
}

/* Names are shown on terminals: what could steer one becomes a question mark. */
static void keep_hello(struct ivp_lane *lane, const struct ivp_message *hello)
{
	memcpy(lane->file, hello->file, sizeof(lane->file));
	for (u8 *c = (u8 *)lane->file; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
	lane->size = hello->size > INT64_MAX ? -1 : (int64_t)hello->size;
}

/* Wait for what the client makes of our answer. 0: its ready, or its end after a refusal; -EAGAIN: it gave up. */
static int await_client(struct ivp_listener *listener, struct ivp_lane *lane, struct ivp_heard *heard,
			enum ivp_step *step, struct ivp_error *err)
{
	int64_t deadline = ivp_deadline(listener->options.timeout_ms);
	struct ivp_doze doze = {0};
	int ret;

	for (;; ivp_doze(&doze)) {
		bool whole = ivp_lane_hear(lane->region, lane->theirs, heard);

		*step = ivp_server_step(heard->state);
		if (heard->epoch != lane->their_epoch)
			return -EAGAIN;
		if (whole && *step != IVP_STEP_WAIT)
			return 0;
		ret = ivp_lane_look(lane, err);
		if (!ret)
			ret = ivp_region_check(lane->region, err);
		if (ret)
			return ret;
		if (ivp_now() >= deadline ||
		    (lane->local && !ivp_locks_held(lane->fd, IVP_LOCK_CLIENT(lane->index), 1)))
			return -EAGAIN;
		if (ivp_region_cancelled(lane->region))
			return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
	}
}

static int refuse(struct ivp_listener *listener, struct ivp_lane *lane, enum ivp_reason reason, struct ivp_error *err)
{
	struct ivp_message refusal;
	struct ivp_expect knows;
	struct ivp_heard heard;
	enum ivp_step step;

	expect(listener, lane->index, lane->their_epoch, lane->epoch, &knows);
	ivp_message_begin(&refusal, IVP_MESSAGE_REFUSAL, &knows, listener->region->side);
	refusal.reason = reason;
	ivp_lane_say(lane, &refusal, IVP_STATE_REFUSED);
	await_client(listener, lane, &heard, &step, NULL);
	return ivp_fail(err, IVP_FAIL_REFUSED, -ECONNREFUSED, "lane %u: refused a client's hello: %s", lane->index,
			ivp_reason_text(reason));
}

static int welcome(struct ivp_listener *listener, struct ivp_lane *lane, struct ivp_error *err)
{
	struct ivp_message message;
	struct ivp_expect knows;
	struct ivp_heard heard;
	enum ivp_reason reason;
	enum ivp_step step;
	int ret;

	expect(listener, lane->index, lane->their_epoch, lane->epoch, &knows);
	ivp_message_begin(&message, IVP_MESSAGE_WELCOME, &knows, listener->region->side);
	ret = ivp_lane_hide_token(lane, &message, listener->options.token_bytes, err);
	if (ret)
		return ret;
	ivp_lane_say(lane, &message, IVP_STATE_WELCOME);
	ret = await_client(listener, lane, &heard, &step, err);
	if (ret)
		return ret;
	if (step == IVP_STEP_GONE)
		return -EAGAIN;
	if (step != IVP_STEP_ANSWER)
		return ivp_fail(err, IVP_FAIL_REFUSED, -ECONNREFUSED, "lane %u: the client refused our welcome: %s",
				lane->index, ivp_reason_text(ivp_lane_their_verdict(lane)));
	reason = ivp_ready_check(&heard.message, &knows);
	if (reason != IVP_REASON_OK)
		return ivp_fail(err, IVP_FAIL_REFUSED, -ECONNREFUSED, "lane %u: the client's ready does not fit: %s",
				lane->index, ivp_reason_text(reason));
	return 0;
}

/* Answer one hello. -EAGAIN: nothing came of it, and the listener goes on. */
static int serve(struct ivp_listener *listener, u32 index, const struct ivp_heard *hello, struct ivp_lane **out,
		 struct ivp_error *err)
{
	enum ivp_reason reason;
	struct ivp_lane *lane;
	int ret = ivp_lane_take(&lane, listener->region, index, true, err);

	if (ret)
		return ret;
	listener->handled[index] = hello->epoch;
	lane->their_epoch = hello->epoch;
	lane->local = ivp_locks_held(lane->fd, IVP_LOCK_CLIENT(index), 1);
	reason = check_hello(listener, lane, &hello->message);
	if (reason == IVP_REASON_OK)
		ret = welcome(listener, lane, err);
	else if (ivp_lane_still_says(lane, IVP_STATE_HELLO))
		ret = refuse(listener, lane, reason, err);
	else
		ret = -EAGAIN; /* the client has gone */
	if (!ret) {
		keep_hello(lane, &hello->message);
		ivp_lane_wipe_token(lane);
		lane->their_state = IVP_STATE_OPEN;
		ivp_lane_state(lane, IVP_STATE_OPEN);
		ret = ivp_lane_attach(lane, &listener->options, err);
	}
	if (ret)
		ivp_lane_close(lane);
	else
		*out = lane;
	return ret;
}

/* Has anybody knocked, or is it time to look everywhere? Acquire: pairs with the client's store after its hello. */
static bool knocked(struct ivp_listener *listener, int64_t now)
{
	u32 knock = ivp_load32_acquire(&listener->slot->accept);

	if (knock == listener->knock && now - listener->scanned < SCAN_MS)
		return false;
	listener->knock = knock;
	listener->scanned = now;
	return true;
}

static int check_listener(struct ivp_listener *listener, int64_t deadline, struct ivp_error *err)
{
	int ret = ivp_region_check(listener->region, err);

	if (ret)
		return ret;
	if (ivp_region_cancelled(listener->region))
		return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
	if (ivp_load64(&listener->slot->id) != listener->id)
		return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO,
				"%s: another user writes this listener: give each machine its own --side",
				listener->region->address.path);
	if (ivp_now() >= deadline)
		return ivp_fail(err, IVP_FAIL_NO_PEER, -ETIMEDOUT, "%s: no client came for service '%s'",
				listener->region->address.path, (const char *)listener->service);
	return 0;
}

/* Processes on this kernel wake us, where there is a way; others we, or the driver, have to look for. */
static void rest(struct ivp_listener *listener, struct ivp_doze *doze, int64_t deadline)
{
	enum ivp_way way = ivp_word_way(listener->region, true);
	int64_t ms = way == IVP_WAY_FUTEX ? LOOK_US / 1000 : IVP_BEAT_MS, left = deadline - ivp_now();

	if (way == IVP_WAY_POLL)
		ivp_doze(doze);
	else if (!ivp_doze_spin(doze) && left > 0)
		ivp_word_sleep(listener->region, &listener->slot->accept, listener->knock, doze, ms < left ? ms : left);
}

static int accept_one(struct ivp_lane **lane, struct ivp_listener *listener, struct ivp_error *err)
{
	int64_t deadline = ivp_deadline(listener->options.wait_ms);
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
			rest(listener, &doze, deadline);
	}
}

/* Between calls the caller is with a client, and says so: who comes then waits for his turn. */
int ivp_accept(struct ivp_lane **lane, struct ivp_listener *listener, struct ivp_error *err)
{
	int ret;

	ivp_store32_release(&listener->slot->busy, 0);
	ret = accept_one(lane, listener, err);
	ivp_store32_release(&listener->slot->busy, 1);
	return ret;
}
