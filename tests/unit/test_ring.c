// SPDX-License-Identifier: MIT
/* A ring between honest ends. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "both.h"

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

	both_fill(both);
	assert_int_equal(both_reserve(both, 1), -EAGAIN);
	assert_int_equal(ivp_ring_put(&both->tx, IVP_RECORD_END, "x", 1), -EAGAIN);
	assert_int_equal(*both->prod, SIZE);
}

static void room_comes_back_with_the_last_byte(void **state)
{
	struct both *both = *state;

	both_fill(both);
	assert_int_equal(both_peek(both), 0);
	ivp_ring_consume(&both->rx, PIECE - 9);
	assert_int_equal(*both->cons, 0);
	assert_int_equal(both_reserve(both, 1), -EAGAIN);
	ivp_ring_consume(&both->rx, 1);
	assert_int_equal(*both->cons, PIECE);
	assert_int_equal(both_reserve(both, 1), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		SINGLE(an_empty_ring_has_nothing),
		BOTH(a_full_ring_takes_nothing),
		BOTH(room_comes_back_with_the_last_byte),
		BOTH(consuming_more_than_there_is_takes_one_record),
		BOTH(room_is_given_back_a_lot_at_a_time),
		BOTH(room_is_told_when_there_is_time),
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
