/* SPDX-License-Identifier: GPL-2.0-only */
/* What the counting of faults (main.c) and the calls in which they come (operations.c) say to each other. */
#ifndef FAULTS_H
#define FAULTS_H

/* Set up before, undone after, both without faults; run gives 0 or a negative errno, of which ENOMEM, EFAULT and also are clean. */
struct operation {
	const char *name;
	void (*before)(void);
	int (*run)(void);
	void (*after)(void);
	int also;
};

extern const struct operation operations[];
extern const unsigned int operations_count;

void operations_begin(const char *module); /* one device is bound */
void operations_end(void);                 /* and again */

__attribute__((noreturn)) void bail(const char *what);
void put_file(const char *path, const char *text);

#endif
