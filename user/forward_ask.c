// SPDX-License-Identifier: MIT
/* forward_ask: beginning, questions and end of what the threads with the region do. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "forward_lanes.h"

struct ivp_lanes ivp_lanes = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

/* A question to the process with the sockets. */
struct question {
	struct question *next;
	uint32_t id;
	int number, fd;
	bool answered;
};

/* Under the lock. */
static struct question *questions;
static uint32_t next_id;

void ivp_lanes_reset(int fd)
{
	struct linger linger = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

void ivp_lanes_stop(int ret, const struct ivp_error *err)
{
	pthread_mutex_lock(&ivp_lanes.lock);
	if (!ivp_lanes.stop) {
		ivp_lanes.ret = ret;
		ivp_lanes.err = *err;
	}
	ivp_lanes.stop = true;
	pthread_cond_broadcast(&ivp_lanes.change);
	pthread_mutex_unlock(&ivp_lanes.lock);
}

bool ivp_lanes_stopping(void)
{
	bool stop;

	pthread_mutex_lock(&ivp_lanes.lock);
	stop = ivp_lanes.stop || ivp_cli_signal;
	pthread_mutex_unlock(&ivp_lanes.lock);
	return stop;
}

void ivp_lanes_await(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += IVP_LANES_LOOK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&ivp_lanes.change, &ivp_lanes.lock, &until);
}

/* Of one connection; the others go on. What ends every day is told only to who wants to know. */
void ivp_lanes_failed(const char *what, const struct ivp_error *err)
{
	if (err->number == -ECONNRESET || err->number == -EPIPE || ivp_cli_signal)
		ivp_log_detail("%s: %s: %s", ivp_lanes.forward->cli->verb_name, what, err->text);
	else
		ivp_log_error("%s: %s: %s", ivp_lanes.forward->cli->verb_name, what, err->text);
}

static void forget(struct question *question)
{
	struct question **link = &questions;

	while (*link != question)
		link = &(*link)->next;
	*link = question->next;
}

/* 0 or more, or a negative errno; *fd of a target. */
int ivp_lanes_ask(enum ivp_forward_what what, const char *address, int *fd)
{
	struct ivp_forward_message message = {.what = (int)what};
	struct question question = {.fd = -1, .number = -ECANCELED};

	strncpy(message.address, address, sizeof(message.address) - 1);
	pthread_mutex_lock(&ivp_lanes.lock);
	/* No answer to whoever had the region before us is one to us. */
	message.id = question.id = ((uint32_t)getpid() << 12) + next_id++;
	question.next = questions;
	questions = &question;
	if (ivp_forward_say(ivp_lanes.forward->socket, &message, -1))
		question.answered = true;
	while (!question.answered && !ivp_lanes.stop && !ivp_cli_signal)
		ivp_lanes_await();
	forget(&question);
	pthread_mutex_unlock(&ivp_lanes.lock);
	*fd = question.fd;
	return question.number;
}

void ivp_lanes_answer(const struct ivp_forward_message *message, int fd)
{
	struct question *question;

	pthread_mutex_lock(&ivp_lanes.lock);
	for (question = questions; question && question->id != message->id;)
		question = question->next;
	if (question) {
		question->number = message->number;
		question->fd = fd;
		question->answered = true;
		pthread_cond_broadcast(&ivp_lanes.change);
	}
	pthread_mutex_unlock(&ivp_lanes.lock);
	if (!question && fd >= 0)
		close(fd);
}
