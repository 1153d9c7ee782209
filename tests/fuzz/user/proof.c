// SPDX-License-Identifier: MIT
#include "failure.h"
#include "message.h"
#include "peer.h"
#include "proof.h"

void proof_require_met(int ret, const struct ivp_error *err)
{
	static const int numbers[] = {ECONNREFUSED, EPIPE, ESTALE, EPROTO, ETIMEDOUT};

	if (ret)
		failure_require(ret, err, numbers, ARRAY_SIZE(numbers));
	require(!dialog.honest || !ret);
}

/* That message of the peer's, by which it was let in. */
static void require_one(const struct ivp_lane *lane, u32 type, u64 peer_epoch, const struct ivp_message *message)
{
	struct ivp_expect knows = dialog_expectation(lane->index, message->epoch, peer_epoch);

	require(message_judge(message, type, &knows) == IVP_REASON_OK);
	require(message->epoch == lane->their_epoch);
	if (dialog.poked || type == IVP_MESSAGE_READY)
		return;
	require(message->epoch == DIALOG_EPOCH);
	require(!memcmp(peer.region->map + message->token_index, message->token, message->token_bytes));
}

void proof_require(const struct ivp_lane *lane, const struct ivp_message *first, const struct ivp_message *second)
{
	if (!dialog.serving)
		return require_one(lane, IVP_MESSAGE_WELCOME, lane->epoch, first);
	require_one(lane, IVP_MESSAGE_HELLO, 0, first);
	require_one(lane, IVP_MESSAGE_READY, lane->epoch, second);
	for (const char *c = ivp_lane_file(lane); *c; c++)
		require((u8)*c >= 0x20 && *c != 0x7f);
	require(strlen(ivp_lane_file(lane)) < IVP_NAME_MAX);
	require(ivp_lane_size(lane) == (first->size > INT64_MAX ? -1 : (int64_t)first->size));
}
