/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the core needs from the world it is compiled into: types, ordered access to shared memory, copying. No logic.
 *
 * Memory that the peer can write is reached through pointers marked __shm, and only by the accessors below: each is one
 * load or store of its full width, so a value cannot change between check and use.
 */
#ifndef IVP_DEPS_H
#define IVP_DEPS_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/uio.h>
#include <asm/barrier.h>
#define ivp_assert(condition) static_assert(condition, #condition)
#define ivp_vec               kvec
#else
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#define ivp_assert(condition) _Static_assert(condition, #condition)
#define ivp_vec               iovec
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the region is little-endian, and so must be the machine"
#endif
#if !defined(__LP64__)
#error "positions are 64 bits wide and a 32-bit machine would tear them"
#endif
#endif

#ifdef __CHECKER__
#define __shm   __attribute__((noderef, address_space(7)))
#define __plain __attribute__((force))
#else
#define __shm
#define __plain
#endif

/*
 * This value, and the compiler may not ask where it is from: it stays that of the branch that made it. A branch taken seldom then
 * costs nothing, where arithmetic in its place would make all wait for what goes in.
 */
static inline u64 ivp_no_guess(u64 value)
{
	__asm__ __volatile__("" : "+r"(value));
	return value;
}

/* A pointer into shared memory, without its mark: for these accessors, mmap and tests alone. */
#define ivp_plain(pointer) ((__typeof__(*(pointer)) __plain *)(pointer))

static inline u32 ivp_load32(const u32 __shm *p)
{
	return __atomic_load_n((const u32 __plain *)p, __ATOMIC_RELAXED);
}

static inline u64 ivp_load64(const u64 __shm *p)
{
	return __atomic_load_n((const u64 __plain *)p, __ATOMIC_RELAXED);
}

/* Acquire: what the peer stored before its release of this value is seen by later loads. */
static inline u32 ivp_load32_acquire(const u32 __shm *p)
{
	return __atomic_load_n((const u32 __plain *)p, __ATOMIC_ACQUIRE);
}

static inline u64 ivp_load64_acquire(const u64 __shm *p)
{
	return __atomic_load_n((const u64 __plain *)p, __ATOMIC_ACQUIRE);
}

static inline void ivp_store32(u32 __shm *p, u32 value)
{
	__atomic_store_n((u32 __plain *)p, value, __ATOMIC_RELAXED);
}

static inline void ivp_store64(u64 __shm *p, u64 value)
{
	__atomic_store_n((u64 __plain *)p, value, __ATOMIC_RELAXED);
}

/* Release: whoever acquires this value sees every store that was made before. */
static inline void ivp_store32_release(u32 __shm *p, u32 value)
{
	__atomic_store_n((u32 __plain *)p, value, __ATOMIC_RELEASE);
}

static inline void ivp_store64_release(u64 __shm *p, u64 value)
{
	__atomic_store_n((u64 __plain *)p, value, __ATOMIC_RELEASE);
}

/* Orders a store before it against a load after it, which nothing weaker does (not even on x86). */
static inline void ivp_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* On mappings that are not write-back, stores are gathered outside of the order that release gives on x86. */
static inline void ivp_fence_combined_stores(void)
{
#if defined(__x86_64__)
	__asm__ __volatile__("sfence" ::: "memory");
#else
	ivp_fence();
#endif
}

static inline void ivp_fence_combined_loads(void)
{
#if defined(__x86_64__)
	__asm__ __volatile__("lfence" ::: "memory");
#else
	ivp_fence();
#endif
}

/* Bulk copies. The bytes may change meanwhile: only the copy may be trusted to stay. */
static inline void ivp_copy_from(void *to, const void __shm *from, size_t len)
{
	memcpy(to, (const void __plain *)from, len);
}

static inline void ivp_copy_to(void __shm *to, const void *from, size_t len)
{
	memcpy((void __plain *)to, from, len);
}

/*
 * The same for a few lines, without a call, which would take as long as the copy. By sixteen bytes; the last ones overlap, so some are
 * copied twice.
 */
static inline void ivp_copy_short(void *to, const void *from, size_t len)
{
	size_t at = 0;

	if (len >= 16) {
		for (; len - at >= 64; at += 64)
			memcpy((u8 *)to + at, (const u8 *)from + at, 64);
		for (; len - at >= 16; at += 16)
			memcpy((u8 *)to + at, (const u8 *)from + at, 16);
		if (at < len)
			memcpy((u8 *)to + len - 16, (const u8 *)from + len - 16, 16);
	} else if (len >= 8) {
		memcpy(to, from, 8);
		memcpy((u8 *)to + len - 8, (const u8 *)from + len - 8, 8);
	} else {
		for (; at < len; at++)
			((u8 *)to)[at] = ((const u8 *)from)[at];
	}
}

static inline void ivp_wipe(void __shm *to, size_t len)
{
	memset((void __plain *)to, 0, len);
}

#endif
