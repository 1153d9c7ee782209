// SPDX-License-Identifier: MIT
/* Calls that wait, and messages that keep their bounds. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "pair.h"

static struct pair pair;
static struct ivp_error err;

static int setup_local(void **state)
{
	(void)state;
	memset(&err, 0, sizeof(err));
	pair_connect(&pair, false);
	return 0;
}

static int setup_remote(void **state)
{
	(void)state;
	memset(&err, 0, sizeof(err));
	pair_connect(&pair, true);
	return 0;
}

/* As where the page size forbids to map a ring twice. */
static int setup_split(void **state)
{
	setup_local(state);
	pair.client->tx.mirrored = pair.server->rx.mirrored = false;
	return 0;
}

/* As in a guest whose mapping gathers what is written: copies are the ones that the clock chose. */
static int setup_combined(void **state)
{
	setup_local(state);
	pair.client->region->combined = pair.server->region->combined = true;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&pair);
	return 0;
}

static void fill(u8 *bytes, size_t len, u64 *seed)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (u8)unit_random(seed);
}

/* ---- messages ---- */

#define LARGEST (1024 * 1024)
#define COUNT   300

/* From one byte to many rings. */
static size_t size_of(u64 *seed)
{
	return unit_random(seed) % (1ULL << unit_random(seed) % 21) % LARGEST + 1;
}

static void *send_messages(void *arg)
{
	u64 seed = 1, sizes = 2;
	u8 *bytes = malloc(LARGEST);

	(void)arg;
	for (int i = 0; i < COUNT; i++) {
		size_t len = size_of(&sizes);

		fill(bytes, len, &seed);
		if (ivp_lane_send_message(pair.client, bytes, len, -1, &err))
			break;
	}
	free(bytes);
	while (ivp_lane_end(pair.client, &err) == -EAGAIN)
		ivp_lane_wait(pair.client, IVP_WAIT_ROOM, -1, &err);
	return NULL;
}

static void messages_arrive_as_they_were_sent(void **state)
{
	u64 seed = 1, sizes = 2;
	u8 *bytes = malloc(LARGEST), *wanted = malloc(LARGEST);
	pthread_t thread;
	struct ivp_error failure;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, send_messages, NULL), 0);
	for (int i = 0; i < COUNT; i++) {
		size_t len = size_of(&sizes);

		fill(wanted, len, &seed);
		assert_int_equal(ivp_lane_recv_message(pair.server, bytes, LARGEST, -1, &failure), len);
		assert_memory_equal(bytes, wanted, len);
	}
	assert_int_equal(ivp_lane_recv_message(pair.server, bytes, LARGEST, -1, &failure), 0);
	pthread_join(thread, NULL);
	free(bytes);
	free(wanted);
}

static void send_one(const char *text)
{
	assert_int_equal(ivp_lane_send_message(pair.client, text, strlen(text), 0, &err), 0);
}

static void receive_one(const char *text)
{
	char bytes[64];

	assert_int_equal(ivp_lane_recv_message(pair.server, bytes, sizeof(bytes), 0, &err), strlen(text));
	assert_memory_equal(bytes, text, strlen(text));
}

static void small_ones_are_kept_apart(void **state)
{
	(void)state;
	send_one("one");
	send_one("two");
	send_one("three");
	receive_one("one");
	receive_one("two");
	receive_one("three");
}

static void one_that_does_not_fit_is_gone(void **state)
{
	static u8 large[200000];
	char bytes[4];

	(void)state;
	send_one("longer");
	send_one("next");
	assert_int_equal(ivp_lane_recv_message(pair.server, bytes, 4, 0, &err), -EMSGSIZE);
	assert_memory_equal(bytes, "long", 4);
	assert_non_null(strstr(err.text, "6 bytes"));
	receive_one("next");
	send_one("last");
	/* The digest is of everything, also of what nobody got. */
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	assert_int_equal(ivp_lane_recv_message(pair.server, large, sizeof(large), 0, &err), 4);
	assert_int_equal(ivp_lane_recv_message(pair.server, large, sizeof(large), 0, &err), 0);
}

static void one_that_fits_exactly_is_whole(void **state)
{
	char bytes[4];

	(void)state;
	send_one("four");
	assert_int_equal(ivp_lane_recv_message(pair.server, bytes, 4, 0, &err), 4);
}

static void a_message_of_nothing_is_none(void **state)
{
	(void)state;
	assert_int_equal(ivp_lane_send_message(pair.client, "", 0, 0, &err), -EINVAL);
	assert_int_equal(err.kind, IVP_FAIL_USAGE);
	assert_int_equal(ivp_lane_recv_message(pair.server, &err, 0, 0, &err), -EINVAL);
	assert_int_equal(ivp_lane_recv_message(pair.server, &err, 1, 1, &err), -ETIMEDOUT);
}

