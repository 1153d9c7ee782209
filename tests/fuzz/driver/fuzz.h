/* SPDX-License-Identifier: GPL-2.0-only */
/* The fuzzer of the driver's file: what its parts say to each other. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t u32;
typedef uint64_t u64;

#define MOST_ARGS  9
#define MOST_CALLS 24
#define MOST_KINDS 48
#define WORKERS    2

/* --- values.c: numbers that hurt, all from one seed --- */

/* What an argument means, and so which values are worth a try. */
enum meaning {
	NONE,
	SLOT, /* of an open file */
	NODE, /* the N of /dev/ivshmemN */
	OPEN_FLAGS,
	ADDRESS, /* in the arena, whose places are 2 MiB apart */
	NUDGE,   /* from such a place */
	LENGTH,
	PROTECTION,
	MAP_FLAGS,
	REMAP_FLAGS,
	ADVICE,
	OFFSET,
	WHENCE,
	BUFFER, /* where a structure or bytes lie: see buffer_at() */
	ARGSZ,
	FLAGS,
	WORD,  /* offset of one */
	VALUE, /* of one */
	POLL_US,
	TIMEOUT,
	RESERVED,
	PEER,
	VECTOR,
	EVENT, /* slot of an eventfd, or none */
	COMMAND,
	EVENTS,
	SHORT_MS,
	LOCK,
	NUMBER,
	MEANINGS
};

void values_seed(u64 seed);
u64 values_random(void);
u32 values_below(u32 bound);
u64 values_of(enum meaning meaning);
u64 values_first(enum meaning meaning);

/* --- calls.c: the surface --- */

struct call {
	u32 kind;
	u64 arg[MOST_ARGS];
};

struct kind {
	const char *name;
	long (*run)(const u64 *arg); /* negative: failed */
	enum meaning args[MOST_ARGS];
};

extern const struct kind kinds[];
extern const u32 kinds_count;

void calls_prepare(void); /* in a process that runs programs */
void calls_begin(void);
bool calls_run(const struct call *call, long *ret); /* false: it ended by a signal */
void calls_end(void);                               /* no file and no mapping is left for the next program */

/* --- programs.c: calls in a row, and the ones worth keeping --- */

struct program {
	u32 count;
	struct call calls[MOST_CALLS];
};

void programs_next(struct program *p);             /* a new one, or a kept one changed */
bool programs_tour(struct program *p, u32 number); /* each call once on each node; false: there are no more */
void programs_keep(const struct program *p);
u32 programs_kept(void);
size_t programs_print(const struct program *p, char *text, size_t size);

/* --- coverage.c --- */

void coverage_open(void);
void coverage_begin(void);   /* this task, until it ends */
bool coverage_collect(void); /* was there a pair of places that nobody before had in a row? Clears the trace. */

/* --- main.c --- */

#define PLACES (1 << 16)

/* Shared by all processes. */
struct report {
	atomic_ulong programs, calls, signals, kept, cycles, binds_refused, hung, died;
	atomic_ulong succeeded[MOST_KINDS], failed[MOST_KINDS];
	atomic_ulong places[PLACES]; /* of the module's code that were reached: a hash table of addresses */
};
extern struct report *report;

__attribute__((noreturn)) void bail(const char *what);
bool out_of_time(void);

/* --- rebind.c: takes the devices away, and gives them back --- */

void rebind_start(void); /* which there are */
void rebind_run(void);
bool rebind_all(void); /* are all bound in the end? */

#endif
