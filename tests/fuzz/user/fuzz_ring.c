// SPDX-License-Identifier: MIT
/*
 * Both ends of a ring, and a liar who owns all that they share. He writes between their calls, and between two loads of one call.
 * Until he does, what was sent has to arrive; whatever he does, nothing outside of the ring is touched, no position goes back, and
 * who was lied to stays away for good.
 */
#include "pair.h"
#include "record.h"

/* Records of one run; there are no more than bytes of input. */
#define RECORDS 4096

struct record {
	u32 type, len;
};

/* Known as long as nobody lied. */
static struct {
	struct record records[RECORDS];
	u32 first, last; /* of the records sent, the first that is not consumed */
	u32 taken;       /* of that */
	u32 grown;       /* of the record sent last that is not closed yet */
	u64 sent, received;
	bool opened; /* the receiver has looked at it */
} run;

/* What is sent depends on its place in the stream alone. */
#define PERIOD 65521
static u8 stream[PERIOD + 65536];

static const u8 *bytes_at(u64 place)
{
	return stream + place % PERIOD;
}

static void note_sent(u32 type, u64 len)
{
	if (run.last < RECORDS)
		run.records[run.last++] = (struct record){type, (u32)len + run.grown};
	run.grown = 0;
	run.sent += len;
}

static void note_closed(void)
{
	if (run.grown)
		note_sent(1, 0);
}

/* What is not held is closed at once, and so is a lot. */
static void note_grown(u64 len)
{
	u64 before = pair.tx.ring.grown;

	run.grown += (u32)len;
	run.sent += len;
	if (before)
		require(before == run.grown);
	else
		note_closed();
}

/*
 * Of a call that began at `pos`. There was room between what the receiver said it has consumed, and a ring further; without a lie
 * exactly where the receiver said it had left it.
 */
static void require_answer(u64 pos, u64 payload, int ret)
{
	u64 told = pair.size - (pos - pair.tx.ring.theirs), left = pair.size - (pos - pair.rx.ring.told);

	payload += run.grown;
	pair_require_end(&pair.tx, ret);
	require(ret || (told <= pair.size && told >= record_bytes(payload)));
	require(pair.lied || ret == (left < record_bytes(payload) ? -EAGAIN : 0));
}

/* Data, the end, and a part of a message: all the same to the ring. */
static u32 choose_type(struct input *input)
{
	return 1 + input_byte(input) % 3;
}

static u64 wish(struct input *input)
{
	u64 number = input_number(input);

	return input_byte(input) % 2 ? number | 1 : 1 + number % pair_most();
}

/* A wish that does not fit into what grows begins anew. */
static u64 place_for(u64 want)
{
	u64 payload = want < pair_most() ? want : pair_most();

	if (payload + run.grown > pair_most() && !pair.tx.broken)
		note_closed();
	return payload;
}

static void send_reserved(struct input *input)
{
	u64 want = wish(input), len = want, use, payload, pos, begun;
	bool grow = input_byte(input) % 2;
	u32 type = choose_type(input);
	u8 *span = NULL;
	int ret = ivp_ring_reserve(&pair.tx.ring, &span, &len);

	payload = place_for(want);
	pos = pair.tx.ring.pos;
	begun = pos + 8 + run.grown;
	require_answer(pos, ret ? payload : len, ret);
	if (ret == -EPROTO) {
		pair_require_end(&pair.tx,
				 grow ? ivp_ring_grow(&pair.tx.ring, 1) : ivp_ring_commit(&pair.tx.ring, type, 1));
		require(pair.tx.broken);
	}
	if (ret)
		return;
	pair_require_span(span, len);
	require(len <= want && span == pair.data + begun % pair.size);
	use = input_byte(input) % 2 ? len : 1 + input_number(input) % len;
	memcpy(span, bytes_at(run.sent), len);
	ret = grow ? ivp_ring_grow(&pair.tx.ring, use) : ivp_ring_commit(&pair.tx.ring, type, use);
	pair_require_end(&pair.tx, ret);
	require(!ret && (pair.tx.ring.grown || pair.tx.pos == pos + record_bytes(run.grown + use)));
	if (grow)
		note_grown(use);
	else
		note_sent(type, use);
}

