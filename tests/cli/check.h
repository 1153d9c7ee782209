/* SPDX-License-Identifier: MIT */
/* check: TAP for a test in one file. */
#ifndef IVP_CHECK_H
#define IVP_CHECK_H

#include <stdbool.h>
#include <stdio.h>

static int check_count, check_failures;

static void check(bool good, const char *what)
{
	check_count++;
	check_failures += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", check_count, what);
}

static inline void check_skip(const char *what, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++check_count, what, why);
}

static int check_done(void)
{
	printf("1..%d\n", check_count);
	return check_failures != 0;
}

#endif
