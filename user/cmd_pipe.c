// SPDX-License-Identifier: MIT
/* pipe: both ways at once, a thread for each. Standard input goes to the peer, what comes from it to standard output. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "error.h"
#include "pump.h"
#include "worker.h"

/* How often a thread is told to look up from a write that blocks. */
#define NUDGE_MS 200

struct half {
	struct pump pump;
	struct ivp_error err;
	int ret;
	pthread_t thread;
};

/* Of both halves: who fails first says why, and ends the other. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	_Atomic(int) failed;
	const struct half *first; /* to fail */
	bool received;            /* nothing more comes */
	int nowhere;              /* what standard output becomes then: opened while that is allowed */
} both = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

/* A direction that nobody wants the rest of leaves the other alone, as with a socket. */
static void note_end(struct half *half)
{
	pthread_mutex_lock(&both.lock);
	if (half->ret && !half->pump.closed) {
		if (!both.first)
			both.first = half;
		atomic_store(&both.failed, 1);
	}
	pthread_mutex_unlock(&both.lock);
}

/* "Received" is said when the output has taken everything, which some tell only when they are closed. */
static int end_output(struct half *half)
{
	int fd = dup(STDOUT_FILENO);

	if (fd < 0 || close(fd))
		return ivp_fail(&half->err, IVP_FAIL_GENERAL, -errno, "standard output: %s", strerror(errno));
	/* Whoever reads it sees the end now, though we may go on sending. */
	dup2(both.nowhere, STDOUT_FILENO);
	ivp_lane_verdict(half->pump.lane, IVP_VERDICT_OK);
	return 0;
}

static void *receive(void *arg)
{
	struct half *half = arg;

	half->ret = ivp_pump_recv(&half->pump, &half->err);
	if (!half->ret) {
		half->ret = end_output(half);
		if (half->ret)
			ivp_lane_abort(half->pump.lane, IVP_VERDICT_WRITE);
	}
	note_end(half);
	pthread_mutex_lock(&both.lock);
	both.received = true;
	pthread_cond_signal(&both.ended);
	pthread_mutex_unlock(&both.lock);
	return NULL;
}

static void nothing(int number)
{
	(void)number;
}

/* A write to somebody who does not read ends by a signal alone, and one that came just before it is no help: so again and again. */
static void await_receiver(struct half *half)
{
	pthread_mutex_lock(&both.lock);
	while (!both.received) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += NUDGE_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&both.ended, &both.lock, &until);
		if (!both.received && (atomic_load(&both.failed) || ivp_cli_signal))
			pthread_kill(half->thread, SIGURG);
	}
	pthread_mutex_unlock(&both.lock);
	pthread_join(half->thread, NULL);
}

static struct half half_of(const struct ivp_cli *cli, struct ivp_lane *lane, int fd)
{
	return (struct half){.pump = {
				     .lane = lane,
				     .fd = fd,
				     .digest = !cli->no_checksum,
				     .name = fd == STDIN_FILENO ? "standard input" : "standard output",
				     .cancel = &ivp_cli_signal,
				     .other = &both.failed,
				     .progress = ivp_progress_update,
			     }};
}

static int run(const struct ivp_cli *cli, struct ivp_lane *lane, struct ivp_error *err)
{
	struct half in = half_of(cli, lane, STDOUT_FILENO), out = half_of(cli, lane, STDIN_FILENO);
	struct sigaction nudge = {.sa_handler = nothing};
	int ret;

	in.pump.progress_arg = IVP_PROGRESS_OTHER;
	out.pump.rate.per_second = cli->rate;
	sigaction(SIGURG, &nudge, NULL);
	ivp_progress_stream(-1);
	ret = -pthread_create(&in.thread, NULL, receive, &in);
	if (ret)
		return ivp_fail(err, IVP_FAIL_GENERAL, ret, "no thread: %s", strerror(-ret));
	out.ret = ivp_pump_send(&out.pump, &out.err);
	note_end(&out);
	/* Nobody reads it: whoever writes it is to know. */
	if (out.pump.closed)
		close(STDIN_FILENO);
	await_receiver(&in);
	ivp_progress_end();
	if (both.first) {
		*err = both.first->err;
		return both.first->ret;
	}
	if (in.pump.closed || out.pump.closed) {
		ivp_lane_close(lane);
		ivp_progress_stop();
		ivp_cli_broken_pipe();
	}
	return 0;
}

static int meet(const struct ivp_cli *cli, struct ivp_region *region, struct ivp_lane **lane, struct ivp_error *err)
{
	struct ivp_lane_options options;
	struct ivp_listener *listener;
	int ret;

	ivp_cli_lane_options(cli, &options);
	if (!cli->listen)
		return ivp_connect(lane, region, &options, err);
	ret = ivp_listen(&listener, region, &options, err);
	if (ret)
		return ret;
	ivp_log_detail("%s: listening for %s", cli->verb_name, cli->service ? cli->service : "default");
	ret = ivp_accept(lane, listener, err);
	/* One peer: others look for somebody else. */
	ivp_listener_close(listener);
	return ret;
}

/* 1: the region went away before anybody was found in it. */
static int pipe_once(struct ivp_cli *cli, struct ivp_error *err)
{
	struct ivp_region *region;
	struct ivp_lane *lane;
	int ret = ivp_cli_open(cli, 0, &region, err);

	if (ret)
		return ret;
	ivp_progress_wait("a peer");
	ret = ivp_worker_enclose(cli, err);
	if (!ret)
		ret = meet(cli, region, &lane, err);
	if (!ret) {
		ivp_log_detail("%s: connected, lane %u, peer %s", cli->verb_name, ivp_lane_index(lane),
			       ivp_lane_peer_local(lane) ? "on this machine" : "on another machine");
		ret = ivp_worker_enclose_more(cli, err);
		if (!ret) {
			ivp_worker_let_go(cli);
			ret = run(cli, lane, err);
		}
		ivp_lane_close(lane);
	} else if (ivp_cli_again(cli, err)) {
		ret = 1;
	}
	ivp_region_close(region);
	if (ret > 0)
		ivp_worker_again(cli);
	return ret;
}

int ivp_cmd_pipe(struct ivp_cli *cli)
{
	struct ivp_error err = {0};
	int ret;

	both.nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (both.nowhere < 0) {
		ivp_fail_path(&err, -errno, "/dev/null", NULL);
		return ivp_cli_failed(cli, &err);
	}
	if (cli->progress < 0)
		cli->progress = 0; /* what comes is mostly read by somebody at this terminal */
	ivp_progress_start(cli);
	do
		ret = pipe_once(cli, &err);
	while (ret > 0);
	ivp_progress_stop();
	return ret ? ivp_cli_failed(cli, &err) : 0;
}
