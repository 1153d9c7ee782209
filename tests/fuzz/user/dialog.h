/* SPDX-License-Identifier: MIT */
/* dialog: what the peer says when a connection is made: mostly what is its turn, now and then anything. */
#ifndef DIALOG_H
#define DIALOG_H

#include "fuzz.h"
#include "handshake.h"

#define DIALOG_EPOCH 0x1111222233334444ULL /* the peer's */

/* What the peer does, each at its turn. */
struct dialog_medium {
	void (*hear)(void);
	void (*go_on)(void); /* what comes next, and in the end hangs up */
	void (*say_anything)(void);
	void (*say_nothing)(void); /* what has no meaning, and is allowed */
	void (*hang_up)(void);
};

struct dialog {
	const struct dialog_medium *medium;
	struct input *input;
	bool serving;            /* the end under test is the server's */
	bool honest;             /* so far the peer did nothing but what is in order */
	bool poked;              /* what it proves itself by may have changed */
	u32 moves;               /* of the peer's, whatever they were */
	u32 lane;                /* the peer's */
	u32 steps;               /* of the handshake that the peer has taken */
	u64 listener_id;         /* through the memory: who is asked */
	u32 side;                /* of the peer, if it serves; ~0: nobody asks for it */
	struct ivp_message ours; /* of the peer's, the last */
};
extern struct dialog dialog;

void dialog_begin(struct input *input, const struct dialog_medium *medium, bool serving);

/* The end under test waits for us. An input that has ended is a peer that does what it should. */
void dialog_move(void);

/* Anything, anywhere in the region. */
void dialog_poke(void);
/* As it was left by others, perhaps. */
void dialog_poke_first(void);

/* The place of a field in the peer's half; and what it says there. */
u64 dialog_field(size_t offset);
void dialog_say_state(u32 state);

/* The peer's next message: as it should be, or with a few changes. */
void dialog_make(u32 type, u64 peer_epoch);
/* Its token, where it says that this lies, if that is anywhere. */
void dialog_hide_token(void);

/* What a message of the peer's is held against. */
struct ivp_expect dialog_expectation(u32 lane, u64 epoch, u64 peer_epoch);

#endif
