// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "both.h"

static int reserve(struct both *both, u64 len)
{
	u8 *span;

	return ivp_ring_reserve(&both->tx, &span, &len);
}

static void assert_receiver_stays_broken(struct both *both)
{
	u64 pos = both->rx.pos, told = *both->cons;
	u8 byte;

	*both->prod = both->rx.theirs;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(both_peek(both), -EPROTO);
		assert_int_equal(ivp_ring_copy(&both->rx, &byte, 1), -EPROTO);
		ivp_ring_consume(&both->rx, 1);
		ivp_ring_tell(&both->rx);
	}
	assert_int_equal(both->rx.pos, pos);
	assert_int_equal(*both->cons, told);
}

static void assert_sender_stays_broken(struct both *both)
{
	u64 told = *both->prod;

	*both->cons = both->tx.theirs;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(reserve(both, 1), -EPROTO);
		assert_int_equal(ivp_ring_commit(&both->tx, IVP_RECORD_DATA, 1), -EPROTO);
		assert_int_equal(ivp_ring_put(&both->tx, IVP_RECORD_DATA, "x", 1), -EPROTO);
	}
	assert_int_equal(*both->prod, told);
}

/* ---- the receiver, lied to about the producer's position ---- */

static void prod_is_refused(struct both *both, u64 lie)
{
	*both->prod = lie;
	assert_int_equal(both_peek(both), -EPROTO);
	assert_receiver_stays_broken(both);
}

static void receiver_refuses_a_step_back(void **state)
{
	struct both *both = *state;

	both_advance(both, 64);
	prod_is_refused(both, 56);
}

static void receiver_refuses_a_return_to_zero(void **state)
{
	struct both *both = *state;

	both_advance(both, 64);
	prod_is_refused(both, 0);
}

static void receiver_refuses_more_than_a_ring(void **state)
{
	struct both *both = *state;

	both_advance(both, 64);
	prod_is_refused(both, 64 + SIZE + 8);
}

static void receiver_refuses_a_byte_more_than_a_ring(void **state)
{
	prod_is_refused(*state, SIZE + 1);
}

static void receiver_refuses_2_to_the_32(void **state)
{
	prod_is_refused(*state, 1ULL << 32);
}

static void receiver_refuses_2_to_the_63(void **state)
{
	prod_is_refused(*state, 1ULL << 63);
}

static void receiver_refuses_the_largest_number(void **state)
{
	prod_is_refused(*state, ~0ULL - 7);
}

static void receiver_refuses_what_is_no_multiple_of_8(void **state)
{
	prod_is_refused(*state, 12);
}

/* ---- the sender, lied to about the consumer's position ---- */

static void fill(struct both *both)
{
	u8 bytes[PIECE] = {0};

	while (!ivp_ring_put(&both->tx, IVP_RECORD_DATA, bytes, PIECE - 8))
		;
	assert_int_equal(both->tx.pos - both->tx.theirs, SIZE);
}

static void cons_is_refused(struct both *both, u64 lie)
{
	fill(both);
	*both->cons = lie;
	assert_int_equal(reserve(both, 1), -EPROTO);
	assert_sender_stays_broken(both);
}

static void sender_refuses_more_than_it_produced(void **state)
{
	cons_is_refused(*state, SIZE + 8);
}

static void sender_refuses_a_step_back(void **state)
{
	struct both *both = *state;

	both_advance(both, 2 * SIZE);
	cons_is_refused(both, SIZE);
}

static void sender_refuses_2_to_the_32(void **state)
{
	cons_is_refused(*state, 1ULL << 32);
}

static void sender_refuses_2_to_the_63(void **state)
{
	cons_is_refused(*state, 1ULL << 63);
}

static void sender_refuses_the_largest_number(void **state)
{
	cons_is_refused(*state, ~0ULL - 7);
}

static void sender_refuses_what_is_no_multiple_of_8(void **state)
{
	cons_is_refused(*state, 1023);
}

/* ---- headers that lie ---- */

