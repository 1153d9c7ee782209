// SPDX-License-Identifier: MIT
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

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

static int teardown(void **state)
{
	(void)state;
	pair_close(&pair);
	return 0;
}

static void send_text(const char *text)
{
	assert_int_equal(ivp_lane_write(pair.client, text, strlen(text), &err), strlen(text));
}

static void receive_text(const char *text)
{
	char bytes[256];

	assert_int_equal(ivp_lane_read(pair.server, bytes, sizeof(bytes), &err), strlen(text));
	assert_memory_equal(bytes, text, strlen(text));
}

static atomic_int rests;

/* The linker's name for what --wrap puts in the place of ivp_rest(). */
u32 __wrap_ivp_rest(void);

u32 __wrap_ivp_rest(void)
{
	rests++;
	return 3;
}

static void fails(ptrdiff_t ret, int number, enum ivp_failure kind)
{
	assert_int_equal(ret, number);
	assert_int_equal(err.number, number);
	assert_int_equal(err.kind, kind);
	assert_null(strchr(err.text, '\n'));
}

/* ---- bytes that change on the way ---- */

static void a_flipped_byte_is_damage(void **state)
{
	char bytes[16];

	(void)state;
	send_text("precious");
	((u8 *)pair.client->tx.data)[8] ^= 1;
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	assert_int_equal(ivp_lane_read(pair.server, bytes, sizeof(bytes), &err), 8);
	fails(ivp_lane_read(pair.server, bytes, sizeof(bytes), &err), -EBADMSG, IVP_FAIL_DAMAGED);
	assert_non_null(strstr(err.text, "digest"));
}

static void end_with(struct ivp_end end)
{
	assert_int_equal(ivp_ring_put(&pair.client->tx, IVP_RECORD_END, &end, sizeof(end)), 0);
}

static void an_end_with_another_length_is_damage(void **state)
{
	char byte;

	(void)state;
	send_text("precious");
	end_with((struct ivp_end){.bytes = 9});
	receive_text("precious");
	fails(ivp_lane_read(pair.server, &byte, 1, &err), -EBADMSG, IVP_FAIL_DAMAGED);
	assert_non_null(strstr(err.text, "length"));
}

static void an_end_with_an_unknown_digest_is_damage(void **state)
{
	char byte;

	(void)state;
	send_text("precious");
	end_with((struct ivp_end){.bytes = 8, .kind = 2});
	receive_text("precious");
	fails(ivp_lane_read(pair.server, &byte, 1, &err), -EBADMSG, IVP_FAIL_DAMAGED);
}

/* Whatever word of the end is overwritten, it does not make flipped bytes pass. */
static void a_digest_that_was_struck_out_is_damage(void **state)
{
	char bytes[16];

	(void)state;
	for (size_t word = 0; word < sizeof(struct ivp_end) / 8; word++) {
		send_text("precious");
		assert_int_equal(ivp_lane_end(pair.client, &err), 0);
		((u8 *)pair.client->tx.data)[8] ^= 1;
		memset((u8 *)pair.client->tx.data + 24 + 8 * word, 0, 8);
		assert_int_equal(ivp_lane_read(pair.server, bytes, sizeof(bytes), &err), 8);
		fails(ivp_lane_read(pair.server, bytes, sizeof(bytes), &err), -EBADMSG, IVP_FAIL_DAMAGED);
		pair_close(&pair);
		pair_connect(&pair, false);
	}
}

static void an_end_of_another_size_is_a_broken_rule(void **state)
{
	char byte;

	(void)state;
	assert_int_equal(ivp_ring_put(&pair.client->tx, IVP_RECORD_END, "short", 5), 0);
	fails(ivp_lane_read(pair.server, &byte, 1, &err), -EPROTO, IVP_FAIL_DAMAGED);
}

static void a_damaged_header_breaks_this_lane(void **state)
{
	char byte;

	(void)state;
	send_text("precious");
	((u8 *)pair.client->tx.data)[7] ^= 1;
	assert_int_equal(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err), 0);
	fails(ivp_lane_read(pair.server, &byte, 1, &err), -EPROTO, IVP_FAIL_DAMAGED);
	fails(ivp_lane_read(pair.server, &byte, 1, &err), -EPROTO, IVP_FAIL_DAMAGED);
}

