/* SPDX-License-Identifier: MIT */
/* holes: writes a new file in which blocks of zeros take no room. */
#ifndef IVP_HOLES_H
#define IVP_HOLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ivp_holes {
	int fd;      /* of an empty regular file */
	uint64_t at; /* bytes so far, zeros and others */
};

/* One step of writing: bytes taken, at least 1, of len, which is not 0; or -1 and errno, as of pwrite(2). */
ptrdiff_t ivp_holes_write(struct ivp_holes *holes, const char *from, size_t len);

/* All has come: gives the file its size, also where it ends in a hole. 0, or -1 and errno. */
int ivp_holes_end(const struct ivp_holes *holes);

#endif
