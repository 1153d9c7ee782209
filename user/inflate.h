/* SPDX-License-Identifier: MIT */
/* inflate: undoes zlib's compression. Left out of builds without zlib. */
#ifndef IVP_INFLATE_H
#define IVP_INFLATE_H

#include "deps.h"

/* *plain is the caller's, to be freed. -EPROTO: damaged; -E2BIG: more than `most` bytes; -ENOMEM; -EOPNOTSUPP: not in this build. */
int ivp_inflate(const u8 *bytes, size_t len, size_t most, u8 **plain, size_t *plain_len);

#endif
