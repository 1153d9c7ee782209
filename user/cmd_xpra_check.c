// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "area.h"
#include "error.h"
#include "meeting.h"
#include "talk.h"
#include "wait.h"

#define TIMEOUT_MS 5000

/* The second and the third connection have that much, however long the first one took. */
#define CONNECT_MS 1000

/* Other packets before the hello; there are none, or a few. */
#define PACKETS_MAX 100

static int64_t answer_deadline(const struct ivp_cli *cli)
{
	return ivp_deadline(cli->timeout_ms ? cli->timeout_ms : TIMEOUT_MS);
}

/* ---- one question, one answer ---- */

/* Words of the server's, of which some are shown. */
static int turned_away(const struct ivp_talk *talk, struct ivp_error *err)
{
	char reason[200] = "";

	if (ivp_packet_is(&talk->packet, "challenge"))
		return ivp_fail(err, IVP_FAIL_REFUSED, -EACCES,
				"the server wants a password: check with a socket without one: --bind=PATH,auth=none");
	ivp_value_text(&talk->packet.tree, ivp_packet_item(&talk->packet, 1), reason, sizeof(reason));
	return ivp_fail(err, IVP_FAIL_REFUSED, -ECONNREFUSED, "the server says: %s", reason);
}

static int await_hello(struct ivp_talk *talk, int64_t deadline, struct ivp_error *err)
{
	for (int i = 0; i < PACKETS_MAX; i++) {
		int ret = ivp_talk_next(talk, deadline, err);

		if (ret || ivp_packet_is(&talk->packet, "hello"))
			return ret;
		if (ivp_packet_is(&talk->packet, "disconnect") || ivp_packet_is(&talk->packet, "challenge"))
			return turned_away(talk, err);
	}
	return ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO, "the server sends many packets, and no hello");
}

static int dial(const struct ivp_meeting *meeting, struct ivp_talk *talk, struct ivp_error *err)
{
	int64_t deadline = meeting->cli->deadline, soon = ivp_deadline(CONNECT_MS);
	struct ivp_error own = {0};
	struct ivp_ends ends;

	if (deadline < soon)
		deadline = soon;
	if (ivp_endpoint_connect(&meeting->endpoint, &ends, deadline, &ivp_cli_signal, &own))
		return own.number == -EINTR
			       ? ivp_fail(err, own.kind, own.number, "%s", own.text)
			       : ivp_fail(err, own.kind == IVP_FAIL_PERMISSION ? own.kind : IVP_FAIL_NO_PEER,
					  own.number, "%s: does a server listen there? see: xpra list",
					  strerror(-own.number));
	ivp_talk_begin(talk, &ends, &ivp_cli_signal);
	return 0;
}

static int ask(const struct ivp_meeting *meeting, struct ivp_talk *talk, const struct ivp_writer *question,
	       struct ivp_error *err)
{
	int64_t deadline;
	int ret = dial(meeting, talk, err);

	if (ret)
		return ret;
	deadline = answer_deadline(meeting->cli);
	ret = ivp_talk_send(talk, question, deadline, err);
	if (!ret)
		ret = await_hello(talk, deadline, err);
	return ret;
}

/* ---- hello ---- */

static int try_hello(struct ivp_meeting *meeting, enum ivp_encoding encoding, struct ivp_error *err)
{
	const char *as = meeting->cli->as;
	struct ivp_writer writer = {.encoding = encoding};
	struct ivp_offer offer = {
		.version = as                                 ? as
			   : encoding == IVP_ENCODING_BENCODE ? "3.1.3"
							      : "6.3",
		.forms = as ? ivp_caps_forms(as) : IVP_FORM_ALL,
		.claim = {&meeting->claim[IVP_DOWN], meeting->area[IVP_UP] ? &meeting->claim[IVP_UP] : NULL},
	};
	struct ivp_talk talk = {.ends = {.in = -1, .out = -1}};
	int ret;

	ivp_caps_put_client(&writer, &offer);
	ret = ask(meeting, &talk, &writer, err);
	if (!ret)
		ret = ivp_caps_read(&meeting->caps, &talk.packet, true);
	if (ret == -EPROTO && !err->number)
		ivp_fail(err, IVP_FAIL_DAMAGED, ret, "the server's hello is none");
	meeting->encoding = encoding;
	/* Its token was placed before the answer, and before data that could come over it. */
	if (!ret && meeting->caps.claim[IVP_DOWN].given && meeting->caps.enabled)
		ret = ivp_meeting_verify(meeting, IVP_DOWN, "server", err);
	meeting->agreed[IVP_DOWN] = !ret && meeting->caps.claim[IVP_DOWN].given && meeting->caps.enabled;
	if (!ret && meeting->area[IVP_UP] && meeting->caps.claim[IVP_UP].given)
		ret = ivp_meeting_verify(meeting, IVP_UP, "server", err);
	meeting->agreed[IVP_UP] = !ret && meeting->area[IVP_UP] && meeting->caps.claim[IVP_UP].given;
	ivp_talk_end(&talk);
	return ret;
}

