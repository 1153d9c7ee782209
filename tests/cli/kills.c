// SPDX-License-Identifier: MIT
/*
 * kills: one of two ends is killed at a random instant, again and again.   kills REGION ROUNDS SEED
 *
 * Each round is two processes and a stream without an end, whose bytes say which round it is. One of them gets SIGKILL within 40 ms.
 * The other must say within 3 s that its peer is gone; a receiver must have had an exact prefix of this round's bytes until then; and
 * the next round's ends must meet in time. Exit code 0 if it was always so; comments of TAP on standard output.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "content.h"
#include "ivpipe.h"

#define PIECE     20000
#define SPREAD_US 40000 /* the handshake is over after a few of them */
#define GONE_MS   3000
#define SLOW_MS   2000 /* a loaded machine, and sanitizers */

enum outcome { NOTHING, NOBODY, GONE, WRONG, OTHER, OUTCOMES };

/* What an end tells; it alone writes it. */
struct end {
	uint64_t bytes;
	int64_t met; /* when the lane was open; 0: not yet */
	enum outcome outcome;
	char text[IVP_TEXT_MAX];
};

static struct end *ends; /* sender, receiver */
static const char *path;
static uint64_t round_number;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void ended(struct end *end, const struct ivp_error *err)
{
	end->outcome = err->kind == IVP_FAIL_PEER_GONE ? GONE : err->kind == IVP_FAIL_NO_PEER ? NOBODY : OTHER;
	memcpy(end->text, err->text, sizeof(end->text));
}

static int send_for_ever(struct ivp_region *region, struct end *end, struct ivp_error *err)
{
	struct ivp_lane_options options = {.wait_ms = GONE_MS, .size = -1};
	uint8_t bytes[PIECE];
	struct ivp_lane *lane;
	ptrdiff_t put = ivp_connect(&lane, region, &options, err);

	if (put)
		return (int)put;
	end->met = now_ms();
	for (; put >= 0; end->bytes += PIECE) {
		content_fill(round_number, end->bytes, bytes, PIECE);
		put = ivp_lane_write_all(lane, bytes, PIECE, -1, err);
	}
	ivp_lane_close(lane);
	return (int)put;
}

static int receive_all(struct ivp_region *region, struct end *end, struct ivp_error *err)
{
	struct ivp_lane_options options = {.wait_ms = GONE_MS};
	uint8_t bytes[PIECE], wanted[PIECE + 8];
	struct ivp_listener *listener;
	struct ivp_lane *lane;
	ptrdiff_t got = ivp_listen(&listener, region, &options, err);

	if (!got)
		got = ivp_accept(&lane, listener, err);
	if (got)
		return (int)got;
	end->met = now_ms();
	while ((got = ivp_lane_read_some(lane, bytes, PIECE, -1, err)) > 0) {
		content_fill(round_number, end->bytes & ~7ULL, wanted, (size_t)got + (end->bytes & 7));
		if (memcmp(bytes, wanted + (end->bytes & 7), (size_t)got)) {
			end->outcome = WRONG;
			exit(0);
		}
		end->bytes += (uint64_t)got;
	}
	ivp_lane_close(lane);
	ivp_listener_close(listener);
	return (int)got;
}

static pid_t start(bool sends)
{
	struct ivp_open_options options = {.side = sends, .wait_ms = GONE_MS};
	struct ivp_region *region;
	struct ivp_error err = {0};
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!ivp_region_open(&region, path, &options, &err)) {
		if (sends)
			send_for_ever(region, &ends[0], &err);
		else
			receive_all(region, &ends[1], &err);
		ivp_region_close(region);
	}
	ended(&ends[!sends], &err);
	exit(0);
}

/* Until it ends, or that much time is over, and then it is killed. */
static bool ends_within(pid_t pid, int64_t ms)
{
	sigset_t child;
	struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	int64_t deadline = now_ms() + ms;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	while (waitpid(pid, NULL, WNOHANG) != pid) {
		if (now_ms() >= deadline) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			return false;
		}
		sigtimedwait(&child, NULL, &wait);
	}
	return true;
}

/* What the survivor must be: whoever met its peer says that it is gone, and the others have found nobody. */
static bool good(const struct end *end, bool in_time, int64_t began)
{
	if (!in_time || (end->met && end->met - began > SLOW_MS))
		return false;
	return end->met ? end->outcome == GONE : end->outcome == NOBODY || end->outcome == GONE;
}

static bool play(bool kill_sender, long instant_us, uint64_t *met)
{
	struct timespec instant = {.tv_nsec = instant_us * 1000};
	int64_t began = now_ms(), killed;
	pid_t pids[2], victim, other;
	struct end *survivor;
	bool in_time;

	memset(ends, 0, 2 * sizeof(*ends));
	pids[0] = start(true);
	pids[1] = start(false);
	victim = pids[!kill_sender];
	other = pids[kill_sender];
	survivor = &ends[kill_sender];
	ppoll(NULL, 0, &instant, NULL);
	kill(victim, SIGKILL);
	killed = now_ms();
	waitpid(victim, NULL, 0);
	in_time = ends_within(other, survivor->met ? GONE_MS + SLOW_MS : 2 * GONE_MS + SLOW_MS);
	*met += survivor->met != 0;
	if (good(survivor, in_time, began))
		return true;
	printf("# round %llu, %s killed after %ld us: the other ended %d after %lld ms, %lld after it began, %llu "
	       "bytes: %s\n",
	       (unsigned long long)round_number, kill_sender ? "sender" : "receiver", instant_us, survivor->outcome,
	       (long long)(now_ms() - killed), (long long)(survivor->met ? survivor->met - began : -1),
	       (unsigned long long)survivor->bytes, survivor->text);
	return false;
}

int main(int argc, char **argv)
{
	uint64_t rounds, seed, met = 0, bad = 0;
	int64_t began = now_ms();
	sigset_t child;

	if (argc != 4)
		return 2;
	path = argv[1];
	rounds = strtoull(argv[2], NULL, 0);
	seed = strtoull(argv[3], NULL, 0);
	ends = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ends == MAP_FAILED)
		return 1;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	for (round_number = 0; round_number < rounds; round_number++) {
		uint64_t any = content_mix(content_mix(seed + 1) + round_number);

		bad += !play(any & 1, (long)((any >> 8) % SPREAD_US), &met);
	}
	printf("# %llu rounds in %lld ms, in %llu the ends had met; %llu were bad\n", (unsigned long long)rounds,
	       (long long)(now_ms() - began), (unsigned long long)met, (unsigned long long)bad);
	return bad || met * 4 < rounds;
}
