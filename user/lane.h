/* SPDX-License-Identifier: MIT */
/* lane: one end of a connection: its lock, its half, its rings, and whether the peer lives. For the library's own files. */
#ifndef IVP_LANE_H
#define IVP_LANE_H

#include <pthread.h>

#include "control.h"
#include "handshake.h"
#include "region.h"
#include "ring.h"
#include "wait.h"
#include "word.h"

struct ivp_digest_state; /* of stream.c */
struct ivp_loop;         /* of loop.c */

/*
 * One thread may send while another receives, hence the lock: what both need, and touch seldom. The busy path takes none:
 * fields that it reads without are atomic.
 */
struct ivp_lane {
	struct ivp_region *region;
	pthread_mutex_t lock;
	u32 index;
	bool server;
	struct ivp_half __shm *mine;   /* only we write it */
	struct ivp_half __shm *theirs; /* only the peer does */
	int fd;                        /* opened for the lock of this end alone */
	struct ivp_control *control;   /* NULL: the handshake goes through the memory, and so do kicks */
	u64 epoch, their_epoch;
	_Atomic(u32) their_state; /* the last one that was accepted; under the lock */
	bool open;                /* the handshake is over */
	_Atomic(bool) local;      /* the peer's lock was seen on this kernel */
	_Atomic(bool) gone;       /* the peer died: nobody but us cleans up */
	_Atomic(bool) hung_up;    /* by its end of the control connection */
	_Atomic(bool) taken_over; /* somebody else writes our half: hands off */
	_Atomic(bool) given_up;   /* by us, in either direction */
	u32 sleeps;               /* of ours, so far; under the lock */
	u32 sleepers;             /* our threads asleep just now; under the lock */
	_Atomic(bool) spoke;      /* we sent something since we waited for data last */
	_Atomic(u32) kicked;      /* the sleep of the peer's that was ended last; under the lock */
	struct ivp_ring tx, rx;
	u8 __shm *tx_mirror, *rx_mirror;
	/* life of the peer; under the lock */
	u32 their_beat;
	u32 still;               /* looks in a row at which the beat had not changed */
	u32 still_max;           /* that many mean death; 0: never */
	_Atomic(int64_t) looked; /* when that was looked at last */
	/* the hello, for showing */
	char file[IVP_NAME_MAX];
	int64_t size;
	/* stream.c */
	struct ivp_digest_state *digest;
	u64 sent, received;
	_Atomic(bool) ended;   /* we sent an end record */
	struct ivp_loop *loop; /* NULL until its descriptor was asked for */
};

/* The byte of an end's lock. */
static inline u64 ivp_lane_lock(const struct ivp_lane *lane, bool server)
{
	return server ? IVP_LOCK_SERVER(lane->index) : IVP_LOCK_CLIENT(lane->index);
}

/* Lock the client's or the server's end of a lane, take a new epoch, clear our half, wipe the ring we send on. The half says
 * idle. -EAGAIN: the end is taken. Ownership of the lane goes to the caller. */
int ivp_lane_take(struct ivp_lane **lane, struct ivp_region *region, u32 index, bool server, struct ivp_error *err);

/* The handshake is over: attach the rings. their_epoch is set. */
int ivp_lane_attach(struct ivp_lane *lane, const struct ivp_lane_options *options, struct ivp_error *err);

/* Publish a state of ours; everything stored before is seen by who sees it. Wakes the peer. */
void ivp_lane_state(struct ivp_lane *lane, enum ivp_state state);

/* Publish a message of ours together with the state that says it is there: through the half, or the control connection, which has
 * until the deadline to take it. 0; -EPIPE, -ETIMEDOUT. */
int ivp_lane_say(struct ivp_lane *lane, const struct ivp_message *message, enum ivp_state state, int64_t deadline);

/* What an end says: its state, and a private copy of its message, all of the one epoch. False: it is being written anew just now,
 * look again. */
struct ivp_heard {
	u64 epoch;
	u32 state;
	struct ivp_message message;
};
bool ivp_lane_hear(struct ivp_region *region, const struct ivp_half __shm *half, struct ivp_heard *heard);

