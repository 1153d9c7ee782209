/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * handshake: who may say what when, and whether it holds. Works on private copies of messages; waits for nothing.
 *
 * The client hides a token in the ring that it will send on and says hello; the server finds the token there, hides another
 * in its own ring and says welcome; the client finds that one and says ready. So each has seen the other's bytes in the
 * memory it maps, at the place that was named.
 *
 * States of an end, and what may follow (an end that starts anew takes a new epoch and begins at idle):
 *
 *   idle      client: hello               server: welcome, refused
 *   hello     client: open, closed, aborted
 *   welcome   server: open, closed, aborted
 *   refused   server: closed
 *   open      closed, aborted
 *   closed    nothing
 *   aborted   nothing
 */
#ifndef IVP_HANDSHAKE_H
#define IVP_HANDSHAKE_H

#include "superblock.h"

/*
 * May an end whose state was seen as `before` now, in the same epoch, be seen in `after`? Looks can miss states between, so
 * this asks for a path, not for a step. False for numbers that are no states.
 */
bool ivp_state_follows(u32 before, u32 after);

/* Is the state one that another may take the lane over from? */
bool ivp_state_over(u32 state);

/* What an end that waits in the handshake makes of its peer's state. */
enum ivp_step {
	IVP_STEP_WAIT,    /* nothing yet */
	IVP_STEP_ANSWER,  /* its message is there: judge it */
	IVP_STEP_REFUSED, /* it refuses us: the reason is in its message (server) or its verdict (client) */
	IVP_STEP_GONE,    /* it gave up */
	IVP_STEP_BROKEN,  /* no such state for that end */
};
enum ivp_step ivp_client_step(u32 server_state); /* client said hello */
enum ivp_step ivp_server_step(u32 client_state); /* server said welcome */

/* What this end knows for itself and holds the messages of the other against. */
struct ivp_expect {
	const struct ivp_superblock *sb;
	u64 listener_id;
	u64 epoch;      /* of the peer, from its half */
	u64 peer_epoch; /* ours */
	u32 lane;
	u32 side;          /* that the peer must be of: the lane's for a client; ~0 any */
	const u8 *service; /* IVP_SERVICE_BYTES, NUL-padded */
};

/*
 * A hello that came over a control connection, from wherever: is it for this region at all, and for a lane that it has? Before the
 * lane is touched; ivp_hello_check() has the rest.
 */
enum ivp_reason ivp_call_check(const struct ivp_message *hello, const struct ivp_superblock *sb);

/* IVP_REASON_OK, or why not. After OK the token's window lies within the ring the sender sends on. */
enum ivp_reason ivp_hello_check(const struct ivp_message *hello, const struct ivp_expect *expect);
enum ivp_reason ivp_welcome_check(const struct ivp_message *welcome, const struct ivp_expect *expect);
enum ivp_reason ivp_ready_check(const struct ivp_message *ready, const struct ivp_expect *expect);

/* Begin a message: everything zero but type, version and what `expect` knows, as seen from our end. */
void ivp_message_begin(struct ivp_message *message, enum ivp_message_type type, const struct ivp_expect *expect,
		       u32 our_side);

/* Compare two private copies in a time that does not depend on where they differ. */
bool ivp_token_equal(const u8 *one, const u8 *other, u32 bytes);

/* Is this a service name: 1 to 31 of [A-Za-z0-9._-], no leading dot, padded with NUL to IVP_SERVICE_BYTES? */
bool ivp_service_valid(const u8 *service);

/* A short phrase for a reason, never NULL. */
const char *ivp_reason_text(u32 reason);

#endif
