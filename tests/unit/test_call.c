// SPDX-License-Identifier: MIT
/* The rendezvous over a control connection: both ends of it, and who is not what he seems. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "driver.h"
#include "pair.h"

static struct place place;
static struct ivp_region *here, *there;
static struct ivp_listener *listener;
static struct ivp_lane *server, *client;
static struct ivp_error err;
static char spec[80]; /* of the connection */

static int setup(void **state)
{
	(void)state;
	driver_reset();
	memset(&err, 0, sizeof(err));
	place_make(&place, PLACE_SIZE);
	here = place_open(&place, 0);
	there = place_open_device(&place);
	snprintf(spec, sizeof(spec), "unix:%s/control", place.dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ivp_lane_close(client);
	ivp_lane_close(server);
	ivp_listener_close(listener);
	ivp_region_close(there);
	ivp_region_close(here);
	client = server = NULL;
	listener = NULL;
	place_remove(&place);
	return 0;
}

static struct ivp_lane_options call_options(void)
{
	struct ivp_lane_options options = pair_options();

	options.control = spec;
	return options;
}

static void listen_here(const struct ivp_lane_options *options)
{
	if (ivp_listen(&listener, here, options, &err))
		fail_msg("%s", err.text);
}

static void connect_from(struct ivp_region *region)
{
	struct ivp_lane_options options = call_options();
	struct knock knock;

	options.file = "a name";
	options.size = 42;
	listen_here(&options);
	knock_begin(&knock, region, &options);
	if (ivp_accept(&server, listener, &err) || knock_end(&knock))
		fail_msg("%s %s", err.text, knock.err.text);
	client = knock.lane;
}

static void send_text(struct ivp_lane *lane, const char *text)
{
	assert_int_equal(ivp_lane_write(lane, text, strlen(text), &err), strlen(text));
}

static void receive_text(struct ivp_lane *lane, const char *text)
{
	char bytes[64];

	if (ivp_lane_wait(lane, IVP_WAIT_DATA, -1, &err))
		fail_msg("%s", err.text);
	assert_int_equal(ivp_lane_read(lane, bytes, sizeof(bytes), &err), strlen(text));
	assert_memory_equal(bytes, text, strlen(text));
}

/* ---- all is well ---- */

static void both_ends_meet(void **state)
{
	(void)state;
	connect_from(there);
	assert_string_equal(ivp_lane_file(server), "a name");
	assert_int_equal(ivp_lane_size(server), 42);
	assert_false(ivp_lane_peer_local(server));
	send_text(client, "question");
	receive_text(server, "question");
	send_text(server, "answer");
	receive_text(client, "answer");
}

static void no_token_is_left_behind(void **state)
{
	const u8 *rings;

	(void)state;
	connect_from(there);
	rings = here->map + ivp_ring_offset(&here->sb, client->index, false);
	for (u64 i = 0; i < 2 * here->sb.ring_size; i++)
		assert_int_equal(rings[i], 0);
}

static void one_after_the_other(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		if (listener)
			ivp_listener_close(listener);
		listener = NULL;
		connect_from(i % 2 ? there : here);
		send_text(client, "x");
		receive_text(server, "x");
		ivp_lane_close(client);
		ivp_lane_close(server);
		client = server = NULL;
	}
}

struct waiter {
	struct ivp_lane *lane;
	pthread_t thread;
	struct ivp_error err;
	int ret;
};

static void *wait_for_data(void *arg)
{
	struct waiter *waiter = arg;

	waiter->ret = ivp_lane_wait(waiter->lane, IVP_WAIT_DATA, -1, &waiter->err);
	return NULL;
}

static void waiter_begin(struct waiter *waiter, struct ivp_lane *lane)
{
	memset(waiter, 0, sizeof(*waiter));
	waiter->lane = lane;
	assert_int_equal(pthread_create(&waiter->thread, NULL, wait_for_data, waiter), 0);
}

static int waiter_end(struct waiter *waiter)
{
	pthread_join(waiter->thread, NULL);
	return waiter->ret;
}

/* A device without a driver, which would be looked at again and again: here it sleeps, and says so. */
static void who_sleeps_is_kicked(void **state)
{
	struct waiter waiter;

	(void)state;
	connect_from(there);
	waiter_begin(&waiter, client);
	await(ivp_load32(&server->theirs->want));
	send_text(server, "x");
	assert_int_equal(waiter_end(&waiter), 0);
	ivp_lane_consume(client, 1, &err);
	waiter_begin(&waiter, server);
	await(ivp_load32(&client->theirs->want));
	send_text(client, "x");
	assert_int_equal(waiter_end(&waiter), 0);
}

