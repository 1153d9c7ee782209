// SPDX-License-Identifier: MIT
/* Many records with one call: to the bytes what as many single calls do, and as deaf to lies. */
#include <stdlib.h>

#include "both.h"

#define MANY  300
#define SHORT (PIECE - 8) /* in so small a ring */

struct batch {
	struct iovec messages[MANY], rooms[MANY];
	size_t lens[MANY];
	u8 bytes[MANY][IVP_SHORT], got[MANY][IVP_SHORT];
};
static struct batch batch;

/* Each message of its own length. */
static void make(u32 count, u64 most, u64 *seed)
{
	for (u32 i = 0; i < count; i++) {
		u64 len = unit_random(seed) % most + 1;
		u8 *at = batch.bytes[i] + IVP_SHORT - len;

		for (u64 k = 0; k < len; k++)
			at[k] = (u8)unit_random(seed);
		batch.messages[i] = (struct iovec){at, len};
		batch.rooms[i] = (struct iovec){batch.got[i], IVP_SHORT};
	}
}

static void assert_arrived(u32 first, int count, u64 sum)
{
	u64 all = 0;

	for (u32 i = first; i < first + (u32)count; i++) {
		assert_int_equal(batch.lens[i], batch.messages[i].iov_len);
		assert_memory_equal(batch.got[i], batch.messages[i].iov_base, batch.lens[i]);
		all += batch.lens[i];
	}
	assert_int_equal(sum, all);
}

static int put_many(struct both *both, u32 count)
{
	u64 sum;

	return ivp_ring_put_many(&both->tx, batch.messages, count, &sum);
}

static int take_many(struct both *both, u32 count)
{
	u64 sum;

	return ivp_ring_take_many(&both->rx, batch.rooms, batch.lens, count, &sum);
}

/* ---- what arrives ---- */

static void every_length_arrives(void **state)
{
	struct both *both = *state;
	u64 sum;

	for (u64 len = 1; len <= SHORT; len++) {
		u8 *exact = malloc(len), *room = malloc(len);

		memset(exact, (int)(len * 7), len);
		batch.messages[0] = batch.messages[1] = (struct iovec){exact, len};
		batch.rooms[0] = batch.rooms[1] = (struct iovec){room, len};
		assert_int_equal(ivp_ring_put_many(&both->tx, batch.messages, 2, &sum), 2);
		assert_int_equal(sum, 2 * len);
		assert_int_equal(ivp_ring_take_many(&both->rx, batch.rooms, batch.lens, 2, &sum), 2);
		assert_int_equal(sum, 2 * len);
		assert_int_equal(batch.lens[1], len);
		assert_memory_equal(exact, room, len);
		free(exact);
		free(room);
	}
}

/* Some at once, or one; how many found room. */
static u32 send_some(struct both *both, u32 from, u32 count, u64 *seed)
{
	const struct iovec *next = &batch.messages[from];
	u64 sum;
	int ret;

	if (!count)
		return 0;
	if (unit_random(seed) % 8)
		ret = ivp_ring_put_many(&both->tx, next, count, &sum);
	else
		ret = ivp_ring_put(&both->tx, IVP_RECORD_DATA, next->iov_base, next->iov_len) ?: 1;
	assert_true(ret > 0 || ret == -EAGAIN);
	return ret > 0 ? (u32)ret : 0;
}

static u32 receive_some(struct both *both, u32 from, u32 count, u64 *seed)
{
	u32 most = (u32)(unit_random(seed) % count) + 1;
	u64 sum;
	int ret = ivp_ring_take_many(&both->rx, batch.rooms + from, batch.lens + from, most, &sum);

	assert_true(ret > 0 || ret == -EAGAIN);
	if (ret > 0)
		assert_arrived(from, ret, sum);
	return ret > 0 ? (u32)ret : 0;
}

static void random_traffic_arrives(void **state)
{
	struct both *both = *state;
	u64 seed = 0x5eed;

	for (int turn = 0; turn < 3000; turn++) {
		u32 count = (u32)(unit_random(&seed) % 40) + 1, sent = 0, got = 0;

		make(count, unit_random(&seed) % 2 ? 24 : SHORT, &seed);
		while (got < count) {
			sent += send_some(both, sent, count - sent, &seed);
			got += receive_some(both, got, count - got, &seed);
		}
	}
	assert_true(both->rx.pos > 100 * SIZE);
}