/* ---- a peer that breaks the rules ---- */

static void an_impossible_position_breaks_this_lane(void **state)
{
	const void *span;
	size_t len;

	(void)state;
	ivp_store64(&pair.client->mine->prod, 1ULL << 40);
	assert_int_equal(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err), 0);
	fails(ivp_lane_peek(pair.server, &span, &len, &err), -EPROTO, IVP_FAIL_DAMAGED);
}

static void fill(struct ivp_lane *lane)
{
	static u8 bytes[65536];
	ptrdiff_t ret;

	do
		ret = ivp_lane_write(lane, bytes, sizeof(bytes), &err);
	while (ret > 0);
	assert_int_equal(ret, -EAGAIN);
}

static void an_impossible_consumer_breaks_this_lane(void **state)
{
	size_t len = 1;
	void *span;

	(void)state;
	fill(pair.client);
	ivp_store64(&pair.server->mine->cons, ~0ULL - 7);
	assert_int_equal(ivp_lane_wait(pair.client, IVP_WAIT_ROOM, -1, &err), 0);
	fails(ivp_lane_reserve(pair.client, &span, &len, &err), -EPROTO, IVP_FAIL_DAMAGED);
	fails(ivp_lane_write(pair.client, "x", 1, &err), -EPROTO, IVP_FAIL_DAMAGED);
	fails(ivp_lane_end(pair.client, &err), -EPROTO, IVP_FAIL_DAMAGED);
}

static void a_state_that_goes_back_is_a_broken_rule(void **state)
{
	static const u32 lies[] = {IVP_STATE_IDLE, IVP_STATE_HELLO, IVP_STATE_WELCOME, IVP_STATE_REFUSED, 7, ~0u};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		ivp_store32(&pair.client->mine->state, lies[i]);
		fails(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err), -EPROTO, IVP_FAIL_DAMAGED);
		ivp_store32(&pair.client->mine->state, IVP_STATE_OPEN);
	}
}

static void a_peer_with_another_epoch_is_gone(void **state)
{
	(void)state;
	ivp_store64(&pair.client->mine->epoch, 1);
	fails(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err), -EPIPE, IVP_FAIL_PEER_GONE);
}

static void another_who_writes_this_end_is_noticed(void **state)
{
	(void)state;
	ivp_store64(&pair.server->mine->epoch, 1);
	fails(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err), -EPROTO, IVP_FAIL_DAMAGED);
	assert_non_null(strstr(err.text, "another user writes this end"));
	fails(ivp_lane_check(pair.server, IVP_WAIT_ROOM, &err), -EPROTO, IVP_FAIL_DAMAGED);
}

/* ---- the region goes ---- */

static void a_deleted_file_ends_the_stream(void **state)
{
	(void)state;
	assert_int_equal(unlink(pair.place.file), 0);
	fails(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err), -ESTALE, IVP_FAIL_PEER_GONE);
	fails(ivp_lane_wait(pair.client, IVP_WAIT_RESULT, -1, &err), -ESTALE, IVP_FAIL_PEER_GONE);
}

static void a_region_laid_out_anew_ends_the_stream(void **state)
{
	(void)state;
	assert_int_equal(ivp_format(pair.place.file, &(struct ivp_format_options){.force = true}, NULL, &err), 0);
	fails(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err), -ESTALE, IVP_FAIL_PEER_GONE);
	fails(ivp_lane_wait(pair.client, IVP_WAIT_RESULT, -1, &err), -ESTALE, IVP_FAIL_PEER_GONE);
}

static void an_overwritten_format_id_ends_the_stream(void **state)
{
	(void)state;
	place_write(&pair.place, offsetof(struct ivp_superblock, format_id), "\x55\xaa", 2);
	fails(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err), -ESTALE, IVP_FAIL_PEER_GONE);
	fails(ivp_lane_wait(pair.client, IVP_WAIT_RESULT, -1, &err), -ESTALE, IVP_FAIL_PEER_GONE);
}

/* ---- verdicts ---- */

