// SPDX-License-Identifier: MIT
/*
 * Messages to and fro, with pauses at which one falls asleep just as the other sends. Whoever sleeps until the look that is there for
 * lost wake-ups, and had been sent something, was saved by it: nobody may be.   MESSAGES=1000000 for more
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "driver.h"
#include "pair.h"

static struct pair pair;

/* An end; its thread knows which it is. */
struct player {
	struct ivp_lane *lane;
	struct player *other;
	atomic_ulong sent;
	_Atomic int64_t sent_at; /* when all was done that wakes */
	unsigned long received;
	u64 seed;
	int ret;
	struct ivp_error err;
};
static __thread struct player *me;
static atomic_uint sleeps, saved;

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* What --wrap puts in the place of the library's. */
void __real_ivp_word_sleep(struct ivp_region *region, const u32 __shm *word, u32 seen, struct ivp_doze *doze,
			   int64_t ms);
void __wrap_ivp_word_sleep(struct ivp_region *region, const u32 __shm *word, u32 seen, struct ivp_doze *doze,
			   int64_t ms);

void __wrap_ivp_word_sleep(struct ivp_region *region, const u32 __shm *word, u32 seen, struct ivp_doze *doze,
			   int64_t ms)
{
	int64_t look = now_us() + ms * 1000;

	errno = 0;
	__real_ivp_word_sleep(region, word, seen, doze, ms);
	sleeps++;
	/* Who was told in time, and slept on. That the other is late, and we are, too, says nothing. */
	if (me && errno == ETIMEDOUT && now_us() >= look && me->other->sent > me->received && me->other->sent_at < look)
		saved++;
}

/* Mostly about as long as it takes to give up spinning. */
static void linger(struct player *player)
{
	static const u16 at_most[] = {1, 3, 10, 30, 200};
	u64 any = unit_random(&player->seed);
	int64_t end = now_us() + (int64_t)((any >> 8) % at_most[any % ARRAY_SIZE(at_most)]);

	while (now_us() < end)
		;
}

static unsigned long messages(void)
{
	const char *wanted = getenv("MESSAGES");

	return wanted ? strtoul(wanted, NULL, 10) : 10000;
}

static int hit(struct player *player, unsigned long number)
{
	linger(player);
	player->ret = ivp_lane_send_message(player->lane, &number, sizeof(number), 20000, &player->err);
	player->sent_at = now_us();
	player->sent++;
	return player->ret;
}

static int await_ball(struct player *player, unsigned long number)
{
	unsigned long got = 0;
	ptrdiff_t len = ivp_lane_recv_message(player->lane, &got, sizeof(got), 20000, &player->err);

	player->ret = len == (ptrdiff_t)sizeof(got) && got == number ? 0 : len < 0 ? (int)len : -1;
	player->received++;
	return player->ret;
}

static void *serve(void *arg)
{
	struct player *player = arg;
	unsigned long count = messages();

	me = player;
	for (unsigned long i = 0; i < count && !hit(player, i) && !await_ball(player, i); i++)
		;
	return NULL;
}

static void *give_back(void *arg)
{
	struct player *player = arg;
	unsigned long count = messages();

	me = player;
	for (unsigned long i = 0; i < count && !await_ball(player, i) && !hit(player, i); i++)
		;
	return NULL;
}

static void play(struct ivp_lane *one, struct ivp_lane *two)
{
	static struct player players[2];
	pthread_t threads[2];

	sleeps = saved = 0;
	memset(players, 0, sizeof(players));
	for (int i = 0; i < 2; i++) {
		players[i].lane = i ? two : one;
		players[i].other = &players[!i];
		players[i].seed = (u64)i + 1;
	}
	pthread_create(&threads[0], NULL, serve, &players[0]);
	pthread_create(&threads[1], NULL, give_back, &players[1]);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 2; i++)
		if (players[i].ret)
			fail_msg("player %d: %d %s", i, players[i].ret, players[i].err.text);
	printf("# %lu messages each way, %u sleeps, %u saved\n", messages(), (unsigned int)sleeps, (unsigned int)saved);
	assert_true(sleeps > messages() / 100);
	assert_int_equal(saved, 0);
}

static int setup(void **state)
{
	(void)state;
	driver_reset();
	pair_connect(&pair, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&pair);
	return 0;
}

static void nobody_is_saved_from_a_futex(void **state)
{
	(void)state;
	play(pair.client, pair.server);
}

static void nobody_is_saved_from_a_sleep_in_the_driver(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_region *here = place_open_node(&pair.place), *there = place_open_node(&pair.place);
	struct ivp_listener *listener;
	struct ivp_lane *lane;
	struct knock knock;

	(void)state;
	options.service = "node";
	assert_int_equal(ivp_listen(&listener, here, &options, NULL), 0);
	knock_begin(&knock, there, &options);
	assert_int_equal(ivp_accept(&lane, listener, NULL), 0);
	assert_int_equal(knock_end(&knock), 0);
	play(lane, knock.lane);
	ivp_lane_close(lane);
	ivp_lane_close(knock.lane);
	ivp_listener_close(listener);
	ivp_region_close(here);
	ivp_region_close(there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_is_saved_from_a_futex, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_is_saved_from_a_sleep_in_the_driver, setup, teardown),
	};

	return cmocka_run_group_tests_name("pingpong", tests, NULL, NULL);
}