static void the_end_of_the_connection_is_the_end(void **state)
{
	struct waiter waiter;

	(void)state;
	connect_from(there);
	waiter_begin(&waiter, client);
	await(ivp_load32(&server->theirs->want));
	shutdown(ivp_control_fd(server->control), SHUT_RDWR);
	assert_int_equal(waiter_end(&waiter), -EPIPE);
	assert_int_equal(waiter.err.kind, IVP_FAIL_PEER_GONE);
	assert_non_null(strstr(waiter.err.text, "control connection"));
}

/* As it is left by a peer that was killed. */
static void what_was_sent_before_the_end_is_received(void **state)
{
	(void)state;
	connect_from(there);
	send_text(server, "last");
	shutdown(ivp_control_fd(server->control), SHUT_RDWR);
	receive_text(client, "last");
	assert_int_equal(ivp_lane_wait(client, IVP_WAIT_DATA, -1, &err), -EPIPE);
}

/* ---- another memory ---- */

static void meet_elsewhere(struct ivp_region *elsewhere, const char *reason)
{
	struct ivp_lane_options options = call_options();
	struct knock knock;

	listen_here(&options);
	knock_begin(&knock, elsewhere, &options);
	assert_int_equal(ivp_accept(&server, listener, &err), -ECONNREFUSED);
	assert_int_equal(knock_end(&knock), -ECONNREFUSED);
	assert_int_equal(err.kind, IVP_FAIL_REFUSED);
	assert_int_equal(knock.err.kind, IVP_FAIL_REFUSED);
	assert_non_null(strstr(err.text, reason));
	assert_non_null(strstr(knock.err.text, reason));
}

static void another_region_is_refused(void **state)
{
	struct ivp_region *elsewhere;
	struct place other;

	(void)state;
	place_make(&other, PLACE_SIZE);
	elsewhere = place_open(&other, 0);
	meet_elsewhere(elsewhere, ivp_reason_text(IVP_REASON_FORMAT));
	ivp_region_close(elsewhere);
	place_remove(&other);
}

static void a_copy_of_the_region_is_refused(void **state)
{
	struct ivp_region *elsewhere;
	struct place other;
	u8 *bytes = malloc(PLACE_SIZE);

	(void)state;
	place_make(&other, PLACE_SIZE);
	memcpy(bytes, here->map, PLACE_SIZE);
	place_write(&other, 0, bytes, PLACE_SIZE);
	free(bytes);
	elsewhere = place_open(&other, 0);
	assert_true(elsewhere->sb.format_id == here->sb.format_id);
	meet_elsewhere(elsewhere, ivp_reason_text(IVP_REASON_TOKEN));
	ivp_region_close(elsewhere);
	place_remove(&other);
}

static void another_service_is_refused(void **state)
{
	struct ivp_lane_options options = call_options();
	struct knock knock;

	(void)state;
	listen_here(&options);
	options.service = "other";
	knock_begin(&knock, there, &options);
	assert_int_equal(ivp_accept(&server, listener, &err), -ECONNREFUSED);
	assert_int_equal(knock_end(&knock), -ECONNREFUSED);
	assert_non_null(strstr(knock.err.text, ivp_reason_text(IVP_REASON_SERVICE)));
}

/* ---- callers ---- */

static int call_raw(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", spec + 5);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* A hello for lane 0 as it should be, but for the token. */
static struct ivp_message hello(void)
{
	struct ivp_message message = {
		.type = IVP_MESSAGE_HELLO,
		.version = IVP_LAYOUT_VERSION,
		.format_id = here->sb.format_id,
		.epoch = 7,
		.token_bytes = 16,
		.token_index = ivp_ring_offset(&here->sb, 0, false),
		.size = ~0ULL,
		.service = "default",
	};

	ivp_store64(&ivp_region_half(here, 0, false)->epoch, 7);
	return message;
}

struct accepting {
	pthread_t thread;
	struct ivp_error err;
	int ret;
};

static void *accept_one(void *arg)
{
	struct accepting *accepting = arg;

	accepting->ret = ivp_accept(&server, listener, &accepting->err);
	return NULL;
}

static void accept_begin(struct accepting *accepting)
{
	memset(accepting, 0, sizeof(*accepting));
	assert_int_equal(pthread_create(&accepting->thread, NULL, accept_one, accepting), 0);
}

static int accept_end(struct accepting *accepting)
{
	pthread_join(accepting->thread, NULL);
	return accepting->ret;
}

/* What is read is whole, or the end of the connection: then 0. */
static size_t read_all(int fd, void *bytes, size_t len)
{
	size_t got = 0;

	while (got < len) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		ssize_t some;

		assert_int_equal(poll(&poll_fd, 1, 20000), 1);
		some = read(fd, (char *)bytes + got, len - got);
		if (some <= 0)
			break;
		got += (size_t)some;
	}
	return got;
}

