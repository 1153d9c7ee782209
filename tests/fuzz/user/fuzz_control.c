// SPDX-License-Identifier: MIT
/*
 * A control connection, on which bytes come in whatever crumbs: what is taken has to be what the stream says, message by message,
 * and nothing is waited for. Held against a reader that has the whole stream before it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "fuzz.h"

#define STREAM_MAX 8192

static struct {
	int to, from; /* what the other end writes to, and reads from */
	int fds[4];   /* all there are */
	bool socket;
	struct ivp_control *control;
	struct ivp_control_inbox *inbox; /* on the heap, where the address sanitiser watches it */
	u8 stream[STREAM_MAX];
	size_t sent, read; /* of the stream */
	bool ended;
	u32 interrupts; /* of the next reads */
} run;

/* The linker's names for what --wrap puts in the place of the system's. */
ssize_t __real_recv(int fd, void *bytes, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t len, int flags);
ssize_t __real_read(int fd, void *bytes, size_t len);
ssize_t __wrap_read(int fd, void *bytes, size_t len);

static bool interrupted(void)
{
	if (!run.interrupts)
		return false;
	run.interrupts--;
	errno = EINTR;
	return true;
}

ssize_t __wrap_recv(int fd, void *bytes, size_t len, int flags)
{
	return interrupted() ? -1 : __real_recv(fd, bytes, len, flags);
}

ssize_t __wrap_read(int fd, void *bytes, size_t len)
{
	return interrupted() ? -1 : __real_read(fd, bytes, len);
}

/* What the inbox has to hold. */
static struct {
	u8 message[sizeof(struct ivp_message)];
	size_t got;
	bool greeted;
} expected;

/* A socket, or two pipes that block. */
static void open_connection(bool socket)
{
	struct ivp_ends ends = {.borrowed = true, .socket = socket};
	int *fds = run.fds;

	memset(&run, 0, sizeof(run));
	memset(&expected, 0, sizeof(expected));
	run.socket = socket;
	if (socket)
		require(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	else
		require(!pipe2(fds, O_CLOEXEC) && !pipe2(fds + 2, O_CLOEXEC));
	ends.in = fds[0];
	ends.out = socket ? fds[0] : fds[3];
	run.to = fds[1];
	run.from = socket ? fds[1] : fds[2];
	require(!ivp_control_new(&run.control, &ends, NULL));
	run.inbox = calloc(1, sizeof(*run.inbox));
	require(run.inbox);
}

static void close_connection(void)
{
	ivp_control_close(run.control);
	for (int i = 0; i < (run.socket ? 2 : 4); i++)
		if (run.fds[i] >= 0)
			close(run.fds[i]);
	free(run.inbox);
}

/* As far as there is room: crumbs of a byte fill a socket long before its bytes do. */
static void put(const u8 *bytes, size_t len)
{
	ssize_t sent;

	if (run.ended || len > STREAM_MAX - run.sent)
		return;
	sent = run.socket ? send(run.to, bytes, len, MSG_DONTWAIT) : write(run.to, bytes, len);
	if (sent < 0) {
		require(errno == EAGAIN);
		return;
	}
	memcpy(run.stream + run.sent, bytes, (size_t)sent);
	run.sent += (size_t)sent;
}

/* A run of bytes that repeats, so that a short input makes whole messages. */
static void put_pattern(struct input *input)
{
	u32 len = input_below(input, 1100);
	u8 first = input_byte(input), step = input_byte(input);
	u8 bytes[1100];

	for (u32 i = 0; i < len; i++)
		bytes[i] = (u8)(first + i * step);
	put(bytes, len);
}

static void put_bytes(struct input *input)
{
	u8 bytes[16];
	u32 len = input_below(input, sizeof(bytes));

	input_copy(input, bytes, len);
	put(bytes, len);
}

/* The reader: zeros before a message mean nothing, and then come its 1024 bytes. */
static int expect(void)
{
	while (expected.got < sizeof(expected.message)) {
		u8 byte;

		if (run.read == run.sent)
			return run.ended ? -EPIPE : -EAGAIN;
		byte = run.stream[run.read++];
		if (!expected.got && !byte)
			expected.greeted = true;
		else
			expected.message[expected.got++] = byte;
	}
	return 0;
}

static void take(u32 interrupts)
{
	int ret;

	run.interrupts = interrupts;
	ret = ivp_control_take(run.control, run.inbox);
	run.interrupts = 0;
	require(ret == expect());
	require(run.inbox->got == expected.got && run.inbox->greeted == expected.greeted);
	require(!memcmp(&run.inbox->message, expected.message, expected.got));
	if (ret)
		return;
	memset(run.inbox, 0, sizeof(*run.inbox));
	memset(&expected, 0, sizeof(expected));
}

/* In the other direction: what is sent arrives, and a kick is a zero. */
static void answer(struct input *input)
{
	struct ivp_message message, got;

	memset(&message, input_byte(input), sizeof(message));
	require(!ivp_control_send(run.control, &message, 0));
	require(read(run.from, &got, sizeof(got)) == sizeof(got) && !memcmp(&got, &message, sizeof(got)));
	ivp_control_kick(run.control);
	require(read(run.from, &got, sizeof(got)) == 1 && !*(u8 *)&got);
}

static void hang_up(void)
{
	if (run.ended)
		return;
	run.ended = true;
	if (run.socket) {
		require(!shutdown(run.to, SHUT_WR));
	} else {
		close(run.to);
		run.fds[1] = -1;
	}
}

static void step(struct input *input)
{
	switch (input_below(input, 8)) {
	case 0:
	case 1:
		return put_pattern(input);
	case 2:
		return put_bytes(input);
	case 3:
		return put((const u8[4]){0}, input_below(input, 5));
	case 4:
		return answer(input);
	case 5:
		return hang_up();
	default:
		return take(input_below(input, 4));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = {bytes, size};

	open_connection(input_byte(&input) % 2);
	while (input.left)
		step(&input);
	take(0);
	require(ivp_control_ended(run.control) == run.ended);
	close_connection();
	return 0;
}
