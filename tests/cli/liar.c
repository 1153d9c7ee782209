// SPDX-License-Identifier: MIT
/*
 * liar: writes hostile values into the words that two ends of a region share, while they use them.
 *
 *   liar REGION all|superblock|slots|halves|messages|records|bytes SEED RATE
 *
 * RATE is writes a second, 2 at the least, or 0: as many as there can be. Says "lying" on standard error, goes on until standard
 * input is closed, and then prints how many writes it made. Most lies are taken back soon, so that they fall between a check and
 * a use, and streams get far enough to be lied to again. Where the parts are is read once, at the beginning; the superblock must
 * hold then.
 *
 * It forges the check of a record's header, but no end record: who writes a whole end writes a whole stream, as any peer may.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "superblock.h"

#define OLD_VALUES 64

enum part { SUPERBLOCK, SLOTS, HALVES, MESSAGES, RECORDS, BYTES, PARTS };
static const char *const names[PARTS] = {"superblock", "slots", "halves", "messages", "records", "bytes"};

/* A word to lie about. `capacity` and `base`: what it counts towards, and from where. */
struct word {
	u8 *at;
	u64 capacity, base;
	unsigned int bytes;
};

static struct ivp_superblock sb;
static u8 *map;
static u64 random_state, old[OLD_VALUES];