static void header_is_refused(struct both *both)
{
	assert_int_equal(both_peek(both), -EPROTO);
	assert_receiver_stays_broken(both);
}

static void a_header_never_written_is_refused(void **state)
{
	struct both *both = *state;

	*both->prod = 64;
	header_is_refused(both);
}

static void a_header_of_another_epoch_is_refused(void **state)
{
	struct both *both = *state;

	both->tx.epoch = EPOCH ^ 1;
	both_put(both, "stale", 5);
	header_is_refused(both);
}

static void a_header_of_the_previous_lap_is_refused(void **state)
{
	struct both *both = *state;

	both_advance(both, SIZE);
	*both->prod = SIZE + PIECE;
	header_is_refused(both);
}

static void an_unknown_type_is_refused(void **state)
{
	struct both *both = *state;

	for (u32 type = 0; type < 256; type++) {
		if (type >= IVP_RECORD_DATA && type <= IVP_RECORD_PART)
			continue;
		both->rx.broken = false;
		both->rx.type = 0;
		both->rx.pos = both->rx.theirs = *both->cons = both->tx.pos = both->tx.told = both->tx.theirs = 0;
		assert_int_equal(ivp_ring_commit(&both->tx, type, 5), 0);
		header_is_refused(both);
	}
}

static void an_empty_record_is_refused(void **state)
{
	struct both *both = *state;

	assert_int_equal(ivp_ring_commit(&both->tx, IVP_RECORD_DATA, 0), 0);
	header_is_refused(both);
}

static void a_record_longer_than_a_piece_is_refused(void **state)
{
	struct both *both = *state;

	assert_int_equal(ivp_ring_commit(&both->tx, IVP_RECORD_DATA, PIECE - 7), 0);
	header_is_refused(both);
}

static void a_record_of_4_gib_is_refused(void **state)
{
	struct both *both = *state;

	assert_int_equal(ivp_ring_commit(&both->tx, IVP_RECORD_DATA, 0xffffffff), 0);
	*both->prod = SIZE;
	header_is_refused(both);
}

static void a_record_longer_than_what_is_there_is_refused(void **state)
{
	struct both *both = *state;

	both_put(both, "0123456789", 10);
	*both->prod = 16;
	header_is_refused(both);
}

static void a_lone_header_is_refused(void **state)
{
	struct both *both = *state;

	both_put(both, "0", 1);
	*both->prod = 8;
	header_is_refused(both);
}

static void any_bit_of_a_header_flipped_is_refused(void **state)
{
	struct both *both = *state;
	u64 header;

	both_put(both, "0123456789", 10);
	memcpy(&header, both->data, 8);
	for (int bit = 0; bit < 64; bit++) {
		u64 flipped = header ^ 1ULL << bit;

		memcpy(both->data, &flipped, 8);
		*both->prod = 24;
		both->rx.broken = false;
		assert_int_equal(both_peek(both), -EPROTO);
	}
}

static void a_header_rewritten_after_the_look_changes_nothing(void **state)
{
	struct both *both = *state;
	u8 bytes[16];
	u32 type;

	both_put(both, "0123456789", 10);
	both_put(both, "next", 4);
	assert_int_equal(both_peek(both), 0);
	memset(both->data, 0xff, 8);
	assert_int_equal(both_take(both, bytes, &type), 10);
	assert_memory_equal(bytes, "0123456789", 10);
	assert_int_equal(both_take(both, bytes, &type), 4);
	assert_memory_equal(bytes, "next", 4);
}

static void a_copy_of_another_length_is_refused(void **state)
{
	struct both *both = *state;
	u8 bytes[64];

	both_put(both, "0123456789", 10);
	assert_int_equal(both_peek(both), 0);
	assert_int_equal(ivp_ring_copy(&both->rx, bytes, 32), -EPROTO);
	assert_receiver_stays_broken(both);
}

