// SPDX-License-Identifier: MIT
/*
 * Frames without a copy: made where the other side looks at them.   frames make|watch REGION [COUNT]
 *
 *	cc -o frames frames.c $(pkg-config --cflags --libs libivpipe)
 *
 * Each end prints the sum of all that it has made or seen. A frame is one record here, and so at most ivp_lane_piece() bytes;
 * a larger one would be a message of several pieces: ivp_lane_message_commit(), ivp_lane_message_peek().
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ivpipe.h>

#define WIDTH  160
#define HEIGHT 120

static struct ivp_error err;
static uint64_t sum = 0xcbf29ce484222325;

/* What lies in the region can be changed by the peer at any time: fine for pixels; whatever has to be checked is copied first. */
static void add(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3;
}

static void draw(uint8_t *to, unsigned int number)
{
	for (unsigned int y = 0; y < HEIGHT; y++)
		for (unsigned int x = 0; x < WIDTH; x++)
			to[y * WIDTH + x] = (uint8_t)(x * 3 + y * 7 + number);
}

static int make_one(struct ivp_lane *lane, unsigned int number)
{
	size_t len = WIDTH * HEIGHT;
	void *span;
	int ret;

	while ((ret = ivp_lane_reserve(lane, &span, &len, &err)) == -EAGAIN) {
		ret = ivp_lane_wait(lane, IVP_WAIT_ROOM, -1, &err);
		if (ret)
			return ret;
	}
	if (ret)
		return ret;
	draw(span, number);
	add(span, len);
	return ivp_lane_commit(lane, len, &err);
}

static int make(struct ivp_lane *lane, unsigned int count)
{
	int ret = 0;

	for (unsigned int i = 0; i < count && !ret; i++)
		ret = make_one(lane, i);
	if (!ret)
		ret = ivp_lane_wait(lane, IVP_WAIT_ROOM, -1, &err);
	if (!ret)
		ret = ivp_lane_end(lane, &err);
	return ret ? ret : ivp_lane_confirm(lane, -1, &err);
}

/* 1: there may be more. */
static int watch_one(struct ivp_lane *lane)
{
	const void *span;
	size_t len;
	int ret = ivp_lane_wait(lane, IVP_WAIT_DATA, -1, &err);

	if (!ret)
		ret = ivp_lane_peek(lane, &span, &len, &err);
	if (ret)
		return ret;
	if (!len) /* the end: does the number of bytes hold? */
		return (int)ivp_lane_read(lane, NULL, 0, &err);
	add(span, len);
	ret = ivp_lane_consume(lane, len, &err);
	return ret ? ret : 1;
}

static int watch(struct ivp_lane *lane)
{
	int ret;

	while ((ret = watch_one(lane)) > 0)
		;
	if (!ret)
		ivp_lane_verdict(lane, IVP_VERDICT_OK);
	return ret;
}

static int meet(struct ivp_lane **lane, struct ivp_region *region, bool maker)
{
	struct ivp_lane_options options = {.service = "frames", .size = -1, .wait_ms = 30000};
	struct ivp_listener *listener;
	int ret;

	if (maker)
		return ivp_connect(lane, region, &options, &err);
	ret = ivp_listen(&listener, region, &options, &err);
	if (ret)
		return ret;
	ret = ivp_accept(lane, listener, &err);
	/* The lane goes on without it. */
	ivp_listener_close(listener);
	return ret;
}

int main(int argc, char **argv)
{
	struct ivp_open_options open = {.side = IVP_SIDE_AUTO, .flags = IVP_OPEN_SIGBUS};
	bool maker = argc > 1 && !strcmp(argv[1], "make");
	struct ivp_region *region = NULL;
	struct ivp_lane *lane = NULL;
	int ret;

	if (argc < 3) {
		fprintf(stderr, "usage: frames make|watch REGION [COUNT]\n");
		return IVP_FAIL_USAGE;
	}
	ret = ivp_region_open(&region, argv[2], &open, &err);
	if (!ret)
		ret = meet(&lane, region, maker);
	if (!ret)
		ret = maker ? make(lane, argc > 3 ? (unsigned int)atoi(argv[3]) : 100) : watch(lane);
	if (ret)
		fprintf(stderr, "frames: %s\n", err.text);
	else
		printf("%016" PRIx64 "\n", sum);
	ivp_lane_close(lane);
	ivp_region_close(region);
	return ret ? (int)err.kind : 0;
}