static void an_early_ok_is_a_lie(void **state)
{
	(void)state;
	send_text("some");
	ivp_lane_verdict(pair.server, IVP_VERDICT_OK);
	fails(ivp_lane_wait(pair.client, IVP_WAIT_ROOM | IVP_WAIT_RESULT, -1, &err), -EBADMSG, IVP_FAIL_DAMAGED);
}

static void each_verdict_has_its_failure(void **state)
{
	static const struct {
		u32 verdict;
		int number;
		enum ivp_failure kind;
	} all[] = {
		{IVP_VERDICT_DAMAGED, -EBADMSG, IVP_FAIL_DAMAGED}, {IVP_VERDICT_BROKEN, -EBADMSG, IVP_FAIL_DAMAGED},
		{IVP_VERDICT_NO_SPACE, -ENOSPC, IVP_FAIL_GENERAL}, {IVP_VERDICT_WRITE, -EIO, IVP_FAIL_GENERAL},
		{IVP_VERDICT_CLOSED, -EPIPE, IVP_FAIL_PEER_GONE},  {IVP_VERDICT_INTERRUPT, -EPIPE, IVP_FAIL_PEER_GONE},
		{0xdeadbeef, -EPIPE, IVP_FAIL_PEER_GONE},
	};

	(void)state;
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		ivp_lane_verdict(pair.server, (enum ivp_verdict)all[i].verdict);
		fails(ivp_lane_confirm(pair.client, -1, &err), all[i].number, all[i].kind);
		assert_non_null(strstr(err.text, ivp_reason_text(all[i].verdict)));
	}
}

static void an_abort_tells_its_reason(void **state)
{
	(void)state;
	ivp_lane_abort(pair.client, IVP_VERDICT_READ);
	assert_true(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err) < 0);
	assert_int_equal(err.kind, IVP_FAIL_PEER_GONE);
	assert_non_null(strstr(err.text, ivp_reason_text(IVP_REASON_READ)));
}

static void done_is_said_once_everything_is_there(void **state)
{
	char byte;

	(void)state;
	send_text("all of it");
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	fails(ivp_lane_confirm(pair.client, 0, &err), -ETIMEDOUT, IVP_FAIL_NO_PEER);
	receive_text("all of it");
	assert_int_equal(ivp_lane_read(pair.server, &byte, 1, &err), 0);
	fails(ivp_lane_confirm(pair.client, 0, &err), -ETIMEDOUT, IVP_FAIL_NO_PEER);
	ivp_lane_verdict(pair.server, IVP_VERDICT_OK);
	assert_int_equal(ivp_lane_confirm(pair.client, -1, &err), 0);
	ivp_lane_close(pair.server);
	pair.server = NULL;
	assert_int_equal(ivp_lane_confirm(pair.client, -1, &err), 0);
}

/* ---- the end, too early or in time ---- */

static void closing_before_the_end_is_no_end(void **state)
{
	char byte;

	(void)state;
	ivp_lane_close(pair.client);
	pair.client = NULL;
	fails(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err), -EPIPE, IVP_FAIL_PEER_GONE);
	assert_int_equal(ivp_lane_read(pair.server, &byte, 1, &err), -EAGAIN);
}

static void a_receiver_that_closes_stops_the_sender(void **state)
{
	(void)state;
	fill(pair.client);
	ivp_lane_close(pair.server);
	pair.server = NULL;
	fails(ivp_lane_wait(pair.client, IVP_WAIT_ROOM, -1, &err), -EPIPE, IVP_FAIL_PEER_GONE);
}

static void a_closed_output_is_told_by_its_name(void **state)
{
	(void)state;
	fill(pair.client);
	ivp_lane_abort(pair.server, IVP_VERDICT_CLOSED);
	fails(ivp_lane_wait(pair.client, IVP_WAIT_ROOM, -1, &err), -EPIPE, IVP_FAIL_PEER_GONE);
	assert_non_null(strstr(err.text, ivp_reason_text(IVP_REASON_CLOSED)));
}

static void assert_nothing_yet(void)
{
	char byte;

	assert_int_equal(ivp_lane_read(pair.server, &byte, 1, &err), -EAGAIN);
}

