// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "meeting.h"
#include "picture.h"
#include "talk.h"
#include "wait.h"

/* As long as Xpra's own server waits for a hello; a window takes less. */
#define TIMEOUT_MS 21000
#define WINDOW_MS  10000

#define NAP_MS 250

/* ---- a client comes ---- */

static int accept_client(struct ivp_meeting *meeting, int listener, struct ivp_talk *talk, struct ivp_error *err)
{
	const struct ivp_cli *cli = meeting->cli;
	struct ivp_ends ends;
	int ret;

	for (;;) {
		struct pollfd poll_fd = {.fd = listener, .events = POLLIN};

		if (ivp_cli_signal)
			return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
		if (ivp_now() >= cli->deadline)
			return ivp_fail(err, IVP_FAIL_NO_PEER, -ETIMEDOUT, "no client came: xpra attach %s --mmap=PATH",
					meeting->url);
		if (poll(&poll_fd, 1, NAP_MS) <= 0)
			continue;
		ret = ivp_endpoint_accept(&meeting->endpoint, listener, &ends, err);
		if (ret == -EAGAIN)
			continue;
		if (!ret)
			ivp_talk_begin(talk, &ends, &ivp_cli_signal);
		return ret;
	}
}

static int read_hello(struct ivp_meeting *meeting, struct ivp_talk *talk, struct ivp_error *err)
{
	int64_t ms = meeting->cli->timeout_ms ? meeting->cli->timeout_ms : TIMEOUT_MS;
	int ret = ivp_talk_next(talk, ivp_deadline(ms), err);

	if (ret == -EPIPE)
		err->kind = IVP_FAIL_REFUSED;
	if (ret)
		return ret;
	meeting->encoding = talk->packet.encoding;
	ret = ivp_caps_read(&meeting->caps, &talk->packet, false);
	return ret ? ivp_fail(err, IVP_FAIL_DAMAGED, ret, "the client begins with something else than its hello") : 0;
}

/* ---- its memory ---- */

static int check_way(struct ivp_meeting *meeting, int way, struct ivp_error *err)
{
	int ret;

	if (!meeting->caps.claim[way].given)
		return ivp_fail(
			err, IVP_FAIL_REFUSED, -ECONNREFUSED,
			way == IVP_DOWN
				? "the client offers no memory: start it with --mmap=PATH of this memory, as it has "
				  "it; where it refuses that itself, it says why with -d mmap"
				: "the client offers no memory for what it sends, which versions from 6.3 on do");
	ret = ivp_meeting_verify(meeting, way, "client", err);
	if (!ret)
		ret = ivp_meeting_place(meeting, way, err);
	meeting->agreed[way] = !ret;
	return ret;
}

static int answer(struct ivp_meeting *meeting, struct ivp_talk *talk, struct ivp_error *err)
{
	struct ivp_writer writer = {.encoding = meeting->encoding};
	struct ivp_offer offer = {
		/* Of a newer or older one it might want something that we know nothing of. */
		.version = meeting->caps.version,
		.forms = IVP_FORM_ALL,
	};

	for (int way = 0; way < IVP_WAYS; way++)
		offer.claim[way] = meeting->agreed[way] ? &meeting->claim[way] : NULL;
	ivp_caps_put_server(&writer, &offer);
	return ivp_talk_send(talk, &writer, ivp_deadline(TIMEOUT_MS), err);
}

/* A client that found something else than our token goes at once; one that shows a picture read it in the memory. */
static int prove(struct ivp_meeting *meeting, struct ivp_talk *talk, struct ivp_error *err)
{
	struct ivp_error why = {0};
	int ret;

	meeting->proof = "the client's token was found; ours is there for it to find, and it shows no windows";
	if (!meeting->caps.windows)
		return 0;
	meeting->proof = "the client showed a picture that it read from the memory";
	ret = ivp_picture_show(talk, meeting->encoding, meeting->area[IVP_DOWN], ivp_deadline(WINDOW_MS), &why);
	if (ret == -EPIPE)
		return ivp_fail(err, IVP_FAIL_REFUSED, ret,
				"the client left after our answer: it did not find our token, or was ended: its own "
				"words say more");
	if (ret == -ETIMEDOUT)
		return ivp_fail(err, IVP_FAIL_REFUSED, ret,
				"the client shows no picture: its own words say more, with -d mmap");
	if (ret)
		*err = why;
	return ret;
}

static int serve(struct ivp_meeting *meeting, struct ivp_talk *talk, struct ivp_error *err)
{
	struct ivp_error refusal = {0};
	int ret = read_hello(meeting, talk, err), sent;

	if (ret)
		return ret;
	for (int way = 0; way < IVP_WAYS && !ret; way++)
		if (meeting->area[way])
			ret = check_way(meeting, way, &refusal);
	/* One that is refused is told so, for both ways, and says it, too. */
	if (ret) {
		*err = refusal;
		memset(meeting->agreed, 0, sizeof(meeting->agreed));
	}
	sent = answer(meeting, talk, ret ? NULL : err);
	if (!ret && !sent)
		sent = prove(meeting, talk, err);
	return ret ? ret : sent;
}

static int listen_and_serve(struct ivp_meeting *meeting, struct ivp_error *err)
{
	struct ivp_talk talk = {.ends = {.in = -1, .out = -1}};
	int listener = ivp_endpoint_listen(&meeting->endpoint, err), ret;

	if (listener < 0)
		return listener;
	ivp_log_notice("%s: waiting for a client at %s", meeting->cli->verb_name, meeting->url);
	ret = accept_client(meeting, listener, &talk, err);
	close(listener);
	ivp_endpoint_forget(&meeting->endpoint);
	if (!ret)
		ret = serve(meeting, &talk, err);
	ivp_talk_end(&talk);
	return ret;
}

int ivp_cmd_xpra_serve(struct ivp_cli *cli)
{
	struct ivp_error err = {0};
	struct ivp_meeting meeting;
	int ret = ivp_meeting_begin(&meeting, cli, &err);

	if (!ret)
		ret = listen_and_serve(&meeting, &err);
	ivp_meeting_report(&meeting, "client", ret ? &err : NULL);
	ivp_meeting_end(&meeting);
	return ret ? ivp_cli_failed(cli, &err) : 0;
}
