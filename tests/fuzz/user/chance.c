// SPDX-License-Identifier: MIT
#include <poll.h>

#include "chance.h"
#include "fuzz.h"
#include "ivpipe.h"
#include "word.h"

/* Some doze for less, but the peer moves each time. */
#define DOZE_MS 20

static void (*move)(void);
static int64_t now, limit;
static unsigned int waits;
static u64 number;

void chance_begin(void (*call)(void))
{
	move = call;
	/* Far from 0, which means never to some. */
	now = 1000000;
	number = 1;
	chance_limit(INT32_MAX, ~0u);
}

void chance_limit(int64_t ms, unsigned int most)
{
	limit = now + ms;
	waits = most;
}

void chance_pass(int64_t ms)
{
	now += ms;
}

/* The linker's names for what --wrap puts in the place of the library's. */
int __real_poll(struct pollfd *fds, nfds_t count, int ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int ms);
int64_t __wrap_ivp_now(void);
int64_t __wrap_ivp_deadline(int64_t ms);
void __wrap_ivp_doze(struct ivp_doze *doze);
void __wrap_ivp_word_sleep(struct ivp_region *region, const u32 *word, u32 seen, struct ivp_doze *doze, int64_t ms);
int __wrap_ivp_random(void *bytes, size_t len, struct ivp_error *err);
int __wrap_ivp_random_id(u64 *id, struct ivp_error *err);

static void in_vain(int64_t ms)
{
	require(waits--);
	now += ms;
	require(now <= limit);
	if (move)
		move();
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int ms)
{
	int ready = __real_poll(fds, count, 0);

	if (ready || !ms)
		return ready;
	require(ms > 0);
	in_vain(ms);
	return __real_poll(fds, count, 0);
}

int64_t __wrap_ivp_now(void)
{
	return now;
}

int64_t __wrap_ivp_deadline(int64_t ms)
{
	return ms < 0 || ms > INT64_MAX - now ? INT64_MAX : now + ms;
}

void __wrap_ivp_doze(struct ivp_doze *doze)
{
	(void)doze;
	in_vain(DOZE_MS);
}

void __wrap_ivp_word_sleep(struct ivp_region *region, const u32 *word, u32 seen, struct ivp_doze *doze, int64_t ms)
{
	(void)region;
	(void)doze;
	if (__atomic_load_n(word, __ATOMIC_ACQUIRE) == seen)
		in_vain(ms);
}

int __wrap_ivp_random(void *bytes, size_t len, struct ivp_error *err)
{
	u8 *to = bytes;

	(void)err;
	while (len--) {
		number = number * 6364136223846793005ULL + 1442695040888963407ULL;
		*to++ = (u8)(number >> 56);
	}
	return 0;
}

int __wrap_ivp_random_id(u64 *id, struct ivp_error *err)
{
	__wrap_ivp_random(id, sizeof(*id), err);
	*id |= 1;
	return 0;
}