/* Wake the peer if it said that it sleeps, once for each sleep. Call it after publishing. */
void ivp_lane_kick(struct ivp_lane *lane);

/* Look at both halves once: -EPROTO our own end is written by another, or the peer's state goes backwards; -EPIPE another
 * epoch: the peer's end was taken over. While the handshake runs only our own half is looked at. */
int ivp_lane_look(struct ivp_lane *lane, struct ivp_error *err);

/* Is the peer alive, as far as can be told without waiting? Looks only as often as makes sense. -EPIPE, -ESTALE. */
int ivp_lane_alive(struct ivp_lane *lane, struct ivp_error *err);

/* How to begin a wait for the peer: hardly by spinning where it has the processor that we have, for it goes on only when we sleep; for
 * longer where nobody can end our sleep. */
struct ivp_doze ivp_lane_doze(struct ivp_lane *lane);

/* Sleep until the peer kicks us or a little time has passed, not beyond the deadline. `ready` tells whether there is anything to
 * sleep for, and is asked again after the peer was told that we sleep. */
void ivp_lane_sleep(struct ivp_lane *lane, struct ivp_doze *doze, int64_t deadline,
		    bool (*ready)(struct ivp_lane *, unsigned int), unsigned int what);

/* The peer's verdict, as it stands: an enum ivp_reason or anything else. */
u32 ivp_lane_their_verdict(const struct ivp_lane *lane);

/* Hide a fresh token in the ring we send on, and describe it in the message. */
int ivp_lane_hide_token(struct ivp_lane *lane, struct ivp_message *message, u32 bytes, struct ivp_error *err);
void ivp_lane_wipe_token(struct ivp_lane *lane);

/* Is the token of this message, whose window was checked, in the memory? */
bool ivp_lane_find_token(const struct ivp_lane *lane, const struct ivp_message *message);

/* Is the peer, in the session whose message this is, still in the state that goes with it? One that gave up has wiped its token. */
bool ivp_lane_still_says(const struct ivp_lane *lane, enum ivp_state state);

/* Clean up ends that processes of our side left behind: their lock is free, so they are dead. */
void ivp_lane_sweep(struct ivp_region *region);

/* ivp_lane_write() for bytes; for a message, what is left of it: all of that, or a part that says so. */
ptrdiff_t ivp_stream_write(struct ivp_lane *lane, const void *bytes, size_t len, bool message, struct ivp_error *err);
/* ivp_lane_read(), which tells whether more of the same message follows. bytes NULL: lose what there is. */
ptrdiff_t ivp_stream_read(struct ivp_lane *lane, void *bytes, size_t len, bool *more, struct ivp_error *err);

/* As ivp_ring_put_many() and ivp_ring_take_many(), counted and digested. 0 also where the region is one whose copies are chosen by the
 * clock: then one at a time. */
int ivp_stream_put_many(struct ivp_lane *lane, const struct iovec *messages, u32 count, struct ivp_error *err);
int ivp_stream_take_many(struct ivp_lane *lane, const struct iovec *rooms, size_t *lens, u32 count,
			 struct ivp_error *err);

/* ivp_lane_wait(), for who may have to wait again. */
int ivp_stream_wait(struct ivp_lane *lane, unsigned int what, struct ivp_patience *patience, struct ivp_error *err);

/* A ring that makes no sense: perhaps only because its sender gave up and wiped it, and then that is the reason. */
int ivp_lane_broken(struct ivp_lane *lane, struct ivp_error *err);

/* Is there, without waiting, what one would wait for, or a reason why there never will be? For who uses that direction. */
bool ivp_stream_ready(struct ivp_lane *lane, unsigned int what);

/* loop.c's part of a lane. */
void ivp_loop_free(struct ivp_lane *lane);

/* stream.c's part of a lane. 0 or -ENOMEM with *err filled. */
int ivp_stream_new(struct ivp_lane *lane, struct ivp_error *err);
void ivp_stream_free(struct ivp_lane *lane);

/* Defaults filled in, names checked. service is IVP_SERVICE_BYTES. */
int ivp_lane_options_check(struct ivp_lane_options *options, u8 *service, struct ivp_error *err);

#endif
