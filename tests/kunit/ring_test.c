// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmod/core/ring.c against a peer who lies. The ring and the positions lie in allocations of their exact sizes, so that
 * KASAN sees a byte too far.
 */
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/vmalloc.h>

#include "core/ring.c"

#define SIZE  16384ULL
#define EPOCH 0x0123456789abcdefULL

/* Both ends of one ring; what they announce is shared, everything else is private. */
struct pair {
	u8 *data;
	u64 *prod, *cons;
	struct ivp_ring tx, rx;
};

static void attach_both(struct pair *p, u64 size)
{
	*p->prod = 0;
	*p->cons = 0;
	ivp_ring_attach(&p->tx, p->data, size, EPOCH, p->prod, p->cons);
	ivp_ring_attach(&p->rx, p->data, size, EPOCH, p->cons, p->prod);
}

static int init(struct kunit *test)
{
	struct pair *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	p->data = kunit_kzalloc(test, SIZE, GFP_KERNEL);
	p->prod = kunit_kzalloc(test, sizeof(u64), GFP_KERNEL);
	p->cons = kunit_kzalloc(test, sizeof(u64), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, p->data && p->prod && p->cons);
	attach_both(p, SIZE);
	test->priv = p;
	return 0;
}

/* A byte of the stream, by its number. */
static u8 pattern(u64 number)
{
	return (u8)(number * 7 + (number >> 8));
}

/* Reserve up to *len bytes, and put the pattern there. */
static int reserve_pattern(struct ivp_ring *tx, u64 number, u64 *len)
{
	u8 __shm *span;
	int ret = ivp_ring_reserve(tx, &span, len);
	u64 i;

	for (i = 0; !ret && i < *len; i++)
		ivp_plain(span)[i] = pattern(number + i);
	return ret;
}

/* Send up to len bytes of the pattern as one record; how many, or an error. */
static s64 send(struct ivp_ring *tx, u64 number, u64 len)
{
	int ret = reserve_pattern(tx, number, &len) ?: ivp_ring_commit(tx, IVP_RECORD_DATA, len);

	return ret ?: (s64)len;
}

/* Receive up to `most` bytes; how many, an error, or -EBADMSG when they are not the pattern's. */
static s64 receive(struct ivp_ring *rx, u64 number, u64 most)
{
	const u8 __shm *span;
	u64 len, i;
	u32 type;
	int ret = ivp_ring_peek(rx, &type, &span, &len);

	if (ret)
		return ret;
	len = min(len, most);
	for (i = 0; i < len; i++)
		if (ivp_plain(span)[i] != pattern(number + i))
			return -EBADMSG;
	ivp_ring_consume(rx, len);
	return len;
}

static void roundtrip(struct kunit *test, struct pair *p, unsigned int rounds)
{
	struct rnd_state rnd;
	u64 sent = 0, got = 0;
	s64 n;

	prandom_seed_state(&rnd, 7);
	while (rounds--) {
		n = send(&p->tx, sent, prandom_u32_state(&rnd) % 6000 + 1);
		KUNIT_ASSERT_TRUE_MSG(test, n > 0 || n == -EAGAIN, "send: %lld", n);
		sent += n > 0 ? n : 0;
		n = receive(&p->rx, got, prandom_u32_state(&rnd) % 3000 + 1);
		KUNIT_ASSERT_TRUE_MSG(test, n > 0 || n == -EAGAIN, "receive: %lld", n);
		got += n > 0 ? n : 0;
	}
	while ((n = receive(&p->rx, got, SIZE)) > 0)
		got += n;
	KUNIT_EXPECT_EQ(test, n, -EAGAIN);
	KUNIT_EXPECT_EQ(test, got, sent);
	KUNIT_EXPECT_GT(test, sent, 20 * SIZE);
}

static void bytes_arrive(struct kunit *test)
{
	roundtrip(test, test->priv, 4000);
}

static void bytes_arrive_fenced(struct kunit *test)
{
	struct pair *p = test->priv;

	p->tx.combined = p->rx.combined = true;
	roundtrip(test, p, 4000);
}

static void bytes_arrive_mirrored(struct kunit *test)
{
	struct page *pages[2 * SIZE / PAGE_SIZE];
	struct pair *p = test->priv;
	unsigned int i, n = SIZE / PAGE_SIZE;
	u8 *once = vzalloc(SIZE), *old = p->data;

	KUNIT_ASSERT_NOT_NULL(test, once);
	for (i = 0; i < 2 * n; i++)
		pages[i] = vmalloc_to_page(once + i % n * PAGE_SIZE);
	p->data = vmap(pages, 2 * n, VM_MAP, PAGE_KERNEL);
	if (p->data) {
		attach_both(p, SIZE);
		p->tx.mirrored = p->rx.mirrored = true;
		roundtrip(test, p, 4000);
		vunmap(p->data);
	} else {
		KUNIT_FAIL(test, "vmap");
	}
	p->data = old;
	vfree(once);
}

