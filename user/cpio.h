/* SPDX-License-Identifier: MIT */
/* cpio: an archive that a kernel unpacks as its first root ("newc"). */
#ifndef IVP_CPIO_H
#define IVP_CPIO_H

#include <stdio.h>

#include "ivpipe.h"

struct ivp_cpio {
	FILE *out;
	const char *path; /* of the archive, for messages */
	uint32_t inode;   /* the last one */
};

/* Directories come before what lies in them, and may come twice. */
int ivp_cpio_directory(struct ivp_cpio *cpio, const char *name, struct ivp_error *err);
/* The contents of `from`, which everybody may run; with the directories in front of it. name begins with a slash. */
int ivp_cpio_program(struct ivp_cpio *cpio, const char *name, const char *from, struct ivp_error *err);
/* The last one. Everything is in the file when this returns 0. */
int ivp_cpio_end(struct ivp_cpio *cpio, struct ivp_error *err);

#endif
