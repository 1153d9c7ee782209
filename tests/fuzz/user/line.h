/* SPDX-License-Identifier: MIT */
/* line: the dialog over a control connection. */
#ifndef LINE_H
#define LINE_H

#include "dialog.h"

void line_begin(struct input *input, bool serving);

#endif