static void smallest_ring(struct kunit *test)
{
	struct pair *p = test->priv;

	attach_both(p, IVP_RING_MIN);
	roundtrip(test, p, 4000);
}

/* Each length up to beyond a piece, at whatever place of the ring it happens to fall on. */
static void every_length(struct kunit *test)
{
	struct pair *p = test->priv;
	u64 wanted, sent = 0;
	s64 n, got, part;

	for (wanted = 1; wanted < SIZE / 4 + 20; wanted++) {
		n = send(&p->tx, sent, wanted);
		KUNIT_ASSERT_GT(test, n, 0);
		KUNIT_ASSERT_LE(test, (u64)n, min(wanted, SIZE / 4 - IVP_RECORD_HEADER));
		for (got = 0; got < n; got += part) {
			part = receive(&p->rx, sent + got, SIZE);
			KUNIT_ASSERT_GT(test, part, 0);
		}
		KUNIT_ASSERT_EQ(test, got, n);
		sent += n;
	}
}

static void full_and_empty(struct kunit *test)
{
	struct pair *p = test->priv;
	const u8 __shm *from;
	u64 sent = 0, len = 1;
	u8 __shm *to;
	u32 type;
	s64 n;

	KUNIT_EXPECT_EQ(test, ivp_ring_peek(&p->rx, &type, &from, &len), -EAGAIN);
	while ((n = send(&p->tx, sent, 4000)) > 0)
		sent += n;
	KUNIT_EXPECT_EQ(test, n, -EAGAIN);
	KUNIT_EXPECT_LE(test, *p->prod, SIZE);
	len = 1;
	while (!ivp_ring_reserve(&p->tx, &to, &len)) {
		KUNIT_ASSERT_EQ(test, len, 1ULL);
		KUNIT_ASSERT_EQ(test, ivp_ring_commit(&p->tx, IVP_RECORD_DATA, 1), 0);
	}
	KUNIT_EXPECT_EQ(test, *p->prod, SIZE);
	KUNIT_EXPECT_GT(test, receive(&p->rx, 0, SIZE), 0);
	KUNIT_EXPECT_GT(test, send(&p->tx, sent, 100), 0);
}

/* A record that is put as a whole goes over the edge of a ring that is not mirrored, and comes back whole. */
static void put_over_the_edge(struct kunit *test)
{
	struct pair *p = test->priv;
	const u8 __shm *span;
	u8 end[32], back[32];
	unsigned int round;
	u64 len;
	u32 type;

	for (round = 0; round < 3 * SIZE / 8; round++) {
		memset(end, round, sizeof(end));
		KUNIT_ASSERT_EQ(test, ivp_ring_put(&p->tx, IVP_RECORD_END, end, sizeof(end)), 0);
		KUNIT_ASSERT_EQ(test, ivp_ring_peek(&p->rx, &type, &span, &len), 0);
		KUNIT_ASSERT_EQ(test, type, (u32)IVP_RECORD_END);
		KUNIT_ASSERT_EQ(test, ivp_ring_copy(&p->rx, back, sizeof(back)), 0);
		KUNIT_ASSERT_EQ(test, memcmp(end, back, sizeof(end)), 0);
		ivp_ring_consume(&p->rx, sizeof(end));
	}
}

/* After a lie every call is refused, also when the peer is honest again. */
static void expect_broken(struct kunit *test, struct ivp_ring *ring)
{
	const u8 __shm *from;
	u8 __shm *to;
	u64 len = 8, before = ring->pos, told = ring->told;
	u32 type;
	u8 byte;

	KUNIT_EXPECT_TRUE(test, ring->broken);
	KUNIT_EXPECT_EQ(test, ivp_ring_reserve(ring, &to, &len), -EPROTO);
	KUNIT_EXPECT_EQ(test, ivp_ring_commit(ring, IVP_RECORD_DATA, 8), -EPROTO);
	KUNIT_EXPECT_EQ(test, ivp_ring_put(ring, IVP_RECORD_DATA, "12345678", 8), -EPROTO);
	KUNIT_EXPECT_EQ(test, ivp_ring_peek(ring, &type, &from, &len), -EPROTO);
	KUNIT_EXPECT_EQ(test, ivp_ring_copy(ring, &byte, 1), -EPROTO);
	ivp_ring_consume(ring, 8);
	ivp_ring_tell(ring);
	KUNIT_EXPECT_EQ(test, ring->pos, before);
	KUNIT_EXPECT_EQ(test, ring->told, told);
}