static void a_copy_of_what_was_partly_consumed_is_refused(void **state)
{
	struct both *both = *state;
	u8 bytes[64];

	both_put(both, "0123456789", 10);
	assert_int_equal(both_peek(both), 0);
	ivp_ring_consume(&both->rx, 1);
	assert_int_equal(ivp_ring_copy(&both->rx, bytes, 10), -EPROTO);
}

static void a_copy_without_a_look_is_refused(void **state)
{
	struct both *both = *state;
	u8 byte;

	both_put(both, "0", 1);
	assert_int_equal(ivp_ring_copy(&both->rx, &byte, 1), -EPROTO);
}

/* ---- honest peers ---- */

static void an_empty_ring_has_nothing(void **state)
{
	struct both *both = *state;

	assert_int_equal(both_peek(both), -EAGAIN);
	ivp_ring_consume(&both->rx, 100);
	assert_int_equal(*both->cons, 0);
}

static void a_full_ring_takes_nothing(void **state)
{
	struct both *both = *state;

	fill(both);
	assert_int_equal(reserve(both, 1), -EAGAIN);
	assert_int_equal(ivp_ring_put(&both->tx, IVP_RECORD_END, "x", 1), -EAGAIN);
	assert_int_equal(*both->prod, SIZE);
}

static void room_comes_back_with_the_last_byte(void **state)
{
	struct both *both = *state;

	fill(both);
	assert_int_equal(both_peek(both), 0);
	ivp_ring_consume(&both->rx, PIECE - 9);
	assert_int_equal(*both->cons, 0);
	assert_int_equal(reserve(both, 1), -EAGAIN);
	ivp_ring_consume(&both->rx, 1);
	assert_int_equal(*both->cons, PIECE);
	assert_int_equal(reserve(both, 1), 0);
}

static void consuming_more_than_there_is_takes_one_record(void **state)
{
	struct both *both = *state;

	both_put(both, "one", 3);
	both_put(both, "two", 3);
	assert_int_equal(both_peek(both), 0);
	ivp_ring_consume(&both->rx, ~0ULL);
	assert_int_equal(both->rx.pos, 16);
}

static void room_is_given_back_a_lot_at_a_time(void **state)
{
	struct both *both = *state;
	u64 told = 0;

	for (u64 i = 0; i < SIZE / 16; i++)
		both_put(both, "12345678", 8);
	for (u64 pos = 16; pos <= SIZE; pos += 16) {
		assert_int_equal(both_peek(both), 0);
		ivp_ring_consume(&both->rx, 8);
		if (pos - told >= SIZE / 8)
			told = pos;
		assert_int_equal(*both->cons, told);
		assert_int_equal(both->rx.told, told);
	}
	assert_int_equal(told, SIZE);
}

/* However little it is; and that leaves room for the largest record, told or not. */
static void room_is_told_when_there_is_time(void **state)
{
	struct both *both = *state;
	u8 bytes[PIECE] = {0};
	u32 type;

	both_put(both, bytes, SIZE / 8 - 16);
	both_take(both, bytes, &type);
	assert_int_equal(*both->cons, 0);
	for (int i = 0; i < 3; i++)
		both_put(both, bytes, PIECE - 8);
	for (int i = 0; i < 3; i++)
		both_take(both, bytes, &type);
	both_put(both, "more", 4);
	both_take(both, bytes, &type);
	assert_int_not_equal(*both->cons, both->rx.pos);
	ivp_ring_tell(&both->rx);
	assert_int_equal(*both->cons, both->rx.pos);
}

static void what_is_held_is_told_a_lot_at_a_time(void **state)
{
	struct both *both = *state;

	both->tx.held = true;
	for (u64 pos = 16; pos < SIZE / 8; pos += 16) {
		both_put(both, "12345678", 8);
		assert_int_equal(*both->prod, 0);
		assert_int_equal(both_peek(both), -EAGAIN);
	}
	both_put(both, "12345678", 8);
	assert_int_equal(*both->prod, SIZE / 8);
	assert_int_equal(both_peek(both), 0);
	assert_false(ivp_ring_flush(&both->tx));
	both_put(both, "12345678", 8);
	assert_true(ivp_ring_flush(&both->tx));
	assert_int_equal(*both->prod, SIZE / 8 + 16);
	both_put(both, "12345678", 8);
	assert_int_equal(ivp_ring_put(&both->tx, IVP_RECORD_END, "end", 3), 0);
	assert_int_equal(*both->prod, SIZE / 8 + 48);
}

