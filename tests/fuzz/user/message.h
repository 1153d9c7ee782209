/* SPDX-License-Identifier: MIT */
/* message: one that holds, what a liar makes of it, and what docs/PROTOCOL.md says of that. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "fuzz.h"
#include "handshake.h"

/* As the peer would send it that is expected. The token and a hello's file name are the caller's. */
void message_make(struct ivp_message *message, u32 type, const struct ivp_expect *expect);

/* Up to four changes, most of them small, and some to the numbers on which something depends. */
void message_spoil(struct input *input, struct ivp_message *message, const struct ivp_expect *expect);

/* The reason for which docs/PROTOCOL.md §6 has it refused, or IVP_REASON_OK. */
enum ivp_reason message_judge(const struct ivp_message *message, u32 type, const struct ivp_expect *expect);

/* The same for a hello that came over a control connection, before the lane is looked at. */
enum ivp_reason message_judge_call(const struct ivp_message *message, const struct ivp_superblock *sb);

/* 1 to 31 of A-Z a-z 0-9 . _ -, no leading dot, padded with NUL. */
bool message_is_service(const u8 *service);

/* Such a name; the most common one for an input that is at its end. */
void message_choose_service(struct input *input, u8 *service);

#endif
