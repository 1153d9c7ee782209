// SPDX-License-Identifier: MIT
#include "line.h"
#include "peer.h"

/* Of the peer's last message, what it has still to say. */
static size_t left;

/* In one piece, or two. */
static void say_ours(void)
{
	u32 first = input_byte(dialog.input) % 4 ? 0 : input_below(dialog.input, sizeof(dialog.ours));

	left = sizeof(dialog.ours);
	if (first)
		left -= first;
	else
		left = 0;
	peer_say(&dialog.ours, sizeof(dialog.ours) - left);
}

static void say_rest(void)
{
	peer_say((u8 *)&dialog.ours + sizeof(dialog.ours) - left, left);
	left = 0;
}

static void open_half(u32 state)
{
	peer_store64(dialog_field(offsetof(struct ivp_half, epoch)), DIALOG_EPOCH);
	dialog_hide_token();
	dialog_say_state(state);
	say_ours();
}

static void refuse(u64 peer_epoch)
{
	dialog_make(IVP_MESSAGE_REFUSAL, peer_epoch);
	dialog.ours.reason = input_byte(dialog.input);
	dialog.honest = false;
	say_ours();
}

/* As a client: hello, ready. */
static void go_on_calling(void)
{
	struct ivp_message welcome;

	switch (dialog.steps++) {
	case 0:
		dialog.lane = input_below(dialog.input, peer.region->sb.lanes);
		dialog_make(IVP_MESSAGE_HELLO, 0);
		return open_half(IVP_STATE_HELLO);
	case 1:
		if (!peer_message(&peer.heard, 0, &welcome))
			return peer_hang_up();
		if (input_byte(dialog.input) % 8 == 7)
			return refuse(welcome.epoch);
		dialog_make(IVP_MESSAGE_READY, welcome.epoch);
		dialog_say_state(IVP_STATE_OPEN);
		return say_ours();
	default:
		return peer_hang_up();
	}
}

/* As a server: welcome, and that is all. */
static void go_on_serving(void)
{
	struct ivp_message hello;

	if (dialog.steps++ || !peer_message(&peer.heard, 0, &hello))
		return peer_hang_up();
	dialog.lane = hello.lane;
	if (input_byte(dialog.input) % 8 == 7)
		return refuse(hello.epoch);
	dialog_make(IVP_MESSAGE_WELCOME, hello.epoch);
	open_half(IVP_STATE_WELCOME);
}

static void say_anything(void)
{
	u8 bytes[64];
	u32 len = input_below(dialog.input, sizeof(bytes));

	input_copy(dialog.input, bytes, len);
	peer_say(bytes, len);
}

static void go_on(void)
{
	if (left)
		return say_rest();
	return dialog.serving ? go_on_calling() : go_on_serving();
}

static void say_zeros(void)
{
	static const u8 zeros[16];

	peer_say(zeros, input_below(dialog.input, sizeof(zeros)));
}

void line_begin(struct input *input, bool serving)
{
	static const struct dialog_medium line = {
		.hear = peer_hear,
		.go_on = go_on,
		.say_anything = say_anything,
		.say_nothing = say_zeros,
		.hang_up = peer_hang_up,
	};

	left = 0;
	dialog_begin(input, &line, serving);
	dialog.side = ~0u;
}