/* As a stream's writer does. */
static void grow(struct both *both, const void *bytes, u64 len)
{
	while (len) {
		u64 granted = len;
		u8 *span;

		assert_int_equal(ivp_ring_reserve(&both->tx, &span, &granted), 0);
		memcpy(span, bytes, granted);
		assert_int_equal(ivp_ring_grow(&both->tx, granted), 0);
		bytes = (const u8 *)bytes + granted;
		len -= granted;
	}
}

static void assert_takes(struct both *both, const void *bytes, u64 len)
{
	u8 there[PIECE];
	u32 type;

	assert_int_equal(both_take(both, there, &type), len);
	assert_memory_equal(there, bytes, len);
	assert_int_equal(type, IVP_RECORD_DATA);
}

static void what_grows_is_one_record(void **state)
{
	struct both *both = *state;

	both->tx.held = true;
	grow(both, "one", 3);
	grow(both, "two", 3);
	assert_int_equal(both->tx.pos, 0);
	assert_false(ivp_ring_all_told(&both->tx));
	assert_int_equal(both_peek(both), -EAGAIN);
	assert_true(ivp_ring_flush(&both->tx));
	assert_true(ivp_ring_all_told(&both->tx));
	assert_int_equal(*both->prod, 16);
	assert_takes(both, "onetwo", 6);
	assert_int_equal(both_peek(both), -EAGAIN);
}

static void what_is_not_held_does_not_grow(void **state)
{
	struct both *both = *state;

	grow(both, "one", 3);
	grow(both, "two", 3);
	assert_true(ivp_ring_all_told(&both->tx));
	assert_takes(both, "one", 3);
	assert_takes(both, "two", 3);
}

static void what_has_grown_is_closed_by_what_must_not_grow(void **state)
{
	struct both *both = *state;

	both->tx.held = true;
	grow(both, "one", 3);
	ivp_ring_close(&both->tx);
	ivp_ring_close(&both->tx);
	grow(both, "two", 3);
	both_put(both, "three", 5);
	grow(both, "four", 4);
	assert_int_equal(ivp_ring_put(&both->tx, IVP_RECORD_END, "end", 3), 0);
	assert_takes(both, "one", 3);
	assert_takes(both, "two", 3);
	assert_takes(both, "three", 5);
	assert_takes(both, "four", 4);
	assert_int_equal(both_peek(both), 0);
	assert_int_equal(both->rx.type, IVP_RECORD_END);
}

/* A lot is told, whether it came as one record or as many. */
static void what_grows_is_told_when_it_is_a_lot(void **state)
{
	struct both *both = *state;
	u64 sent = 0;

	both->tx.held = true;
	for (; 8 + sent + 8 < SIZE / 8; sent += 8) {
		grow(both, "12345678", 8);
		assert_int_equal(*both->prod, 0);
	}
	grow(both, "12345678", 8);
	assert_int_equal(*both->prod, SIZE / 8);
	assert_int_equal(both_peek(both), 0);
	assert_int_equal(both->rx.length, SIZE / 8 - 8);
}

/* What was told, which has to be these bytes; how many. */
static u64 take_all(struct both *both, const u8 *bytes)
{
	u8 there[PIECE];
	u64 taken = 0;
	u32 type;

	while (both->rx.pos < *both->prod) {
		u64 n = both_take(both, there, &type);

		assert_memory_equal(there, bytes + taken, n);
		taken += n;
	}
	return taken;
}