/* 6 knows rencodeplus alone; 3 says that it cannot read it, and is asked again. */
static int hello(struct ivp_meeting *meeting, struct ivp_error *err)
{
	const char *as = meeting->cli->as;
	bool old = as && ivp_caps_demand(as) == IVP_FORM_FLAT;
	struct ivp_error first = {0};
	int ret = try_hello(meeting, old ? IVP_ENCODING_BENCODE : IVP_ENCODING_RENCODEPLUS, &first);

	if (!as && (ret == -EPROTO || ret == -EPIPE)) {
		ivp_log_detail("%s: %s: asking again in bencode", meeting->cli->verb_name, first.text);
		first = (struct ivp_error){0};
		ret = try_hello(meeting, IVP_ENCODING_BENCODE, &first);
	}
	if (as && (ret == -EPROTO || ret == -EPIPE))
		return ivp_fail(err, IVP_FAIL_REFUSED, ret,
				"dialects differ: it does not read %s, which a client of version %s speaks: %s",
				ivp_encoding_name(meeting->encoding), as, first.text);
	if (ret)
		*err = first;
	return ret;
}

/* ---- why not ---- */

static int refused(struct ivp_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refused(struct ivp_error *err, const char *format, ...)
{
	char text[IVP_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return ivp_fail(err, IVP_FAIL_REFUSED, -ECONNREFUSED, "%s", text);
}

/* The server is on this machine, or a tunnel makes it seem so. */
static int compare_files(const struct ivp_meeting *meeting, const char *theirs, struct ivp_error *err)
{
	const struct ivp_region *ours = meeting->area[IVP_DOWN]->region;
	struct stat here, there;

	if (stat(theirs, &there))
		return refused(err, "the server's file %s: %s: start it with --mmap=%s", theirs, strerror(errno),
			       ours->address.path);
	if (fstat(ours->fd, &here) || here.st_dev != there.st_dev || here.st_ino != there.st_ino)
		return refused(err,
			       "the server's file %s, of %lld bytes, is other memory than %s, of %" PRIu64
			       ": start it with --mmap=%s",
			       theirs, (long long)there.st_size, ours->address.path, ours->size, ours->address.path);
	return refused(err,
		       "the server does not use %s (owner %u, group %u, mode %03o): may its user open it, and did it "
		       "start after "
		       "the file was made? its log says more with -d mmap",
		       theirs, there.st_uid, there.st_gid, there.st_mode & 07777U);
}

/* Some versions from 6.3 on take what is behind a colon of --mmap= for a second path, and a device's path in sysfs has colons. */
static bool is_cut(const char *path)
{
	return !strncmp(path, "/sys/devices/pci", 16) && !strstr(path, "/resource");
}

static void warn_of_colon(const struct ivp_meeting *meeting)
{
	const char *path = meeting->area[IVP_DOWN]->region->address.path;

	if (strchr(path, ':'))
		ivp_log_notice(
			"%s: %s: some versions from 6.3 on cut such a path at the colon: give them /dev/ivshmem0, or a "
			"link without one",
			meeting->cli->verb_name, path);
}

/* Whether it has mmap at all, and which file. */
static int explain(struct ivp_meeting *meeting, struct ivp_error *err)
{
	struct ivp_writer writer = {.encoding = meeting->encoding};
	struct ivp_talk talk = {.ends = {.in = -1, .out = -1}};
	const struct ivp_value *info = NULL, *mmap, *supported, *name;
	const struct ivp_values *tree = &talk.packet.tree;
	char path[256] = "", clean[256];
	bool off;

	ivp_caps_put_question(&writer, meeting->caps.version);
	if (!ask(meeting, &talk, &writer, NULL))
		info = ivp_packet_item(&talk.packet, 1);
	mmap = ivp_values_get(tree, info, "mmap");
	supported = mmap ? ivp_values_get(tree, mmap, "supported") : ivp_values_get(tree, info, "mmap.supported");
	name = mmap ? ivp_values_get(tree, mmap, "filename") : ivp_values_get(tree, info, "mmap.filename");
	/* Without mmap it has nothing to tell of it. */
	off = info && !ivp_value_true(supported);
	ivp_value_text(tree, name, path, sizeof(path));
	ivp_log_clean(clean, sizeof(clean), path, '?');
	ivp_talk_end(&talk);
	if (off)
		return refused(err,
			       "the server goes without mmap: start it with --mmap=PATH of this memory, as it has it");
	if (!path[0])
		return refused(
			err,
			"the server does not use %s, and names no file of its own: start it with --mmap=PATH of this "
			"memory, as it has it",
			meeting->claim[IVP_DOWN].file);
	if (is_cut(path))
		return refused(
			err,
			"the server has %s, a path that it cut at the colon: start it with --mmap=/dev/ivshmem0, or "
			"with a link without a colon",
			clean);
	if (meeting->endpoint.kind == IVP_ENDPOINT_UNIX)
		return compare_files(meeting, path, err);
	return refused(err,
		       "the server did not find our token in its %s, which has to be the same memory as %s, of %" PRIu64
		       " bytes, and open to its user; its log says more with -d mmap",
		       clean, meeting->claim[IVP_DOWN].file, meeting->claim[IVP_DOWN].size);
}

/* What a client of that version would make of the answer. */
static int judge(struct ivp_meeting *meeting, struct ivp_error *err)
{
	const struct ivp_caps *caps = &meeting->caps;
	const char *as = meeting->cli->as;
	char clean[sizeof(caps->version)];

	ivp_log_clean(clean, sizeof(clean), caps->version, '?');
	if (as && !ivp_caps_agree(as, caps->version))
		return refused(
			err,
			"dialects differ: a client of version %s and this server, of version %s, do not agree on mmap: "
			"clients of %s do",
			as, clean, ivp_caps_clients(caps->version));
	if (!caps->enabled)
		return explain(meeting, err);
	if (!caps->claim[IVP_DOWN].given)
		return refused(err,
			       "the server says that mmap is on, and proves nothing: it names no token of its own");
	if (as && !(caps->enabled & ivp_caps_demand(as)))
		return refused(err,
			       "dialects differ: this server thinks that mmap is on, and a client of version %s that "
			       "it is off",
			       as);
	if (meeting->area[IVP_UP] && !meeting->agreed[IVP_UP])
		return refused(err, "the server has no memory for what comes from the client, or another: start it, "
				    "from 6.3 on, with "
				    "--mmap=PATH,PATH, of which the second is that of --back");
	return 0;
}

static int meet(struct ivp_meeting *meeting, struct ivp_error *err)
{
	int ret = 0;

	for (int way = 0; way < IVP_WAYS && !ret; way++)
		if (meeting->area[way])
			ret = ivp_meeting_place(meeting, way, err);
	if (!ret)
		ret = hello(meeting, err);
	return ret ? ret : judge(meeting, err);
}

int ivp_cmd_xpra_check(struct ivp_cli *cli)
{
	struct ivp_error err = {0}, cause = {0};
	struct ivp_meeting meeting;
	int ret = ivp_meeting_begin(&meeting, cli, &err);

	if (!ret) {
		warn_of_colon(&meeting);
		ret = meet(&meeting, &cause);
		if (ret)
			ivp_fail(&err, cause.kind, ret, "%s: %s", meeting.url, cause.text);
	}
	meeting.proof = "each side found the other's token";
	ivp_meeting_report(&meeting, "server", ret ? &err : NULL);
	if (!ret && !cli->json)
		printf("clients    of Xpra %s agree with such a server on mmap\n",
		       ivp_caps_clients(meeting.caps.version));
	ivp_meeting_end(&meeting);
	return ret ? ivp_cli_failed(cli, &err) : 0;
}
