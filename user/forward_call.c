// SPDX-License-Identifier: MIT
/* forward_call: lanes that we ask for: for callers of ports, and for ports on the other side. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "error.h"
#include "forward_lanes.h"

/* Until the other side is looked for anew; long enough to see it live. */
#define PATIENCE_MS 5000

/* The answer to what we asked for by name. */
static int hear_word(struct ivp_lane *lane, const char *what, struct ivp_error *err)
{
	static const char *const words[] = {
		[IVP_WORD_NOT_ALLOWED] =
			"the other side does not allow it: it has to be named there: ivpipe forward --listen",
		[IVP_WORD_REFUSED] = "nobody listens there, on the other side",
		[IVP_WORD_SILENT] = "no answer there, on the other side",
		[IVP_WORD_FAILED] = "the other side cannot: its ivpipe forward says why",
	};
	unsigned char word;
	ptrdiff_t got = ivp_lane_read_some(lane, &word, 1, -1, err);

	if (got < 0)
		return (int)got;
	if (got == 1 && word == IVP_WORD_YES)
		return 0;
	if (!got || word > IVP_WORD_FAILED)
		return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "%s: the other side is no ivpipe forward", what);
	return ivp_fail(err, IVP_FAIL_REFUSED, -ECONNREFUSED, "%s: %s", what, words[word]);
}

static int connect_lane(struct ivp_lane **lane, const char *service, const char *file, int64_t wait_ms,
			struct ivp_error *err)
{
	struct ivp_lane_options options;
	int ret;

	ivp_cli_lane_options(ivp_lanes.forward->cli, &options);
	options.service = service;
	options.file = file;
	options.wait_ms = wait_ms;
	ret = ivp_connect(lane, ivp_lanes.region, &options, err);
	if (ret)
		return ret;
	if (ivp_lanes.forward->cli->no_checksum)
		ivp_lane_no_digest(*lane);
	ret = file[0] ? hear_word(*lane, file, err) : 0;
	if (ret)
		ivp_lane_close(*lane);
	return ret;
}

static const char *service_wanted(void)
{
	const char *service = ivp_lanes.forward->cli->service;

	return service ? service : IVP_FORWARD_SERVICE;
}

/* What to ask the other side for. With --listen the port is one that it asked for itself. */
static void find_way(uint32_t number, char service[IVP_SERVICE_MAX], const char **file)
{
	const struct ivp_forward_port *port = &ivp_lanes.forward->ports[number];

	*file = ivp_lanes.forward->cli->listen ? port->listen : port->target;
	pthread_mutex_lock(&ivp_lanes.lock);
	strncpy(service, ivp_lanes.forward->cli->listen ? ivp_lanes.owners[number].service : service_wanted(),
		IVP_SERVICE_MAX - 1);
	pthread_mutex_unlock(&ivp_lanes.lock);
}

void ivp_lanes_call(uint32_t port, int fd)
{
	int64_t wait_ms = ivp_lanes.forward->cli->listen ? 30000 : ivp_lanes.forward->cli->wait_ms;
	char service[IVP_SERVICE_MAX] = "";
	struct ivp_error err = {0};
	struct ivp_lane *lane;
	const char *file;
	int ret;

	find_way(port, service, &file);
	ret = connect_lane(&lane, service, file, wait_ms, &err);
	if (ret) {
		ivp_lanes_reset(fd);
		ivp_lanes_failed(ivp_lanes.forward->ports[port].listen, &err);
		if (ret == -ESTALE || ret == -ENODEV)
			ivp_lanes_stop(ret, &err);
		return;
	}
	ivp_log_detail("%s: %s: a connection, lane %u", ivp_lanes.forward->cli->verb_name,
		       ivp_lanes.forward->ports[port].listen, ivp_lane_index(lane));
	if (ivp_forward_carry(ivp_lanes.forward->cli, lane, fd, &err))
		ivp_lanes_failed(ivp_lanes.forward->ports[port].listen, &err);
	ivp_lane_close(lane);
}

/* One port of the other side's, for as long as both live. A refusal is final; another end of it is not. */
void *ivp_lanes_request(void *arg)
{
	static const struct timespec breath = {.tv_nsec = 100 * 1000 * 1000};
	const struct ivp_forward_target *target = arg;
	char file[IVP_NAME_MAX];

	snprintf(file, sizeof(file), "%s%s %s", IVP_LANES_LISTEN, ivp_lanes.back, target->name);
	while (!ivp_lanes_stopping()) {
		struct ivp_error err = {0};
		struct ivp_lane *lane;
		char byte;
		int ret = connect_lane(&lane, service_wanted(), file, PATIENCE_MS, &err);

		if (ret == -ECONNREFUSED || ret == -ESTALE || ret == -ENODEV) {
			ivp_lanes_stop(ret, &err);
			break;
		}
		if (ret)
			continue;
		ivp_log_notice("%s: the other side listens on %s", ivp_lanes.forward->cli->verb_name, target->name);
		ivp_lane_read_some(lane, &byte, 1, -1, &err);
		ivp_lane_close(lane);
		if (!ivp_lanes_stopping())
			ivp_log_notice("%s: the other side listens no more on %s: asking again",
				       ivp_lanes.forward->cli->verb_name, target->name);
		nanosleep(&breath, NULL);
	}
	return NULL;
}
