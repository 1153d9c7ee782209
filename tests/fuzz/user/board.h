/* SPDX-License-Identifier: MIT */
/* board: the dialog through the memory, where each end leaves its messages in its half, and a listener its name in a slot. */
#ifndef BOARD_H
#define BOARD_H

#include "dialog.h"

/* serving: a listener has announced itself in the first slot of its side. */
void board_begin(struct input *input, bool serving);

/* The peer's last of that type; with that its proof stands or falls, as long as it poked nowhere. */
const struct ivp_message *board_message(u32 type);

#endif
