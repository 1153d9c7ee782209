// SPDX-License-Identifier: MIT
/* forward_serve: a lane that came: a connection to a target, or somebody who asks for a port. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "forward_lanes.h"

/* How often a port was asked for; under the lock. */
static uint64_t turns;

static enum ivp_lanes_word word_of(int number)
{
	switch (number) {
	case -EACCES:
		return IVP_WORD_NOT_ALLOWED;
	case -ECONNREFUSED:
	case -ENOENT:
		return IVP_WORD_REFUSED;
	case -ETIMEDOUT:
		return IVP_WORD_SILENT;
	default:
		return number < 0 ? IVP_WORD_FAILED : IVP_WORD_YES;
	}
}

static int say_word(struct ivp_lane *lane, int number, struct ivp_error *err)
{
	unsigned char word = (unsigned char)word_of(number);
	ptrdiff_t put = ivp_lane_write_all(lane, &word, 1, IVP_LANES_LOOK_MS * 20, err);

	return put < 0 ? (int)put : 0;
}

static int refuse(struct ivp_lane *lane, int number, const char *what, struct ivp_error *err)
{
	static const char hint[] = "it was not named here: refused";

	/* What was said is in the ring; the other end takes it before it looks for reasons. */
	if (what[0] && !say_word(lane, number, err) && !ivp_lane_end(lane, err))
		ivp_lane_confirm(lane, IVP_LANES_LOOK_MS * 4, err);
	return ivp_fail(err, IVP_FAIL_REFUSED, number, "%s: %s", what[0] ? what : "a lane that names nothing",
			number == -EACCES ? hint : strerror(-number));
}

static int serve_target(struct ivp_lane *lane, struct ivp_error *err)
{
	const char *name = ivp_lane_file(lane);
	int fd, ret = ivp_lanes_ask(IVP_FORWARD_OPEN, name, &fd);

	if (ret < 0 || fd < 0)
		return refuse(lane, ret < 0 ? ret : -EBADF, name, err);
	ret = name[0] ? say_word(lane, 0, err) : 0;
	if (ret) {
		close(fd);
		return ret;
	}
	ivp_log_detail("%s: %s: a connection, lane %u", ivp_lanes.forward->cli->verb_name, name, ivp_lane_index(lane));
	return ivp_forward_carry(ivp_lanes.forward->cli, lane, fd, err);
}

/* One who asked anew has the port, though we may not have noticed his end yet. */
static uint64_t own(uint32_t port, const char *service, size_t len)
{
	uint64_t turn;

	pthread_mutex_lock(&ivp_lanes.lock);
	memset(&ivp_lanes.owners[port], 0, sizeof(ivp_lanes.owners[port]));
	memcpy(ivp_lanes.owners[port].service, service, len);
	turn = ivp_lanes.owners[port].turn = ++turns;
	pthread_mutex_unlock(&ivp_lanes.lock);
	return turn;
}

static void disown(uint32_t port, uint64_t turn)
{
	struct ivp_forward_message message = {.what = IVP_FORWARD_SILENCE, .id = port};

	pthread_mutex_lock(&ivp_lanes.lock);
	if (ivp_lanes.owners[port].turn == turn)
		ivp_forward_say(ivp_lanes.forward->socket, &message, -1);
	pthread_mutex_unlock(&ivp_lanes.lock);
}

/* As long as the lane is there the port is. */
static int serve_listen(struct ivp_lane *lane, struct ivp_error *err)
{
	const char *service = ivp_lane_file(lane) + strlen(IVP_LANES_LISTEN), *space = strchr(service, ' ');
	size_t len = space ? (size_t)(space - service) : 0;
	uint64_t turn;
	char byte;
	int fd, port, ret;

	if (!len || len >= IVP_SERVICE_MAX)
		return refuse(lane, -EINVAL, ivp_lane_file(lane), err);
	port = ivp_lanes_ask(IVP_FORWARD_LISTEN, space + 1, &fd);
	if (port < 0 || port >= IVP_FORWARD_RULES)
		return refuse(lane, port < 0 ? port : -EINVAL, space + 1, err);
	turn = own((uint32_t)port, service, len);
	ret = say_word(lane, 0, err);
	ivp_log_detail("%s: %s: listens for the other side", ivp_lanes.forward->cli->verb_name, space + 1);
	if (!ret)
		ret = (int)ivp_lane_read_some(lane, &byte, 1, -1, err);
	disown((uint32_t)port, turn);
	ivp_log_detail("%s: %s: listens no more", ivp_lanes.forward->cli->verb_name, space + 1);
	return ret == -EPIPE ? 0 : ret;
}

void ivp_lanes_serve(struct ivp_lane *lane)
{
	bool listens = ivp_lanes.forward->cli->listen &&
		       !strncmp(ivp_lane_file(lane), IVP_LANES_LISTEN, strlen(IVP_LANES_LISTEN));
	struct ivp_error err = {0};
	char what[32];

	snprintf(what, sizeof(what), "lane %u", ivp_lane_index(lane));
	if (ivp_lanes.forward->cli->no_checksum)
		ivp_lane_no_digest(lane);
	if (listens ? serve_listen(lane, &err) : serve_target(lane, &err))
		ivp_lanes_failed(what, &err);
	ivp_lane_close(lane);
}