static void send_copied(struct input *input)
{
	u64 len = 1 + input_number(input) % pair_most(), pos;
	u32 type = choose_type(input);
	u8 *bytes = malloc(len);
	int ret;

	if (!pair.tx.broken)
		note_closed();
	require(bytes);
	memcpy(bytes, bytes_at(run.sent), len);
	ret = ivp_ring_put(&pair.tx.ring, type, bytes, len);
	free(bytes);
	pos = ret ? pair.tx.ring.pos : pair.tx.ring.pos - record_bytes(len);
	require_answer(pos, len, ret);
	if (ret)
		return;
	note_sent(type, len);
}

/* ---- many with one call ---- */

#define MANY 20

static u64 most_short(void)
{
	return pair_most() < IVP_SHORT ? pair_most() : IVP_SHORT;
}

static struct iovec many[MANY];

/* Mostly short ones, each in memory of its exact size; sometimes too long, or empty. */
static u32 make_many(struct input *input)
{
	u32 count = 1 + input_byte(input) % MANY;
	u64 place = run.sent;

	for (u32 i = 0; i < count; i++) {
		u8 how = input_byte(input);
		size_t len = how < 8     ? IVP_SHORT + 1
			     : how < 12  ? 0
			     : how < 128 ? how % 24 + 1
					 : how * 5 % IVP_SHORT + 1;

		many[i] = (struct iovec){malloc(len ? len : 1), len};
		require(many[i].iov_base);
		memcpy(many[i].iov_base, bytes_at(place), len);
		place += len;
	}
	return count;
}

static void free_many(u32 count)
{
	for (u32 i = 0; i < count; i++)
		free(many[i].iov_base);
}

/* All that were accepted are there; without a lie the next one is of no use, or finds no room. */
static void send_many(struct input *input)
{
	u32 count = make_many(input);
	u64 sum, all = 0, left;
	int ret;

	if (!pair.tx.broken)
		note_closed();
	ret = ivp_ring_put_many(&pair.tx.ring, many, count, &sum);
	pair_require_end(&pair.tx, ret < 0 ? ret : 0);
	require(ret <= (int)count);
	for (int i = 0; i < ret; i++) {
		require(many[i].iov_len >= 1 && many[i].iov_len <= most_short());
		note_sent(1, many[i].iov_len);
		all += many[i].iov_len;
	}
	require(sum == all);
	left = pair.size - (pair.tx.ring.pos - pair.rx.ring.told);
	if (!pair.lied && ret < (int)count) {
		size_t next = many[ret < 0 ? 0 : ret].iov_len;

		require(!next || next > most_short() || (ret && left < record_bytes(next)));
	}
	free_many(count);
}

static void flush(void)
{
	bool growing = pair.tx.ring.grown && !pair.tx.ring.broken,
	     any = growing || pair.tx.ring.told != pair.tx.ring.pos;

	require(ivp_ring_flush(&pair.tx.ring) == any && pair.tx.ring.told == pair.tx.ring.pos);
	if (growing)
		note_closed();
	pair_require_end(&pair.tx, pair.tx.broken ? -EPROTO : 0);
}

