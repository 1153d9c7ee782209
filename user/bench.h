/* SPDX-License-Identifier: MIT */
/*
 * bench: what `ivpipe bench` measures. A cell is one thing measured in one way; every round takes a sample of each cell, in
 * another order each time; figures are what the samples of a cell say together, for near and far processors apart.
 */
#ifndef IVP_BENCH_H
#define IVP_BENCH_H

#include <signal.h>
#include <stdio.h>

#include "json.h"
#include "ivpipe.h"

#define IVP_BENCH_CELLS  256
#define IVP_BENCH_LEFT   12
#define IVP_BENCH_SIZES  8
#define IVP_BENCH_ROUNDS 1000

enum ivp_bench_kind {
	IVP_BENCH_STREAM, /* bytes a second */
	IVP_BENCH_COPY,   /* bytes a second, of a copy into the region and out of it */
	IVP_BENCH_TRIP,   /* ns there and back: p50, p99 */
	IVP_BENCH_RATE,   /* messages a second */
	IVP_BENCH_WAKE,   /* ns until a sleeper is up: p50, p99 */
	IVP_BENCH_IDLE,   /* percent of a processor: client, server */
	IVP_BENCH_KINDS,
};

enum ivp_bench_label {
	IVP_BENCH_NEAR,
	IVP_BENCH_FAR,
	IVP_BENCH_MIXED,   /* they moved meanwhile */
	IVP_BENCH_UNKNOWN, /* one processor, or too busy ones */
	IVP_BENCH_LABELS,
};

struct ivp_bench_cell {
	enum ivp_bench_kind kind;
	const char *way, *title;
	const char *direction; /* "out", "in", or "" */
	uint64_t size;         /* bytes of a write, a message; 0: does not matter */
	bool base;             /* what the others of its kind, size and direction are held against */
};

struct ivp_bench_sample {
	size_t cell;
	uint32_t round, before, after; /* ns of the probe */
	enum ivp_bench_label label;
	double values[2];
};

/* A way that is not measured here, and why, in one line. */
struct ivp_bench_left {
	const char *way;
	char why[160];
};

/* The way that others are held against in their turn. */
#define IVP_BENCH_OURS "ivpipe"

struct ivp_bench {
	bool quick;
	uint64_t rounds, seed;
	uint64_t sizes[IVP_BENCH_SIZES];
	size_t size_count;
	struct ivp_bench_cell cells[IVP_BENCH_CELLS];
	size_t cell_count;
	struct ivp_bench_sample *samples; /* in the order in which they were taken */
	size_t sample_count;
	struct ivp_bench_left left[IVP_BENCH_LEFT];
	size_t left_count;
	bool others;    /* there is more than ivpipe: how many times as good as the other ways that is, is shown, too */
	char *text;     /* what cells point into, or NULL: they are constants */
	int processors; /* of who measured */
	const char *mode; /* "self", "client", "vm" */
	struct ivp_region_info info;
	/* One sample of a cell. */
	int (*measure)(struct ivp_bench *bench, const struct ivp_bench_cell *cell, double values[2],
		       struct ivp_error *err);
	void *arg; /* of measure */
	const volatile sig_atomic_t *cancel;
	void (*progress)(const struct ivp_bench *bench, size_t done, size_t all); /* or NULL */
};

/* Of one value of a cell, under one label. */
struct ivp_bench_figure {
	size_t count;                          /* 0: nothing else is set */
	double median, least, most, low, high; /* the last are quartiles */
};

/* What each kind is called, its unit, and what its values are called; the second is NULL where there is one. */
struct ivp_bench_words {
	const char *name, *title, *unit, *values[2];
	bool less_is_better;
};
extern const struct ivp_bench_words ivp_bench_words[IVP_BENCH_KINDS];
extern const char *const ivp_bench_labels[IVP_BENCH_LABELS];

/* bench_stats.c. False: no room for more cells. */
bool ivp_bench_add(struct ivp_bench *bench, const struct ivp_bench_cell *cell);
/* All rounds. The order depends on the seed, the number of cells, and nothing else. */
int ivp_bench_run(struct ivp_bench *bench, struct ivp_error *err);
void ivp_bench_free(struct ivp_bench *bench);
void ivp_bench_figure(const struct ivp_bench *bench, size_t cell, enum ivp_bench_label label, int value,
		      struct ivp_bench_figure *figure);
/* The cell that this one is held against, or bench->cell_count. */
size_t ivp_bench_base(const struct ivp_bench *bench, size_t cell);
/* Of ours that is held against this one, or bench->cell_count. */
size_t ivp_bench_ours(const struct ivp_bench *bench, size_t cell);
/* Of numbers that are sorted; part: 0.5 is the median. */
double ivp_bench_quantile(const double *sorted, size_t count, double part);
void ivp_bench_sort(double *numbers, size_t count);

/* bench_self.c: cells, and how they are measured by two processes in this region. service is a name that nobody else has. */
struct ivp_bench_self {
	const char *region, *service;
};
int ivp_bench_self(struct ivp_bench *bench, struct ivp_bench_self *self, struct ivp_error *err);

/* bench_peer.c: the same with a peer that serves; and that peer: until a client says that it was all, or dies. */
struct ivp_bench_peer {
	struct ivp_region *region;
	struct ivp_lane_options options;
	size_t piece;                          /* of the lane */
	const struct ivp_bench_others *others; /* or NULL */
};
/* What else goes between the two ends: cells, those that are a base or the rest; whether a cell is one of them, and a sample of it. */
struct ivp_bench_others {
	bool (*add)(struct ivp_bench *bench, enum ivp_bench_kind kind, uint64_t size, bool base);
	bool (*has)(const struct ivp_bench_cell *cell);
	int (*measure)(struct ivp_bench *bench, const struct ivp_bench_cell *cell, double values[2],
		       struct ivp_error *err);
};
bool ivp_bench_add_both(struct ivp_bench *bench, enum ivp_bench_kind kind, const char *way, const char *title,
			uint64_t size, bool base);
int ivp_bench_client(struct ivp_bench *bench, struct ivp_bench_peer *peer, struct ivp_error *err);
/* Tell the server that it was all. */
int ivp_bench_client_end(struct ivp_bench_peer *peer, struct ivp_error *err);
int ivp_bench_serve(struct ivp_listener *listener, int64_t wait_ms, struct ivp_error *err);

/* bench_record.c: what was measured, for somebody else to show. */
void ivp_bench_record_write(const struct ivp_bench *bench, FILE *out);
/* Into one that has its rounds, and nothing measured. */
int ivp_bench_record_read(struct ivp_bench *bench, FILE *in, struct ivp_error *err);

/* bench_report.c, bench_plot.c */
void ivp_bench_show(const struct ivp_bench *bench);
void ivp_bench_show_json(const struct ivp_bench *bench);
/* Is this a name that can be drawn to, and is there gnuplot? Before anything is measured. */
int ivp_bench_plot_check(const char *path, struct ivp_error *err);
int ivp_bench_plot(const struct ivp_bench *bench, const char *path, struct ivp_error *err);

#endif
