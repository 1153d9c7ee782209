// SPDX-License-Identifier: MIT
/*
 * fire: many short streams under a liar.   fire REGION DEVICE LIAR STREAMS SEED
 *
 * DEVICE is the resource2_wc of a directory that looks like a PCI device's, and leads to REGION. The streams are made by eight
 * processes in batches; during each the liar lies about another part, at another rate, and after each the region is laid out anew
 * and a stream must work. Prints how they ended, as comments of TAP. Exit code 0: each ended by itself in time, with right bytes or
 * an error, and nobody's memory grew.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fire.h"
#include "ivpipe.h"

#define PATIENCE_MS 600
#define GROWTH_KIB  1024
#define LANES       27

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* freed memory is kept for a while */
#else
#define SANITIZED 0
#endif

static const char *const ending_names[ENDINGS] = {"right", "timeout", "refused", "protocol", "damaged",
						  "gone",  "region",  "other",   "WRONG"};
static const struct batch {
	const char *part, *rate;
} batches[] = {
	{"all", "2000"},       {"all", "20000"},  {"all", "0"},           {"halves", "5000"},
	{"halves", "50000"},   {"halves", "0"},   {"slots", "50000"},     {"slots", "0"},
	{"messages", "50000"}, {"messages", "0"}, {"records", "20000"},   {"records", "0"},
	{"bytes", "20000"},    {"bytes", "0"},    {"superblock", "1000"}, {"superblock", "0"},
};
#define BATCHES (sizeof(batches) / sizeof(*batches))

static struct fire *fire;
static const char *liar_path;

/* ---- the liar ---- */

struct liar {
	pid_t pid;
	int in, out;
};

static void start_liar(struct liar *liar, const struct batch *batch, unsigned int number)
{
	int in[2], out[2];
	char seed[24], line[8];

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)fire->seed + number);
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || (liar->pid = fork()) < 0)
		exit(1);
	if (!liar->pid) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		execl(liar_path, liar_path, fire->region, batch->part, seed, batch->rate, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	liar->in = in[1];
	liar->out = out[0];
	if (read(liar->out, line, sizeof(line)) <= 0)
		fire_fail(fire, "there is no liar", 0);
}

static uint64_t stop_liar(struct liar *liar)
{
	char line[32] = "";

	close(liar->in);
	if (read(liar->out, line, sizeof(line) - 1) < 0)
		fire_fail(fire, "the liar does not say how much it lied", 0);
	close(liar->out);
	waitpid(liar->pid, NULL, 0);
	return strtoull(line, NULL, 10);
}

/* ---- batches ---- */

static void lay_out(void)
{
	struct ivp_format_options options = {.lanes = LANES, .sides = 3, .force = true};
	struct ivp_error err;
	int fd = open(fire->region, O_RDONLY | O_CLOEXEC);

	if (ivp_format(fire->region, &options, NULL, &err)) {
		printf("# %s\n", err.text);
		fire->failed = true;
	}
	if (pread(fd, fire->superblock, FIRE_SUPERBLOCK, 0) != FIRE_SUPERBLOCK)
		fire->failed = true;
	close(fd);
}

static void sum_up(struct tally *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned int i = 0; i < FIRE_PAIRS; i++) {
		const struct tally *tally = &fire->tallies[i];

		for (unsigned int ending = 0; ending < ENDINGS; ending++) {
			sum->received[ending] += tally->received[ending];
			sum->sent[ending] += tally->sent[ending];
		}
		sum->believed += tally->believed;
		sum->streams += tally->streams;
	}
}

static void heading(void)
{
	printf("# %-10s %6s %9s %7s  ends    ", "part", "rate", "lies", "streams");
	for (unsigned int i = 0; i < ENDINGS; i++)
		printf(" %8s", ending_names[i]);
	printf(" %8s\n", "believed");
}

static void row(const char *end, const uint64_t *now, const uint64_t *before)
{
	printf("  %-8s", end);
	for (unsigned int i = 0; i < ENDINGS; i++)
		printf(" %8llu", (unsigned long long)(now[i] - before[i]));
}

/* Streams while the liar lies; and then, honestly laid out, one of each pair, which all must be right. */
static uint64_t run_batch(unsigned int number, uint64_t first, uint64_t count)
{
	const struct batch *batch = &batches[number % BATCHES];
	struct tally before, after, quiet;
	struct liar liar;
	uint64_t lies;
	int64_t began;

	sum_up(&before);
	start_liar(&liar, batch, number);
	fire_order(first, count);
	fire_await(fire);
	lies = stop_liar(&liar);
	sum_up(&after);
	printf("# %-10s %6s %9llu %7llu", batch->part, batch->rate, (unsigned long long)lies,
	       (unsigned long long)(after.streams - before.streams));
	row("receiver", after.received, before.received);
	printf("\n# %-10s %6s %9s %7s", "", "", "", "");
	row("sender", after.sent, before.sent);
	printf(" %8llu\n", (unsigned long long)(after.believed - before.believed));
	lay_out();
	began = fire_now();
	fire_order(first + FIRE_PAIRS * count, 1);
	fire_await(fire);
	sum_up(&quiet);
	if (quiet.received[RIGHT] - after.received[RIGHT] != FIRE_PAIRS ||
	    quiet.sent[RIGHT] - after.sent[RIGHT] != FIRE_PAIRS) {
		printf("# when the lies were over, streams still failed\n");
		fire->failed = true;
	}
	printf("# when that was over: a stream of each pair within %lld ms\n", (long long)(fire_now() - began));
	return first + FIRE_PAIRS * (count + 1);
}

static void check_memory(const long *early)
{
	for (unsigned int i = 0; i < FIRE_PAIRS; i++) {
		long late = fire->tallies[i].anonymous_kib;

		if (!SANITIZED && late - early[i] > GROWTH_KIB)
			fire_fail(fire, "its memory grew", i);
		printf("%s%ld to %ld%s", i ? ", " : "# anonymous KiB of the pairs: ", early[i], late,
		       i + 1 < FIRE_PAIRS ? "" : "\n");
	}
}

static void run_batches(uint64_t streams)
{
	uint64_t count = (streams + BATCHES * FIRE_PAIRS - 1) / (BATCHES * FIRE_PAIRS), next = 0;
	struct tally none = {0}, all;
	long early[FIRE_PAIRS];

	heading();
	for (unsigned int i = 0; i < BATCHES && !fire->failed; i++) {
		next = run_batch(i, next, count);
		fflush(stdout);
		for (unsigned int pair = 0; pair < FIRE_PAIRS && i == 1; pair++)
			early[pair] = fire->tallies[pair].anonymous_kib;
	}
	sum_up(&all);
	printf("# %-10s %6s %9s %7llu", "in all", "", "", (unsigned long long)all.streams);
	row("receiver", all.received, none.received);
	printf("\n# %-10s %6s %9s %7s", "", "", "", "");
	row("sender", all.sent, none.sent);
	printf(" %8llu\n", (unsigned long long)all.believed);
	fire->failed = fire->failed || all.received[WRONG];
	if (!fire->failed)
		check_memory(early);
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	fire = mmap(NULL, sizeof(*fire), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fire == MAP_FAILED)
		return 1;
	fire->region = argv[1];
	fire->device = argv[2];
	liar_path = argv[3];
	fire->seed = strtoull(argv[5], NULL, 0);
	fire->patience_ms = PATIENCE_MS;
	lay_out();
	fire_start(fire);
	run_batches(strtoull(argv[4], NULL, 0));
	fire_end(fire);
	return fire->failed;
}