static u64 any(void)
{
	u64 x = random_state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static u64 below(u64 limit)
{
	return any() % limit;
}

static u64 load(const struct word *word)
{
	return word->bytes == 8 ? __atomic_load_n((u64 *)word->at, __ATOMIC_RELAXED)
				: __atomic_load_n((u32 *)word->at, __ATOMIC_RELAXED);
}

static void store(const struct word *word, u64 value)
{
	if (word->bytes == 8)
		__atomic_store_n((u64 *)word->at, value, __ATOMIC_RELAXED);
	else
		__atomic_store_n((u32 *)word->at, (u32)value, __ATOMIC_RELAXED);
}

/* If nobody has written it since. */
static void take_back(const struct word *word, u64 lie, u64 truth)
{
	u32 lie32 = (u32)lie;

	if (word->bytes == 8)
		__atomic_compare_exchange_n((u64 *)word->at, &lie, truth, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	else
		__atomic_compare_exchange_n((u32 *)word->at, &lie32, (u32)truth, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
}

static struct word word_at(u64 offset, unsigned int bytes)
{
	return (struct word){.at = map + offset, .bytes = bytes, .capacity = sb.ring_size};
}

static struct word in_superblock(void)
{
	struct word word = word_at(8 * below(sizeof(sb) / 8), 8);

	word.capacity = sb.region_size;
	return word;
}

static struct word in_slots(void)
{
	static const u8 words[] = {0, 8, 12, 16, 24, 128};
	u64 slot = sb.slots_offset + sizeof(struct ivp_slot) * below((u64)sb.sides * IVP_SLOTS_PER_SIDE);
	u64 offset = words[below(sizeof(words))];

	return word_at(slot + offset, offset == 0 || offset == 16 || offset == 24 ? 8 : 4);
}

static u64 half_of(u64 lane, bool server)
{
	return ivp_half_offset(&sb, (u32)lane, server);
}

static struct ivp_half *some_half(u64 *lane, bool *server)
{
	*lane = below(sb.lanes);
	*server = below(2);
	return (struct ivp_half *)(map + half_of(*lane, *server));
}

static struct word in_halves(void)
{
	static const u8 words32[] = {8, 128, 132, 136, 140, 144};
	static const u8 words64[] = {0, 16, 24};
	u64 lane, choice = below(2 * sizeof(words64) + sizeof(words32) + 1);
	bool server;
	struct ivp_half *half = some_half(&lane, &server);
	struct word word;

	if (choice < sizeof(words32))
		return word_at((u64)((u8 *)half - map) + words32[choice], 4);
	if (choice == sizeof(words32))
		return word_at((u64)((u8 *)half - map) + offsetof(struct ivp_half, verdict), 4);
	word = word_at((u64)((u8 *)half - map) + words64[choice % sizeof(words64)], 8);
	/* One's position counts from the other's. */
	half = (struct ivp_half *)(map + half_of(lane, !server));
	word.base = __atomic_load_n(choice % 3 == 1 ? &half->cons : &half->prod, __ATOMIC_RELAXED);
	return word;
}

static struct word in_messages(void)
{
	u64 lane, at;
	bool server;
	struct ivp_half *half = some_half(&lane, &server);

	/* Mostly the fields, seldom the token and the name. */
	at = below(8) ? below(15) : below(sizeof(struct ivp_message) / 8);
	return word_at((u64)((u8 *)&half->message - map) + 8 * at, 8);
}

/* Where a record begins in a ring: what is produced next, is consumed next, or follows that. */
static u64 record_of(struct ivp_half *half, const struct ivp_half *peer, u64 ring)
{
	u64 pos = __atomic_load_n(below(3) ? &peer->cons : &half->prod, __ATOMIC_RELAXED) & ~7ULL;

	for (u64 steps = below(3); steps; steps--) {
		u32 length = __atomic_load_n((u32 *)(map + ring + pos % sb.ring_size), __ATOMIC_RELAXED);

		pos += IVP_RECORD_HEADER + ((u64)length + 7) / 8 * 8;
	}
	return pos;
}

/* As in docs/PROTOCOL.md. */
static u64 header_for(u64 epoch, u64 pos, u64 plain)
{
	u64 mix = epoch ^ (pos * 0x9e3779b97f4a7c15ULL) ^ plain;

	mix = (mix ^ mix >> 30) * 0xbf58476d1ce4e5b9ULL;
	mix = (mix ^ mix >> 27) * 0x94d049bb133111ebULL;
	return plain | (mix ^ mix >> 31) << 40;
}

/* *forged: a header whose check holds, with a length that does not. */
static struct word in_records(u64 *forged)
{
	u64 lane, pos, ring, piece = sb.ring_size / 4;
	bool server;
	struct ivp_half *half = some_half(&lane, &server);
	const u64 lengths[] = {0, 1, piece - 8, piece - 7, piece, sb.ring_size, sb.ring_size + 1, 0xffffffff, any()};

	ring = ivp_ring_offset(&sb, (u32)lane, server);
	pos = record_of(half, (struct ivp_half *)(map + half_of(lane, !server)), ring);
	*forged = header_for(__atomic_load_n(&half->epoch, __ATOMIC_RELAXED), pos,
			     (u32)lengths[below(sizeof(lengths) / sizeof(*lengths))] | (below(2) ? 1ULL : 3ULL) << 32);
	return word_at(ring + pos % sb.ring_size, 8);
}

/* Contents, and the tokens of a handshake: near where they are read next, or anywhere. */
static struct word in_bytes(void)
{
	u64 lane, pos = below(sb.ring_size);
	bool server;
	struct ivp_half *half = some_half(&lane, &server);

	if (below(4))
		pos = record_of(half, (struct ivp_half *)(map + half_of(lane, !server)),
				ivp_ring_offset(&sb, (u32)lane, server)) +
		      below(4096);
	return word_at(ivp_ring_offset(&sb, (u32)lane, server) + pos % sb.ring_size / 8 * 8, 8);
}

/* Just past what may be comes most often: what lies far beyond is refused by less careful code, too. */
static u64 lie_about(const struct word *word, u64 truth)
{
	u64 lies[] = {
		word->base + word->capacity + 8,
		word->base + word->capacity + 1,
		truth + word->capacity + 8,
		truth + word->capacity,
		word->base + word->capacity,
		word->base + 8,
		word->capacity,
		word->capacity + 1,
		truth + 1,
		truth - 1,
		truth + 8,
		truth - 8,
		0,
		~0ULL,
		1ULL << 32,
		1ULL << 63,
		(1ULL << 32) + truth,
		any(),
		old[below(OLD_VALUES)],
		old[below(OLD_VALUES)],
		below(8),
	};

	old[below(OLD_VALUES)] = truth;
	return lies[below(sizeof(lies) / sizeof(*lies))];
}

static void lie(enum part part)
{
	u64 truth, value, forged = 0;
	struct word word = part == SUPERBLOCK ? in_superblock()
			   : part == SLOTS    ? in_slots()
			   : part == HALVES   ? in_halves()
			   : part == MESSAGES ? in_messages()
			   : part == RECORDS  ? in_records(&forged)
					      : in_bytes();

	truth = load(&word);
	value = forged && below(2) ? forged : lie_about(&word, truth);
	store(&word, value);
	if (!below(8))
		return;
	for (u64 turns = below(2000); turns; turns--)
		__asm__ volatile("" ::: "memory");
	take_back(&word, value, truth);
}

/* The pause between two bursts; false when standard input was closed. */
static bool go_on(u64 rate)
{
	struct timespec pause = {.tv_nsec = !rate ? 0 : rate < 1000 ? (long)(1000000000 / rate) : 1000000};
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

	return ppoll(&in, 1, &pause, NULL) == 0;
}

static void open_region(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		perror(path);
		exit(1);
	}
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	memcpy(&sb, map, sizeof(sb));
	if (ivp_superblock_check(&sb, (u64)st.st_size)) {
		fprintf(stderr, "%s: no region\n", path);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	u64 rate, writes = 0;
	enum part only = 0;

	if (argc != 5)
		return 2;
	open_region(argv[1]);
	while (only < PARTS && strcmp(argv[2], names[only]))
		only++;
	if (only == PARTS && strcmp(argv[2], "all"))
		return 2;
	random_state = strtoull(argv[3], NULL, 0);
	rate = strtoull(argv[4], NULL, 0);
	if (rate == 1)
		return 2;
	fputs("lying\n", stderr);
	do {
		for (u64 burst = rate < 1000 && rate ? 1 : rate ? rate / 1000 : 1000; burst; burst--, writes++)
			lie(only < PARTS ? only : below(32) ? SLOTS + below(PARTS - SLOTS) : SUPERBLOCK);
	} while (go_on(rate));
	printf("%llu\n", (unsigned long long)writes);
	return 0;
}