static void what_is_held_comes_with_a_flush(void **state)
{
	(void)state;
	ivp_lane_hold(pair.client, true);
	send_text("one");
	assert_nothing_yet();
	ivp_lane_flush(pair.client);
	receive_text("one");
	send_text("two");
	assert_nothing_yet();
	ivp_lane_hold(pair.client, false);
	receive_text("two");
	send_text("three");
	receive_text("three");
}

static void what_is_held_comes_with_the_end(void **state)
{
	char byte;

	(void)state;
	ivp_lane_hold(pair.client, true);
	send_text("last");
	assert_nothing_yet();
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	receive_text("last");
	assert_int_equal(ivp_lane_read(pair.server, &byte, 1, &err), 0);
}

/* Writes of a stream have no borders; messages do, and what was reserved and committed. */
static void what_is_held_grows_together_and_messages_do_not(void **state)
{
	char text[16];
	size_t len = 3;
	void *span;

	(void)state;
	ivp_lane_hold(pair.client, true);
	send_text("one");
	send_text("two");
	assert_int_equal(ivp_lane_send_message(pair.client, "three", 5, 0, &err), 0);
	send_text("four");
	assert_int_equal(ivp_lane_reserve(pair.client, &span, &len, &err), 0);
	memcpy(span, "six", 3);
	assert_int_equal(ivp_lane_commit(pair.client, 3, &err), 0);
	ivp_lane_hold(pair.client, false);
	assert_int_equal(ivp_lane_read(pair.server, text, sizeof(text), &err), 6);
	assert_memory_equal(text, "onetwo", 6);
	receive_text("three");
	receive_text("four");
	receive_text("six");
}

/* How often the server rests while it waits for this, in vain or not. */
static int rests_for(unsigned int what, int64_t timeout_ms)
{
	int before = rests;

	ivp_lane_wait(pair.server, what, timeout_ms, NULL);
	return rests - before;
}

static void who_has_its_peers_processor_hardly_spins(void **state)
{
	cpu_set_t old, one;
	int cpu = sched_getcpu();

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(old), &old), 0);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(ivp_lane_doze(pair.client).looks, 0);
	assert_int_equal(ivp_load32(&pair.client->mine->cpu), 1 + cpu);
	assert_int_not_equal(ivp_lane_doze(pair.server).looks, 0);
	assert_int_equal(rests_for(IVP_WAIT_DATA, 1), 0);
	ivp_store32(&pair.client->mine->cpu, 2 + cpu);
	assert_int_equal(ivp_lane_doze(pair.server).looks, 0);
	assert_int_equal(sched_setaffinity(0, sizeof(old), &old), 0);
}

static void who_receives_small_records_rests_and_who_awaits_an_answer_does_not(void **state)
{
	static const struct iovec one = {.iov_base = "x", .iov_len = 1};
	static char bytes[2049];

	(void)state;
	assert_int_equal(rests_for(IVP_WAIT_DATA, 1), 1);
	assert_int_equal(rests_for(IVP_WAIT_DATA, 1), 1);
	assert_int_equal(ivp_lane_write(pair.server, "ask", 3, &err), 3);
	/* Neither of these waits for the answer. */
	assert_int_equal(rests_for(IVP_WAIT_DATA, 0), 0);
	assert_int_equal(rests_for(IVP_WAIT_ROOM, 1), 0);
	assert_int_equal(rests_for(IVP_WAIT_DATA, 1), 0);
	assert_int_equal(rests_for(IVP_WAIT_DATA, 1), 1);
	assert_int_equal(ivp_lane_send_messages(pair.server, &one, 1, 0, &err), 1);
	assert_int_equal(rests_for(IVP_WAIT_DATA, 1), 0);
	/* Nor does who has long records. */
	assert_int_equal(ivp_lane_write(pair.client, bytes, sizeof(bytes), &err), sizeof(bytes));
	assert_int_equal(ivp_lane_read(pair.server, bytes, sizeof(bytes), &err), sizeof(bytes));
	assert_int_equal(rests_for(IVP_WAIT_DATA, 1), 0);
	assert_int_equal(ivp_lane_write(pair.client, bytes, 2048, &err), 2048);
	assert_int_equal(ivp_lane_read(pair.server, bytes, sizeof(bytes), &err), 2048);
	assert_int_equal(rests_for(IVP_WAIT_DATA, 1), 1);
}

