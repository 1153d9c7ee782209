// SPDX-License-Identifier: MIT
/* A pair of ends, each a thread with a mapping of its own: makes streams, and says how they ended. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "content.h"
#include "fire.h"
#include "ivpipe.h"

#define PIECE 16384

struct pair {
	const struct fire *fire;
	unsigned int number;
	struct tally *tally;
	uint8_t *superblock;
	struct order order;
	pthread_barrier_t together;
	enum ending received, sent;
};

/* Often a few bytes, sometimes several rings full. */
static uint64_t length(const struct fire *fire, uint64_t stream)
{
	uint64_t word = content_mix(fire->seed ^ content_mix(stream));
	static const uint64_t limits[] = {1, 64, 4096, 65536, 65536, 300000};

	return (word >> 8) % limits[word % 6];
}

static enum ending ending_of(int ret, const struct ivp_error *err)
{
	if (ret >= 0)
		return RIGHT;
	if (ret == -EPROTO)
		return PROTOCOL;
	if (ret == -ESTALE || err->kind == IVP_FAIL_NO_REGION)
		return REGION;
	switch (err->kind) {
	case IVP_FAIL_NO_PEER:
		return TIMEOUT;
	case IVP_FAIL_REFUSED:
		return REFUSED;
	case IVP_FAIL_DAMAGED:
		return DAMAGED;
	case IVP_FAIL_PEER_GONE:
		return GONE;
	default:
		return OTHER;
	}
}

/* Each eighth sender is on another machine, as far as can be told: judged by its beat, woken by nobody. */
static int open_region(const struct pair *pair, bool sends, struct ivp_region **region, struct ivp_error *err)
{
	bool remote = sends && pair->order.first % 8 == 0;
	struct ivp_open_options options = {.side = remote ? 2 : sends, .flags = IVP_OPEN_SIGBUS, .wait_ms = 100};

	return ivp_region_open(region, remote ? pair->fire->device : pair->fire->region, &options, err);
}

static struct ivp_lane_options lane_options(const struct pair *pair, char *service)
{
	snprintf(service, IVP_SERVICE_MAX, "pair-%u", pair->number);
	return (struct ivp_lane_options){
		.service = service,
		.size = -1,
		.wait_ms = 2 * pair->fire->patience_ms, /* a listener elsewhere must be seen to beat */
		.timeout_ms = pair->fire->patience_ms,
		.peer_timeout_ms = pair->fire->patience_ms,
	};
}

static int send_all(struct ivp_lane *lane, const struct pair *pair, uint64_t stream, struct ivp_error *err)
{
	uint64_t total = length(pair->fire, stream), sent = 0;
	int64_t patience = pair->fire->patience_ms;
	uint8_t bytes[PIECE];
	int ret;

	while (sent < total) {
		size_t len = total - sent < PIECE ? total - sent : PIECE;
		ptrdiff_t put;

		content_fill(stream, sent, bytes, len);
		put = ivp_lane_write_all(lane, bytes, len, patience, err);
		if (put < 0)
			return (int)put;
		if ((size_t)put < len)
			return -ETIMEDOUT;
		sent += len;
	}
	while ((ret = ivp_lane_end(lane, err)) == -EAGAIN) {
		ret = ivp_lane_wait(lane, IVP_WAIT_ROOM, patience, err);
		if (ret)
			return ret;
	}
	return ret ? ret : ivp_lane_confirm(lane, patience, err);
}

/* 0 at an end that was said to be good; *wrong: it was not. */
static int receive_all(struct ivp_lane *lane, const struct pair *pair, uint64_t stream, bool *wrong,
		       struct ivp_error *err)
{
	uint64_t total = length(pair->fire, stream), received = 0;
	uint8_t bytes[PIECE], wanted[PIECE + 8];
	ptrdiff_t got;

	while ((got = ivp_lane_read_some(lane, bytes, sizeof(bytes), pair->fire->patience_ms, err)) > 0) {
		content_fill(stream, received & ~7ULL, wanted, (size_t)got + (received & 7));
		if (memcmp(bytes, wanted + (received & 7), (size_t)got))
			*wrong = true;
		received += (uint64_t)got;
	}
	if (received != total)
		*wrong = true;
	return (int)got;
}