static void is_refused(const struct ivp_message *message, enum ivp_reason reason)
{
	struct {
		u8 greeting;
		struct ivp_message answer;
	} __attribute__((packed)) got;
	struct accepting accepting;
	int fd;

	accept_begin(&accepting);
	fd = call_raw();
	assert_int_equal(write(fd, message, sizeof(*message)), sizeof(*message));
	assert_int_equal(read_all(fd, &got, sizeof(got)), sizeof(got));
	assert_int_equal(got.greeting, 0);
	assert_int_equal(got.answer.type, IVP_MESSAGE_REFUSAL);
	assert_int_equal(got.answer.reason, reason);
	assert_int_equal(read_all(fd, &got, 1), 0);
	close(fd);
	assert_int_equal(accept_end(&accepting), -ECONNREFUSED);
	assert_non_null(strstr(accepting.err.text, ivp_reason_text(reason)));
}

static void a_hello_that_does_not_hold_is_refused(void **state)
{
	struct ivp_lane_options options = call_options();
	u64 ring = ivp_ring_offset(&here->sb, 0, false);
	struct ivp_message message;

	(void)state;
	listen_here(&options);
#define REFUSED(change, reason)                                                                                        \
	do {                                                                                                           \
		message = hello();                                                                                     \
		change;                                                                                                \
		is_refused(&message, reason);                                                                          \
	} while (0)
	REFUSED(message.version = 2, IVP_REASON_VERSION);
	REFUSED(message.format_id ^= 1, IVP_REASON_FORMAT);
	REFUSED(message.lane = here->sb.lanes, IVP_REASON_LANE);
	REFUSED(message.lane = ~0u, IVP_REASON_LANE);
	REFUSED(message.side = 1, IVP_REASON_LANE);
	REFUSED(message.listener_id = 1, IVP_REASON_LISTENER);
	REFUSED(message.epoch = 8, IVP_REASON_TOKEN);
	REFUSED(message.peer_epoch = 1, IVP_REASON_TOKEN);
	REFUSED(message.reserved0[0] = 1, IVP_REASON_MESSAGE);
	REFUSED(message.file[IVP_FILE_BYTES - 1] = 1, IVP_REASON_MESSAGE);
	REFUSED(message.service[0] = '/', IVP_REASON_MESSAGE);
	REFUSED(message.service[0] = 'x', IVP_REASON_SERVICE);
	REFUSED(message.token_bytes = 15, IVP_REASON_WINDOW);
	REFUSED(message.token_bytes = IVP_TOKEN_MAX + 1, IVP_REASON_WINDOW);
	REFUSED(message.token_bytes = 0, IVP_REASON_WINDOW);
	REFUSED(message.token_index = ~0ULL - 7, IVP_REASON_WINDOW);
	REFUSED(message.token_index = ring - 1, IVP_REASON_WINDOW);
	REFUSED(message.token_index = ring + here->sb.ring_size - 15, IVP_REASON_WINDOW);
	REFUSED(message.token_index = 0, IVP_REASON_WINDOW);
	REFUSED(message.token[0] = 1, IVP_REASON_TOKEN);
	REFUSED(message.token[16] = 1, IVP_REASON_MESSAGE);
}

/* A client's good end follows whatever came before it. */
static void is_passed_over(void (*nuisance)(void), int64_t timeout_ms)
{
	struct ivp_lane_options options = call_options();
	struct accepting accepting;
	struct knock knock;

	options.timeout_ms = timeout_ms;
	listen_here(&options);
	accept_begin(&accepting);
	nuisance();
	options.timeout_ms = 20000;
	knock_begin(&knock, there, &options);
	if (accept_end(&accepting) || knock_end(&knock))
		fail_msg("%s %s", accepting.err.text, knock.err.text);
	client = knock.lane;
	send_text(client, "x");
	receive_text(server, "x");
}

