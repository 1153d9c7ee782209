// SPDX-License-Identifier: MIT
/*
 * Mappings of /dev/ivshmemN by entries of 2 MiB: where there are such, and that all that is done to a mapping leaves its bytes
 * right and the page table well. Runs inside a guest with tests/device/pte/pte.ko, on 16 MiB or more, and writes all over it.
 *
 *   huge NODE 2M       such entries are expected where they fit
 *   huge NODE 4K       none are
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define PAGE   4096L
#define MIB    (1L << 20)
#define HUGE   (2 * MIB)
#define LEN    (4 * HUGE)
#define RW     (PROT_READ | PROT_WRITE)
#define CHURNS 1000

static int fd, pte;
static const char small[] = "4K write-back\n", none[] = "none\n";
static const char *large; /* the entry where 2 MiB fit */

/* What the page table has for an address. */
static bool is(const void *addr, const char *wanted)
{
	char text[32] = "";

	pread(pte, text, sizeof(text) - 1, (off_t)addr);
	if (!strcmp(text, wanted))
		return true;
	printf("# entry of %p: %s", addr, text);
	return false;
}

static char *map(size_t len, int prot, off_t offset)
{
	char *p = mmap(NULL, len, prot, MAP_SHARED, fd, offset);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

/* An address where 2 MiB begin, since a fault goes no farther than to their end; nothing of ours is at it. */
static char *whole(size_t len)
{
	char *room = mmap(NULL, len + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(room, len + HUGE);
	return (char *)(((uintptr_t)room + HUGE - 1) & -HUGE);
}

/* A word that tells its place in the memory. */
static uint64_t at(off_t pos)
{
	return (uint64_t)pos * 0x9e3779b97f4a7c15 + 1;
}

/* By the node, so that no mapping has a part in it. */
static void fill(void)
{
	static uint64_t buf[LEN / 8];
	off_t pos;

	for (pos = 0; pos < LEN; pos += 8)
		buf[pos / 8] = at(pos);
	if (pwrite(fd, buf, LEN, 0) != LEN)
		exit(1);
}

/* A word of each page of [p, p + len), which is at pos of the memory. */
static bool shows(const char *p, off_t pos, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += PAGE)
		if (*(volatile uint64_t *)(p + i + i / PAGE * 8 % PAGE) != at(pos + i + i / PAGE * 8 % PAGE))
			return false;
	return true;
}

static bool all_large(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += HUGE)
		if (!is(p + i, large) || !is(p + i + HUGE - PAGE, large))
			return false;
	return true;
}

/* ---- where ---- */

/* Kernels that have no such entries need not choose such addresses. */
static bool fits(const volatile void *start)
{
	return large == small || (uintptr_t)start % HUGE == 0;
}

static void test_aligned(void)
{
	volatile char *p;

	/* Where the kernel does not look for such an address, we do. */
	if (large == small)
		p = mmap(whole(LEN), LEN, RW, MAP_SHARED | MAP_FIXED, fd, 0);
	else
		p = map(LEN, RW, 0);
	tap_ok(fits(p), "an address that fits, for a mapping from the start");
	tap_ok(is((char *)p, none), "nothing before the first access");
	p[5 * PAGE] = 1;
	tap_ok(is((char *)p + 5 * PAGE, large) && (large == small || is((char *)p + HUGE - PAGE, large)),
	       "one write, one entry");
	tap_ok(is((char *)p + HUGE, none), "and no more");
	(void)p[HUGE + 7 * PAGE];
	tap_ok(is((char *)p + HUGE + 7 * PAGE, large), "one read, one entry");
	p[HUGE + 7 * PAGE] = 1;
	tap_ok(is((char *)p + HUGE + 7 * PAGE, large), "a write after it");
	munmap((void *)p, LEN);
}

