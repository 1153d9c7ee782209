/* SPDX-License-Identifier: MIT */
/*
 * libivpipe, for programs that speak to Xpra: the memory in which its mmap transfer puts pixels.
 *
 *   area    memory that two programs map: 8 bytes of pointers, then a ring of bytes, written by one and read by the other
 *   chunk   where in the area some bytes are; the packet that goes over Xpra's socket has a list of them for each picture
 *   token   a random number somewhere in the area, which proves that both see the same memory
 *
 * The format is that of all Xpra versions from 3.1.3 on: at 0 how far the reader is, at 4 how far the writer is, each a native 32-bit
 * offset from the area's beginning. Positions that this end has announced are kept privately, too, and never asked of the memory
 * again; the peer's is loaded once a call, and checked; chunks are the peer's claim, and checked. An area is used by one thread
 * at a time, as its writer or as its reader. Conventions are those of ivpipe.h.
 *
 * The area holds no lock and no sign of life: who may use it, and that its peer has gone, the socket says.
 */
#ifndef IVPIPE_XPRA_H
#define IVPIPE_XPRA_H

#include "ivpipe.h"

#ifdef __cplusplus
extern "C" {
#endif

#define IVP_XPRA_HEADER     8             /* bytes of an area that are its pointers */
#define IVP_XPRA_SMALLEST   (64ULL << 20) /* bytes; Xpra itself refuses less. These calls take 16 and more */
#define IVP_XPRA_LARGEST    0xffffffffULL /* bytes; offsets have 32 bits */
#define IVP_XPRA_CHUNKS_MAX 64            /* in one packet; Xpra's writers make one or two */
#define IVP_XPRA_TOKEN_MAX  512           /* bytes */

struct ivp_xpra_area;

enum {
	IVP_XPRA_READ_ONLY = 1 << 0, /* look only: status, and tokens verified */
	IVP_XPRA_SIGBUS = 1 << 1,    /* as IVP_OPEN_SIGBUS */
	IVP_XPRA_FORCE = 1 << 2,     /* although the memory is laid out for ivpipe */
};

/* Map `size` bytes at `offset` of a region (0: all that follow); address is a path or "auto", as for ivp_region_open(). Nothing is
 * written. -ENOENT, -ENODEV, -EBUSY (auto: several), -EACCES, -EPERM; -EMSGSIZE: it has not so many bytes, or too many;
 * -EINVAL: offset is no multiple of 4; -EMEDIUMTYPE: laid out for ivpipe, which would be overwritten. */
int ivp_xpra_open(struct ivp_xpra_area **area, const char *address, unsigned int flags, uint64_t offset, uint64_t size,
		  struct ivp_error *err);

/* The same in memory of the caller's, aligned to 4 bytes, which has to stay until the area is closed. -EMSGSIZE, -EINVAL, -ENOMEM. */
int ivp_xpra_attach(struct ivp_xpra_area **area, void *memory, uint64_t size, struct ivp_error *err);

/* Changes nothing in the memory. NULL is fine. */
void ivp_xpra_close(struct ivp_xpra_area *area);

uint64_t ivp_xpra_size(const struct ivp_xpra_area *area);

/* ---- looking, and beginning ---- */

struct ivp_xpra_status {
	uint64_t size;
	uint32_t start, end; /* the pointers as they are: the reader's, the writer's; 0 before their first use */
	bool sane;           /* both are 0 to 7, which stands for 8, or within the area */
	uint64_t used, room; /* if sane: bytes that nobody has read; bytes of the largest write that would be taken */
};
/* -ESTALE: the memory went away. */
int ivp_xpra_look(const struct ivp_xpra_area *area, struct ivp_xpra_status *status, struct ivp_error *err);

/* Zero the pointers. Xpra never does: what a crash left makes the area seem full, and windows stay blank for a whole session. For
 * the client, before its hello; never while anybody uses the area. */
int ivp_xpra_prepare(struct ivp_xpra_area *area, struct ivp_error *err);

/* Where a token is, and its value: `bytes` of it, the least significant first. */
struct ivp_xpra_token {
	uint64_t index; /* bytes from the area's beginning */
	uint32_t bytes; /* 1 to IVP_XPRA_TOKEN_MAX */
	uint8_t value[IVP_XPRA_TOKEN_MAX];
};
/* A random one of 128 bits, in 128 bytes, for anywhere behind the pointers of this area. */
int ivp_xpra_token_make(const struct ivp_xpra_area *area, struct ivp_xpra_token *token, struct ivp_error *err);
/* -ERANGE: it does not fit into the area, or would lie on the pointers. */
int ivp_xpra_token_place(struct ivp_xpra_area *area, const struct ivp_xpra_token *token, struct ivp_error *err);
/* The token as the peer announced it: -ERANGE: it does not fit into the area; -EBADMSG: something else is there, or the value is zero,
 * which proves nothing. To be called at once, before the peer writes data over it. */
int ivp_xpra_token_verify(const struct ivp_xpra_area *area, const struct ivp_xpra_token *token, struct ivp_error *err);

/* ---- bytes ---- */

struct ivp_xpra_chunk {
	uint32_t offset, length; /* bytes; offset from the area's beginning */
};

/*
 * The writer. Find room for len bytes: the number of chunks, 1 or 2, of which the second may be empty, as Xpra's are. -EAGAIN: no room
 * until the reader has read; -EMSGSIZE: there never will be (at most size - 9 bytes); -EINVAL: no bytes; -EPROTO: the reader's
 * pointer is outside of the area; -ESTALE: somebody else writes here too, or the memory went away.
 *
 * What Xpra takes for full is full here, too: also the write that would leave not a byte of room, after which newer versions take the
 * area for empty. Write into the chunks by ivp_xpra_at(), commit, and then send the packet. Reserving again forgets.
 */
int ivp_xpra_reserve(struct ivp_xpra_area *area, size_t len, struct ivp_xpra_chunk chunks[2], struct ivp_error *err);
int ivp_xpra_commit(struct ivp_xpra_area *area, struct ivp_error *err); /* -EINVAL: nothing was reserved */
/* All of it, with a copy. As ivp_xpra_reserve(). */
int ivp_xpra_write(struct ivp_xpra_area *area, const void *bytes, size_t len, struct ivp_xpra_chunk chunks[2],
		   struct ivp_error *err);

/* The bytes of a chunk, without a copy: NULL if it is not within the area. What the peer wrote may change while it is looked at. */
void *ivp_xpra_at(const struct ivp_xpra_area *area, const struct ivp_xpra_chunk *chunk);

/*
 * The reader. `chunks` are all of one packet. Read copies their bytes in a row, and then releases them; returns how many there were.
 * -EPROTO: a chunk is not within the area, there are none or too many, or they have more bytes than the area; -EMSGSIZE: more than
 * len, and nothing was released; -ESTALE: somebody else reads here too, or the memory went away.
 *
 * Release tells the writer that everything up to the end of the last chunk may be overwritten. For a picture that nobody wants any
 * more, too: nothing else gives its room back.
 */
ptrdiff_t ivp_xpra_read(struct ivp_xpra_area *area, const struct ivp_xpra_chunk *chunks, size_t count, void *bytes,
			size_t len, struct ivp_error *err);
int ivp_xpra_release(struct ivp_xpra_area *area, const struct ivp_xpra_chunk *chunks, size_t count,
		     struct ivp_error *err);

#ifdef __cplusplus
}
#endif

#endif /* IVPIPE_XPRA_H */
