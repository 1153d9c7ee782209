/* SPDX-License-Identifier: MIT */
/* screen: a view that is drawn again and again: in place on a terminal, and as one block after the other elsewhere. */
#ifndef IVP_SCREEN_H
#define IVP_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

struct ivp_screen {
	bool terminal, keys; /* standard output is one; and standard input, whose keys are taken */
	struct termios before;
	size_t lines; /* of ours that stand on it */
};

void ivp_screen_begin(struct ivp_screen *screen);
/* Columns; 0: no terminal. */
size_t ivp_screen_width(void);
/* Lines that end with a newline. On a terminal they are cut to what fits. 0 or -errno. */
int ivp_screen_show(struct ivp_screen *screen, const char *text);

enum ivp_screen_event {
	IVP_SCREEN_TIME, /* the deadline has come */
	IVP_SCREEN_QUIT, /* q, or a signal */
	IVP_SCREEN_GONE, /* nobody reads any more */
};
enum ivp_screen_event ivp_screen_wait(const struct ivp_screen *screen, int64_t deadline);
void ivp_screen_end(struct ivp_screen *screen);

#endif
