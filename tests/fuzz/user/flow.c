// SPDX-License-Identifier: MIT
#include "chance.h"
#include "dialog.h"
#include "digest.h"
#include "failure.h"
#include "flow.h"
#include "peer.h"
#include "record.h"

#define STEPS 64

static struct {
	struct ivp_lane *lane;
	bool quiet;     /* nothing was done that is not in order */
	bool ended;     /* by the peer, in order */
	u64 pos, sent;  /* of the peer's */
	u64 end[STEPS]; /* of each message */
	u32 messages;
	u64 received;
	struct ivp_digest_stream digest;
} flow;

/* Whenever somebody waits the peer does what it likes. */
static bool is_quiet(void)
{
	return flow.quiet && !dialog.moves;
}

static u8 byte_at(u64 place)
{
	return (u8)(place * 151 >> 3);
}

/* ---- the peer ---- */

static void put_record(u32 type, const u8 *bytes, u32 len)
{
	const struct ivp_superblock *sb = &peer.region->sb;
	u64 ring = ivp_ring_offset(sb, dialog.lane, !dialog.serving);
	u64 header = record_header(DIALOG_EPOCH, flow.pos, type, len);

	peer_store64(ring + flow.pos % sb->ring_size, header);
	for (u32 i = 0; i < len; i++)
		peer_store(ring + (flow.pos + 8 + i) % sb->ring_size, bytes + i, 1);
	flow.pos += record_bytes(len);
	peer_store64(dialog_field(offsetof(struct ivp_half, prod)), flow.pos);
}

/* A quiet peer waits for its room. */
static bool has_room(u32 len)
{
	u64 consumed = is_quiet() ? flow.lane->rx.pos : flow.pos;

	return flow.pos + record_bytes(len) - consumed <= peer.region->sb.ring_size;
}

static void send_data(u32 type)
{
	u8 bytes[1016];
	u32 len = 1 + input_below(dialog.input, sizeof(bytes));

	if (flow.ended || !has_room(len))
		return;
	for (u32 i = 0; i < len; i++)
		bytes[i] = byte_at(flow.sent + i);
	put_record(type, bytes, len);
	ivp_digest_add(&flow.digest, bytes, len);
	flow.sent += len;
	if (type == IVP_RECORD_DATA)
		flow.end[flow.messages++] = flow.sent;
}

static void send_end(void)
{
	struct ivp_end end = {.bytes = flow.sent, .kind = input_byte(dialog.input) % 2}, good;
	u32 wrong = input_below(dialog.input, 2 * sizeof(end));

	if (flow.ended || !has_room(sizeof(end)))
		return;
	if (end.kind)
		ivp_digest_finish(&flow.digest, end.digest);
	good = end;
	if (wrong && wrong <= sizeof(end))
		((u8 *)&end)[wrong - 1] = input_byte(dialog.input);
	flow.quiet = flow.quiet && !memcmp(&good, &end, sizeof(end));
	put_record(IVP_RECORD_END, (u8 *)&end, sizeof(end));
	flow.ended = true;
}

static void say_verdict(void)
{
	flow.quiet = false;
	peer_store32(dialog_field(offsetof(struct ivp_half, verdict)), input_below(dialog.input, 32));
	dialog_say_state(input_below(dialog.input, 8));
}

/* ---- the end under test ---- */

static void require_told(ptrdiff_t ret, const struct ivp_error *err)
{
	static const int numbers[] = {EPROTO,    EPIPE,  ESTALE, EBADMSG, ECANCELED,
				      ETIMEDOUT, EINVAL, ENOSPC, EIO,     EMSGSIZE};

	if (ret < 0 && ret != -EAGAIN)
		failure_require((int)ret, err, numbers, ARRAY_SIZE(numbers));
}

static void require_bytes(const u8 *bytes, ptrdiff_t count)
{
	for (ptrdiff_t i = 0; i < count; i++)
		require(bytes[i] == byte_at(flow.received + (u64)i));
}

/* Whoever waits for no time at all is told that it was in vain. */
static ptrdiff_t read_either_way(u8 *bytes, size_t room, struct ivp_error *err)
{
	ptrdiff_t ret;

	if (input_byte(dialog.input) % 2)
		return ivp_lane_read(flow.lane, bytes, room, err);
	ret = ivp_lane_read_some(flow.lane, bytes, room, 0, err);
	require(ret != -EAGAIN);
	return ret == -ETIMEDOUT ? -EAGAIN : ret;
}

