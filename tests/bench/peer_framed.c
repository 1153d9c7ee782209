// SPDX-License-Identifier: MIT
/*
 * peer_framed: what can be done for messages by hand: a ring of bytes for one writer and one reader who trust each other. Each
 * message has its length before it, each end remembers what it last saw of the other's position, and tells its own once for
 * 64 messages, and before it waits. Nothing is checked, nobody sleeps, and no end may die: a lane can do less only by that.
 */
#include <string.h>

#include "peer.h"

#define RING  (1 << 20)
#define BATCH 64

struct ring {
	_Alignas(128) uint64_t written;
	_Alignas(128) uint64_t read;
	_Alignas(128) char bytes[RING];
};

struct pair {
	struct ring rings[2];
};

/* Of one end in one ring: where it is, and where it last saw the other one. */
struct place {
	uint64_t at, seen;
};
static struct place out, in;

static struct ring *ring_of(const struct peer_end *end, bool second)
{
	return &((struct pair *)end->window)->rings[second];
}

/* The usual length is known to the compiler, which then needs no call. */
static inline void copy(char *to, const char *from, size_t len)
{
	if (len == 64)
		memcpy(to, from, 64);
	else
		memcpy(to, from, len);
}

static inline void put(struct ring *ring, uint64_t at, const char *from, size_t len)
{
	size_t begin = at % RING, first = RING - begin;

	if (len <= first) {
		copy(ring->bytes + begin, from, len);
		return;
	}
	memcpy(ring->bytes + begin, from, first);
	memcpy(ring->bytes, from + first, len - first);
}

static inline void get(const struct ring *ring, uint64_t at, char *to, size_t len)
{
	size_t begin = at % RING, first = RING - begin;

	if (len <= first) {
		copy(to, ring->bytes + begin, len);
		return;
	}
	memcpy(to, ring->bytes + begin, first);
	memcpy(to + first, ring->bytes, len - first);
}

/* Lengths begin at multiples of eight, and so are never cut. */
static inline uint64_t step(uint64_t len)
{
	return sizeof(uint64_t) + ((len + 7) & ~7ULL);
}

static void write_bytes(struct peer_end *end, uint64_t bytes)
{
	struct ring *ring = ring_of(end, end->second);
	uint64_t len = end->piece;
	uint32_t looks = 0, held = 0;

	for (uint64_t done = 0; done < bytes; done += len) {
		while (out.at + step(len) - out.seen > RING) {
			__atomic_store_n(&ring->written, out.at, __ATOMIC_RELEASE);
			out.seen = __atomic_load_n(&ring->read, __ATOMIC_ACQUIRE);
			if (out.at + step(len) - out.seen > RING)
				peer_relax(&looks);
		}
		memcpy(ring->bytes + out.at % RING, &len, sizeof(len));
		put(ring, out.at + sizeof(len), end->memory, len);
		out.at += step(len);
		if (++held % BATCH == 0)
			__atomic_store_n(&ring->written, out.at, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&ring->written, out.at, __ATOMIC_RELEASE);
}

static void read_bytes(struct peer_end *end, uint64_t bytes)
{
	struct ring *ring = ring_of(end, !end->second);
	uint32_t looks = 0, held = 0;
	uint64_t len;

	for (uint64_t done = 0; done < bytes; done += len) {
		while (in.seen == in.at) {
			__atomic_store_n(&ring->read, in.at, __ATOMIC_RELEASE);
			in.seen = __atomic_load_n(&ring->written, __ATOMIC_ACQUIRE);
			if (in.seen == in.at)
				peer_relax(&looks);
		}
		memcpy(&len, ring->bytes + in.at % RING, sizeof(len));
		if (len != end->piece)
			peer_die("framed", "a message of another length");
		get(ring, in.at + sizeof(len), end->memory, len);
		in.at += step(len);
		if (++held % BATCH == 0)
			__atomic_store_n(&ring->read, in.at, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&ring->read, in.at, __ATOMIC_RELEASE);
}

const struct peer peer = {.window = sizeof(struct pair), .write = write_bytes, .read = read_bytes};