/* The same bytes in the same places, whoever puts them there. */
static void the_ring_is_as_after_single_calls(void **state)
{
	struct both *both = *state;
	u64 seed = 3;
	u8 *many = malloc(SIZE);

	make(40, 60, &seed);
	assert_int_equal(put_many(both, 40), 40);
	memcpy(many, both->data, SIZE);
	memset(both->data, 0, SIZE);
	both->tx.pos = both->tx.told = *both->prod = 0;
	for (u32 i = 0; i < 40; i++)
		both_put(both, batch.messages[i].iov_base, batch.messages[i].iov_len);
	assert_memory_equal(many, both->data, both->tx.pos);
	free(many);
}

/* ---- where it ends ---- */

static void it_ends_where_the_room_does(void **state)
{
	struct both *both = *state;
	u64 seed = 5;

	make(MANY, 8, &seed);
	assert_int_equal(put_many(both, MANY), SIZE / 16);
	assert_int_equal(put_many(both, MANY), -EAGAIN);
	assert_int_equal(take_many(both, 10), 10);
	assert_int_equal(take_many(both, MANY), SIZE / 16 - 10);
	assert_int_equal(take_many(both, MANY), -EAGAIN);
}

static void what_is_large_or_empty_is_left(void **state)
{
	static u8 large[SHORT + 1];
	struct both *both = *state;
	u64 seed = 5;

	make(3, 8, &seed);
	batch.messages[1] = (struct iovec){large, sizeof(large)};
	assert_int_equal(put_many(both, 3), 1);
	batch.messages[0].iov_len = 0;
	assert_int_equal(put_many(both, 3), 0);
	batch.messages[0] = batch.messages[1];
	assert_int_equal(put_many(both, 3), 0);
	assert_int_equal(take_many(both, 3), 1);
}

/* What is no short record of data that finds room stays where it is, for who knows what to do with it. */
static void what_is_of_another_kind_is_left(void **state)
{
	struct both *both = *state;
	u64 seed = 5, pos;

	make(3, 8, &seed);
	both_put(both, "a", 1);
	assert_int_equal(ivp_ring_put(&both->tx, IVP_RECORD_PART, "part", 4), 0);
	assert_int_equal(take_many(both, 3), 1);
	pos = both->rx.pos;
	assert_int_equal(take_many(both, 3), 0);
	assert_int_equal(both->rx.pos, pos);
	both_peek(both);
	ivp_ring_consume(&both->rx, 2);
	assert_int_equal(take_many(both, 3), 0);
	ivp_ring_consume(&both->rx, 2);
	both_put(both, "room", 4);
	both_put(both, "longer", 6);
	batch.rooms[1].iov_len = 5;
	assert_int_equal(take_many(both, 3), 1);
	assert_int_equal(ivp_ring_take_many(&both->rx, batch.rooms + 1, batch.lens, 1, &pos), 0);
	assert_int_equal(ivp_ring_take_many(&both->rx, batch.rooms, batch.lens, 1, &pos), 1);
	assert_int_equal(pos, 6);
	assert_int_equal(ivp_ring_put(&both->tx, IVP_RECORD_END, "end", 3), 0);
	assert_int_equal(take_many(both, 3), 0);
}

/* ---- when it is told ---- */

static void many_are_told_once(void **state)
{
	struct both *both = *state;
	u64 seed = 5;

	make(MANY, 8, &seed);
	assert_int_equal(put_many(both, 10), 10);
	assert_int_equal(*both->prod, 160);
	both->tx.held = true;
	assert_int_equal(put_many(both, 10), 10);
	assert_int_equal(*both->prod, 160);
	assert_int_equal(put_many(both, (u32)(SIZE / 8 / 16)), SIZE / 8 / 16);
	assert_true(*both->prod >= 160 + SIZE / 8 && !ivp_ring_all_told(&both->tx));
	assert_true(ivp_ring_flush(&both->tx));
	assert_int_equal(take_many(both, 10), 10);
	assert_int_equal(*both->cons, 0);
	assert_int_equal(take_many(both, MANY), 10 + SIZE / 8 / 16);
	assert_true(*both->cons >= SIZE / 8);
}