static void hang_up(void)
{
	close(call_raw());
}

static void hang_up_in_the_middle(void)
{
	struct ivp_message message = hello();
	int fd = call_raw();

	assert_int_equal(write(fd, &message, 500), 500);
	close(fd);
}

static void talk_nonsense(void)
{
	char nonsense[2000];
	int fd = call_raw();

	memset(nonsense, 'x', sizeof(nonsense));
	assert_int_equal(write(fd, nonsense, sizeof(nonsense)), sizeof(nonsense));
	assert_int_equal(read_all(fd, nonsense, 1), 0);
	close(fd);
}

static int silent[40];

static void say_nothing(void)
{
	for (int i = 0; i < 40; i++)
		silent[i] = call_raw();
}

static void kick_for_ever(void)
{
	char zeros[4000] = {0};

	silent[0] = call_raw();
	assert_int_equal(write(silent[0], zeros, sizeof(zeros)), sizeof(zeros));
	for (int i = 1; i < 40; i++)
		silent[i] = dup(silent[0]);
}

static void hush(void)
{
	for (int i = 0; i < 40; i++)
		close(silent[i]);
}

static void who_hangs_up_is_passed_over(void **state)
{
	(void)state;
	is_passed_over(hang_up, 20000);
}

static void who_hangs_up_in_the_middle_is_passed_over(void **state)
{
	(void)state;
	is_passed_over(hang_up_in_the_middle, 20000);
}

static void who_talks_nonsense_is_passed_over(void **state)
{
	(void)state;
	is_passed_over(talk_nonsense, 20000);
}

/* More than are heard at a time: each has its deadline. */
static void who_says_nothing_keeps_nobody_out(void **state)
{
	(void)state;
	is_passed_over(say_nothing, 50);
	hush();
}

static void who_only_kicks_is_passed_over(void **state)
{
	(void)state;
	is_passed_over(kick_for_ever, 50);
	hush();
}

static void a_busy_listener_is_waited_for(void **state)
{
	struct ivp_lane_options options = call_options();
	struct knock second;

	(void)state;
	connect_from(there);
	/* Shorter than it waits for its turn, which is no answer that is late. */
	options.timeout_ms = 1000;
	knock_begin(&second, here, &options);
	send_text(client, "x");
	receive_text(server, "x");
	ivp_lane_close(client);
	ivp_lane_close(server);
	client = server = NULL;
	if (ivp_accept(&server, listener, &err) || knock_end(&second))
		fail_msg("%s %s", err.text, second.err.text);
	client = second.lane;
	send_text(client, "y");
	receive_text(server, "y");
}

/* ---- listeners ---- */

struct liar {
	int listener, fd;
	struct ivp_message hello;
	struct knock knock;
};

static void liar_begin(struct liar *liar)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct ivp_lane_options options = call_options();

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", spec + 5);
	liar->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(liar->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(liar->listener, 1), 0);
	options.timeout_ms = 1000;
	knock_begin(&liar->knock, there, &options);
	liar->fd = accept(liar->listener, NULL, NULL);
	assert_int_equal(read_all(liar->fd, &liar->hello, sizeof(liar->hello)), sizeof(liar->hello));
	unlink(spec + 5);
}

static int liar_end(struct liar *liar)
{
	int ret = knock_end(&liar->knock);

	close(liar->fd);
	close(liar->listener);
	return ret;
}

static struct ivp_message welcome_for(const struct ivp_message *hello)
{
	struct ivp_message message = {
		.type = IVP_MESSAGE_WELCOME,
		.version = IVP_LAYOUT_VERSION,
		.format_id = hello->format_id,
		.epoch = 9,
		.peer_epoch = hello->epoch,
		.lane = hello->lane,
		.token_bytes = 16,
		.token_index = ivp_ring_offset(&here->sb, hello->lane, true),
		.service = "default",
	};

	return message;
}

