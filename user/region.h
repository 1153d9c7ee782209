/* SPDX-License-Identifier: MIT */
/* region: an open region, for the library's own files. */
#ifndef IVP_REGION_H
#define IVP_REGION_H

#include <signal.h>
#include <unistd.h>

#include "address.h"
#include "beat.h"
#include "copy.h"
#include "superblock.h"

/* How an end waits for another's word. */
enum ivp_way {
	IVP_WAY_POLL,   /* nobody wakes us: look again and again */
	IVP_WAY_FUTEX,  /* a file: processes on this kernel wake each other */
	IVP_WAY_DRIVER, /* a node: its driver looks for us, and processes on this kernel wake each other through it */
};

/* A listener, a lane, and the sweep of the lanes. */
#define IVP_SPARES 3

struct ivp_region {
	struct ivp_address address;
	struct ivp_superblock
		sb; /* our copy, checked once; the one in the memory is never asked again but for its id */
	u8 __shm *map;
	u64 size;              /* bytes mapped */
	int fd;                /* what is mapped; holds the format lock for reading while open */
	int lock_fd;           /* the inode of the locks; the same as fd where that is the same file */
	int spare[IVP_SPARES]; /* more of it, for ends to come; -1: none */
	u32 side;
	bool read_only;
	bool enclosed; /* spares are kept */
	bool combined; /* the mapping is not write-back */
	bool had_name; /* the file had a link when it was opened, so that none means deleted */
	bool watched;  /* by sigbus */
	char cache[32];
	enum ivp_way way; /* the best there is; see ivp_word_way() */
	u32 bell;         /* IVP_BELL() of this machine, whose driver rings and is rung; 0: neither */
	struct ivp_beat *beat;
	/* How bytes get into the memory, and out of it; NULL until a lane was attached. */
	_Atomic(const struct ivp_copier *) copy_in;
	_Atomic(const struct ivp_copier *) copy_out;
	pid_t owner; /* the process that opened it */
	const volatile sig_atomic_t *cancel;
	volatile sig_atomic_t lost; /* the memory went away; zero pages come in its place, or SIGBUS */
};

static inline struct ivp_slot __shm *ivp_region_slot(const struct ivp_region *region, u32 side, u32 number)
{
	return (struct ivp_slot __plain __shm *)(region->map + ivp_slot_offset(&region->sb, side, number));
}

static inline struct ivp_half __shm *ivp_region_half(const struct ivp_region *region, u32 lane, bool server)
{
	return (struct ivp_half __plain __shm *)(region->map + ivp_half_offset(&region->sb, lane, server));
}

static inline bool ivp_region_cancelled(const struct ivp_region *region)
{
	return region->cancel && *region->cancel;
}

/* Is this a child that was forked with the region open? It has neither the memory nor the threads, and others' locks. */
static inline bool ivp_region_inherited(const struct ivp_region *region)
{
	return region->owner != getpid();
}

/* Map `len` bytes at `offset` twice in a row, so that a span may run over the end. NULL where page sizes forbid it. */
u8 __shm *ivp_region_mirror(struct ivp_region *region, u64 offset, u64 len);
void ivp_region_unmirror(u8 __shm *mirror, u64 len);

/* Is the region still what was opened: not unplugged or shrunk, its file not deleted, not laid out anew? -ESTALE if not. */
int ivp_region_check(struct ivp_region *region, struct ivp_error *err);

/* Copy the superblock out and judge it, with its checksum. As ivp_superblock_check(). */
int ivp_region_read_superblock(const struct ivp_region *region, struct ivp_superblock *sb);

/* Open and map, with neither lock nor superblock looked at: for region.c and format.c. Takes the address over. */
int ivp_region_map(struct ivp_region **region, const struct ivp_address *address, unsigned int flags,
		   struct ivp_error *err);

/* A descriptor for one end's lock; or a negative errno. */
int ivp_region_take_lock_file(struct ivp_region *region);
/* Which has let go of its lock on `byte`. */
void ivp_region_return_lock_file(struct ivp_region *region, int fd, u64 byte);

/* Random bytes from the kernel. */
int ivp_random(void *bytes, size_t len, struct ivp_error *err);

/* Random, never 0. */
int ivp_random_id(u64 *id, struct ivp_error *err);

#endif
