/* SPDX-License-Identifier: MIT */
/*
 * pair: a region in a file of its own, who opens it, and two ends that are connected through it.
 *
 * The `device` of a place is a directory as sysfs has them for a PCI device: its resource2_wc leads to the region's file,
 * but the locks are taken on a resource2 of its own. So who opens it is what a guest is to its host: the same memory, locks
 * that the other cannot see, no futex, and side 1.
 */
#ifndef PAIR_H
#define PAIR_H

#include <pthread.h>
#include <sys/types.h>

#include "lane.h"
#include "unit.h"

struct place {
	char dir[40], file[64], device[80], node[64], other_node[64];
};

/* A file of `size` zero bytes in a new directory in /dev/shm. */
void place_make(struct place *place, u64 size);
void place_remove(struct place *place);
void place_write(const struct place *place, u64 offset, const void *bytes, size_t len);

#define PLACE_SIZE (1024 * 1024)

/* Everything but `side` and `wait_ms` at its default; fails the test if it cannot be opened. */
struct ivp_region *place_open(const struct place *place, int side);
struct ivp_region *place_open_device(const struct place *place);
struct ivp_region *place_open_node(const struct place *place);       /* see driver.h */
struct ivp_region *place_open_other_node(const struct place *place); /* of another machine, on side 0 */

/* ivp_connect() in a thread of its own. */
struct knock {
	struct ivp_region *region;
	struct ivp_lane_options options;
	struct ivp_lane *lane;
	struct ivp_error err;
	pthread_t thread;
	int ret;
};
void knock_begin(struct knock *knock, struct ivp_region *region, const struct ivp_lane_options *options);
int knock_end(struct knock *knock);

/* Called once, with nothing to lose, before somebody next looks for a token. */
void before_token(void (*call)(void));
/* Called each time, before somebody looks whether a lock is held, until it is NULL again. */
void before_lock_look(void (*call)(void));

/* Defaults with deadlines that no test should meet. */
struct ivp_lane_options pair_options(void);

struct pair {
	struct place place;
	struct ivp_region *here, *there; /* file side; the other side */
	struct ivp_listener *listener;   /* here */
	struct ivp_lane *server, *client;
};

/* Regions and a listener; there: on this kernel by its locks, or behind a device. */
void pair_open(struct pair *pair, bool remote);
/* The handshake, too. */
void pair_connect(struct pair *pair, bool remote);
void pair_connect_with(struct pair *pair, bool remote, const struct ivp_lane_options *options);
void pair_close(struct pair *pair);

/* Another process, with its end of a socket; it is killed when the test program ends. Start it before anything is opened, for
 * it inherits what is open, and with it the locks. */
struct child {
	pid_t pid;
	int fd;
};
void child_start(struct child *child, void (*body)(int fd, void *arg), void *arg);
void child_kill(struct child *child); /* as by kill -9; waits until it is dead */
int child_wait(struct child *child);  /* as waitpid() tells it */

/* One byte each way, which says that something has come to pass. */
void word_say(int fd);
void word_hear(int fd);

/* Look again and again until it holds; fails the test after 20 s. */
#define await(condition)                                                                                               \
	do {                                                                                                           \
		int64_t await_end = await_deadline();                                                                  \
		while (!(condition))                                                                                   \
			await_pause(await_end, #condition, __FILE__, __LINE__);                                        \
	} while (0)
int64_t await_deadline(void);
void await_pause(int64_t deadline, const char *condition, const char *file, int line);

#endif