/* Round and round, over the edge, by lengths that fit nothing. */
static void what_grows_arrives_whole(void **state)
{
	struct both *both = *state;
	static u8 bytes[SIZE * 16];
	u64 sent = 0, got = 0;

	for (u64 i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)(i * 7 + (i >> 8));
	both->tx.held = true;
	for (u64 len = 1; sent + len <= sizeof(bytes); sent += len, len = len % 300 + 7) {
		grow(both, bytes + sent, len);
		got += take_all(both, bytes + got);
	}
	ivp_ring_flush(&both->tx);
	got += take_all(both, bytes + got);
	assert_int_equal(got, sent);
}

/* A wish that fits no more into the record gets one of its own, not a crumb at the end of that. */
static void what_does_not_fit_begins_anew(void **state)
{
	struct both *both = *state;
	static const u8 bytes[PIECE];

	both->tx.held = true;
	grow(both, bytes, 100);
	grow(both, bytes, PIECE - 8);
	assert_takes(both, bytes, 100);
	assert_takes(both, bytes, PIECE - 8);
	assert_int_equal(both_peek(both), -EAGAIN);
}

static void who_was_lied_to_grows_no_more(void **state)
{
	struct both *both = *state;
	u8 before[SIZE] = {0};

	both->tx.held = true;
	for (int i = 0; i < 3; i++)
		both_put(both, before, PIECE - 8);
	both_put(both, before, PIECE - 32);
	grow(both, "one", 3);
	*both->cons = 4;
	assert_int_equal(reserve(both, 20), -EPROTO);
	memcpy(before, both->data, SIZE);
	assert_int_equal(ivp_ring_grow(&both->tx, 1), -EPROTO);
	ivp_ring_close(&both->tx);
	assert_memory_equal(before, both->data, SIZE);
}

/* Who consumes what he was not told of has it from somewhere else. */
static void consuming_what_is_held_is_a_lie(void **state)
{
	struct both *both = *state;

	both->tx.held = true;
	for (u64 pos = 0; pos <= SIZE - SIZE / 8; pos += 16)
		both_put(both, "12345678", 8);
	assert_int_equal(*both->prod, SIZE - SIZE / 8);
	*both->cons = SIZE - SIZE / 8 + 16;
	assert_int_equal(reserve(both, PIECE), -EPROTO);
}

static void a_wish_beyond_a_piece_gets_a_piece(void **state)
{
	struct both *both = *state;
	u64 len = ~0ULL;
	u8 *span;

	assert_int_equal(ivp_ring_reserve(&both->tx, &span, &len), 0);
	assert_int_equal(len, PIECE - 8);
	assert_ptr_equal(span, both->data + 8);
}

static void padding_is_zero(void **state)
{
	struct both *both = *state;

	memset(both->data, 0xff, SIZE);
	both_put(both, "x", 1);
	assert_memory_equal(both->data + 8, "x\0\0\0\0\0\0", 8);
}

/* A reserved span must be inside of the ring, or of its mirror. */
static void assert_inside(const struct both *both, const u8 *span, u64 len)
{
	assert_true(span >= both->data && span < both->data + SIZE);
	assert_true(span + len <= both->data + (both->mirrored ? 2 * SIZE : SIZE));
}

static void end_records_cross_the_edge_at_every_alignment(void **state)
{
	struct both *both = *state;
	struct ivp_end end, got;

	for (u64 at = SIZE - 64; at <= SIZE + 64; at += 8) {
		const u8 *span;
		u64 len;
		u32 type;

		both_again(both);
		both_advance(both, at);
		memset(&end, (int)(at / 8), sizeof(end));
		assert_int_equal(ivp_ring_put(&both->tx, IVP_RECORD_END, &end, sizeof(end)), 0);
		assert_int_equal(ivp_ring_peek(&both->rx, &type, &span, &len), 0);
		assert_int_equal(type, IVP_RECORD_END);
		assert_inside(both, span, len);
		assert_int_equal(ivp_ring_copy(&both->rx, &got, sizeof(got)), 0);
		assert_memory_equal(&end, &got, sizeof(end));
		assert_int_equal(both_peek(both), 0);
	}
}