/* Another machine's processors are none of ours. */
static void a_peer_elsewhere_is_not_told_of_processors(void **state)
{
	(void)state;
	ivp_store32(&pair.server->mine->cpu, 1 + sched_getcpu());
	assert_int_equal(ivp_lane_doze(pair.client).looks, 0);
	assert_int_equal(ivp_load32(&pair.client->mine->cpu), 0);
}

/* Nobody waits for room that a receiver does not know to make. */
static void what_is_held_comes_when_the_ring_is_full(void **state)
{
	static char bytes[4096];
	size_t sent = 0, got = 0;
	ptrdiff_t n;

	(void)state;
	ivp_lane_hold(pair.client, true);
	while ((n = ivp_lane_write(pair.client, bytes, 1 + sent % sizeof(bytes), &err)) > 0)
		sent += (size_t)n;
	assert_int_equal(n, -EAGAIN);
	while ((n = ivp_lane_read(pair.server, bytes, sizeof(bytes), &err)) > 0)
		got += (size_t)n;
	assert_int_equal(got, sent);
	assert_int_equal(ivp_lane_wait(pair.client, IVP_WAIT_ROOM, 0, &err), 0);
}

static void without_a_digest_the_length_still_counts(void **state)
{
	char byte;

	(void)state;
	ivp_lane_no_digest(pair.client);
	send_text("some");
	((u8 *)pair.client->tx.data)[8] = 'S';
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	receive_text("Some");
	assert_int_equal(ivp_lane_read(pair.server, &byte, 1, &err), 0);
}

/* A receiver that wants none does not ask for the sender's; the length it asks for. */
static void who_wants_no_digest_compares_none(void **state)
{
	char byte;

	(void)state;
	ivp_lane_no_digest(pair.server);
	send_text("some");
	((u8 *)pair.client->tx.data)[8] = 'S';
	pair.client->sent++;
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	receive_text("Some");
	fails((int)ivp_lane_read(pair.server, &byte, 1, &err), -EBADMSG, IVP_FAIL_DAMAGED);
	pair.server->received++;
	assert_int_equal(ivp_lane_read(pair.server, &byte, 1, &err), 0);
}

static void an_empty_stream_ends(void **state)
{
	char byte;

	(void)state;
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	assert_int_equal(ivp_lane_wait(pair.server, IVP_WAIT_DATA, -1, &err), 0);
	assert_int_equal(ivp_lane_read(pair.server, &byte, 1, &err), 0);
	assert_int_equal(ivp_lane_read(pair.server, &byte, 1, &err), 0);
}

/* ---- waiting ---- */

struct sleeper {
	struct ivp_lane *lane;
	unsigned int what;
	struct ivp_error err;
	pthread_t thread;
	int ret;
};

static void *sleep_main(void *arg)
{
	struct sleeper *sleeper = arg;

	sleeper->ret = ivp_lane_wait(sleeper->lane, sleeper->what, -1, &sleeper->err);
	return NULL;
}

static void sleep_begin(struct sleeper *sleeper, struct ivp_lane *lane, unsigned int what)
{
	*sleeper = (struct sleeper){.lane = lane, .what = what};
	assert_int_equal(pthread_create(&sleeper->thread, NULL, sleep_main, sleeper), 0);
	/* Where it sleeps on a word, it says so. */
	if (lane->local)
		await(ivp_load32_acquire(&lane->mine->want));
}

static int sleep_end(struct sleeper *sleeper)
{
	pthread_join(sleeper->thread, NULL);
	return sleeper->ret;
}