/* ---- many at a time ---- */

#define MANY 400

/* Most are short; some are larger than the ring. */
static size_t mixed_size(u64 *seed)
{
	return unit_random(seed) % 50 ? unit_random(seed) % 200 + 1 : size_of(seed);
}

static void *send_many(void *arg)
{
	struct iovec messages[MANY];
	u64 seed = 11;
	ptrdiff_t ret;

	(void)arg;
	for (int i = 0; i < MANY; i++) {
		messages[i].iov_len = mixed_size(&seed);
		messages[i].iov_base = malloc(messages[i].iov_len);
		fill(messages[i].iov_base, messages[i].iov_len, &seed);
	}
	ret = ivp_lane_send_messages(pair.client, messages, MANY, -1, &err);
	for (int i = 0; i < MANY; i++)
		free(messages[i].iov_base);
	return ret == MANY && !ivp_lane_end(pair.client, &err) ? NULL : &err;
}

/* Whatever sizes are mixed, they come in order, whole, and digested. */
static void many_arrive_in_their_order(void **state)
{
	static u8 got[7][LARGEST], expected[LARGEST];
	struct iovec rooms[7];
	struct ivp_error failure;
	u64 seed = 11;
	size_t lens[7];
	pthread_t thread;
	void *failed;
	int count = 0;
	ptrdiff_t ret;

	(void)state;
	for (int i = 0; i < 7; i++)
		rooms[i] = (struct iovec){got[i], LARGEST};
	assert_int_equal(pthread_create(&thread, NULL, send_many, NULL), 0);
	while ((ret = ivp_lane_recv_messages(pair.server, rooms, lens, 7, -1, &failure)) > 0) {
		for (int i = 0; i < ret; i++) {
			size_t len = mixed_size(&seed);

			fill(expected, len, &seed);
			assert_int_equal(lens[i], len);
			assert_memory_equal(got[i], expected, len);
		}
		count += (int)ret;
	}
	assert_int_equal(ret, 0);
	assert_int_equal(count, MANY);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
}

static const struct iovec words[] = {{"one", 3}, {"", 0}, {"two", 3}};

/* What is wrong with one is said when it is its turn, and loses none before. */
static void an_empty_one_ends_the_many(void **state)
{
	(void)state;
	assert_int_equal(ivp_lane_send_messages(pair.client, words, 3, 0, &err), 1);
	assert_int_equal(ivp_lane_send_messages(pair.client, words + 1, 2, 0, &err), -EINVAL);
	assert_int_equal(ivp_lane_send_messages(pair.client, words + 2, 1, 0, &err), 1);
	receive_one("one");
	receive_one("two");
	assert_int_equal(ivp_lane_send_messages(pair.client, words, 0, 0, &err), -EINVAL);
	assert_int_equal(err.kind, IVP_FAIL_USAGE);
}

static void rooms_that_do_not_do(void **state)
{
	char first[8], second[4];
	struct iovec rooms[] = {{first, sizeof(first)}, {second, sizeof(second)}};
	size_t lens[2];

	(void)state;
	assert_int_equal(ivp_lane_recv_messages(pair.server, rooms, lens, 0, 0, &err), -EINVAL);
	assert_int_equal(ivp_lane_recv_messages(pair.server, rooms, lens, 2, 1, &err), -ETIMEDOUT);
	send_one("one");
	send_one("longer");
	send_one("next");
	/* The second finds no room in its place; it does in the first. */
	assert_int_equal(ivp_lane_recv_messages(pair.server, rooms, lens, 2, 0, &err), 1);
	assert_int_equal(lens[0], 3);
	assert_int_equal(ivp_lane_recv_messages(pair.server, rooms, lens, 2, 0, &err), 2);
	assert_int_equal(lens[0], 6);
	assert_memory_equal(second, "next", 4);
	send_one("longer than eight");
	assert_int_equal(ivp_lane_recv_messages(pair.server, rooms, lens, 2, 0, &err), -EMSGSIZE);
}

/* The time is of the whole call, and what found room is sent. */
static void many_end_with_their_time(void **state)
{
	static u8 bytes[1000], got[1000];
	struct iovec messages[MANY * 10], room = {got, sizeof(got)};
	size_t len;
	ptrdiff_t sent, count = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
		messages[i] = (struct iovec){bytes, sizeof(bytes)};
	sent = ivp_lane_send_messages(pair.client, messages, ARRAY_SIZE(messages), 1, &err);
	assert_true(sent > 0 && (size_t)sent < ARRAY_SIZE(messages));
	assert_int_equal(ivp_lane_send_messages(pair.client, messages, 1, 1, &err), -ETIMEDOUT);
	while (ivp_lane_recv_messages(pair.server, &room, &len, 1, 0, &err) == 1)
		count++;
	assert_int_equal(err.number, -ETIMEDOUT);
	assert_int_equal(count, sent);
}

