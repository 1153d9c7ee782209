// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"
#include "span.h"
#include "talk.h"
#include "wait.h"

#define CHUNK 65536

/* Chunks that may come before the packet whose parts they are; as many as Xpra takes. */
#define LOOSE_MAX 4

/* A signal may come between the look at it and the sleep. */
#define NAP_MS 250

void ivp_talk_begin(struct ivp_talk *talk, const struct ivp_ends *ends, const volatile sig_atomic_t *cancel)
{
	*talk = (struct ivp_talk){.ends = *ends, .cancel = cancel};
}

void ivp_talk_end(struct ivp_talk *talk)
{
	ivp_packet_drop(&talk->packet);
	free(talk->buffer);
	if (!talk->ends.borrowed && talk->ends.in >= 0)
		close(talk->ends.in);
	if (!talk->ends.borrowed && talk->ends.out >= 0 && talk->ends.out != talk->ends.in)
		close(talk->ends.out);
	*talk = (struct ivp_talk){.ends = {.in = -1, .out = -1}};
}

static int await(const struct ivp_talk *talk, int fd, short events, int64_t deadline, struct ivp_error *err)
{
	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = events};
		int64_t left = deadline - ivp_now();

		if (talk->cancel && *talk->cancel)
			return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
		if (left <= 0)
			return ivp_fail(err, IVP_FAIL_NO_PEER, -ETIMEDOUT, "no answer in time");
		if (poll(&poll_fd, 1, left > NAP_MS ? NAP_MS : (int)left) > 0)
			return 0;
	}
}

static bool again(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static int closed(struct ivp_error *err)
{
	return ivp_fail(err, IVP_FAIL_PEER_GONE, -EPIPE, "the other side closed the connection");
}

static int send_all(struct ivp_talk *talk, const u8 *bytes, size_t len, int64_t deadline, struct ivp_error *err)
{
	while (len) {
		int ret = await(talk, talk->ends.out, POLLOUT, deadline, err);
		ssize_t sent;

		if (ret)
			return ret;
		sent = talk->ends.socket ? send(talk->ends.out, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT)
					 : write(talk->ends.out, bytes, len);
		if (sent < 0 && again())
			continue;
		if (sent < 0)
			return closed(err);
		bytes += sent;
		len -= (size_t)sent;
	}
	return 0;
}

int ivp_talk_send(struct ivp_talk *talk, const struct ivp_writer *writer, int64_t deadline, struct ivp_error *err)
{
	u8 header[IVP_PACKET_HEADER];
	int ret;

	if (writer->failed)
		return ivp_fail(err, IVP_FAIL_USAGE, -E2BIG, "a packet that is longer than %d bytes", IVP_ENCODE_MAX);
	ivp_packet_head(header, writer);
	ret = send_all(talk, header, sizeof(header), deadline, err);
	return ret ? ret : send_all(talk, writer->bytes, writer->len, deadline, err);
}

/* As much as has come, into a buffer that grows with what has come, and not with what was promised. */
static int fill(struct ivp_talk *talk, int64_t deadline, struct ivp_error *err)
{
	int ret = await(talk, talk->ends.in, POLLIN, deadline, err);
	size_t wanted = talk->room ? 2 * talk->room : CHUNK;
	ssize_t got;

	if (ret)
		return ret;
	if (talk->len == talk->room) {
		u8 *larger = realloc(talk->buffer, wanted);

		if (!larger)
			return ivp_fail(err, IVP_FAIL_GENERAL, -ENOMEM, "no memory");
		talk->buffer = larger;
		talk->room = wanted;
	}
	got = read(talk->ends.in, talk->buffer + talk->len, talk->room - talk->len);
	if (got < 0 && again())
		return 0;
	if (got <= 0)
		return closed(err);
	talk->len += (size_t)got;
	return 0;
}

int ivp_talk_next(struct ivp_talk *talk, int64_t deadline, struct ivp_error *err)
{
	int loose = 0;

	for (;;) {
		size_t wanted;
		ptrdiff_t used;
		int ret;

		ivp_packet_drop(&talk->packet);
		if (talk->used)
			memmove(talk->buffer, talk->buffer + talk->used, talk->len - talk->used);
		talk->len -= talk->used;
		talk->used = 0;
		while ((used = ivp_packet_take(&talk->packet, talk->buffer, talk->len, &wanted, err)) == -EAGAIN) {
			ret = fill(talk, deadline, err);
			if (ret)
				return ret;
		}
		if (used < 0)
			return (int)used;
		talk->used = (size_t)used;
		if (!talk->packet.index)
			return 0;
		if (++loose > LOOSE_MAX)
			return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "parts of packets, and no packet");
	}
}