static void test_offset(void)
{
	off_t offset = 3 * PAGE;
	char *p = map(LEN - offset, RW, offset);

	tap_ok(fits(p - offset), "an address that fits, for a mapping from within");
	tap_ok(shows(p, offset, LEN - offset), "all of it shows its bytes");
	tap_ok(is(p, small) && is(p + HUGE - offset - PAGE, small), "small entries before the first whole 2 MiB");
	tap_ok(all_large(p + HUGE - offset, LEN - HUGE), "and whole ones from there");
	munmap(p, LEN - offset);
	p = map(2 * HUGE + 5 * PAGE, RW, 0);
	tap_ok(shows(p, 0, 2 * HUGE + 5 * PAGE) && all_large(p, 2 * HUGE) && is(p + 2 * HUGE + 4 * PAGE, small),
	       "small entries after the last whole 2 MiB");
	munmap(p, 2 * HUGE + 5 * PAGE);
}

/* As the rings of a stream: twice in a row, and of too small a size; one access fills 2 MiB or what there is of it. */
static void test_small(void)
{
	off_t half = 512 << 10, offset = HUGE - 256 * 1024;
	char *big = map(LEN, RW, 0), *p = whole(2 * half);

	mmap(p, half, RW, MAP_SHARED | MAP_FIXED, fd, offset);
	mmap(p + half, half, RW, MAP_SHARED | MAP_FIXED, fd, offset);
	tap_ok(shows(big, 0, LEN) && all_large(big, LEN), "a mapping of all");
	(void)*(volatile char *)p;
	(void)*(volatile char *)(p + half);
	tap_ok(is(p + 17 * PAGE, small) && is(p + half + 63 * PAGE, small),
	       "windows that are too small come in batches");
	*(volatile char *)(p + half + 12345) = 'x';
	tap_ok(*(volatile char *)(p + 12345) == 'x' && *(volatile char *)(big + offset + 12345) == 'x',
	       "all of them are the same memory");
	fill();
	tap_ok(shows(p, offset, half) && shows(p + half, offset, half) && shows(big, 0, LEN), "and show its bytes");
	munmap(p, 2 * half);
	tap_ok(shows(big, 0, LEN) && all_large(big, LEN), "the mapping of all outlives them");
	munmap(big, LEN);
}

