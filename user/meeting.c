// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "area.h"
#include "error.h"
#include "json.h"
#include "meeting.h"
#include "worker.h"

static const char *const ways[] = {"server to client", "client to server"};

/* ---- memory ---- */

const char *ivp_meeting_size_problem(uint64_t size)
{
	if (size < IVP_XPRA_SMALLEST)
		return "Xpra takes 64 MiB at least, and its client deletes what is smaller: give QEMU's device "
		       "size=64M or more";
	if (size > IVP_XPRA_LARGEST)
		return "Xpra takes less than 4 GiB, and its client deletes what is larger: give QEMU's device size=2G "
		       "or less";
	return NULL;
}

static const char *path_of(const struct ivp_xpra_area *area)
{
	return area->region->address.path;
}

int ivp_meeting_open(const struct ivp_cli *cli, const char *address, unsigned int flags, struct ivp_xpra_area **area,
		     struct ivp_error *err)
{
	flags |= IVP_XPRA_SIGBUS | (cli->force ? IVP_XPRA_FORCE : 0);
	return ivp_xpra_open(area, address ? address : "auto", flags, 0, 0, err);
}

static int check_pointers(const struct ivp_xpra_area *area, struct ivp_error *err)
{
	struct ivp_xpra_status status;
	int ret = ivp_xpra_look(area, &status, err);

	if (ret)
		return ret;
	if (!status.sane)
		return ivp_fail(err, IVP_FAIL_NO_REGION, -EUCLEAN,
				"%s: its pointers, %u and %u, lie outside of it: ivpipe xpra prepare -r %s",
				path_of(area), status.start, status.end, path_of(area));
	if (status.used)
		return ivp_fail(err, IVP_FAIL_NO_REGION, -EUCLEAN,
				"%s: %" PRIu64 " bytes were never read: a session uses it, or one that crashed left it "
				"so, and windows stay blank: ivpipe xpra prepare -r %s",
				path_of(area), status.used, path_of(area));
	return 0;
}

static int open_way(struct ivp_meeting *meeting, int way, const char *address, struct ivp_error *err)
{
	int ret = ivp_meeting_open(meeting->cli, address, 0, &meeting->area[way], err);
	const char *problem;

	if (ret)
		return ret;
	problem = ivp_meeting_size_problem(ivp_xpra_size(meeting->area[way]));
	if (problem)
		return ivp_fail(err, IVP_FAIL_NO_REGION, -EMSGSIZE, "%s: %" PRIu64 " bytes: %s",
				path_of(meeting->area[way]), ivp_xpra_size(meeting->area[way]), problem);
	if (strchr(path_of(meeting->area[way]), ':'))
		ivp_log_notice("%s: %s: Xpra may take the colon for the end of the path: use /dev/ivshmemN (modprobe "
			       "ivshmem), or a symbolic link",
			       meeting->cli->verb_name, path_of(meeting->area[way]));
	return check_pointers(meeting->area[way], err);
}

static int same_memory(const struct ivp_meeting *meeting, struct ivp_error *err)
{
	if (strcmp(path_of(meeting->area[IVP_DOWN]), path_of(meeting->area[IVP_UP])))
		return 0;
	return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "--back %s: each way needs memory of its own",
			path_of(meeting->area[IVP_UP]));
}

/* ---- beginning and end ---- */

/* As Xpra has it, with two slashes and one at the end, and unix: by another name; names are looked up while that is possible. */
static int parse_url(struct ivp_meeting *meeting, const char *url, struct ivp_error *err)
{
	static const char wanted[] = "give unix:PATH, tcp:HOST:PORT or vsock:CID:PORT";
	char numeric[IVP_ENDPOINT_NUMERIC_MAX];
	const char *colon = url ? strchr(url, ':') : NULL;
	int ret, slashes, scheme;

	if (!colon)
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "%s%s%s", url ? url : "which one? ", url ? ": " : "",
				wanted);
	slashes = !strncmp(colon, "://", 3) ? 2 : 0;
	scheme = (int)(colon - url);
	snprintf(meeting->url, sizeof(meeting->url), "%.*s:%s", !strncmp(url, "socket:", 7) ? 4 : scheme,
		 !strncmp(url, "socket:", 7) ? "unix" : url, colon + 1 + slashes);
	if (slashes && meeting->url[strlen(meeting->url) - 1] == '/')
		meeting->url[strlen(meeting->url) - 1] = '\0';
	if (ivp_endpoint_parse(&meeting->endpoint, meeting->url, NULL) ||
	    (meeting->endpoint.kind != IVP_ENDPOINT_UNIX && meeting->endpoint.kind != IVP_ENDPOINT_TCP &&
	     meeting->endpoint.kind != IVP_ENDPOINT_VSOCK))
		return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "%s: %s", url, wanted);
	ret = ivp_endpoint_resolve(&meeting->endpoint, numeric, err);
	if (ret || !numeric[0])
		return ret;
	memcpy(meeting->url, numeric, sizeof(numeric));
	return ivp_endpoint_parse(&meeting->endpoint, meeting->url, err);
}

