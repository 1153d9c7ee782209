// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "liar.h"
#include "pair.h"
#include "record.h"

/* Lengths are 32 bits wide: no lie leads beyond. */
#define GUARD (8ULL << 30)

struct pair pair;

void pair_lie(u64 *at, u64 value)
{
	pair.lied = true;
	__atomic_store_n(at, value, __ATOMIC_RELAXED);
}

u64 liar_load64(const u64 *p)
{
	if (pair.lie.at && !pair.lie.loads--) {
		pair_lie(pair.lie.at, pair.lie.value);
		pair.lie.at = NULL;
	}
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static u8 *make_ring(u64 size, bool mirrored)
{
	u64 len = mirrored ? 2 * size : size;
	int fd = memfd_create("ring", MFD_CLOEXEC);
	u8 *at = mmap(NULL, 2 * GUARD + len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	require(fd >= 0 && at != MAP_FAILED && !ftruncate(fd, (off_t)size));
	for (u64 place = GUARD; place < GUARD + len; place += size)
		require(mmap(at + place, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	close(fd);
	return at + GUARD;
}

static void attach(struct end *tx, struct end *rx, bool combined)
{
	ivp_ring_attach(&tx->ring, pair.data, pair.size, pair.epoch, tx->told, rx->told);
	tx->ring.mirrored = pair.mirrored;
	tx->ring.combined = combined;
}

void pair_begin(struct input *input)
{
	static u8 *rings[3][2];
	static u64 positions[2];
	u32 which = input_below(input, 3);
	u8 how = input_byte(input);

	memset(&pair, 0, sizeof(pair));
	pair.mirrored = how & 1;
	pair.size = (u64)sysconf(_SC_PAGESIZE) << (which == 2 ? 7 : which);
	if (!rings[which][pair.mirrored])
		rings[which][pair.mirrored] = make_ring(pair.size, pair.mirrored);
	pair.data = rings[which][pair.mirrored];
	pair.epoch = input_byte(input);
	memset(pair.data, 0, pair.size);
	memset(positions, 0, sizeof(positions));
	pair.tx.told = &positions[0];
	pair.rx.told = &positions[1];
	attach(&pair.tx, &pair.rx, how & 2);
	attach(&pair.rx, &pair.tx, how & 2);
	pair.tx.ring.held = how & 4;
}

u64 pair_most(void)
{
	return (pair.size / 4 < 65536 ? pair.size / 4 : 65536) - 8;
}

/* What is told was done, is told in its place, and is not far behind: without a hold a sender's is not at all. */
static void require_told(const struct end *end)
{
	const struct ivp_ring *ring = &end->ring;
	u64 lot = pair.size / 8 < 65536 ? pair.size / 8 : 65536;

	u64 growing = ring->grown ? record_bytes(ring->grown) : 0;

	require(ring->told >= end->announced && ring->told <= ring->pos && ring->pos + growing - ring->told < lot);
	require(ring->told == end->announced || *end->told == ring->told || pair.lied);
	if (end == &pair.tx && !ring->held)
		require(ring->told == ring->pos && !growing);
}

void pair_require_end(struct end *end, int ret)
{
	struct ivp_ring *ring = &end->ring;

	require(ret == 0 || ret == -EAGAIN || ret == -EPROTO);
	require(ret != -EPROTO || ring->broken);
	require(!end->broken || (ret == -EPROTO && ring->broken && ring->pos == end->pos));
	require(ring->pos >= end->pos && ring->theirs >= end->theirs && ring->pos % 8 == 0 && ring->theirs % 8 == 0);
	require_told(end);
	require(!ring->broken || pair.lied);
	end->pos = ring->pos;
	end->theirs = ring->theirs;
	end->announced = ring->told;
	end->broken = ring->broken;
}

void pair_require_span(const u8 *span, u64 len)
{
	u64 end = pair.mirrored ? 2 * pair.size : pair.size;

	require(span >= pair.data && span < pair.data + pair.size);
	require(len >= 1 && len <= pair_most() && len <= end - (u64)(span - pair.data));
}
