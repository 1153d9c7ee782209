// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ask.h"
#include "endpoint.h"
#include "error.h"
#include "packet_fd.h"
#include "region.h"
#include "sandbox.h"
#include "worker.h"

static void receive_error(struct ivp_error *err, const struct ivp_error *from)
{
	if (err)
		*err = *from;
}

/* The monitor is dead, and the kernel's signal on its way to us. The peer is told nothing, as of any death: it was no failure to write. */
static void die_with_monitor(void) __attribute__((noreturn));

static void die_with_monitor(void)
{
	_exit(IVP_FAIL_GENERAL);
}

/* With the answer perhaps a descriptor; *fd is -1 without. */
static void ask(const struct ivp_cli *cli, const struct ivp_ask *question, struct ivp_ask_answer *answer, int *fd)
{
	ssize_t sent;

	do
		sent = send(cli->monitor, question, sizeof(*question), MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent != sizeof(*question) || ivp_packet_fd_receive(cli->monitor, answer, sizeof(*answer), fd))
		die_with_monitor();
}

int ivp_worker_open_output(struct ivp_cli *cli, struct ivp_output *output, const char *sender, struct ivp_error *err)
{
	struct ivp_ask question = {.what = IVP_ASK_OPEN};
	struct ivp_ask_answer answer;
	int fd;

	if (cli->monitor < 0)
		return ivp_output_open(output, cli->output, sender, cli->force, err);
	*output = (struct ivp_output){.fd = -1};
	strncpy(question.sender, sender, sizeof(question.sender) - 1);
	ask(cli, &question, &answer, &fd);
	receive_error(err, &answer.err);
	if (answer.ret)
		return answer.ret;
	output->standard = answer.standard;
	output->fresh = answer.fresh;
	output->name = answer.standard ? "standard output" : cli->output;
	output->fd = answer.standard ? STDOUT_FILENO : fd;
	return output->fd < 0 ? ivp_fail(err, IVP_FAIL_GENERAL, -EMFILE, "%s: no descriptor for it", output->name) : 0;
}

int ivp_worker_commit_output(struct ivp_cli *cli, struct ivp_output *output, struct ivp_error *err)
{
	struct ivp_ask question = {.what = IVP_ASK_COMMIT};
	struct ivp_ask_answer answer;
	int fd, ret;

	/* The file's last error is told to whoever wrote it; what it becomes is the monitor's part. */
	ret = ivp_output_commit(output, err);
	if (ret || cli->monitor < 0)
		return ret;
	ask(cli, &question, &answer, &fd);
	receive_error(err, &answer.err);
	return answer.ret;
}

void ivp_worker_close_output(struct ivp_cli *cli, struct ivp_output *output)
{
	struct ivp_ask question = {.what = IVP_ASK_CLOSE};
	struct ivp_ask_answer answer;
	int fd;

	ivp_output_close(output);
	if (cli->monitor >= 0)
		ask(cli, &question, &answer, &fd);
}

void ivp_worker_let_go(struct ivp_cli *cli)
{
	struct ivp_ask question = {.what = IVP_ASK_LET_GO};
	struct ivp_ask_answer answer;
	int fd;

	if (cli->monitor >= 0)
		ask(cli, &question, &answer, &fd);
}

static int check_enclosure(const struct ivp_cli *cli, int ret, const char *what, struct ivp_error *err)
{
	if (ret == -EOPNOTSUPP) {
		ivp_log_detail("%s: no sandbox for %s: this system has none", cli->verb_name, what);
		return 0;
	}
	return ret ? ivp_fail(err, IVP_FAIL_GENERAL, ret, "no sandbox for %s: %s: --no-sandbox goes without", what,
			      strerror(-ret))
		   : 0;
}

/* A listener makes its socket, and a port may be opened again, in the place it was named by; that may not be there yet. */
static int enclose_files(const struct ivp_cli *cli)
{
	struct ivp_sandbox_files files = {0};
	struct ivp_endpoint endpoint = {0};
	char *directory = NULL;
	int ret;

	if (cli->control && !ivp_endpoint_parse(&endpoint, cli->control, NULL) &&
	    (endpoint.kind == IVP_ENDPOINT_UNIX || endpoint.kind == IVP_ENDPOINT_SERIAL)) {
		directory = ivp_output_directory(endpoint.rest);
		if (!directory)
			return -ENOMEM;
		/* One that is not there is the listener's error to tell. */
		if (endpoint.kind == IVP_ENDPOINT_UNIX)
			files.sockets = access(directory, F_OK) ? NULL : directory;
		else
			files.port = access(endpoint.rest, F_OK) ? directory : endpoint.rest;
	}
	ret = ivp_sandbox_files(&files);
	free(directory);
	return ret;
}

/* files: what became of those. */
static int enclose(struct ivp_cli *cli, int files, enum ivp_sandbox_calls calls, struct ivp_error *err)
{
	int ret = check_enclosure(cli, files, "files", err);

	if (!ret)
		ret = check_enclosure(cli, ivp_sandbox_calls(calls), "system calls", err);
	cli->enclosed = !ret;
	return ret;
}

int ivp_worker_enclose(struct ivp_cli *cli, struct ivp_error *err)
{
	if (cli->no_sandbox)
		return 0;
	return enclose(cli, enclose_files(cli), cli->control ? IVP_SANDBOX_MEET : IVP_SANDBOX_STREAM, err);
}

int ivp_worker_enclose_more(struct ivp_cli *cli, struct ivp_error *err)
{
	if (!cli->enclosed || !cli->control)
		return 0;
	return check_enclosure(cli, ivp_sandbox_calls(IVP_SANDBOX_STREAM), "system calls", err);
}

int ivp_worker_enclose_forward(struct ivp_cli *cli, const struct ivp_region *region, struct ivp_error *err)
{
	const struct ivp_sandbox_files files = {.port = region->address.lock};

	if (cli->no_sandbox)
		return 0;
	return enclose(cli, ivp_sandbox_files(&files), IVP_SANDBOX_FORWARD, err);
}

void ivp_worker_again(const struct ivp_cli *cli)
{
	if (cli->enclosed)
		_exit(IVP_ASK_AGAIN);
}