static void nothing_comes_in_time(void **state)
{
	(void)state;
	fails(ivp_lane_wait(pair.server, IVP_WAIT_DATA, 0, &err), -ETIMEDOUT, IVP_FAIL_NO_PEER);
	fails(ivp_lane_wait(pair.server, IVP_WAIT_DATA, 20, &err), -ETIMEDOUT, IVP_FAIL_NO_PEER);
	assert_int_equal(ivp_lane_wait(pair.server, IVP_WAIT_ROOM, 0, &err), 0);
	assert_int_equal(ivp_lane_wait(pair.server, IVP_WAIT_DATA, 0, NULL), -ETIMEDOUT);
}

static void a_wait_can_be_cancelled(void **state)
{
	volatile sig_atomic_t cancel = 0;
	struct sleeper sleeper;

	(void)state;
	pair.here->cancel = &cancel;
	sleep_begin(&sleeper, pair.server, IVP_WAIT_DATA);
	cancel = 1;
	assert_int_equal(sleep_end(&sleeper), -EINTR);
}

static void data_wakes_a_sleeping_receiver(void **state)
{
	struct sleeper sleeper;

	(void)state;
	for (int i = 0; i < 20; i++) {
		sleep_begin(&sleeper, pair.server, IVP_WAIT_DATA);
		send_text("wake up");
		assert_int_equal(sleep_end(&sleeper), 0);
		receive_text("wake up");
	}
}

static void room_wakes_a_sleeping_sender(void **state)
{
	static char bytes[65536];
	struct sleeper sleeper;

	(void)state;
	fill(pair.client);
	for (int i = 0; i < 20; i++) {
		sleep_begin(&sleeper, pair.client, IVP_WAIT_ROOM);
		assert_true(ivp_lane_read(pair.server, bytes, sizeof(bytes), &err) > 0);
		assert_int_equal(sleep_end(&sleeper), 0);
		fill(pair.client);
	}
}

static void a_verdict_wakes_a_sleeping_sender(void **state)
{
	struct sleeper sleeper;

	(void)state;
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	sleep_begin(&sleeper, pair.client, IVP_WAIT_RESULT);
	ivp_lane_verdict(pair.server, IVP_VERDICT_OK);
	assert_int_equal(sleep_end(&sleeper), 0);
}

static void a_close_wakes_a_sleeping_peer(void **state)
{
	struct sleeper sleeper;

	(void)state;
	sleep_begin(&sleeper, pair.server, IVP_WAIT_DATA);
	ivp_lane_close(pair.client);
	pair.client = NULL;
	assert_int_equal(sleep_end(&sleeper), -EPIPE);
}

/* ---- honest traffic ---- */

static void peek_and_consume_see_what_reserve_and_commit_wrote(void **state)
{
	size_t len = 100, there;
	const void *in;
	void *out;

	(void)state;
	assert_int_equal(ivp_lane_peek(pair.server, &in, &there, &err), -EAGAIN);
	assert_int_equal(ivp_lane_reserve(pair.client, &out, &len, &err), 0);
	assert_int_equal(len, 100);
	memset(out, 'z', 100);
	assert_int_equal(ivp_lane_peek(pair.server, &in, &there, &err), -EAGAIN);
	assert_int_equal(ivp_lane_commit(pair.client, 60, &err), 0);
	assert_int_equal(ivp_lane_peek(pair.server, &in, &there, &err), 0);
	assert_int_equal(there, 60);
	assert_memory_equal(in, out, 60);
	assert_int_equal(ivp_lane_consume(pair.server, 59, &err), 0);
	assert_int_equal(ivp_lane_peek(pair.server, &in, &there, &err), 0);
	assert_int_equal(there, 1);
	assert_int_equal(ivp_lane_consume(pair.server, 1, &err), 0);
	assert_int_equal(ivp_lane_end(pair.client, &err), 0);
	assert_int_equal(ivp_lane_peek(pair.server, &in, &there, &err), 0);
	assert_int_equal(there, 0);
	assert_int_equal(ivp_lane_read(pair.server, NULL, 0, &err), 0);
}

static void a_wish_of_any_size_gets_a_piece(void **state)
{
	size_t len = SIZE_MAX;
	void *span;

	(void)state;
	assert_int_equal(ivp_lane_reserve(pair.client, &span, &len, &err), 0);
	assert_int_equal(len, ivp_lane_piece(pair.client));
	assert_in_range(len, 1, IVP_PIECE_MAX);
}