static void a_welcome_that_does_not_hold_is_refused(void **state)
{
	static const enum ivp_reason reasons[] = {IVP_REASON_TOKEN,   IVP_REASON_WINDOW, IVP_REASON_LANE,
						  IVP_REASON_EPOCH,   IVP_REASON_FORMAT, IVP_REASON_MESSAGE,
						  IVP_REASON_MESSAGE, IVP_REASON_VERSION};
	struct ivp_message answer, refusal;
	struct liar liar;

	(void)state;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		liar_begin(&liar);
		answer = welcome_for(&liar.hello);
		switch (i) {
		case 0:
			answer.token[0] = 1;
			break;
		case 1:
			answer.token_index = 0;
			break;
		case 2:
			answer.lane++;
			break;
		case 3:
			answer.peer_epoch++;
			break;
		case 4:
			answer.format_id++;
			break;
		case 5:
			answer.type = 77;
			break;
		case 6:
			answer.size = 1;
			break;
		default:
			answer.version = 3;
		}
		assert_int_equal(write(liar.fd, &answer, sizeof(answer)), sizeof(answer));
		assert_int_equal(read_all(liar.fd, &refusal, sizeof(refusal)), sizeof(refusal));
		assert_int_equal(refusal.type, IVP_MESSAGE_REFUSAL);
		assert_int_equal(refusal.reason, reasons[i]);
		assert_int_equal(liar_end(&liar), -ECONNREFUSED);
		assert_non_null(strstr(liar.knock.err.text, ivp_reason_text(reasons[i])));
	}
}

static void a_listener_that_greets_and_falls_silent_is_given_up(void **state)
{
	struct liar liar;

	(void)state;
	liar_begin(&liar);
	assert_int_equal(write(liar.fd, "", 1), 1);
	assert_int_equal(liar_end(&liar), -ETIMEDOUT);
	assert_int_equal(liar.knock.err.kind, IVP_FAIL_NO_PEER);
}

static void a_listener_that_hangs_up_is_asked_again(void **state)
{
	struct ivp_lane_options options = call_options();
	struct liar liar;

	(void)state;
	liar_begin(&liar);
	close(liar.listener);
	close(liar.fd);
	listen_here(&options);
	if (ivp_accept(&server, listener, &err))
		fail_msg("%s", err.text);
	assert_int_equal(knock_end(&liar.knock), 0);
	client = liar.knock.lane;
}

/* ---- one connection ---- */

struct both_ends {
	char mine[16], theirs[16];
	struct ivp_lane_options options;
	struct knock knock;
	int pair[2];
};

/* A listener that has not looked yet, and a client that calls. */
static void both_ends_begin(struct both_ends *ends)
{
	ends->options = call_options();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends->pair), 0);
	snprintf(ends->mine, sizeof(ends->mine), "fd:%d", ends->pair[0]);
	snprintf(ends->theirs, sizeof(ends->theirs), "fd:%d", ends->pair[1]);
	ends->options.control = ends->mine;
	listen_here(&ends->options);
	ends->options.control = ends->theirs;
	knock_begin(&ends->knock, there, &ends->options);
}

static void both_ends_meet_now(struct both_ends *ends)
{
	if (ivp_accept(&server, listener, &err) || knock_end(&ends->knock))
		fail_msg("%s %s", err.text, ends->knock.err.text);
	client = ends->knock.lane;
	send_text(client, "x");
	receive_text(server, "x");
}

static void both_ends_close(struct both_ends *ends)
{
	close(ends->pair[0]);
	close(ends->pair[1]);
}

static bool there_are(int fd, size_t bytes)
{
	int there = 0;

	assert_int_equal(ioctl(fd, FIONREAD, &there), 0);
	return (size_t)there == bytes;
}

/* As a port does when nobody has it open. */
static void a_hello_that_is_lost_is_said_again(void **state)
{
	struct ivp_message lost, again;
	struct both_ends ends;

	(void)state;
	both_ends_begin(&ends);
	assert_int_equal(read_all(ends.pair[0], &lost, sizeof(lost)), sizeof(lost));
	await(there_are(ends.pair[0], sizeof(again)));
	assert_int_equal(recv(ends.pair[0], &again, sizeof(again), MSG_PEEK), sizeof(again));
	assert_memory_equal(&lost, &again, sizeof(lost));
	both_ends_meet_now(&ends);
	both_ends_close(&ends);
}

/* The listener was late, and nothing was lost. */
static void a_hello_may_come_twice(void **state)
{
	struct both_ends ends;

	(void)state;
	both_ends_begin(&ends);
	await(there_are(ends.pair[0], 2 * sizeof(struct ivp_message)));
	both_ends_meet_now(&ends);
	both_ends_close(&ends);
}

