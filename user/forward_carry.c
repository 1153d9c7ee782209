// SPDX-License-Identifier: MIT
/* forward_carry: one connection: the socket's bytes into the lane, the lane's into the socket, a thread for each way. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"
#include "forward.h"
#include "pump.h"

struct half {
	struct pump pump;
	struct ivp_error err;
	int ret;
	_Atomic(int) *failed;      /* of both halves */
	_Atomic(bool) shut;        /* this one came to its end, and said so to the socket */
	const struct half *writes; /* the other one, of that which reads the socket */
};

/* A reset is told once, and if the half that writes is told, this one sees an end. A connection that is over, though we have not ended
 * our part of it, was reset. */
static bool was_reset(struct pump *pump)
{
	const struct half *half = (const struct half *)((char *)pump - offsetof(struct half, pump));
	struct tcp_info info;
	socklen_t len = sizeof(info);

	return !atomic_load(&half->writes->shut) && !getsockopt(pump->fd, IPPROTO_TCP, TCP_INFO, &info, &len) &&
	       info.tcpi_state == TCP_CLOSE;
}

static void note_end(struct half *half)
{
	/* A way that nobody wants the rest of leaves the other alone. */
	if (half->ret && !half->pump.closed)
		atomic_store(half->failed, 1);
}

static void *bring(void *arg)
{
	struct half *half = arg;

	half->ret = ivp_pump_recv(&half->pump, &half->err);
	if (!half->ret) {
		/* Whoever reads the socket sees the end, though it may go on writing. */
		atomic_store(&half->shut, true);
		shutdown(half->pump.fd, SHUT_WR);
		ivp_lane_verdict(half->pump.lane, IVP_VERDICT_OK);
	}
	note_end(half);
	return NULL;
}

static void take(struct half *half)
{
	half->ret = ivp_pump_send(&half->pump, &half->err);
	if (half->pump.closed)
		shutdown(half->pump.fd, SHUT_RD);
	note_end(half);
}

/* An end that is no end of the data must not look like one: as long as it is not known to be whole, also when this process is
 * killed, closing a socket resets it. */
static void close_resets(int fd, bool resets)
{
	const struct linger linger = {.l_onoff = resets};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* Which of two failures is the cause: the other one was told to stop. */
static int outcome(const struct half *in, const struct half *out, struct ivp_error *err)
{
	const struct half *first = out->ret && !out->pump.closed && out->ret != -ECANCELED ? out : in;

	if (!atomic_load(in->failed))
		return 0;
	*err = first->err;
	return first->ret;
}

int ivp_forward_carry(const struct ivp_cli *cli, struct ivp_lane *lane, int fd, struct ivp_error *err)
{
	_Atomic(int) failed = 0;
	struct half in = {.pump = {.lane = lane,
				   .fd = fd,
				   .digest = !cli->no_checksum,
				   .name = "socket",
				   .cancel = &ivp_cli_signal,
				   .other = &failed},
			  .failed = &failed};
	struct half out = {.pump = in.pump, .failed = &failed, .writes = &in};
	pthread_t thread;
	int ret;

	out.pump.broken = was_reset;
	close_resets(fd, true);
	ret = -pthread_create(&thread, NULL, bring, &in);
	if (ret) {
		ivp_lane_abort(lane, IVP_VERDICT_WRITE);
		close(fd);
		return ivp_fail(err, IVP_FAIL_GENERAL, ret, "no thread: %s", strerror(-ret));
	}
	take(&out);
	pthread_join(thread, NULL);
	ret = outcome(&in, &out, err);
	if (!in.ret && !out.ret)
		close_resets(fd, false);
	close(fd);
	return ret;
}
