// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fail every allocation and every copy from or to user memory once, in each call on the node, in binding and unbinding, and
 * in loading the module.
 *
 *   faults MODULE.ko      as root, in a kernel with fault injection, with one doorbell device bound; prints TAP
 *
 * /proc/thread-self/fail-nth = N lets the Nth chance of a fault in the next call be one. N counts up until a call comes to
 * its end without: then all have been tried. Whatever failed must say so with an errno of its list and leave nothing behind,
 * so that the next round begins where this one did.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faults.h"

#define MOST 20000

static int nth = -1;
static unsigned int tests, failed;

void bail(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bail(path);
	close(fd);
}

/* The copies of these two calls are chances as well; one that comes here ends the count, and did not come in the operation. */
static void arm(int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	if (pwrite(nth, text, (size_t)len, 0) != len && (n || errno != EFAULT))
		bail("fail-nth");
}

/* Did the fault come? What is left of the count is taken back. */
static int disarm(void)
{
	char text[16] = "";
	ssize_t len = pread(nth, text, sizeof(text) - 1, 0);

	if (len < 0 && errno == EFAULT)
		return 0;
	if (len <= 0)
		bail("fail-nth");
	if (atoi(text))
		arm(0);
	return !atoi(text);
}

struct tally {
	unsigned int injected, harmless, clean, other;
	int first_other, first_other_n;
};

static void count(struct tally *t, const struct operation *op, int error, int n)
{
	t->injected++;
	if (!error)
		t->harmless++;
	else if (error == -ENOMEM || error == -EFAULT || error == op->also)
		t->clean++;
	else if (!t->other++) {
		t->first_other = error;
		t->first_other_n = n;
	}
}

static void tell(const struct operation *op, const struct tally *t, int good, int error)
{
	printf("%sok %u - %s: %u faults, %u clean errors, %u did no harm\n", good ? "" : "not ", tests, op->name,
	       t->injected, t->clean, t->harmless);
	if (t->other)
		printf("# %u other errors, the first at %d: %s\n", t->other, t->first_other_n,
		       strerror(-t->first_other));
	if (error)
		printf("# without a fault: %s\n", strerror(-error));
	fflush(stdout);
}

static void check(const struct operation *op)
{
	struct tally t = {0};
	int n, came = 1, error = 0;

	for (n = 1; came && n < MOST; n++) {
		op->before();
		arm(n);
		error = op->run();
		came = disarm();
		if (came)
			count(&t, op, error, n);
		op->after();
	}
	int good = !came && !error && !t.other;

	tests++;
	failed += !good;
	tell(op, &t, good, error);
}

/* Every kind of fault, whoever asks for memory; the log is not told of each. */
static void set_up_faults(void)
{
	static const char *const files[][2] = {
		{"failslab/ignore-gfp-wait", "N"},        {"failslab/verbose", "0"},
		{"fail_page_alloc/ignore-gfp-wait", "N"}, {"fail_page_alloc/ignore-gfp-highmem", "N"},
		{"fail_page_alloc/min-order", "0"},       {"fail_page_alloc/verbose", "0"},
		{"fail_usercopy/verbose", "0"},
	};
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", files[i][0]);
		put_file(path, files[i][1]);
	}
	nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth < 0)
		bail("fail-nth");
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: faults MODULE.ko\n");
		return 2;
	}
	set_up_faults();
	operations_begin(argv[1]);
	for (unsigned int i = 0; i < operations_count; i++)
		check(&operations[i]);
	operations_end();
	printf("1..%u\n", tests);
	return failed ? 1 : 0;
}