static enum ending send_stream(const struct pair *pair, uint64_t stream)
{
	char service[IVP_SERVICE_MAX];
	struct ivp_lane_options options = lane_options(pair, service);
	struct ivp_region *region = NULL;
	struct ivp_lane *lane = NULL;
	struct ivp_error err = {0};
	int ret = open_region(pair, true, &region, &err);

	if (!ret)
		ret = ivp_connect(&lane, region, &options, &err);
	if (!ret)
		ret = send_all(lane, pair, stream, &err);
	if (ret && lane)
		ivp_lane_abort(lane, IVP_VERDICT_BROKEN);
	ivp_lane_close(lane);
	ivp_region_close(region);
	return ending_of(ret, &err);
}

static enum ending receive_stream(const struct pair *pair, uint64_t stream)
{
	char service[IVP_SERVICE_MAX];
	struct ivp_lane_options options = lane_options(pair, service);
	struct ivp_listener *listener = NULL;
	struct ivp_region *region = NULL;
	struct ivp_lane *lane = NULL;
	struct ivp_error err = {0};
	bool wrong = false;
	int ret = open_region(pair, false, &region, &err);

	if (!ret)
		ret = ivp_listen(&listener, region, &options, &err);
	if (!ret)
		ret = ivp_accept(&lane, listener, &err);
	if (!ret)
		ret = receive_all(lane, pair, stream, &wrong, &err);
	if (lane && ret)
		ivp_lane_abort(lane, ret == -EBADMSG ? IVP_VERDICT_DAMAGED : IVP_VERDICT_BROKEN);
	else if (lane)
		ivp_lane_verdict(lane, IVP_VERDICT_OK);
	ivp_lane_close(lane);
	ivp_listener_close(listener);
	ivp_region_close(region);
	return !ret && wrong ? WRONG : ending_of(ret, &err);
}

static void *sender(void *arg)
{
	struct pair *pair = arg;

	for (;;) {
		pthread_barrier_wait(&pair->together);
		if (!pair->order.count)
			return NULL;
		pair->sent = send_stream(pair, pair->order.first);
		pthread_barrier_wait(&pair->together);
	}
}

static long anonymous_kib(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	long kib = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "RssAnon: %ld", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib;
}

static void one_stream(struct pair *pair)
{
	struct tally *tally = pair->tally;

	/* As its owner would, who is not lied to about what he wrote. */
	memcpy(pair->superblock, pair->fire->superblock, FIRE_SUPERBLOCK);
	pthread_barrier_wait(&pair->together);
	pair->received = receive_stream(pair, pair->order.first);
	pthread_barrier_wait(&pair->together);
	tally->received[pair->received]++;
	tally->sent[pair->sent]++;
	tally->believed += pair->sent == RIGHT && pair->received != RIGHT;
	__atomic_add_fetch(&tally->streams, 1, __ATOMIC_RELAXED);
	if (pair->received == WRONG)
		printf("# stream %llu: wrong\n", (unsigned long long)pair->order.first);
}

void fire_pair(struct fire *fire, unsigned int number, int orders)
{
	struct pair pair = {.fire = fire, .number = number, .tally = &fire->tallies[number]};
	int fd = open(fire->region, O_RDWR | O_CLOEXEC);
	pthread_t thread;

	pair.superblock = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || pair.superblock == MAP_FAILED || pthread_barrier_init(&pair.together, NULL, 2) ||
	    pthread_create(&thread, NULL, sender, &pair))
		exit(1);
	while (read(orders, &pair.order, sizeof(pair.order)) == (ssize_t)sizeof(pair.order)) {
		for (; pair.order.count; pair.order.count--, pair.order.first++)
			one_stream(&pair);
		pair.tally->anonymous_kib = anonymous_kib();
		if (write(orders, "", 1) != 1)
			exit(1);
	}
	pair.order.count = 0;
	pthread_barrier_wait(&pair.together);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&pair.together);
	munmap(pair.superblock, 4096);
	close(fd);
}
