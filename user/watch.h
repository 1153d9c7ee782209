/* SPDX-License-Identifier: MIT */
/*
 * watch: a thread that waits in its user's place, and a descriptor that is readable once there was something to wait for. For
 * loops that wait for descriptors. For the library's own files.
 */
#ifndef IVP_WATCH_H
#define IVP_WATCH_H

#include <stdbool.h>

struct ivp_watch;

/* All are called by the thread; due and sleep only while it is armed. */
struct ivp_watch_calls {
	bool (*due)(void *arg);   /* is there something to tell? Does not wait */
	void (*sleep)(void *arg); /* until there may be, or a little while has passed */
	void (*wake)(void *arg);  /* by others: end that sleep */
};

/* 0 or -errno. The calls stay the caller's. */
int ivp_watch_open(struct ivp_watch **watch, const struct ivp_watch_calls *calls, void *arg);

/* Ends the thread, in up to a quarter of a second where its sleep cannot be ended. NULL is fine. */
void ivp_watch_close(struct ivp_watch *watch);

/* What is seen from now on counts: `prepare` (if not NULL) is called in the thread's way, so that what it writes can be read by due. */
void ivp_watch_arm(struct ivp_watch *watch, void (*prepare)(void *arg));

/* Whoever returns from this is not in due, and will not be until it is armed again. */
void ivp_watch_disarm(struct ivp_watch *watch);

/* Readable at once. */
void ivp_watch_fire(struct ivp_watch *watch);

int ivp_watch_fd(const struct ivp_watch *watch);

#endif