/* Without being heard, when it does not fit; and not for ever. */
static void who_says_hello_for_ever_is_given_up(void **state)
{
	struct ivp_lane_options options = call_options();
	struct ivp_message message = hello();
	struct accepting accepting;
	struct pollfd poll_fd;
	int fd;

	(void)state;
	options.timeout_ms = 200;
	options.wait_ms = 2000;
	listen_here(&options);
	accept_begin(&accepting);
	fd = call_raw();
	poll_fd = (struct pollfd){.fd = fd, .events = POLLOUT};
	while (poll(&poll_fd, 1, 20000) == 1 && !(poll_fd.revents & POLLHUP))
		if (send(fd, &message, sizeof(message), MSG_NOSIGNAL) < 0)
			break;
	assert_int_equal(accept_end(&accepting), -ETIMEDOUT);
	close(fd);
}

static void a_connection_is_used_once(void **state)
{
	struct both_ends ends;

	(void)state;
	both_ends_begin(&ends);
	both_ends_meet_now(&ends);
	ivp_lane_close(server);
	server = NULL;
	assert_int_equal(ivp_lane_wait(client, IVP_WAIT_DATA, -1, &err), -EPIPE);
	assert_int_equal(ivp_accept(&server, listener, &err), -EPIPE);
	assert_int_equal(ivp_connect(&server, there, &ends.options, &err), -EPIPE);
	assert_int_equal(err.kind, IVP_FAIL_NO_PEER);
	server = NULL;
	both_ends_close(&ends);
}

/* ---- deadlines ---- */

static void nobody_is_waited_for_for_ever(void **state)
{
	struct ivp_lane_options options = call_options();

	(void)state;
	options.wait_ms = 20;
	assert_int_equal(ivp_connect(&client, there, &options, &err), -ENOENT);
	assert_int_equal(err.kind, IVP_FAIL_NO_PEER);
	listen_here(&options);
	assert_int_equal(ivp_accept(&server, listener, &err), -ETIMEDOUT);
	assert_int_equal(err.kind, IVP_FAIL_NO_PEER);
	assert_int_equal(ivp_accept_within(&server, listener, 0, &err), -ETIMEDOUT);
	/* Whoever does not accept, listens for the kernel's part. */
	assert_int_equal(ivp_connect(&client, there, &options, &err), -ETIMEDOUT);
	assert_int_equal(err.kind, IVP_FAIL_NO_PEER);
}

static void waiting_can_be_cancelled(void **state)
{
	static volatile sig_atomic_t cancel = 1;
	struct ivp_lane_options options = call_options();

	(void)state;
	here->cancel = there->cancel = &cancel;
	assert_int_equal(ivp_connect(&client, there, &options, &err), -EINTR);
	listen_here(&options);
	assert_int_equal(ivp_accept(&server, listener, &err), -EINTR);
	assert_int_equal(ivp_connect(&client, there, &options, &err), -EINTR);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_ends_meet),
		TEST(no_token_is_left_behind),
		TEST(one_after_the_other),
		TEST(who_sleeps_is_kicked),
		TEST(the_end_of_the_connection_is_the_end),
		TEST(what_was_sent_before_the_end_is_received),
		TEST(another_region_is_refused),
		TEST(a_copy_of_the_region_is_refused),
		TEST(another_service_is_refused),
		TEST(a_hello_that_does_not_hold_is_refused),
		TEST(who_hangs_up_is_passed_over),
		TEST(who_hangs_up_in_the_middle_is_passed_over),
		TEST(who_talks_nonsense_is_passed_over),
		TEST(who_says_nothing_keeps_nobody_out),
		TEST(who_only_kicks_is_passed_over),
		TEST(a_busy_listener_is_waited_for),
		TEST(a_welcome_that_does_not_hold_is_refused),
		TEST(a_listener_that_greets_and_falls_silent_is_given_up),
		TEST(a_listener_that_hangs_up_is_asked_again),
		TEST(a_hello_that_is_lost_is_said_again),
		TEST(a_hello_may_come_twice),
		TEST(who_says_hello_for_ever_is_given_up),
		TEST(a_connection_is_used_once),
		TEST(nobody_is_waited_for_for_ever),
		TEST(waiting_can_be_cancelled),
	};

	return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
