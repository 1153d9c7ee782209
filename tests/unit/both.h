/* SPDX-License-Identifier: MIT */
/* both: the two ends of a ring in one process. */
#ifndef BOTH_H
#define BOTH_H

#include "ring.h"
#include "unit.h"

#define SIZE  4096ULL
#define PIECE (SIZE / 4)
#define EPOCH 0x1122334455667788ULL

/* Two ends of a ring in memory that ends where the ring does: an unmirrored one lies in a buffer of its exact size, which the
 * address sanitiser watches; a mirrored one between pages that cannot be touched. */
struct both {
	struct ivp_ring tx, rx;
	u8 *data, *fence;
	u64 *prod, *cons;
	bool mirrored;
};

/* For cmocka: *state is a struct both. */
int both_setup_single(void **state);
int both_setup_mirrored(void **state);
int both_teardown(void **state);

/* As new. */
void both_again(struct both *both);

/* A look of the receiver, as of ivp_ring_peek(). */
int both_peek(struct both *both);

/* What ivp_ring_reserve() says to a wish of so many bytes. */
int both_reserve(struct both *both, u64 len);

/* Records of data until there is no room. */
void both_fill(struct both *both);

/* A record of data, which finds room. */
void both_put(struct both *both, const void *bytes, u64 len);

/* Take the record at the front, whole, into `bytes`. */
u64 both_take(struct both *both, u8 *bytes, u32 *type);

/* Move both ends to a position, a multiple of 8, at least 16 from here. */
void both_advance(struct both *both, u64 to);

#define SINGLE(test)                                                                                                   \
	{                                                                                                              \
#test, test, both_setup_single, both_teardown, NULL                                                    \
	}
#define MIRRORED(test)                                                                                                 \
	{                                                                                                              \
#test "_mirrored", test, both_setup_mirrored, both_teardown, NULL                                      \
	}
#define BOTH(test) SINGLE(test), MIRRORED(test)

#endif