/* They are told at a flush, or when they are a lot. */
static void many_can_be_held(void **state)
{
	char got[8];
	struct iovec room = {got, sizeof(got)};
	size_t len;

	(void)state;
	ivp_lane_hold(pair.client, true);
	assert_int_equal(ivp_lane_send_messages(pair.client, words, 1, 0, &err), 1);
	assert_int_equal(ivp_lane_recv_messages(pair.server, &room, &len, 1, 0, &err), -ETIMEDOUT);
	ivp_lane_flush(pair.client);
	assert_int_equal(ivp_lane_recv_messages(pair.server, &room, &len, 1, 0, &err), 1);
	assert_int_equal(len, 3);
}

static void many_from_a_peer_that_lies(void **state)
{
	char got[8];
	struct iovec room = {got, sizeof(got)};
	size_t len;

	(void)state;
	send_one("one");
	pair.server->rx.data[0] ^= 1;
	assert_int_equal(ivp_lane_recv_messages(pair.server, &room, &len, 1, 0, &err), -EPROTO);
	pair.server->mine->cons = 1;
	while (ivp_lane_send_messages(pair.client, words, 1, 0, &err) == 1)
		;
	assert_int_equal(err.number, -EPROTO);
}

static void fill_ring(void)
{
	static const u8 bytes[4000];

	while (!ivp_lane_send_message(pair.client, bytes, sizeof(bytes), 0, &err))
		;
	assert_int_equal(err.number, -ETIMEDOUT);
}

static void one_that_cannot_be_begun_is_not_sent(void **state)
{
	u8 bytes[4000];
	int count = 0;

	(void)state;
	fill_ring();
	assert_int_equal(ivp_lane_send_message(pair.client, "x", 1, 0, &err), 0);
	assert_int_equal(ivp_lane_send_message(pair.client, bytes, sizeof(bytes), 5, &err), -ETIMEDOUT);
	while (ivp_lane_recv_message(pair.server, bytes, sizeof(bytes), 0, &err) == sizeof(bytes))
		count++;
	assert_true(count > 2);
	assert_int_equal(ivp_lane_recv_message(pair.server, bytes, sizeof(bytes), 0, &err), -ETIMEDOUT);
}

static void an_end_in_the_middle_is_damage(void **state)
{
	void *span;
	size_t len = 10;
	u8 bytes[100];

	(void)state;
	assert_int_equal(ivp_lane_reserve(pair.client, &span, &len, &err), 0);
	assert_int_equal(ivp_lane_message_commit(pair.client, len, true, &err), 0);
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	assert_int_equal(ivp_lane_recv_message(pair.server, bytes, sizeof(bytes), 0, &err), -EBADMSG);
	assert_int_equal(err.kind, IVP_FAIL_DAMAGED);
}

static void they_can_be_taken_without_a_copy(void **state)
{
	const void *span;
	size_t len = 3;
	void *room;
	bool more;

	(void)state;
	assert_int_equal(ivp_lane_reserve(pair.client, &room, &len, &err), 0);
	memcpy(room, "one", 3);
	assert_int_equal(ivp_lane_message_commit(pair.client, 3, true, &err), 0);
	send_one("two");
	assert_int_equal(ivp_lane_message_peek(pair.server, &span, &len, &more, &err), 0);
	assert_int_equal(len, 3);
	assert_true(more);
	assert_memory_equal(span, "one", 3);
	assert_int_equal(ivp_lane_consume(pair.server, len, &err), 0);
	assert_int_equal(ivp_lane_message_peek(pair.server, &span, &len, &more, &err), 0);
	assert_false(more);
	assert_memory_equal(span, "two", 3);
	assert_int_equal(ivp_lane_consume(pair.server, len, &err), 0);
	assert_int_equal(ivp_lane_message_peek(pair.server, &span, &len, &more, &err), -EAGAIN);
}

