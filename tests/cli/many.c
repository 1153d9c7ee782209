// SPDX-License-Identifier: MIT
/*
 * many: streams at the same time through one region.
 *
 *   many serve REGION STREAMS BYTES   take that many clients in, and only then read from any; a thread for each
 *   many send REGION STREAMS BYTES    be all the clients, a thread for each
 *   many make NUMBER BYTES            the bytes of one of them on standard output
 *
 * A stream is named by its number, and so are its bytes. Serve says "serving" when it listens, and prints how many were right.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "content.h"
#include "ivpipe.h"

#define STREAMS_MAX 128
#define PIECE       32768
#define PATIENCE_MS 30000

static struct stream {
	pthread_t thread;
	struct ivp_region *region;
	struct ivp_lane *lane;
	uint64_t number, bytes;
	bool good;
} streams[STREAMS_MAX];

static void complain(const struct ivp_error *err)
{
	fprintf(stderr, "%s\n", err->text);
}

static void *send_one(void *arg)
{
	struct stream *stream = arg;
	struct ivp_lane_options options = {.wait_ms = PATIENCE_MS, .timeout_ms = PATIENCE_MS, .size = -1};
	struct ivp_error err = {0};
	uint8_t bytes[PIECE];
	uint64_t sent = 0;
	char name[24];
	int ret;

	snprintf(name, sizeof(name), "%llu", (unsigned long long)stream->number);
	options.file = name;
	ret = ivp_connect(&stream->lane, stream->region, &options, &err);
	while (!ret && sent < stream->bytes) {
		size_t len = stream->bytes - sent < PIECE ? stream->bytes - sent : PIECE;

		content_fill(stream->number, sent, bytes, len);
		if (ivp_lane_write_all(stream->lane, bytes, len, PATIENCE_MS, &err) != (ptrdiff_t)len)
			ret = -EIO;
		sent += len;
	}
	while (!ret && (ret = ivp_lane_end(stream->lane, &err)) == -EAGAIN)
		ret = ivp_lane_wait(stream->lane, IVP_WAIT_ROOM, PATIENCE_MS, &err);
	if (!ret)
		ret = ivp_lane_confirm(stream->lane, PATIENCE_MS, &err);
	if (ret)
		complain(&err);
	stream->good = !ret;
	ivp_lane_close(stream->lane);
	return NULL;
}

static void *receive_one(void *arg)
{
	struct stream *stream = arg;
	uint8_t bytes[PIECE], wanted[PIECE + 8];
	struct ivp_error err = {0};
	uint64_t received = 0;
	bool right = true;
	ptrdiff_t got;

	while ((got = ivp_lane_read_some(stream->lane, bytes, sizeof(bytes), PATIENCE_MS, &err)) > 0) {
		content_fill(stream->number, received & ~7ULL, wanted, (size_t)got + (received & 7));
		right = right && !memcmp(bytes, wanted + (received & 7), (size_t)got);
		received += (uint64_t)got;
	}
	if (got)
		complain(&err);
	stream->good = !got && right && received == stream->bytes;
	if (stream->good)
		ivp_lane_verdict(stream->lane, IVP_VERDICT_OK);
	else
		ivp_lane_abort(stream->lane, IVP_VERDICT_DAMAGED);
	ivp_lane_close(stream->lane);
	return NULL;
}

static unsigned int run(void *(*one)(void *), unsigned int count)
{
	unsigned int good = 0;

	for (unsigned int i = 0; i < count; i++)
		if (pthread_create(&streams[i].thread, NULL, one, &streams[i]))
			exit(1);
	for (unsigned int i = 0; i < count; i++) {
		pthread_join(streams[i].thread, NULL);
		good += streams[i].good;
	}
	printf("%u\n", good);
	return good;
}

static unsigned int serve(struct ivp_region *region, unsigned int count)
{
	struct ivp_lane_options options = {.wait_ms = PATIENCE_MS, .timeout_ms = PATIENCE_MS};
	struct ivp_listener *listener;
	struct ivp_error err = {0};
	int ret = ivp_listen(&listener, region, &options, &err);

	fputs("serving\n", stderr);
	for (unsigned int i = 0; i < count && !ret; i++) {
		ret = ivp_accept(&streams[i].lane, listener, &err);
		if (!ret)
			streams[i].number = strtoull(ivp_lane_file(streams[i].lane), NULL, 10);
	}
	if (ret) {
		complain(&err);
		return 0;
	}
	ivp_listener_close(listener);
	return run(receive_one, count);
}

static int make(uint64_t number, uint64_t bytes)
{
	uint8_t piece[PIECE];

	for (uint64_t done = 0; done < bytes; done += PIECE) {
		size_t len = bytes - done < PIECE ? bytes - done : PIECE;

		content_fill(number, done, piece, len);
		if (fwrite(piece, 1, len, stdout) != len)
			return 1;
	}
	return fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
	bool serves = argc == 5 && !strcmp(argv[1], "serve");
	struct ivp_open_options options = {.side = serves ? 0 : 1};
	struct ivp_region *region;
	struct ivp_error err = {0};
	unsigned int count, good;

	if (argc == 4 && !strcmp(argv[1], "make"))
		return make(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
	count = argc == 5 ? (unsigned int)atoi(argv[3]) : 0;
	if (!count || count > STREAMS_MAX)
		return 2;
	if (ivp_region_open(&region, argv[2], &options, &err)) {
		complain(&err);
		return 1;
	}
	for (unsigned int i = 0; i < count; i++)
		streams[i] = (struct stream){.region = region, .number = i, .bytes = strtoull(argv[4], NULL, 10)};
	good = serves ? serve(region, count) : run(send_one, count);
	ivp_region_close(region);
	return good != count;
}
