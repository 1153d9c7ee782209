// SPDX-License-Identifier: MIT
#include "dialog.h"
#include "message.h"
#include "peer.h"

struct dialog dialog;

static const u8 service[IVP_SERVICE_BYTES] = "default";

void dialog_begin(struct input *input, const struct dialog_medium *medium, bool serving)
{
	memset(&dialog, 0, sizeof(dialog));
	dialog.medium = medium;
	dialog.input = input;
	dialog.serving = serving;
	dialog.honest = true;
}

struct ivp_expect dialog_expectation(u32 lane, u64 epoch, u64 peer_epoch)
{
	const struct ivp_superblock *sb = &peer.region->sb;

	return (struct ivp_expect){
		.sb = sb,
		.listener_id = dialog.listener_id,
		.epoch = epoch,
		.peer_epoch = peer_epoch,
		.lane = lane,
		.side = dialog.serving ? ivp_lane_side(sb, lane) : dialog.side,
		.service = service,
	};
}

u64 dialog_field(size_t offset)
{
	return ivp_half_offset(&peer.region->sb, dialog.lane, !dialog.serving) + offset;
}

void dialog_say_state(u32 state)
{
	peer_store32(dialog_field(offsetof(struct ivp_half, state)), state);
}

void dialog_make(u32 type, u64 peer_epoch)
{
	struct ivp_expect knows = dialog_expectation(dialog.lane, DIALOG_EPOCH, peer_epoch);
	struct ivp_message good;

	message_make(&dialog.ours, type, &knows);
	if (type == IVP_MESSAGE_HELLO)
		memcpy(dialog.ours.file, "name", 4);
	memset(dialog.ours.token, 0xa5, dialog.ours.token_bytes);
	good = dialog.ours;
	message_spoil(dialog.input, &dialog.ours, &knows);
	dialog.honest = dialog.honest && !memcmp(&good, &dialog.ours, sizeof(good));
}

void dialog_hide_token(void)
{
	u64 size = peer.region->size, len = dialog.ours.token_bytes;

	if (len > IVP_TOKEN_MAX || dialog.ours.token_index > size - len)
		return;
	if (input_byte(dialog.input) % 8 != 7)
		peer_store(dialog.ours.token_index, dialog.ours.token, len);
	else
		dialog.honest = false;
}

void dialog_poke(void)
{
	dialog.poked = true;
	peer_poke(dialog.input);
}

void dialog_poke_first(void)
{
	for (u32 count = input_below(dialog.input, 4); count; count--) {
		dialog.honest = false;
		dialog_poke();
	}
}

void dialog_move(void)
{
	u32 what = input_below(dialog.input, 16);

	dialog.moves++;
	dialog.medium->hear();
	dialog.honest = dialog.honest && (what == 0 || what > 5);
	switch (what) {
	case 1:
		return dialog_poke();
	case 2:
		return dialog.medium->say_anything();
	case 3:
		return dialog.medium->say_nothing();
	case 4:
		return dialog.medium->hang_up();
	case 5:
		return; /* time passes */
	default:
		return dialog.medium->go_on();
	}
}
