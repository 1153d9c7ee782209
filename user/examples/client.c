// SPDX-License-Identifier: MIT
/*
 * Each line of standard input as a message to server.c, and its answers to standard output.   client REGION
 *
 *	cc -o client client.c $(pkg-config --cflags --libs libivpipe)
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include <ivpipe.h>

static struct ivp_error err;

/* 10 s for an answer. */
static ptrdiff_t ask(struct ivp_lane *lane, const char *line, size_t len)
{
	static char answer[65536];
	ptrdiff_t got = ivp_lane_send_message(lane, line, len, 10000, &err);

	if (!got)
		got = ivp_lane_recv_message(lane, answer, sizeof(answer), 10000, &err);
	if (got > 0 && (fwrite(answer, 1, (size_t)got, stdout) != (size_t)got || fflush(stdout)))
		perror("standard output");
	return got;
}

static int converse(struct ivp_lane *lane)
{
	char *line = NULL;
	size_t room = 0;
	ptrdiff_t ret = 1;
	ssize_t len;

	while (ret > 0 && (len = getline(&line, &room, stdin)) > 0)
		ret = ask(lane, line, (size_t)len);
	free(line);
	if (ret <= 0)
		return ret ? (int)ret : -1;
	ret = ivp_lane_wait(lane, IVP_WAIT_ROOM, -1, &err);
	if (!ret)
		ret = ivp_lane_end(lane, &err);
	return ret ? (int)ret : ivp_lane_confirm(lane, 10000, &err);
}

int main(int argc, char **argv)
{
	struct ivp_open_options open = {.side = IVP_SIDE_AUTO, .flags = IVP_OPEN_SIGBUS};
	struct ivp_lane_options options = {.service = "capitals", .size = -1, .wait_ms = 30000};
	struct ivp_region *region = NULL;
	struct ivp_lane *lane = NULL;
	int ret = ivp_region_open(&region, argc > 1 ? argv[1] : "auto", &open, &err);

	if (!ret)
		ret = ivp_connect(&lane, region, &options, &err);
	if (!ret)
		ret = converse(lane);
	if (ret)
		fprintf(stderr, "client: %s\n", err.text[0] ? err.text : "the server has ended");
	ivp_lane_close(lane);
	ivp_region_close(region);
	return ret ? (err.kind ? (int)err.kind : IVP_FAIL_PEER_GONE) : 0;
}