static int look(const u8 **span, u64 *len)
{
	/* All that was granted is touched, whoever wrote it. */
	static u8 scratch[65536];
	u32 before = pair.rx.ring.type, before_left = pair.rx.ring.length - pair.rx.ring.taken, type = 0;
	int ret = ivp_ring_peek(&pair.rx.ring, &type, span, len);

	pair_require_end(&pair.rx, ret);
	if (!pair.lied)
		require(ret == (pair.tx.ring.told == pair.rx.ring.pos ? -EAGAIN : 0));
	if (ret)
		return ret;
	run.opened = true;
	pair_require_span(*span, *len);
	require(type >= 1 && type <= 3);
	require(pair.rx.ring.theirs - pair.rx.ring.pos >= record_bytes(pair.rx.ring.length));
	/* What was once judged is not asked for again. */
	require(!before || (before == type && before_left == pair.rx.ring.length - pair.rx.ring.taken));
	memcpy(scratch, *span, *len);
	return 0;
}

static void require_record(const u8 *span, u64 len)
{
	const struct record *record = &run.records[run.first];

	require(pair.rx.ring.type == record->type && pair.rx.ring.length == record->len);
	require(len <= record->len - run.taken);
	require(!memcmp(span, bytes_at(run.received), len));
}

static void consume(u64 len)
{
	const struct ivp_ring *ring = &pair.rx.ring;
	u64 there = ring->type && !ring->broken ? ring->length - ring->taken : 0;
	u32 left = run.records[run.first].len - run.taken;
	bool opened = run.opened && !ring->broken;

	require(ivp_ring_consume(&pair.rx.ring, len) == (len < there ? len : there));
	pair_require_end(&pair.rx, pair.rx.broken ? -EPROTO : 0);
	if (pair.lied || !opened)
		return;
	if (len < left) {
		run.taken += (u32)len;
		run.received += len;
		return;
	}
	run.received += left;
	run.taken = 0;
	run.first++;
	run.opened = false;
}

static void tell(void)
{
	ivp_ring_tell(&pair.rx.ring);
	require(pair.rx.broken || pair.rx.ring.told == pair.rx.ring.pos);
	pair_require_end(&pair.rx, pair.rx.broken ? -EPROTO : 0);
}

static void receive(struct input *input)
{
	const u8 *span;
	u64 len;

	if (look(&span, &len))
		return;
	if (!pair.lied)
		require_record(span, len);
	consume(input_byte(input) % 2 ? len : input_number(input));
}

/* Rooms of their exact sizes, that may be too small. */
static u32 make_rooms(struct input *input)
{
	u32 count = 1 + input_byte(input) % MANY;

	for (u32 i = 0; i < count; i++) {
		size_t len = input_byte(input) % 4 ? IVP_SHORT : 1 + input_byte(input) % 32;

		many[i] = (struct iovec){malloc(len), len};
		require(many[i].iov_base);
	}
	return count;
}

/* What was given was sent, in its order; without a lie the next one is of another kind, does not fit, or is not told. */
static void receive_many(struct input *input)
{
	u32 count = make_rooms(input);
	size_t lens[MANY];
	u64 sum, all = 0;
	int ret;

	ret = ivp_ring_take_many(&pair.rx.ring, many, lens, count, &sum);
	pair_require_end(&pair.rx, ret < 0 ? ret : 0);
	require(ret <= (int)count);
	for (int i = 0; i < ret; i++) {
		const struct record *record = &run.records[run.first];

		require(lens[i] >= 1 && lens[i] <= many[i].iov_len);
		all += lens[i];
		if (pair.lied)
			continue;
		require(record->type == 1 && record->len == lens[i] && !run.taken);
		require(!memcmp(many[i].iov_base, bytes_at(run.received), lens[i]));
		run.received += lens[i];
		run.first++;
	}
	require(sum == all);
	if (ret > 0)
		run.opened = false;
	if (pair.rx.ring.type)
		run.opened = true;
	if (!pair.lied && ret < (int)count && pair.rx.ring.pos != pair.tx.ring.told) {
		const struct record *next = &run.records[run.first];

		require(next->type != 1 || next->len > most_short() || next->len > many[ret < 0 ? 0 : ret].iov_len ||
			run.taken);
	}
	free_many(count);
}

