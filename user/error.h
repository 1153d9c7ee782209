/* SPDX-License-Identifier: MIT */
/* error: fills the caller's struct ivp_error. */
#ifndef IVP_ERROR_H
#define IVP_ERROR_H

#include "ivpipe.h"

/* Fill *err (if there is one) and return number, a negative errno. */
int ivp_fail(struct ivp_error *err, enum ivp_failure kind, int number, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The same, for a failed system call on a path: says "path: strerror", and derives the kind from the errno. */
int ivp_fail_path(struct ivp_error *err, int number, const char *path, const char *hint);

#endif