/* What a peer can say: its position relative to the truth. The truth: 1024 bytes produced, 512 of them consumed. */
struct claim {
	const char *name;
	u64 from_truth;
};
static const struct claim claims[] = {
	{"1 on", 1},
	{"4 on", 4},
	{"1 back", -1ULL},
	{"8 back", -8ULL},
	{"a ring back", -SIZE},
	{"beyond by 8", SIZE + 8},
	{"2 rings on", 2 * SIZE},
	{"2^31 on", 1ULL << 31},
	{"2^32 on", 1ULL << 32},
	{"2^63 on", 1ULL << 63},
	{"2^63 - 8 on", (1ULL << 63) - 8},
	{"2^64 - 2^32 on", -(1ULL << 32)},
	{"all ones", -1025ULL},
};

static void claim_name(const struct claim *claim, char *name)
{
	strscpy(name, claim->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(claim, claims, claim_name);

static void half_way(struct kunit *test, struct pair *p)
{
	KUNIT_ASSERT_EQ(test, send(&p->tx, 0, 504), 504);
	KUNIT_ASSERT_EQ(test, receive(&p->rx, 0, 504), 504);
	ivp_ring_tell(&p->rx);
	KUNIT_ASSERT_EQ(test, send(&p->tx, 504, 504), 504);
	KUNIT_ASSERT_EQ(test, *p->prod, 1024ULL);
	KUNIT_ASSERT_EQ(test, *p->cons, 512ULL);
}

static void producer_lies(struct kunit *test)
{
	const struct claim *claim = test->param_value;
	struct pair *p = test->priv;
	s64 n;

	half_way(test, p);
	KUNIT_ASSERT_EQ(test, receive(&p->rx, 504, 504), 504);
	*p->prod += claim->from_truth;
	n = receive(&p->rx, 1008, 504);
	KUNIT_EXPECT_EQ(test, n, -EPROTO);
	*p->prod = 1024;
	expect_broken(test, &p->rx);
}

/* The sender looks when its room does not do; so fill the ring first, up to what a look would have to bring. */
static void consumer_lies(struct kunit *test)
{
	const struct claim *claim = test->param_value;
	struct pair *p = test->priv;
	u64 sent = 1008;
	s64 n;

	half_way(test, p);
	while ((n = send(&p->tx, sent, 1000)) > 0)
		sent += n;
	KUNIT_ASSERT_EQ(test, n, -EAGAIN);
	*p->cons += claim->from_truth;
	KUNIT_EXPECT_EQ(test, send(&p->tx, sent, 1000), -EPROTO);
	*p->cons = 512;
	expect_broken(test, &p->tx);
}

/* A consumer one record ahead of what was produced: within a ring, and yet impossible. */
static void consumer_ahead_of_producer(struct kunit *test)
{
	struct pair *p = test->priv;
	u64 sent = 0;
	s64 n;

	while ((n = send(&p->tx, sent, 1000)) > 0)
		sent += n;
	*p->cons = *p->prod + 8;
	KUNIT_EXPECT_EQ(test, send(&p->tx, sent, 1000), -EPROTO);
	expect_broken(test, &p->tx);
}

/* Headers that a peer can write. The record at 0 is otherwise good, 1000 bytes long, and 1008 are announced. */
struct header {
	const char *name;
	u32 type, length;
	s64 pos;     /* the check is made for this position */
	u64 epoch;   /* and this epoch */
	u64 flipped; /* bits */
};
static const struct header headers[] = {
	{"length 0", IVP_RECORD_DATA, 0, 0, EPOCH},
	{"length beyond what is there", IVP_RECORD_DATA, 1001, 0, EPOCH},
	{"length beyond a piece", IVP_RECORD_DATA, SIZE / 4 - 7, 0, EPOCH},
	{"length of a ring", IVP_RECORD_DATA, SIZE, 0, EPOCH},
	{"length 2^31", IVP_RECORD_DATA, 1u << 31, 0, EPOCH},
	{"length 2^32 - 8", IVP_RECORD_DATA, -8u, 0, EPOCH},
	{"length 2^32 - 1", IVP_RECORD_DATA, ~0u, 0, EPOCH},
	{"type 0", 0, 1000, 0, EPOCH},
	{"type 4", 4, 1000, 0, EPOCH},
	{"type 255", 255, 1000, 0, EPOCH},
	{"another epoch", IVP_RECORD_DATA, 1000, 0, EPOCH + 1},
	{"epoch 0", IVP_RECORD_DATA, 1000, 0, 0},
	{"the lap before", IVP_RECORD_DATA, 1000, -(s64)SIZE, EPOCH},
	{"the lap after", IVP_RECORD_DATA, 1000, SIZE, EPOCH},
	{"its neighbour's", IVP_RECORD_DATA, 1000, 8, EPOCH},
	{"a bit of the check", IVP_RECORD_DATA, 1000, 0, EPOCH, 1ULL << 40},
	{"another bit of the check", IVP_RECORD_DATA, 1000, 0, EPOCH, 1ULL << 63},
	{"a bit of the length", IVP_RECORD_DATA, 1000, 0, EPOCH, 1ULL << 2},
	{"a bit of the type", IVP_RECORD_DATA, 1000, 0, EPOCH, 3ULL << 32},
};

static void header_name(const struct header *header, char *name)
{
	strscpy(name, header->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(header, headers, header_name);

static void header_lies(struct kunit *test)
{
	const struct header *header = test->param_value;
	struct pair *p = test->priv;
	struct ivp_ring maker = {.epoch = header->epoch, .pos = header->pos};

	KUNIT_ASSERT_EQ(test, send(&p->tx, 0, 1000), 1000);
	*(u64 *)p->data = header_for(maker.epoch, maker.pos, header->type, header->length) ^ header->flipped;
	KUNIT_EXPECT_EQ(test, receive(&p->rx, 0, SIZE), -EPROTO);
	expect_broken(test, &p->rx);
}

/* The peer announces a position that ends inside of a record's header or payload. */
static void announced_in_the_middle(struct kunit *test)
{
	struct pair *p = test->priv;
	u64 announced;

	for (announced = 8; announced < 1008; announced += 8) {
		attach_both(p, SIZE);
		KUNIT_ASSERT_EQ(test, send(&p->tx, 0, 1000), 1000);
		*p->prod = announced;
		KUNIT_ASSERT_EQ(test, receive(&p->rx, 0, SIZE), -EPROTO);
	}
}

/* The header changes after it was judged: what was judged counts. */
static void header_changes_after_peek(struct kunit *test)
{
	struct pair *p = test->priv;
	const u8 __shm *span;
	u64 len;
	u32 type;

	KUNIT_ASSERT_EQ(test, send(&p->tx, 0, 1000), 1000);
	KUNIT_ASSERT_EQ(test, ivp_ring_peek(&p->rx, &type, &span, &len), 0);
	memset(p->data, 0xff, 8);
	KUNIT_ASSERT_EQ(test, receive(&p->rx, 0, 10), 10);
	KUNIT_ASSERT_EQ(test, ivp_ring_peek(&p->rx, &type, &span, &len), 0);
	KUNIT_EXPECT_EQ(test, len, 990ULL);
	ivp_ring_consume(&p->rx, ~0ULL);
	KUNIT_EXPECT_EQ(test, p->rx.pos, 1008ULL);
	KUNIT_EXPECT_EQ(test, ivp_ring_peek(&p->rx, &type, &span, &len), -EAGAIN);
}

/* Room is given back an eighth of the ring at a time, or when there is time. */
static void room_comes_back_in_lots(struct kunit *test)
{
	struct pair *p = test->priv;
	u64 sent, got, told = 0;

	for (sent = 0; sent < SIZE / 2; sent += 16)
		KUNIT_ASSERT_EQ(test, send(&p->tx, sent, 8), 8);
	for (got = 0; got < sent; got += 16) {
		KUNIT_ASSERT_EQ(test, receive(&p->rx, got, 8), 8);
		if (got + 16 - told >= SIZE / 8)
			told = got + 16;
		KUNIT_ASSERT_EQ(test, *p->cons, told);
	}
	KUNIT_EXPECT_EQ(test, told, SIZE / 2);
	KUNIT_ASSERT_EQ(test, send(&p->tx, sent, 8), 8);
	KUNIT_ASSERT_EQ(test, receive(&p->rx, got, 8), 8);
	KUNIT_EXPECT_EQ(test, *p->cons, told);
	ivp_ring_tell(&p->rx);
	KUNIT_EXPECT_EQ(test, *p->cons, told + 16);
}

/* Messages of a batch, each in a buffer of its exact size; and the rooms that they are to go to. */
#define MANY 24
struct batch {
	struct kvec messages[MANY], rooms[MANY];
	size_t lens[MANY];
};

static struct batch *make_batch(struct kunit *test, struct rnd_state *rnd)
{
	struct batch *batch = kunit_kzalloc(test, sizeof(*batch), GFP_KERNEL);
	u64 i;

	KUNIT_ASSERT_NOT_NULL(test, batch);
	for (i = 0; i < MANY; i++) {
		size_t len = prandom_u32_state(rnd) % (i % 3 ? 64 : IVP_SHORT) + 1;
		u8 *bytes = kunit_kzalloc(test, len, GFP_KERNEL), *room = kunit_kzalloc(test, len, GFP_KERNEL);

		KUNIT_ASSERT_TRUE(test, bytes && room);
		prandom_bytes_state(rnd, bytes, len);
		batch->messages[i] = (struct kvec){bytes, len};
		batch->rooms[i] = (struct kvec){room, len};
	}
	return batch;
}

/* Some find room, and some are there; in the end all have come, in their order, and nowhere else. */
static void exchange(struct kunit *test, struct pair *p, struct batch *batch)
{
	u32 sent = 0, got = 0, i;
	u64 sum, all = 0;
	int ret;

	while (got < MANY) {
		ret = ivp_ring_put_many(&p->tx, batch->messages + sent, MANY - sent, &sum);
		KUNIT_ASSERT_TRUE(test, ret >= 0 || ret == -EAGAIN);
		sent += max(ret, 0);
		ret = ivp_ring_take_many(&p->rx, batch->rooms + got, batch->lens + got, MANY - got, &sum);
		KUNIT_ASSERT_GT(test, ret, 0);
		got += ret;
		all += sum;
	}
	for (i = 0; i < MANY; i++) {
		KUNIT_ASSERT_EQ(test, batch->lens[i], batch->messages[i].iov_len);
		KUNIT_ASSERT_EQ(test, memcmp(batch->rooms[i].iov_base, batch->messages[i].iov_base, batch->lens[i]), 0);
		all -= batch->lens[i];
	}
	KUNIT_EXPECT_EQ(test, all, 0ULL);
}

static void many_arrive(struct kunit *test)
{
	struct pair *p = test->priv;
	struct rnd_state rnd;
	unsigned int round;

	prandom_seed_state(&rnd, 11);
	for (round = 0; round < 60; round++)
		exchange(test, p, make_batch(test, &rnd));
	KUNIT_EXPECT_GT(test, p->rx.pos, 5 * SIZE);
}

/* What is too long, empty, of another kind, or finds no room is left where it is. */
static void many_end_where_they_must(struct kunit *test)
{
	struct pair *p = test->priv;
	struct kvec odd[] = {{"", 0}, {p->data, IVP_SHORT + 1}}, room = {kunit_kzalloc(test, 4, GFP_KERNEL), 4};
	size_t len;
	u64 sum;

	KUNIT_ASSERT_NOT_NULL(test, room.iov_base);
	KUNIT_EXPECT_EQ(test, ivp_ring_put_many(&p->tx, odd, 1, &sum), 0);
	KUNIT_EXPECT_EQ(test, ivp_ring_put_many(&p->tx, odd + 1, 1, &sum), 0);
	KUNIT_EXPECT_EQ(test, ivp_ring_take_many(&p->rx, &room, &len, 1, &sum), -EAGAIN);
	KUNIT_ASSERT_EQ(test, ivp_ring_put(&p->tx, IVP_RECORD_DATA, "four", 4), 0);
	KUNIT_ASSERT_EQ(test, ivp_ring_put(&p->tx, IVP_RECORD_DATA, "fives", 5), 0);
	KUNIT_EXPECT_EQ(test, ivp_ring_take_many(&p->rx, &room, &len, 1, &sum), 1);
	KUNIT_EXPECT_EQ(test, ivp_ring_take_many(&p->rx, &room, &len, 1, &sum), 0);
	ivp_ring_consume(&p->rx, 5);
	KUNIT_ASSERT_EQ(test, ivp_ring_put(&p->tx, IVP_RECORD_END, "end", 3), 0);
	KUNIT_EXPECT_EQ(test, ivp_ring_take_many(&p->rx, &room, &len, 1, &sum), 0);
}

/* What came before a lie is given, and then nothing more; in each bit of a header. */
static void many_end_with_a_lie(struct kunit *test)
{
	struct kvec rooms[3];
	struct pair *p = test->priv;
	size_t lens[3];
	unsigned int bit, i;
	u64 sum;

	for (i = 0; i < 3; i++) {
		rooms[i] = (struct kvec){kunit_kzalloc(test, 8, GFP_KERNEL), 8};
		KUNIT_ASSERT_NOT_NULL(test, rooms[i].iov_base);
	}
	for (bit = 0; bit < 64; bit++) {
		attach_both(p, SIZE);
		KUNIT_ASSERT_EQ(test, ivp_ring_put_many(&p->tx, rooms, 3, &sum), 3);
		p->data[32 + bit / 8] ^= 1 << bit % 8;
		KUNIT_ASSERT_EQ(test, ivp_ring_take_many(&p->rx, rooms, lens, 3, &sum), 2);
		KUNIT_ASSERT_EQ(test, ivp_ring_take_many(&p->rx, rooms, lens, 3, &sum), -EPROTO);
		KUNIT_ASSERT_EQ(test, p->rx.pos, 32ULL);
	}
	p->tx.pos = p->tx.told = SIZE;
	*p->cons = SIZE + 8;
	KUNIT_EXPECT_EQ(test, ivp_ring_put_many(&p->tx, rooms, 3, &sum), -EPROTO);
}

/* What is held is not there yet; it is with a flush, with the end, and when it is a lot. */
static void what_is_held_comes_later(struct kunit *test)
{
	struct pair *p = test->priv;
	u64 sent;

	p->tx.held = true;
	KUNIT_ASSERT_EQ(test, send(&p->tx, 0, 8), 8);
	KUNIT_EXPECT_EQ(test, *p->prod, 0ULL);
	KUNIT_EXPECT_EQ(test, receive(&p->rx, 0, 8), -EAGAIN);
	KUNIT_EXPECT_TRUE(test, ivp_ring_flush(&p->tx));
	KUNIT_EXPECT_FALSE(test, ivp_ring_flush(&p->tx));
	KUNIT_EXPECT_EQ(test, receive(&p->rx, 0, 8), 8);
	for (sent = 16; sent < 16 + SIZE / 8; sent += 16) {
		KUNIT_EXPECT_EQ(test, *p->prod, 16ULL);
		KUNIT_ASSERT_EQ(test, send(&p->tx, sent, 8), 8);
	}
	KUNIT_EXPECT_EQ(test, *p->prod, 16 + SIZE / 8);
	KUNIT_ASSERT_EQ(test, send(&p->tx, sent, 8), 8);
	KUNIT_ASSERT_EQ(test, ivp_ring_put(&p->tx, IVP_RECORD_END, "end", 3), 0);
	KUNIT_EXPECT_EQ(test, *p->prod, sent + 32);
}

/* As send(), of bytes that have no borders. */
static s64 grow(struct ivp_ring *tx, u64 number, u64 len)
{
	int ret = reserve_pattern(tx, number, &len) ?: ivp_ring_grow(tx, len);

	return ret ?: (s64)len;
}

/* What is held grows to one record, until it is flushed, or does not fit, or is a lot. */
static void what_is_held_grows(struct kunit *test)
{
	struct pair *p = test->priv;

	KUNIT_ASSERT_EQ(test, grow(&p->tx, 0, 3), 3);
	KUNIT_EXPECT_EQ(test, *p->prod, 16ULL);
	p->tx.held = true;
	KUNIT_ASSERT_EQ(test, grow(&p->tx, 3, 5), 5);
	KUNIT_ASSERT_EQ(test, grow(&p->tx, 8, 5), 5);
	KUNIT_EXPECT_FALSE(test, ivp_ring_all_told(&p->tx));
	KUNIT_EXPECT_TRUE(test, ivp_ring_flush(&p->tx));
	KUNIT_EXPECT_EQ(test, *p->prod, 40ULL);
	KUNIT_EXPECT_EQ(test, receive(&p->rx, 0, SIZE), 3);
	KUNIT_EXPECT_EQ(test, receive(&p->rx, 3, SIZE), 10);
	KUNIT_ASSERT_EQ(test, grow(&p->tx, 0, 100), 100);
	KUNIT_ASSERT_EQ(test, grow(&p->tx, 0, SIZE / 4 - 8), SIZE / 4 - 8);
	KUNIT_EXPECT_EQ(test, *p->prod, 40ULL + 112 + SIZE / 4);
	KUNIT_EXPECT_EQ(test, receive(&p->rx, 0, SIZE), 100);
	KUNIT_EXPECT_EQ(test, receive(&p->rx, 0, SIZE), SIZE / 4 - 8);
}

/* Who was lied to adds nothing to what it had begun, and closes nothing. */
static void growing_ends_with_a_lie(struct kunit *test)
{
	struct pair *p = test->priv;

	p->tx.held = true;
	KUNIT_ASSERT_EQ(test, grow(&p->tx, 0, 3), 3);
	KUNIT_EXPECT_EQ(test, send(&p->tx, 0, SIZE / 4 - 8), SIZE / 4 - 8);
	KUNIT_EXPECT_EQ(test, send(&p->tx, 0, SIZE / 4 - 8), SIZE / 4 - 8);
	KUNIT_EXPECT_EQ(test, send(&p->tx, 0, SIZE / 4 - 8), SIZE / 4 - 8);
	*p->cons = 4;
	KUNIT_EXPECT_EQ(test, grow(&p->tx, 0, SIZE / 4 - 40), SIZE / 4 - 40);
	KUNIT_EXPECT_EQ(test, grow(&p->tx, 0, 3), 3);
	KUNIT_EXPECT_EQ(test, grow(&p->tx, 0, 20), -EPROTO);
	KUNIT_EXPECT_EQ(test, ivp_ring_grow(&p->tx, 1), -EPROTO);
	ivp_ring_close(&p->tx);
	KUNIT_EXPECT_EQ(test, p->tx.pos, SIZE - 16);
}

/* Once a position was accepted, an earlier one does not make a record that was opened shorter. */
static void producer_takes_back(struct kunit *test)
{
	struct pair *p = test->priv;
	const u8 __shm *span;
	u64 len;
	u32 type;

	KUNIT_ASSERT_EQ(test, send(&p->tx, 0, 1000), 1000);
	KUNIT_ASSERT_EQ(test, ivp_ring_peek(&p->rx, &type, &span, &len), 0);
	*p->prod = 8;
	KUNIT_EXPECT_EQ(test, receive(&p->rx, 0, SIZE), 1000);
	KUNIT_EXPECT_EQ(test, receive(&p->rx, 0, SIZE), -EPROTO);
	expect_broken(test, &p->rx);
}

static void consume_without_a_record(struct kunit *test)
{
	struct pair *p = test->priv;

	ivp_ring_consume(&p->rx, 8);
	ivp_ring_consume(&p->rx, ~0ULL);
	KUNIT_EXPECT_EQ(test, p->rx.pos, 0ULL);
	KUNIT_EXPECT_EQ(test, *p->cons, 0ULL);
}

static void copy_of_another_length(struct kunit *test)
{
	static const u64 lengths[] = {0, 31, 33, ~0ULL, 1ULL << 32 | 32};
	struct pair *p = test->priv;
	const u8 __shm *span;
	unsigned int i;
	u8 buf[32] = {};
	u64 len;
	u32 type;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		attach_both(p, SIZE);
		KUNIT_ASSERT_EQ(test, ivp_ring_put(&p->tx, IVP_RECORD_END, buf, 32), 0);
		KUNIT_ASSERT_EQ(test, ivp_ring_peek(&p->rx, &type, &span, &len), 0);
		KUNIT_EXPECT_EQ(test, ivp_ring_copy(&p->rx, buf, lengths[i]), -EPROTO);
		expect_broken(test, &p->rx);
	}
}

static void copy_of_a_part(struct kunit *test)
{
	struct pair *p = test->priv;
	const u8 __shm *span;
	u8 buf[32] = {};
	u64 len;
	u32 type;

	KUNIT_EXPECT_EQ(test, ivp_ring_put(&p->tx, IVP_RECORD_END, buf, 32), 0);
	KUNIT_EXPECT_EQ(test, ivp_ring_peek(&p->rx, &type, &span, &len), 0);
	ivp_ring_consume(&p->rx, 1);
	KUNIT_EXPECT_EQ(test, ivp_ring_copy(&p->rx, buf, 32), -EPROTO);
	expect_broken(test, &p->rx);
}

/* Padding of a record shows nothing of what lay there before. */
static void padding_is_zero(struct kunit *test)
{
	struct pair *p = test->priv;
	unsigned int len;

	for (len = 1; len < 24; len++) {
		attach_both(p, SIZE);
		memset(p->data, 0xaa, SIZE);
		KUNIT_ASSERT_EQ(test, send(&p->tx, 0, len), len);
		KUNIT_EXPECT_PTR_EQ(test, memchr_inv(p->data + 8 + len, 0, round_up(len, 8) - len), NULL);
		KUNIT_EXPECT_EQ(test, p->data[8 + round_up(len, 8)], 0xaa);
	}
}

/* Scribbles over everything the peer can reach, for as long as it may. */
static int scribble(void *data)
{
	struct pair *p = data;
	struct rnd_state rnd;
	u32 random;

	prandom_seed_state(&rnd, 3);
	while (!kthread_should_stop()) {
		random = prandom_u32_state(&rnd);
		WRITE_ONCE(((u64 *)p->data)[random % (SIZE / 8)], (u64)random << 32 | prandom_u32_state(&rnd));
		/* Near the truth, and far from it: both are worth a try. */
		WRITE_ONCE(*p->prod, random & 1 ? random & (SIZE - 8) : (u64)random << 33);
		WRITE_ONCE(*p->cons, random & 2 ? random & (SIZE - 8) : (u64)random << 30);
		if (!(random & 0xfff))
			cond_resched();
	}
	return 0;
}

/* Reads whatever a receiver is given, and gives it back. */
static int swallow(struct ivp_ring *rx, u64 most)
{
	static volatile u8 sink;
	const u8 __shm *span;
	u64 len, i;
	u32 type;
	int ret = ivp_ring_peek(rx, &type, &span, &len);

	for (i = 0; !ret && i < min(len, most); i++)
		sink += ivp_plain(span)[i];
	if (!ret)
		ivp_ring_consume(rx, i);
	return ret;
}

/*
 * Both ends work on while all is scribbled over, until enough lies were caught, or for 20 s where the scribbler's processor
 * has little time; returns how many, or ~0 if an end did worse than to refuse.
 */
static unsigned int work_under_fire(struct pair *p, unsigned int enough)
{
	unsigned long deadline = jiffies + 20 * HZ;
	unsigned int caught = 0, rounds;
	int sent, got;

	for (rounds = 0; caught < enough && time_before(jiffies, deadline); rounds++) {
		sent = min_t(s64, send(&p->tx, 0, rounds % 5000 + 1), 0);
		got = swallow(&p->rx, rounds % 3000 + 1);
		if ((sent && sent != -EAGAIN && sent != -EPROTO) || (got && got != -EAGAIN && got != -EPROTO))
			return ~0u;
		caught += (sent == -EPROTO) + (got == -EPROTO);
		if (p->tx.broken || p->rx.broken)
			attach_both(p, SIZE);
		if (!(rounds % 256))
			cond_resched();
	}
	return caught;
}

static void under_fire(struct kunit *test)
{
	struct pair *p = test->priv;
	struct task_struct *scribbler = kthread_run(scribble, p, "scribbler");
	unsigned int caught;

	KUNIT_ASSERT_FALSE(test, IS_ERR(scribbler));
	caught = work_under_fire(p, 5000);
	kthread_stop(scribbler);
	KUNIT_EXPECT_NE(test, caught, ~0u);
	KUNIT_EXPECT_GT(test, caught, 0u);
	kunit_info(test, "%u lies caught", caught);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(bytes_arrive),
	KUNIT_CASE(bytes_arrive_fenced),
	KUNIT_CASE(bytes_arrive_mirrored),
	KUNIT_CASE(smallest_ring),
	KUNIT_CASE(every_length),
	KUNIT_CASE(full_and_empty),
	KUNIT_CASE(put_over_the_edge),
	KUNIT_CASE_PARAM(producer_lies, claim_gen_params),
	KUNIT_CASE_PARAM(consumer_lies, claim_gen_params),
	KUNIT_CASE(consumer_ahead_of_producer),
	KUNIT_CASE_PARAM(header_lies, header_gen_params),
	KUNIT_CASE(announced_in_the_middle),
	KUNIT_CASE(header_changes_after_peek),
	KUNIT_CASE(producer_takes_back),
	KUNIT_CASE(consume_without_a_record),
	KUNIT_CASE(room_comes_back_in_lots),
	KUNIT_CASE(many_arrive),
	KUNIT_CASE(many_end_where_they_must),
	KUNIT_CASE(many_end_with_a_lie),
	KUNIT_CASE(what_is_held_comes_later),
	KUNIT_CASE(what_is_held_grows),
	KUNIT_CASE(growing_ends_with_a_lie),
	KUNIT_CASE(copy_of_another_length),
	KUNIT_CASE(copy_of_a_part),
	KUNIT_CASE(padding_is_zero),
	KUNIT_CASE(under_fire),
	{},
};

static struct kunit_suite suite = {
	.name = "ivp_ring",
	.init = init,
	.test_cases = cases,
};
kunit_test_suite(suite);