int ivp_meeting_begin(struct ivp_meeting *meeting, struct ivp_cli *cli, struct ivp_error *err)
{
	int ret;

	*meeting = (struct ivp_meeting){.cli = cli};
	ret = parse_url(meeting, cli->argument, err);
	if (!ret)
		ret = open_way(meeting, IVP_DOWN, cli->region, err);
	if (!ret && cli->back)
		ret = open_way(meeting, IVP_UP, cli->back, err);
	if (!ret && cli->back)
		ret = same_memory(meeting, err);
	if (ret)
		return ret;
	cli->control = meeting->url;
	return ivp_worker_enclose(cli, err);
}

void ivp_meeting_end(struct ivp_meeting *meeting)
{
	for (int way = 0; way < IVP_WAYS; way++)
		ivp_xpra_close(meeting->area[way]);
}

/* ---- tokens ---- */

int ivp_meeting_place(struct ivp_meeting *meeting, int way, struct ivp_error *err)
{
	struct ivp_claim *claim = &meeting->claim[way];
	int ret = ivp_xpra_token_make(meeting->area[way], &claim->token, err);

	if (ret)
		return ret;
	claim->given = true;
	claim->size = ivp_xpra_size(meeting->area[way]);
	snprintf(claim->file, sizeof(claim->file), "%s", path_of(meeting->area[way]));
	return ivp_xpra_token_place(meeting->area[way], &claim->token, err);
}

int ivp_meeting_verify(const struct ivp_meeting *meeting, int way, const char *who, struct ivp_error *err)
{
	const struct ivp_claim *theirs = &meeting->caps.claim[way];
	const char *path = path_of(meeting->area[way]);
	uint64_t size = ivp_xpra_size(meeting->area[way]);
	struct ivp_error own;
	int ret;

	if (theirs->size && theirs->size != size)
		return ivp_fail(err, IVP_FAIL_REFUSED, -EMSGSIZE,
				"the %s has %" PRIu64 " bytes of memory, and %s has %" PRIu64
				": that is not the same: start it with --mmap=PATH of the one that is",
				who, theirs->size, path, size);
	ret = ivp_xpra_token_verify(meeting->area[way], &theirs->token, &own);
	if (!ret)
		return 0;
	if (own.number == -ESTALE || own.number == -ERANGE)
		return ivp_fail(err, own.kind, ret, "%s", own.text);
	return ivp_fail(
		err, IVP_FAIL_REFUSED, ret,
		"the %s has other memory than %s, for its token is not there: start it with --mmap=PATH of the same "
		"device or file, and again if that was made anew",
		who, path);
}

/* ---- telling ---- */

static void report_json(const struct ivp_meeting *meeting, const char *peer, const struct ivp_error *problem)
{
	struct ivp_json json = {.out = stdout};

	ivp_json_object(&json, NULL);
	ivp_json_bool(&json, "agreed", !problem);
	if (problem) {
		ivp_json_number(&json, "code", problem->kind);
		ivp_json_string(&json, "problem", problem->text);
	}
	if (!problem)
		ivp_json_string(&json, "proven", meeting->proof);
	ivp_json_object(&json, peer);
	ivp_json_string(&json, "url", meeting->url);
	ivp_json_string(&json, "version", meeting->caps.version);
	ivp_json_string(&json, "encoding", meeting->caps.version[0] ? ivp_encoding_name(meeting->encoding) : "");
	ivp_json_end(&json);
	ivp_json_list(&json, "areas");
	for (int way = 0; way < IVP_WAYS; way++) {
		if (!meeting->area[way])
			continue;
		ivp_json_object(&json, NULL);
		ivp_json_string(&json, "way", ways[way]);
		ivp_json_string(&json, "path", path_of(meeting->area[way]));
		ivp_json_number(&json, "size", ivp_xpra_size(meeting->area[way]));
		ivp_json_bool(&json, "agreed", meeting->agreed[way]);
		ivp_json_end(&json);
	}
	ivp_json_end(&json);
	ivp_json_end(&json);
}

void ivp_meeting_report(const struct ivp_meeting *meeting, const char *peer, const struct ivp_error *problem)
{
	char version[32], path[256], size[IVP_SIZE_TEXT];

	if (meeting->cli->json)
		report_json(meeting, peer, problem);
	if (meeting->cli->json || problem)
		return;
	ivp_log_clean(version, sizeof(version), meeting->caps.version, '?');
	printf("%-10s Xpra %s, by %s\n", peer, version, ivp_encoding_name(meeting->encoding));
	for (int way = 0; way < IVP_WAYS; way++) {
		if (!meeting->agreed[way])
			continue;
		ivp_log_clean(path, sizeof(path), path_of(meeting->area[way]), '?');
		printf("agreed     %s: %s, %s\n", ways[way], path,
		       ivp_options_size_text(size, ivp_xpra_size(meeting->area[way])));
	}
	printf("proven     %s\n", meeting->proof);
}