/* An address that does not fit the offset: no entry of 2 MiB could be right. */
static void test_misfit(void)
{
	char *room = mmap(NULL, LEN + 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *p = (char *)(((uintptr_t)room + HUGE - 1) & -HUGE) + PAGE;

	tap_ok(mmap(p, LEN, RW, MAP_SHARED | MAP_FIXED, fd, 0) == p && shows(p, 0, LEN),
	       "at an address that does not fit");
	tap_ok(is(p, small) && is(p + HUGE, small), "small entries");
	munmap(room, LEN + 2 * HUGE);
}

/* ---- what is done to it ---- */

static char *map_touched(void)
{
	char *p = map(LEN, RW, 0);

	if (!shows(p, 0, LEN) || !all_large(p, LEN))
		tap_ok(false, "a mapping to begin with");
	return p;
}

static void test_munmap(void)
{
	char *p = map_touched();

	munmap(p + HUGE + 9 * PAGE, PAGE);
	munmap(p + 3 * HUGE - PAGE, 2 * PAGE);
	tap_ok(is(p + HUGE, large == small ? small : none) && is(p + HUGE + 9 * PAGE, none),
	       "an entry goes when a page of it is unmapped");
	tap_ok(shows(p, 0, HUGE + 9 * PAGE) && shows(p + HUGE + 10 * PAGE, HUGE + 10 * PAGE, 2 * HUGE - 11 * PAGE) &&
		       shows(p + 3 * HUGE + PAGE, 3 * HUGE + PAGE, HUGE - PAGE),
	       "the rest shows its bytes");
	tap_ok(is(p, large) && is(p + HUGE, small) && is(p + 3 * HUGE + PAGE, small), "by small entries where need be");
	munmap(p, LEN);
}

static bool dies(char *p)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		*(volatile char *)p = 0;
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void test_mprotect(void)
{
	char *p = map_touched();

	mprotect(p, LEN, PROT_READ);
	tap_ok(all_large(p, LEN) && shows(p, 0, LEN) && dies(p + HUGE + 3 * PAGE), "all of it read-only");
	mprotect(p, LEN, RW);
	p[0] = p[0];
	tap_ok(all_large(p, LEN) && shows(p, 0, LEN), "and writable again");
	mprotect(p + HUGE + PAGE, PAGE, PROT_READ);
	p[HUGE] = p[HUGE];
	p[HUGE + 2 * PAGE] = p[HUGE + 2 * PAGE];
	tap_ok(shows(p, 0, LEN) && dies(p + HUGE + PAGE) && is(p + HUGE + PAGE, small), "one page of it read-only");
	mprotect(p + 2 * HUGE, HUGE, PROT_NONE);
	tap_ok(dies(p + 3 * HUGE - 1), "2 MiB of it not accessible");
	mprotect(p + 2 * HUGE, HUGE, RW);
	tap_ok(shows(p, 0, LEN), "and back");
	munmap(p, LEN);
}

static char *move(char *p, char *to)
{
	return mremap(p, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}

static void test_mremap(void)
{
	char *room = mmap(NULL, 4 * LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *first = (char *)(((uintptr_t)room + HUGE - 1) & -HUGE), *p = map_touched();

	p = move(p, first);
	tap_ok(p == first && all_large(p, LEN) && shows(p, 0, LEN), "moved to where it fits");
	p = move(p, first + LEN + PAGE);
	tap_ok(p == first + LEN + PAGE && shows(p, 0, LEN) && is(p + HUGE, small), "moved to where it does not");
	p = move(p, first);
	tap_ok(p == first && shows(p, 0, LEN), "and back");
	tap_ok(mremap(p, LEN, HUGE + PAGE, 0) == p && shows(p, 0, HUGE + PAGE), "shortened");
	munmap(p, HUGE + PAGE);
	munmap(room, 4 * LEN);
}

static void test_madvise(void)
{
	static const int advice[] = {MADV_COLD,     MADV_PAGEOUT,       MADV_DONTNEED,       MADV_FREE,
				     MADV_COLLAPSE, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_NOHUGEPAGE,
				     MADV_HUGEPAGE, MADV_REMOVE,        MADV_WILLNEED};
	char *p = map_touched();
	bool good = true;
	size_t i;

	madvise(p + HUGE + PAGE, PAGE, MADV_DONTNEED);
	madvise(p + 2 * HUGE, HUGE, MADV_DONTNEED);
	tap_ok(is(p + 2 * HUGE, none) && shows(p, 0, LEN) && is(p + 2 * HUGE, large), "dropped and taken again");
	for (i = 0; i < sizeof(advice) / sizeof(*advice); i++) {
		madvise(p, LEN, advice[i]); /* some know nothing of it, or refuse it: the bytes stay */
		good = good && shows(p, 0, LEN);
		madvise(p + HUGE - PAGE, 2 * PAGE, advice[i]);
		good = good && shows(p, 0, LEN);
	}
	tap_ok(good, "all kinds of advice");
	tap_ok(mlock(p + PAGE, HUGE) == 0 && munlock(p, LEN) == 0 && msync(p, LEN, MS_SYNC) == 0 && shows(p, 0, LEN),
	       "locked, unlocked, synchronised");
	munmap(p, LEN);
}

static void test_fork(void)
{
	char *p = map_touched();
	int status;
	pid_t pid = fork();

	if (!pid) {
		bool good = shows(p, 0, LEN) && all_large(p, LEN);

		*(uint64_t *)(p + HUGE + 8) = 42;
		munmap(p + 2 * HUGE - PAGE, 2 * PAGE);
		_exit(!good || !shows(p, 0, HUGE));
	}
	waitpid(pid, &status, 0);
	tap_ok(status == 0 && *(uint64_t *)(p + HUGE + 8) == 42, "a child has them, too, and shares the memory");
	tap_ok(all_large(p, LEN), "what it unmaps stays here");
	fill();
	munmap(p, LEN);
}

/* ---- who refers to the pages ---- */

static void test_pipe(void)
{
	char *p = map_touched(), got[64];
	off_t pos = HUGE + 77 * PAGE;
	struct iovec v = {.iov_base = p + pos, .iov_len = sizeof(got)};
	int pipes[2];
	bool good;

	if (pipe(pipes))
		return;
	good = vmsplice(pipes[1], &v, 1, 0) == sizeof(got);
	munmap(p, LEN);
	good = good && read(pipes[0], got, sizeof(got)) == sizeof(got);
	tap_ok(good && *(uint64_t *)got == at(pos), "a page within, in a pipe, outlives the mapping");
	close(pipes[0]);
	close(pipes[1]);
}

static void test_process_vm(void)
{
	char *p = map_touched();
	uint64_t *got = malloc(LEN);
	struct iovec here = {.iov_base = got, .iov_len = LEN}, there = {.iov_base = p, .iov_len = LEN};
	int status, mem;
	pid_t pid = fork();

	if (!pid) {
		bool good = process_vm_readv(getppid(), &here, 1, &there, 1, 0) == LEN;

		_exit(!good && errno == ENOSYS ? 2 : !good || !shows((char *)got, 0, LEN));
	}
	waitpid(pid, &status, 0);
	if (WEXITSTATUS(status) == 2)
		tap_skip("process_vm_readv from another process", "no CONFIG_CROSS_MEMORY_ATTACH");
	else
		tap_ok(status == 0, "process_vm_readv from another process");
	mem = open("/proc/self/mem", O_RDWR);
	tap_ok(pread(mem, got, LEN, (off_t)p) == LEN && shows((char *)got, 0, LEN) &&
		       pwrite(mem, got, HUGE, (off_t)p + PAGE) == HUGE && *(uint64_t *)(p + PAGE) == at(0),
	       "/proc/self/mem reads and writes it");
	close(mem);
	free(got);
	fill();
	munmap(p, LEN);
}

/* ---- all at once ---- */

static void *churn(void *p)
{
	unsigned int seed = (unsigned int)(uintptr_t)&seed, i;

	for (i = 0; i < CHURNS; i++) {
		size_t pos = (size_t)rand_r(&seed) % (LEN / PAGE) * PAGE;

		if (i % 8 == 7)
			madvise((char *)p + pos / HUGE * HUGE, HUGE, MADV_DONTNEED);
		else if (i % 8 == 3)
			madvise((char *)p + pos, PAGE, MADV_DONTNEED);
		__atomic_fetch_add((uint64_t *)((char *)p + pos), 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void test_threads(void)
{
	char *p = map(LEN, RW, 0);
	pthread_t t[4];
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < LEN; i += PAGE)
		*(uint64_t *)(p + i) = 0;
	for (i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, churn, p);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (i = 0; i < LEN; i += PAGE)
		sum += *(uint64_t *)(p + i);
	tap_ok(sum == 4 * CHURNS, "four threads take and drop them");
	munmap(p, LEN);
	fill();
}

/* Wherever it is when that comes. */
static void test_kill(void)
{
	bool good = true;
	int i, status, pipes[2];
	char c;

	for (i = 0; i < 8 && good; i++) {
		pid_t pid;

		fill();
		if (pipe(pipes))
			return;
		pid = fork();
		if (!pid) {
			char *p = map_touched();

			write(pipes[1], "", 1);
			for (;;) {
				churn(p);
				munmap(p + HUGE + PAGE, PAGE);
			}
		}
		good = read(pipes[0], &c, 1) == 1 && kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid;
		close(pipes[0]);
		close(pipes[1]);
	}
	tap_ok(good, "killed at work");
	fill();
}

static long resident(void)
{
	long pages = -1;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%*d %*d %ld", &pages) != 1)
		pages = -1;
	if (f)
		fclose(f);
	return pages;
}

static void test_resident(void)
{
	long before = resident();
	char *p = map_touched();

	/* Some kernels add up what they counted only after many faults. */
	tap_ok(resident() > before + (LEN - HUGE) / PAGE, "what is mapped counts as resident");
	munmap(p, LEN);
	tap_ok(resident() < before + HUGE / PAGE, "and no longer");
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	large = strcmp(argv[2], "2M") ? small : "2M write-back\n";
	fd = open(argv[1], O_RDWR);
	pte = open("/dev/pte", O_RDONLY);
	if (!tap_ok(fd >= 0 && pte >= 0, "opens"))
		return tap_end();
	fill();
	test_aligned();
	fill();
	test_offset();
	test_small();
	test_misfit();
	test_munmap();
	test_mprotect();
	test_mremap();
	test_madvise();
	test_fork();
	test_pipe();
	test_process_vm();
	test_threads();
	test_kill();
	if (large != small)
		test_resident();
	return tap_end();
}