static void a_mirrored_span_runs_over_the_edge(void **state)
{
	struct both *both = *state;
	u64 len = 64;
	u8 *span;

	both_advance(both, SIZE - 32);
	assert_int_equal(ivp_ring_reserve(&both->tx, &span, &len), 0);
	assert_int_equal(len, 64);
	assert_ptr_equal(span, both->data + SIZE - 24);
}

static void an_unmirrored_span_stops_at_the_edge(void **state)
{
	struct both *both = *state;
	u64 len = 64;
	u8 *span;

	both_advance(both, SIZE - 32);
	assert_int_equal(ivp_ring_reserve(&both->tx, &span, &len), 0);
	assert_int_equal(len, 24);
}

/* The bytes of the stream are a function of their place, so that nothing need be kept to compare with. */
static u8 byte_at(u64 place)
{
	return (u8)(place * 0x9e3779b97f4a7c15ULL >> 56);
}

static bool send_some(struct both *both, u64 *seed, u64 *sent)
{
	u64 want = 1 + unit_random(seed) % (unit_random(seed) % 8 ? 100 : 2 * PIECE), len = want;
	u8 bytes[PIECE], *span;
	int ret = 0;

	if (unit_random(seed) % 2 && want <= PIECE - 8) {
		for (u64 i = 0; i < want; i++)
			bytes[i] = byte_at(*sent + i);
		ret = ivp_ring_put(&both->tx, IVP_RECORD_DATA, bytes, want);
	} else {
		ret = ivp_ring_reserve(&both->tx, &span, &len);
		if (!ret) {
			assert_inside(both, span, len);
			assert_in_range(len, 1, want);
			want = 1 + unit_random(seed) % len;
			for (u64 i = 0; i < want; i++)
				span[i] = byte_at(*sent + i);
			ret = ivp_ring_commit(&both->tx, IVP_RECORD_DATA, want);
		}
	}
	assert_true(ret == 0 || ret == -EAGAIN);
	*sent += ret ? 0 : want;
	return !ret;
}

static bool receive_some(struct both *both, u64 *seed, u64 sent, u64 *received)
{
	const u8 *span;
	u64 len, want;
	u32 type;
	int ret = ivp_ring_peek(&both->rx, &type, &span, &len);

	assert_int_equal(ret, sent == *received ? -EAGAIN : 0);
	if (ret)
		return false;
	assert_int_equal(type, IVP_RECORD_DATA);
	assert_inside(both, span, len);
	assert_in_range(len, 1, sent - *received);
	want = unit_random(seed) % 2 ? len : 1 + unit_random(seed) % len;
	for (u64 i = 0; i < want; i++)
		if (span[i] != byte_at(*received + i))
			fail_msg("byte %llu differs", (unsigned long long)(*received + i));
	ivp_ring_consume(&both->rx, want);
	*received += want;
	return true;
}

static void random_traffic(struct both *both)
{
	u64 seed = 5, sent = 0, received = 0;

	for (int round = 0; round < 60000; round++) {
		both->tx.combined = both->rx.combined = round & 1024;
		if (unit_random(&seed) % 256 < 128 + (round & 4096 ? 40 : -40))
			send_some(both, &seed, &sent);
		else
			receive_some(both, &seed, sent, &received);
	}
	while (receive_some(both, &seed, sent, &received))
		;
	assert_int_equal(sent, received);
	assert_true(sent > 100 * SIZE);
}

static void random_traffic_arrives_as_it_was_sent(void **state)
{
	random_traffic(*state);
}

/* As after so many bytes. */
static void start_at(struct both *both, u64 pos)
{
	both->tx.pos = both->tx.told = both->tx.theirs = both->rx.pos = both->rx.told = both->rx.theirs = pos;
	*both->prod = *both->cons = pos;
}

static void positions_pass_powers_of_two(void **state)
{
	static const u8 bits[] = {31, 32, 33, 40, 48, 63};

	for (size_t i = 0; i < sizeof(bits); i++) {
		start_at(*state, (1ULL << bits[i]) - SIZE / 2);
		random_traffic(*state);
		assert_true(((struct both *)*state)->rx.pos > 1ULL << bits[i]);
	}
}

