// SPDX-License-Identifier: MIT
#include "board.h"
#include "peer.h"

/* Of the peer that listens. */
#define LISTENER 0x5555666677778888ULL
#define SIDE     1

static struct {
	struct ivp_message left[IVP_MESSAGE_READY + 1]; /* the last of each type, whatever it says of itself */
	u64 slot;                                       /* offset of the listener's, whose ever it is */
	u64 answered;                                   /* the epoch of the last hello that had its answer */
	u32 beat;
} board;

/* ---- what the end under test says ---- */

static void read_half(u32 lane, struct ivp_half *half)
{
	memcpy(half, peer.region->map + ivp_half_offset(&peer.region->sb, lane, dialog.serving), sizeof(*half));
}

static u64 field_of_slot(size_t offset)
{
	return board.slot + offset;
}

/* ---- what the peer does ---- */

/* A part of it, now and then, as who tears it. */
static void leave_ours(u32 type, u32 state)
{
	u32 len = input_byte(dialog.input) % 16 < 15 ? sizeof(dialog.ours)
						     : input_below(dialog.input, sizeof(dialog.ours));

	peer_store(dialog_field(offsetof(struct ivp_half, message)), &dialog.ours, len);
	if (len < sizeof(dialog.ours))
		dialog.honest = !(dialog.poked = true);
	board.left[type] = dialog.ours;
	dialog_say_state(state);
}

static void open_half(u32 type, u32 state, u64 peer_epoch)
{
	dialog_say_state(IVP_STATE_IDLE);
	peer_store64(dialog_field(offsetof(struct ivp_half, epoch)), DIALOG_EPOCH);
	dialog_make(type, peer_epoch);
	dialog_hide_token();
	leave_ours(type, state);
}

static void knock(void)
{
	peer_store32(field_of_slot(offsetof(struct ivp_slot, accept)), ++board.beat);
}

static void beat(void)
{
	peer_store32(field_of_slot(offsetof(struct ivp_slot, beat)), ++board.beat);
}

static void hang_up(void)
{
	if (dialog.serving || input_byte(dialog.input) % 2)
		dialog_say_state(IVP_STATE_CLOSED);
	else
		peer_store64(field_of_slot(offsetof(struct ivp_slot, id)), 0);
}

static void abort_lane(void)
{
	dialog.honest = false;
	peer_store32(dialog_field(offsetof(struct ivp_half, verdict)), input_byte(dialog.input));
	dialog_say_state(IVP_STATE_ABORTED);
}

static void say_hello(void)
{
	dialog.steps = 1;
	dialog.lane = input_below(dialog.input, peer.region->sb.lanes);
	open_half(IVP_MESSAGE_HELLO, IVP_STATE_HELLO, 0);
	knock();
}

/* As a client: hello, and ready to a welcome. */
static void go_on_calling(void)
{
	struct ivp_half half;

	if (!dialog.steps)
		return say_hello();
	read_half(dialog.lane, &half);
	if (dialog.steps == 1 && half.state == IVP_STATE_WELCOME && half.message.peer_epoch == DIALOG_EPOCH) {
		dialog.steps = 2;
		if (input_byte(dialog.input) % 8 == 7)
			return abort_lane();
		dialog_make(IVP_MESSAGE_READY, half.epoch);
		return leave_ours(IVP_MESSAGE_READY, IVP_STATE_OPEN);
	}
	if (dialog.steps == 2 && half.state == IVP_STATE_OPEN)
		hang_up();
}

static void announce(void)
{
	static const u8 service[IVP_SERVICE_BYTES] = "default";

	dialog.steps = 1;
	peer_store(field_of_slot(offsetof(struct ivp_slot, service)), service, sizeof(service));
	peer_store64(field_of_slot(offsetof(struct ivp_slot, id)), LISTENER);
	beat();
}

static bool find_hello(struct ivp_half *half)
{
	for (u32 lane = 0; lane < peer.region->sb.lanes; lane++) {
		read_half(lane, half);
		if (half->state != IVP_STATE_HELLO || half->message.type != IVP_MESSAGE_HELLO ||
		    half->message.listener_id != LISTENER || half->epoch == board.answered)
			continue;
		dialog.lane = lane;
		board.answered = half->epoch;
		return true;
	}
	return false;
}

/* As a server: announced, and alive; welcome to a hello. */
static void go_on_serving(void)
{
	struct ivp_half half;

	if (!dialog.steps)
		return announce();
	beat();
	if (find_hello(&half)) {
		dialog.steps = 2;
		if (input_byte(dialog.input) % 8 < 7)
			return open_half(IVP_MESSAGE_WELCOME, IVP_STATE_WELCOME, half.epoch);
		dialog.honest = false;
		open_half(IVP_MESSAGE_REFUSAL, IVP_STATE_REFUSED, half.epoch);
		return peer_store32(dialog_field(offsetof(struct ivp_half, message.reason)), input_byte(dialog.input));
	}
	read_half(dialog.lane, &half);
	if (dialog.steps == 3)
		hang_up();
	if (dialog.steps == 2 && half.state == IVP_STATE_OPEN) {
		dialog.steps = 3;
		dialog_say_state(IVP_STATE_OPEN);
	}
}

/* From the beginning, before that has come to an end. */
static void begin_anew(void)
{
	dialog.poked = true;
	dialog.steps = 0;
	board.answered = 0;
}

/* It reads what it needs where it needs it. */
static void hear(void)
{
}

const struct ivp_message *board_message(u32 type)
{
	return &board.left[type];
}

void board_begin(struct input *input, bool serving)
{
	static const struct dialog_medium calling = {hear, go_on_calling, begin_anew, knock, hang_up};
	static const struct dialog_medium listening = {hear, go_on_serving, begin_anew, beat, hang_up};
	const struct ivp_superblock *sb = &peer.region->sb;

	memset(&board, 0, sizeof(board));
	dialog_begin(input, serving ? &calling : &listening, serving);
	dialog.side = SIDE;
	board.slot = ivp_slot_offset(sb, serving ? 0 : SIDE, serving ? 0 : input_below(input, IVP_SLOTS_PER_SIDE));
	dialog.listener_id = LISTENER;
	if (serving)
		memcpy(&dialog.listener_id, peer.region->map + board.slot, sizeof(dialog.listener_id));
}