static void who_wants_bytes_gets_bytes(void **state)
{
	static u8 sent[100000], got[100000];
	u64 seed = 5;
	size_t done = 0;

	(void)state;
	fill(sent, sizeof(sent), &seed);
	assert_int_equal(ivp_lane_send_message(pair.client, sent, 3000, 0, &err), 0);
	assert_int_equal(ivp_lane_send_message(pair.client, sent + 3000, 5000, 0, &err), 0);
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	while (done < 8000) {
		ptrdiff_t some = ivp_lane_read_some(pair.server, got + done, 777, 0, &err);

		assert_true(some > 0);
		done += (size_t)some;
	}
	assert_memory_equal(sent, got, 8000);
	assert_int_equal(ivp_lane_read_some(pair.server, got, 777, 0, &err), 0);
}

/* ---- calls that wait ---- */

static void *write_much(void *arg)
{
	static u8 bytes[500000];

	memset(bytes, 'x', sizeof(bytes));
	*(ptrdiff_t *)arg = ivp_lane_write_all(pair.client, bytes, sizeof(bytes), -1, &err);
	return NULL;
}

static void a_write_waits_for_room(void **state)
{
	struct ivp_error failure;
	size_t done = 0;
	ptrdiff_t ret = 0;
	pthread_t thread;
	u8 bytes[10000];

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, write_much, &ret), 0);
	while (done < 500000) {
		ptrdiff_t some = ivp_lane_read_some(pair.server, bytes, sizeof(bytes), -1, &failure);

		assert_true(some > 0);
		done += (size_t)some;
	}
	pthread_join(thread, NULL);
	assert_int_equal(ret, 500000);
}

static void a_write_tells_how_far_it_came(void **state)
{
	static u8 bytes[500000];
	ptrdiff_t put = ivp_lane_write_all(pair.client, bytes, sizeof(bytes), 5, &err);

	(void)state;
	assert_true(put > 0 && put < 500000);
	assert_int_equal(ivp_lane_write_all(pair.client, bytes, sizeof(bytes), 5, &err), -ETIMEDOUT);
	assert_int_equal(ivp_lane_write_all(pair.client, bytes, 0, 5, &err), 0);
}

static void a_read_has_a_deadline(void **state)
{
	u8 byte;

	(void)state;
	assert_int_equal(ivp_lane_read_some(pair.server, &byte, 1, 0, &err), -ETIMEDOUT);
	assert_int_equal(ivp_lane_read_some(pair.server, &byte, 1, 5, &err), -ETIMEDOUT);
	ivp_lane_abort(pair.client, IVP_VERDICT_READ);
	assert_int_equal(ivp_lane_read_some(pair.server, &byte, 1, -1, &err), -EPIPE);
	assert_int_equal(ivp_lane_write_all(pair.server, "x", 1, -1, &err), 1);
}

/* What is consumed in excess, or of the end, is nobody's. */
static void no_more_is_consumed_than_there_is(void **state)
{
	const void *span;
	size_t len;

	(void)state;
	send_one("four");
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	assert_int_equal(ivp_lane_peek(pair.server, &span, &len, &err), 0);
	assert_int_equal(ivp_lane_consume(pair.server, 1000, &err), 0);
	assert_int_equal(ivp_lane_peek(pair.server, &span, &len, &err), 0);
	assert_int_equal(len, 0);
	assert_int_equal(ivp_lane_consume(pair.server, 1000, &err), 0);
	assert_int_equal(ivp_lane_read(pair.server, &len, 1, &err), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup_local, teardown)
#define AS(how, test)                                                                                                  \
	{                                                                                                              \
#test "_" #how, test, setup_##how, teardown, NULL                                                      \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_arrive_as_they_were_sent),
		AS(remote, messages_arrive_as_they_were_sent),
		AS(split, messages_arrive_as_they_were_sent),
		TEST(small_ones_are_kept_apart),
		TEST(one_that_does_not_fit_is_gone),
		TEST(one_that_fits_exactly_is_whole),
		TEST(a_message_of_nothing_is_none),
		TEST(one_that_cannot_be_begun_is_not_sent),
		TEST(an_end_in_the_middle_is_damage),
		TEST(they_can_be_taken_without_a_copy),
		TEST(who_wants_bytes_gets_bytes),
		TEST(many_arrive_in_their_order),
		AS(remote, many_arrive_in_their_order),
		AS(split, many_arrive_in_their_order),
		AS(combined, many_arrive_in_their_order),
		TEST(an_empty_one_ends_the_many),
		TEST(rooms_that_do_not_do),
		TEST(many_end_with_their_time),
		AS(combined, many_end_with_their_time),
		TEST(many_can_be_held),
		TEST(many_from_a_peer_that_lies),
		TEST(a_write_waits_for_room),
		AS(remote, a_write_waits_for_room),
		TEST(a_write_tells_how_far_it_came),
		TEST(a_read_has_a_deadline),
		TEST(no_more_is_consumed_than_there_is),
	};

	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
