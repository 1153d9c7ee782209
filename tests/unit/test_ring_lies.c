// SPDX-License-Identifier: MIT
/* A ring whose other end lies: about positions, in headers, or about anything at any moment. */
#include <pthread.h>
#include <stdatomic.h>

#include "both.h"

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
		assert_int_equal(both_reserve(both, 1), -EPROTO);
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

static void cons_is_refused(struct both *both, u64 lie)
{
	both_fill(both);
	*both->cons = lie;
	assert_int_equal(both_reserve(both, 1), -EPROTO);
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
	};

	return cmocka_run_group_tests_name("ring_lies", tests, NULL, NULL);
}
