// SPDX-License-Identifier: MIT
/*
 * The rendezvous over a control connection, and the stream after it, with a liar for a peer: a client if we serve, a server if we
 * call. It ends within its deadlines, nobody is let in whose proof does not hold, and nothing is written but our end of one lane.
 */
#include "chance.h"
#include "flow.h"
#include "line.h"
#include "message.h"
#include "peer.h"
#include "proof.h"

#define WAIT_MS    3000
#define TIMEOUT_MS 1000

static void require_let_in(const struct ivp_lane *lane)
{
	struct ivp_message first, second;

	require(peer_message(&peer.said, 0, &first));
	if (dialog.serving)
		require(peer_message(&peer.said, 1, &second));
	proof_require(lane, &first, &second);
}

/* A server writes to the lane that was named, a client to the one that it took; before that there is none to write to. */
static void require_untouched(bool all)
{
	struct ivp_message hello;
	bool any = false;
	u32 lane;

	if (!dialog.serving) {
		any = peer_changed_half(&lane, false);
	} else if (peer_message(&peer.said, 0, &hello)) {
		any = message_judge_call(&hello, &peer.region->sb) == IVP_REASON_OK;
		lane = hello.lane;
	}
	if (any)
		peer_require_untouched(lane, dialog.serving, all);
	else
		peer_require_all_untouched();
}

static int serve(const struct ivp_lane_options *options, struct ivp_listener **listener, struct ivp_lane **lane,
		 struct ivp_error *err)
{
	require(!ivp_listen(listener, peer.region, options, err));
	dialog_poke_first();
	return ivp_accept(lane, *listener, err);
}

static int call(const struct ivp_lane_options *options, struct ivp_lane **lane, struct ivp_error *err)
{
	dialog_poke_first();
	peer_expect_sweep();
	return ivp_connect(lane, peer.region, options, err);
}

static void meet(void)
{
	struct ivp_lane_options options = {.size = -1, .control = peer.spec};
	struct ivp_listener *listener = NULL;
	struct ivp_lane *lane = NULL;
	struct ivp_error err = {0};
	bool gone;
	int ret;

	options.wait_ms = WAIT_MS;
	options.timeout_ms = TIMEOUT_MS;
	/* A look more, of 250 ms at the most, where each deadline is missed. */
	chance_limit(WAIT_MS + 3 * TIMEOUT_MS + 1000, 1000);
	ret = dialog.serving ? serve(&options, &listener, &lane, &err) : call(&options, &lane, &err);
	proof_require_met(ret, &err);
	if (!ret) {
		require_let_in(lane);
		flow_through(lane);
	}
	gone = lane && lane->gone;
	ivp_lane_close(lane);
	ivp_listener_close(listener);
	require_untouched(gone);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = {bytes, size};
	u8 how = input_byte(&input);

	line_begin(&input, how % 2);
	chance_begin(dialog_move);
	peer_begin(&input);
	dialog.honest = !peer.deaf;
	meet();
	peer_end();
	return 0;
}