static void what_has_grown_goes_first(void **state)
{
	struct both *both = *state;
	u64 seed = 5, len = 4;
	u8 *span;

	make(2, 8, &seed);
	both->tx.held = true;
	assert_int_equal(ivp_ring_reserve(&both->tx, &span, &len), 0);
	memcpy(span, "grow", 4);
	assert_int_equal(ivp_ring_grow(&both->tx, 4), 0);
	assert_int_equal(put_many(both, 1), 1);
	assert_true(ivp_ring_flush(&both->tx));
	assert_int_equal(take_many(both, 3), 2);
	assert_int_equal(batch.lens[0], 4);
	assert_memory_equal(batch.got[0], "grow", 4);
}

/* ---- lies ---- */

/* What came before is given; the lie is answered next, and for good. */
static void a_header_that_lies_ends_it(void **state)
{
	struct both *both = *state;
	u64 seed = 5;

	make(4, 8, &seed);
	assert_int_equal(put_many(both, 4), 4);
	both->data[32] ^= 1;
	assert_int_equal(take_many(both, 4), 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(take_many(both, 4), -EPROTO);
	assert_int_equal(both->rx.pos, 32);
}

/* Each bit of each header in its turn: no length leads beyond what was announced, or into another's room. */
static void any_bit_of_a_header_flipped_ends_it(void **state)
{
	struct both *both = *state;
	u64 seed = 7;

	make(4, 100, &seed);
	for (int bit = 0; bit < 64; bit++) {
		both_again(both);
		assert_int_equal(put_many(both, 4), 4);
		both->data[8 + (batch.messages[0].iov_len + 7) / 8 * 8 + (u64)bit / 8] ^= (u8)(1 << bit % 8);
		assert_int_equal(take_many(both, 4), 1);
		assert_int_equal(take_many(both, 4), -EPROTO);
	}
}

/* Of any type: none has no bytes. */
static void an_empty_record_ends_it(void **state)
{
	struct both *both = *state;
	u64 seed = 7;

	make(3, 8, &seed);
	for (u32 type = 0; type < 256; type++) {
		both_again(both);
		both_put(both, "a", 1);
		both_put(both, "b", 1);
		assert_int_equal(ivp_ring_commit(&both->tx, type, 0), 0);
		both_put(both, "c", 1);
		assert_int_equal(take_many(both, 4), 2);
		assert_int_equal(take_many(both, 4), -EPROTO);
	}
}

/* A record whose header holds, and that ends after what was announced. */
static void a_record_beyond_what_is_there_is_refused(void **state)
{
	struct both *both = *state;
	u64 seed = 7;

	make(2, 8, &seed);
	batch.messages[1].iov_len = 8;
	assert_int_equal(put_many(both, 2), 2);
	*both->prod -= 8;
	assert_int_equal(take_many(both, 2), 1);
	assert_int_equal(take_many(both, 2), -EPROTO);
}

static void a_position_that_lies_is_refused(void **state)
{
	struct both *both = *state;
	u64 seed = 7;

	make(MANY, 8, &seed);
	assert_int_equal(put_many(both, SIZE / 16), SIZE / 16);
	*both->cons = SIZE + 8;
	for (int i = 0; i < 3; i++)
		assert_int_equal(put_many(both, 1), -EPROTO);
	*both->prod = SIZE + 8;
	for (int i = 0; i < 3; i++)
		assert_int_equal(take_many(both, 1), -EPROTO);
	assert_int_equal(both->tx.pos, SIZE);
	assert_int_equal(both->rx.pos, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(every_length_arrives),
		BOTH(random_traffic_arrives),
		BOTH(the_ring_is_as_after_single_calls),
		BOTH(it_ends_where_the_room_does),
		BOTH(what_is_large_or_empty_is_left),
		BOTH(what_is_of_another_kind_is_left),
		BOTH(many_are_told_once),
		BOTH(what_has_grown_goes_first),
		SINGLE(a_header_that_lies_ends_it),
		SINGLE(any_bit_of_a_header_flipped_ends_it),
		SINGLE(an_empty_record_ends_it),
		BOTH(a_record_beyond_what_is_there_is_refused),
		BOTH(a_position_that_lies_is_refused),
	};

	return cmocka_run_group_tests_name("ring_many", tests, NULL, NULL);
}
