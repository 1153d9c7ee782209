/* SPDX-License-Identifier: MIT */
/* log: one line at a time on standard error, with nothing in it that a terminal would obey. */
#ifndef IVP_LOG_H
#define IVP_LOG_H

#include "ivpipe.h"

enum ivp_log_level {
	IVP_LOG_QUIET,
	IVP_LOG_NORMAL,
	IVP_LOG_VERBOSE,
};
void ivp_log_level(enum ivp_log_level level);

/* "ivpipe: " and the text. Errors always, notices unless quiet, details when verbose. */
void ivp_log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void ivp_log_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));
void ivp_log_detail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Bytes of the well-formed UTF-8 character at text, 0 if there is none. */
size_t ivp_log_character(const char *text);

/* Copy text, with `instead` for every byte that is part of a control character or of no character; cut to fit. */
void ivp_log_clean(char *to, size_t size, const char *text, char instead);

#endif
