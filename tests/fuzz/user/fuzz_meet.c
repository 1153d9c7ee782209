// SPDX-License-Identifier: MIT
/*
 * The rendezvous through the memory itself, and the stream after it, with a liar for a peer: a client if we listen, a listener if we
 * look for one. It ends within its deadlines, nobody is let in whose proof does not hold, and nothing is written but what is ours.
 */
#include "board.h"
#include "chance.h"
#include "flow.h"
#include "peer.h"
#include "proof.h"

#define WAIT_MS    3000
#define TIMEOUT_MS 1000

/* Whoever has let somebody in took what was there then. */
static void require_let_in(const struct ivp_lane *lane)
{
	u32 first = dialog.serving ? IVP_MESSAGE_HELLO : IVP_MESSAGE_WELCOME;

	if (!dialog.poked)
		proof_require(lane, board_message(first), board_message(IVP_MESSAGE_READY));
}

static int serve(const struct ivp_lane_options *options, struct ivp_listener **listener, struct ivp_lane **lane,
		 struct input *input, struct ivp_error *err)
{
	require(!ivp_listen(listener, peer.region, options, err));
	board_begin(input, true);
	dialog_poke_first();
	return ivp_accept(lane, *listener, err);
}

static int call(const struct ivp_lane_options *options, struct ivp_lane **lane, struct input *input,
		struct ivp_error *err)
{
	board_begin(input, false);
	dialog_poke_first();
	peer_expect_sweep();
	return ivp_connect(lane, peer.region, options, err);
}

static void meet(struct input *input, bool serving)
{
	struct ivp_lane_options options = {.size = -1, .wait_ms = WAIT_MS, .timeout_ms = TIMEOUT_MS};
	struct ivp_listener *listener = NULL;
	struct ivp_lane *lane = NULL;
	struct ivp_error err = {0};
	u32 gone = ~0u;
	int ret;

	/* An answer that was asked for in time may come after the time. */
	chance_limit(WAIT_MS + 2 * TIMEOUT_MS + 1000, 1000);
	ret = serving ? serve(&options, &listener, &lane, input, &err) : call(&options, &lane, input, &err);
	proof_require_met(ret, &err);
	if (!ret) {
		require_let_in(lane);
		flow_through(lane);
		gone = lane->gone ? lane->index : gone;
	}
	ivp_lane_close(lane);
	ivp_listener_close(listener);
	peer_require_rest_untouched(serving, gone);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = {bytes, size};
	bool serving = input_byte(&input) % 2;

	chance_begin(dialog_move);
	peer_begin_region();
	meet(&input, serving);
	return 0;
}
