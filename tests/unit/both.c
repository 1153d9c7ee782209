// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "both.h"

static u8 *map_twice(u8 **fence)
{
	int fd = memfd_create("ring", MFD_CLOEXEC);
	u8 *at = mmap(NULL, 4 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(fd >= 0 && at != MAP_FAILED);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	for (int i = 1; i <= 2; i++)
		assert_ptr_not_equal(mmap(at + i * SIZE, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0),
				     MAP_FAILED);
	close(fd);
	*fence = at;
	return at + SIZE;
}

static void both_make(struct both *both, bool mirrored)
{
	memset(both, 0, sizeof(*both));
	both->mirrored = mirrored;
	both->data = mirrored ? map_twice(&both->fence) : calloc(1, SIZE);
	both->prod = calloc(1, sizeof(u64));
	both->cons = calloc(1, sizeof(u64));
	ivp_ring_attach(&both->tx, both->data, SIZE, EPOCH, both->prod, both->cons);
	ivp_ring_attach(&both->rx, both->data, SIZE, EPOCH, both->cons, both->prod);
	both->tx.mirrored = both->rx.mirrored = mirrored;
}

static void both_free(struct both *both)
{
	if (both->mirrored)
		munmap(both->fence, 4 * SIZE);
	else
		free(both->data);
	free(both->prod);
	free(both->cons);
}

void both_again(struct both *both)
{
	both_free(both);
	both_make(both, both->mirrored);
}

int both_setup_single(void **state)
{
	*state = malloc(sizeof(struct both));
	both_make(*state, false);
	return 0;
}

int both_setup_mirrored(void **state)
{
	*state = malloc(sizeof(struct both));
	both_make(*state, true);
	return 0;
}

int both_teardown(void **state)
{
	both_free(*state);
	free(*state);
	return 0;
}

int both_peek(struct both *both)
{
	const u8 *span;
	u64 len;
	u32 type;

	return ivp_ring_peek(&both->rx, &type, &span, &len);
}

void both_put(struct both *both, const void *bytes, u64 len)
{
	assert_int_equal(ivp_ring_put(&both->tx, IVP_RECORD_DATA, bytes, len), 0);
}

u64 both_take(struct both *both, u8 *bytes, u32 *type)
{
	const u8 *span;
	u64 len, taken = 0;

	assert_int_equal(ivp_ring_peek(&both->rx, type, &span, &len), 0);
	do {
		memcpy(bytes + taken, span, len);
		ivp_ring_consume(&both->rx, len);
		taken += len;
	} while (both->rx.type && !ivp_ring_peek(&both->rx, type, &span, &len));
	return taken;
}

void both_advance(struct both *both, u64 to)
{
	u8 bytes[PIECE];
	u32 type;

	memset(bytes, 0x5a, sizeof(bytes));
	while (both->tx.pos != to) {
		u64 left = to - both->tx.pos;
		u64 len = left <= PIECE ? left - 8 : left < PIECE + 16 ? PIECE - 24 : PIECE - 8;

		both_put(both, bytes, len);
		both_take(both, bytes, &type);
	}
}

int both_reserve(struct both *both, u64 len)
{
	u8 *span;

	return ivp_ring_reserve(&both->tx, &span, &len);
}

void both_fill(struct both *both)
{
	u8 bytes[PIECE] = {0};

	while (!ivp_ring_put(&both->tx, IVP_RECORD_DATA, bytes, PIECE - 8))
		;
	assert_int_equal(both->tx.pos - both->tx.theirs, SIZE);
}