/* A length that is not the record's ends it all: that is the caller's way to say that the peer broke the rules. */
static void receive_copy(struct input *input)
{
	u64 len = input_byte(input) % 4 ? pair.rx.ring.length : input_number(input) % (2 * pair_most());
	bool good = !pair.rx.broken && pair.rx.ring.type && !pair.rx.ring.taken && pair.rx.ring.length == len;
	u8 *bytes = malloc(len ? len : 1);
	int ret;

	require(bytes);
	ret = ivp_ring_copy(&pair.rx.ring, bytes, len);
	require(ret == (good ? 0 : -EPROTO));
	if (!pair.lied && good)
		require(!memcmp(bytes, bytes_at(run.received), len));
	pair.lied = pair.lied || ret;
	pair_require_end(&pair.rx, ret);
	free(bytes);
}

static u64 header_at(u64 pos, u32 type, u32 len)
{
	return record_header(pair.epoch, pos, type, len);
}

static u64 *place_of(struct input *input)
{
	switch (input_below(input, 5)) {
	case 0:
		return pair.tx.told;
	case 1:
		return pair.rx.told;
	case 2:
		return (u64 *)(pair.data + pair.rx.ring.pos % pair.size);
	case 3:
		return (u64 *)(pair.data + pair.tx.ring.pos % pair.size);
	default:
		return (u64 *)(pair.data + input_number(input) % pair.size / 8 * 8);
	}
}

static u64 value_of(struct input *input)
{
	u64 near = (u64)(int64_t)(int8_t)input_byte(input);

	switch (input_below(input, 6)) {
	case 0:
		return pair.tx.ring.pos + 8 * near;
	case 1:
		return pair.rx.ring.pos + 8 * near;
	case 2:
		return pair.rx.ring.pos + pair.size + near;
	case 3:
		return header_at(pair.rx.ring.pos, 1 + (u32)input_byte(input) % 4, (u32)(pair_most() + near));
	case 4:
		return header_at(pair.rx.ring.pos, 1, (u32)input_number(input));
	default:
		return input_number(input);
	}
}

/* A record that looks right, and a position that says it is there. */
static void forge(struct input *input)
{
	u64 pos = pair.rx.ring.pos;
	u32 len = (u32)(input_byte(input) % 2 ? input_number(input) : input_number(input) % pair_most());

	pair_lie((u64 *)(pair.data + pos % pair.size), header_at(pos, choose_type(input), len));
	pair_lie(pair.tx.told, pos + record_bytes(input_byte(input) % 4 ? len : input_number(input)));
}

static void step(struct input *input)
{
	struct lie later;

	switch (input_below(input, 11)) {
	case 0:
		return send_reserved(input);
	case 1:
		return send_copied(input);
	case 2:
		return receive(input);
	case 3:
		return receive_copy(input);
	case 4:
		flush();
		return consume(input_number(input));
	case 5:
		return pair_lie(place_of(input), value_of(input));
	case 6:
		return forge(input);
	case 7:
		return send_many(input);
	case 8:
		return receive_many(input);
	case 9:
		return tell();
	default:
		later.at = place_of(input);
		later.value = value_of(input);
		later.loads = input_below(input, 4);
		pair.lie = later;
	}
}

/* Where nobody lied all arrives that was sent. */
static void drain(void)
{
	const u8 *span;
	u64 len;

	pair.lie.at = NULL;
	flush();
	while (!pair.lied && run.last < RECORDS && !look(&span, &len)) {
		require_record(span, len);
		consume(len);
	}
	require(pair.lied || run.last == RECORDS || run.sent == run.received);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	for (size_t i = 0; i < sizeof(stream); i++)
		stream[i] = (u8)(i % PERIOD * 0x9e3779b97f4a7c15ULL >> 56);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = {bytes, size};

	memset(&run, 0, sizeof(run));
	pair_begin(&input);
	while (input.left && run.last < RECORDS)
		step(&input);
	drain();
	return 0;
}
