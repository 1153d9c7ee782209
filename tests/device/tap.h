/* SPDX-License-Identifier: MIT */
/* Results in TAP, one behaviour a line. */
#ifndef TAP_H
#define TAP_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

/* errno is shown where a test fails, since mostly it says why. */
static inline bool tap_ok(bool good, const char *name)
{
	int err = errno;

	printf("%sok %d %s", good ? "" : "not ", ++tap_count, name);
	if (!good)
		printf(" # errno %s", strerror(err));
	printf("\n");
	fflush(stdout);
	tap_failed += !good;
	return good;
}

static inline void tap_skip(const char *name, const char *why)
{
	printf("ok %d %s # SKIP %s\n", ++tap_count, name, why);
}

static inline int tap_end(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed != 0;
}

/* The call failed, and with that errno. */
#define FAILS(call, err) (errno = 0, (long)(call) == -1 && errno == (err))

#endif /* TAP_H */