struct traffic {
	struct ivp_lane *lane;
	u64 seed;
	size_t bytes;
	struct ivp_error err;
	pthread_t thread;
	int ret;
};
#define TRAFFIC (8 << 20)

static u8 byte_at(u64 place, u64 seed)
{
	return (u8)((place + seed) * 0x9e3779b97f4a7c15ULL >> 56);
}

static void *traffic_out(void *arg)
{
	struct traffic *traffic = arg;
	static _Thread_local u8 bytes[70000];
	u64 random = traffic->seed, sent = 0;

	while (sent < TRAFFIC && !traffic->ret) {
		size_t len = 1 + unit_random(&random) % sizeof(bytes);
		ptrdiff_t put;

		for (size_t i = 0; i < len; i++)
			bytes[i] = byte_at(sent + i, traffic->seed);
		put = ivp_lane_write(traffic->lane, bytes, len, &traffic->err);
		if (put == -EAGAIN)
			put = ivp_lane_wait(traffic->lane, IVP_WAIT_ROOM, -1, &traffic->err);
		if (put < 0)
			traffic->ret = (int)put;
		else
			sent += (u64)put;
	}
	traffic->bytes = sent;
	while (!traffic->ret && (traffic->ret = ivp_lane_end(traffic->lane, &traffic->err)) == -EAGAIN)
		traffic->ret = ivp_lane_wait(traffic->lane, IVP_WAIT_ROOM, -1, &traffic->err);
	return NULL;
}

static void take_traffic(struct ivp_lane *lane, u64 seed, const struct traffic *from)
{
	static u8 bytes[70000];
	u64 random = seed + 1, got = 0;
	ptrdiff_t ret;

	for (;;) {
		ret = ivp_lane_read(lane, bytes, 1 + unit_random(&random) % sizeof(bytes), &err);
		if (ret == -EAGAIN) {
			if (ivp_lane_wait(lane, IVP_WAIT_DATA, -1, &err))
				fail_msg("%s", err.text);
			continue;
		}
		if (ret < 0)
			fail_msg("%s", err.text);
		if (!ret)
			break;
		for (ptrdiff_t i = 0; i < ret; i++)
			if (bytes[i] != byte_at(got + (u64)i, seed))
				fail_msg("byte %llu differs", (unsigned long long)got + (u64)i);
		got += (u64)ret;
	}
	pthread_join(from->thread, NULL);
	assert_int_equal(from->ret, 0);
	assert_int_equal(got, from->bytes);
}

static void streams_arrive_whole_in_both_directions(void **state)
{
	struct traffic out = {.lane = pair.client, .seed = 77}, back = {.lane = pair.server, .seed = 78};

	(void)state;
	assert_int_equal(pthread_create(&out.thread, NULL, traffic_out, &out), 0);
	take_traffic(pair.server, 77, &out);
	assert_int_equal(pthread_create(&back.thread, NULL, traffic_out, &back), 0);
	take_traffic(pair.client, 78, &back);
	ivp_lane_verdict(pair.server, IVP_VERDICT_OK);
	assert_int_equal(ivp_lane_confirm(pair.client, -1, &err), 0);
}

/* ---- an enemy who writes at any moment ---- */

struct scribbler {
	pthread_t thread;
	atomic_bool stop;
};

/* Everything of the lane: halves, positions, rings. */
static void *scribble(void *arg)
{
	struct scribbler *scribbler = arg;
	const struct ivp_superblock *sb = &pair.here->sb;
	u64 *words = (u64 *)(pair.here->map + ivp_half_offset(sb, pair.server->index, false));
	u64 seed = 13, near = 2 * sb->half_size / 8;

	while (!atomic_load(&scribbler->stop)) {
		u64 at = unit_random(&seed) % (unit_random(&seed) % 2   ? 4
					       : unit_random(&seed) % 2 ? near
									: sb->lane_stride / 8);

		ivp_store64(&words[at], unit_nasty(&seed));
	}
	return NULL;
}

