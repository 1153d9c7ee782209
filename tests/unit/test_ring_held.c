// SPDX-License-Identifier: MIT
/* What a sender holds, and lets grow to one record. */
#include "both.h"

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
	assert_int_equal(both_reserve(both, 20), -EPROTO);
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
	assert_int_equal(both_reserve(both, PIECE), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(what_is_held_is_told_a_lot_at_a_time), BOTH(what_grows_is_one_record),
		BOTH(what_is_not_held_does_not_grow),       BOTH(what_has_grown_is_closed_by_what_must_not_grow),
		BOTH(what_grows_is_told_when_it_is_a_lot),  BOTH(what_grows_arrives_whole),
		BOTH(what_does_not_fit_begins_anew),        BOTH(who_was_lied_to_grows_no_more),
		BOTH(consuming_what_is_held_is_a_lie),
	};

	return cmocka_run_group_tests_name("ring_held", tests, NULL, NULL);
}
