// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

#ifndef IVP_VERSION
#error "the Makefile passes IVP_VERSION from dkms.conf"
#endif

const char *ivp_version(void)
{
	return IVP_VERSION;
}

int ivp_fail(struct ivp_error *err, enum ivp_failure kind, int number, const char *format, ...)
{
	va_list args;

	if (!err)
		return number;
	err->kind = kind;
	err->number = number;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return number;
}

int ivp_fail_path(struct ivp_error *err, int number, const char *path, const char *hint)
{
	enum ivp_failure kind = IVP_FAIL_GENERAL;

	if (number == -ENOENT || number == -ENODEV || number == -ENXIO || number == -ENOTDIR)
		kind = IVP_FAIL_NO_REGION;
	else if (number == -EACCES || number == -EPERM)
		kind = IVP_FAIL_PERMISSION;
	return ivp_fail(err, kind, number, "%s: %s%s%s", path, strerror(-number), hint ? ": " : "", hint ? hint : "");
}