static void scribbling_ends_a_stream_and_nothing_else(void **state)
{
	struct scribbler scribbler = {0};
	struct traffic out = {.lane = pair.client, .seed = 79};
	static u8 bytes[70000];
	ptrdiff_t ret;

	(void)state;
	assert_int_equal(pthread_create(&scribbler.thread, NULL, scribble, &scribbler), 0);
	assert_int_equal(pthread_create(&out.thread, NULL, traffic_out, &out), 0);
	do {
		ret = ivp_lane_read(pair.server, bytes, sizeof(bytes), &err);
		if (ret == -EAGAIN)
			ret = ivp_lane_wait(pair.server, IVP_WAIT_DATA, 20000, &err) ?: 1;
	} while (ret > 0);
	ivp_lane_abort(pair.server, IVP_VERDICT_BROKEN);
	pthread_join(out.thread, NULL);
	atomic_store(&scribbler.stop, true);
	pthread_join(scribbler.thread, NULL);
	/* It cannot have gone well, and must not be said to have. */
	assert_int_not_equal(ret, 0);
	assert_int_not_equal(ret, -ETIMEDOUT);
	assert_true(err.kind == IVP_FAIL_DAMAGED || err.kind == IVP_FAIL_PEER_GONE || err.kind == IVP_FAIL_GENERAL);
}

#define LOCAL(test)                                                                                                    \
	{                                                                                                              \
#test, test, setup_local, teardown, NULL                                                               \
	}
#define REMOTE(test)                                                                                                   \
	{                                                                                                              \
#test "_behind_a_device", test, setup_remote, teardown, NULL                                           \
	}
#define BOTH(test) LOCAL(test), REMOTE(test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_flipped_byte_is_damage),
		LOCAL(an_end_with_another_length_is_damage),
		LOCAL(an_end_with_an_unknown_digest_is_damage),
		LOCAL(a_digest_that_was_struck_out_is_damage),
		LOCAL(an_end_of_another_size_is_a_broken_rule),
		LOCAL(a_damaged_header_breaks_this_lane),
		LOCAL(an_impossible_position_breaks_this_lane),
		LOCAL(an_impossible_consumer_breaks_this_lane),
		LOCAL(a_state_that_goes_back_is_a_broken_rule),
		BOTH(a_peer_with_another_epoch_is_gone),
		BOTH(another_who_writes_this_end_is_noticed),
		BOTH(scribbling_ends_a_stream_and_nothing_else),
		BOTH(a_deleted_file_ends_the_stream),
		BOTH(a_region_laid_out_anew_ends_the_stream),
		LOCAL(an_overwritten_format_id_ends_the_stream),
		LOCAL(an_early_ok_is_a_lie),
		LOCAL(each_verdict_has_its_failure),
		LOCAL(an_abort_tells_its_reason),
		BOTH(closing_before_the_end_is_no_end),
		BOTH(a_receiver_that_closes_stops_the_sender),
		LOCAL(a_closed_output_is_told_by_its_name),
		LOCAL(what_is_held_comes_with_a_flush),
		LOCAL(what_is_held_comes_with_the_end),
		LOCAL(what_is_held_comes_when_the_ring_is_full),
		LOCAL(who_has_its_peers_processor_hardly_spins),
		LOCAL(who_receives_small_records_rests_and_who_awaits_an_answer_does_not),
		REMOTE(a_peer_elsewhere_is_not_told_of_processors),
		LOCAL(what_is_held_grows_together_and_messages_do_not),
		LOCAL(without_a_digest_the_length_still_counts),
		LOCAL(nothing_comes_in_time),
		BOTH(a_wait_can_be_cancelled),
		BOTH(data_wakes_a_sleeping_receiver),
		BOTH(room_wakes_a_sleeping_sender),
		BOTH(a_verdict_wakes_a_sleeping_sender),
		BOTH(a_close_wakes_a_sleeping_peer),
		BOTH(done_is_said_once_everything_is_there),
		LOCAL(who_wants_no_digest_compares_none),
		LOCAL(an_empty_stream_ends),
		BOTH(peek_and_consume_see_what_reserve_and_commit_wrote),
		LOCAL(a_wish_of_any_size_gets_a_piece),
		BOTH(streams_arrive_whole_in_both_directions),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