#define STREAM (4 << 20)

static void *send_stream(void *arg)
{
	struct both *both = arg;
	u64 sent = 0;

	while (sent < STREAM) {
		u64 len = PIECE;
		u8 *span;

		if (ivp_ring_reserve(&both->tx, &span, &len)) {
			sched_yield();
			continue;
		}
		for (u64 i = 0; i < len; i++)
			span[i] = byte_at(sent + i);
		ivp_ring_commit(&both->tx, IVP_RECORD_DATA, len);
		sent += len;
	}
	return (void *)sent;
}

static void two_threads_stream_in_order(void **state)
{
	struct both *both = *state;
	u64 received = 0;
	pthread_t sender;
	void *sent;

	assert_int_equal(pthread_create(&sender, NULL, send_stream, both), 0);
	while (received < STREAM) {
		const u8 *span;
		u64 len;
		u32 type;
		int ret = ivp_ring_peek(&both->rx, &type, &span, &len);

		if (ret == -EAGAIN) {
			sched_yield();
			continue;
		}
		assert_int_equal(ret, 0);
		for (u64 i = 0; i < len; i++)
			if (span[i] != byte_at(received + i))
				fail_msg("byte %llu differs", (unsigned long long)(received + i));
		ivp_ring_consume(&both->rx, len);
		received += len;
	}
	pthread_join(sender, &sent);
	assert_int_equal((u64)sent, received);
}

/* ---- an enemy who writes at any moment ---- */

struct scribbler {
	struct both *both;
	pthread_t thread;
	atomic_bool stop;
};

/* Positions just beyond what is possible, and just within, are the ones that would do harm. */
static void *scribble(void *arg)
{
	struct scribbler *scribbler = arg;
	struct both *both = scribbler->both;
	u64 seed = 6;

	while (!atomic_load(&scribbler->stop)) {
		u64 near = unit_random(&seed) % (2 * SIZE) & ~7ULL;
		u64 value = unit_random(&seed) % 4 ? near : unit_nasty(&seed);

		switch (unit_random(&seed) % 4) {
		case 0:
			ivp_store64(both->prod, value);
			break;
		case 1:
			ivp_store64(both->cons, value);
			break;
		default:
			ivp_store64((u64 *)(both->data + unit_random(&seed) % SIZE / 8 * 8), value);
			break;
		}
	}
	return NULL;
}

/* Forgive what was noticed, and go on from anywhere: each round is another session. */
static void begin_anew(struct both *both, u64 *seed)
{
	u64 pos = unit_random(seed) % SIZE & ~7ULL;

	ivp_ring_attach(&both->tx, both->data, SIZE, EPOCH, both->prod, both->cons);
	ivp_ring_attach(&both->rx, both->data, SIZE, EPOCH, both->cons, both->prod);
	both->tx.mirrored = both->rx.mirrored = both->mirrored;
	both->tx.pos = both->tx.told = both->tx.theirs = both->rx.pos = both->rx.told = both->rx.theirs = pos;
	ivp_store64(both->prod, pos);
	ivp_store64(both->cons, pos);
}

/* One call each, touching all that was granted: the sanitiser, or the fence, tells whether it was ours. */
static bool touch_all(struct both *both, u64 *seed)
{
	u64 len = 1 + unit_random(seed) % PIECE;
	u8 bytes[PIECE], *out;
	const u8 *in;
	u32 type;

	if (!ivp_ring_reserve(&both->tx, &out, &len)) {
		memset(out, 1, len);
		ivp_ring_commit(&both->tx, IVP_RECORD_DATA, len);
	}
	if (ivp_ring_peek(&both->rx, &type, &in, &len))
		return both->rx.broken;
	if (len > PIECE - 8)
		fail_msg("%llu bytes were granted", (unsigned long long)len);
	memcpy(bytes, in, len);
	ivp_ring_copy(&both->rx, bytes, both->rx.length);
	ivp_ring_consume(&both->rx, len);
	return both->rx.broken || both->tx.broken;
}