static void receive(void)
{
	u8 bytes[1024];
	size_t room = 1 + input_below(dialog.input, sizeof(bytes));
	struct ivp_error err = {0};
	ptrdiff_t ret = read_either_way(bytes, room, &err);

	require_told(ret, &err);
	require(ret <= (ptrdiff_t)room);
	if (!is_quiet())
		return;
	require(ret > 0 || ret == (flow.received < flow.sent || !flow.ended ? -EAGAIN : 0));
	require(ret != -EAGAIN || flow.received == flow.sent);
	require_bytes(bytes, ret);
	flow.received += ret > 0 ? (u64)ret : 0;
}

/* Where the message ends that is at the front; 0: it has not come as a whole. */
static u64 end_of_message(void)
{
	for (u32 i = 0; i < flow.messages; i++)
		if (flow.end[i] > flow.received)
			return flow.end[i];
	return 0;
}

/* All that was sent has come, and was the end of it. */
static void require_end(ptrdiff_t ret)
{
	if (!flow.ended)
		require(ret == -ETIMEDOUT && flow.received == flow.sent);
	else
		require(ret == (flow.received < flow.sent ? -EBADMSG : 0));
	flow.received = flow.sent;
}

/* Where only a part has come there is something to wait for, and then a quiet peer is none any more. */
static void receive_message(void)
{
	u8 bytes[2048];
	size_t room = 1 + input_below(dialog.input, sizeof(bytes));
	u64 end = end_of_message();
	ptrdiff_t len = (ptrdiff_t)(end - flow.received);
	struct ivp_error err = {0};
	ptrdiff_t ret = ivp_lane_recv_message(flow.lane, bytes, room, 0, &err);

	require_told(ret, &err);
	require(ret <= (ptrdiff_t)room);
	if (!is_quiet())
		return;
	if (!end)
		return require_end(ret);
	require(ret == (len <= (ptrdiff_t)room ? len : -EMSGSIZE));
	require_bytes(bytes, len < (ptrdiff_t)room ? len : (ptrdiff_t)room);
	flow.received = end;
}

static void send(void)
{
	static const u8 bytes[2048];
	struct ivp_error err = {0};
	u8 how = input_byte(dialog.input);
	size_t len = input_below(dialog.input, sizeof(bytes));

	if (how % 2)
		require_told(ivp_lane_send_message(flow.lane, bytes, len, 0, &err), &err);
	else
		require_told(ivp_lane_write_all(flow.lane, bytes, len, how / 2 % 2 * 100, &err), &err);
	if (how / 4 % 4 == 3 && !flow.lane->ended) {
		require_told(ivp_lane_end(flow.lane, &err), &err);
		require_told(ivp_lane_confirm(flow.lane, 0, &err), &err);
	}
}

static void wait_for(void)
{
	struct ivp_error err = {0};
	u32 what = 1 + input_below(dialog.input, 7);

	chance_pass(input_byte(dialog.input) % 2 * 300);
	require_told(ivp_lane_check(flow.lane, what, &err), &err);
	require_told(ivp_lane_wait(flow.lane, what, 0, &err), &err);
	peer_store32(dialog_field(offsetof(struct ivp_half, beat)), input_byte(dialog.input) % 4);
}

/* ---- both ---- */

static void step(void)
{
	switch (input_below(dialog.input, 10)) {
	case 0:
	case 1:
		return send_data(IVP_RECORD_DATA);
	case 2:
		return send_data(IVP_RECORD_PART);
	case 3:
	case 4:
		return receive();
	case 5:
		return receive_message();
	case 6:
		return send_end();
	case 7:
		return input_byte(dialog.input) % 2 ? send() : wait_for();
	case 8:
		return say_verdict();
	default:
		flow.quiet = false;
		return dialog_poke();
	}
}

void flow_through(struct ivp_lane *lane)
{
	memset(&flow, 0, sizeof(flow));
	flow.lane = lane;
	flow.quiet = !dialog.poked && lane->index == dialog.lane;
	dialog.moves = 0;
	ivp_digest_start(&flow.digest);
	/* Nobody waits for longer than a peer goes on to give signs of life, one for each byte of the input at the most. */
	chance_limit(INT32_MAX, 4096);
	for (u32 steps = 0; dialog.input->left && steps < STEPS; steps++)
		step();
	if (input_byte(dialog.input) % 4 == 3)
		ivp_lane_abort(lane, input_byte(dialog.input));
}