static void nothing_outside_is_touched_under_scribbling(void **state)
{
	struct both *both = *state;
	struct scribbler scribbler = {.both = both};
	u64 seed = 7;
	int broken = 0;

	assert_int_equal(pthread_create(&scribbler.thread, NULL, scribble, &scribbler), 0);
	/* Some rounds must have gone well and others not, or this has shown nothing. */
	for (int round = 0; round < 200000 || broken < 100; round++)
		if (touch_all(both, &seed)) {
			broken++;
			begin_anew(both, &seed);
		}
	atomic_store(&scribbler.stop, true);
	pthread_join(scribbler.thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SINGLE(receiver_refuses_a_step_back),
		SINGLE(receiver_refuses_a_return_to_zero),
		SINGLE(receiver_refuses_more_than_a_ring),
		SINGLE(receiver_refuses_a_byte_more_than_a_ring),
		SINGLE(receiver_refuses_2_to_the_32),
		SINGLE(receiver_refuses_2_to_the_63),
		SINGLE(receiver_refuses_the_largest_number),
		SINGLE(receiver_refuses_what_is_no_multiple_of_8),
		SINGLE(sender_refuses_more_than_it_produced),
		SINGLE(sender_refuses_a_step_back),
		SINGLE(sender_refuses_2_to_the_32),
		SINGLE(sender_refuses_2_to_the_63),
		SINGLE(sender_refuses_the_largest_number),
		SINGLE(sender_refuses_what_is_no_multiple_of_8),
		SINGLE(a_header_never_written_is_refused),
		SINGLE(a_header_of_another_epoch_is_refused),
		SINGLE(a_header_of_the_previous_lap_is_refused),
		SINGLE(an_unknown_type_is_refused),
		SINGLE(an_empty_record_is_refused),
		BOTH(a_record_longer_than_a_piece_is_refused),
		BOTH(a_record_of_4_gib_is_refused),
		SINGLE(a_record_longer_than_what_is_there_is_refused),
		SINGLE(a_lone_header_is_refused),
		SINGLE(any_bit_of_a_header_flipped_is_refused),
		BOTH(a_header_rewritten_after_the_look_changes_nothing),
		SINGLE(a_copy_of_another_length_is_refused),
		SINGLE(a_copy_of_what_was_partly_consumed_is_refused),
		SINGLE(a_copy_without_a_look_is_refused),
		BOTH(nothing_outside_is_touched_under_scribbling),
		SINGLE(an_empty_ring_has_nothing),
		BOTH(a_full_ring_takes_nothing),
		BOTH(room_comes_back_with_the_last_byte),
		BOTH(consuming_more_than_there_is_takes_one_record),
		BOTH(room_is_given_back_a_lot_at_a_time),
		BOTH(room_is_told_when_there_is_time),
		BOTH(what_is_held_is_told_a_lot_at_a_time),
		BOTH(what_grows_is_one_record),
		BOTH(what_is_not_held_does_not_grow),
		BOTH(what_has_grown_is_closed_by_what_must_not_grow),
		BOTH(what_grows_is_told_when_it_is_a_lot),
		BOTH(what_grows_arrives_whole),
		BOTH(what_does_not_fit_begins_anew),
		BOTH(who_was_lied_to_grows_no_more),
		BOTH(consuming_what_is_held_is_a_lie),
		BOTH(a_wish_beyond_a_piece_gets_a_piece),
		SINGLE(padding_is_zero),
		BOTH(end_records_cross_the_edge_at_every_alignment),
		MIRRORED(a_mirrored_span_runs_over_the_edge),
		SINGLE(an_unmirrored_span_stops_at_the_edge),
		BOTH(random_traffic_arrives_as_it_was_sent),
		BOTH(positions_pass_powers_of_two),
		BOTH(two_threads_stream_in_order),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
