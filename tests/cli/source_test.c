// SPDX-License-Identifier: MIT
/* A file by calls and by a mapping: the same bytes, and the same end when others cut it or make it longer meanwhile. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../../user/source.c"
#include "check.h"

/* Two mappings and a bit, which ends within a page. */
#define SIZE (2 * WINDOW + 70000)
#define MORE 200000

static char *wanted, *got;
static int fd;
static struct ivp_source source;

static const struct ivp_copier *copier(void)
{
	size_t count;

	return ivp_copiers(&count);
}

static void new_file(size_t size)
{
	char path[] = "/dev/shm/ivpipe-source-XXXXXX";

	if (fd)
		close(fd);
	fd = mkstemp(path);
	unlink(path);
	if (pwrite(fd, wanted, size, 0) != (ssize_t)size)
		abort();
}

/* At `at` of a file of that size, after the choice was made. */
static void begin(size_t size, off_t at, bool mapped)
{
	new_file(size);
	lseek(fd, at, SEEK_SET);
	ivp_source_begin(&source, fd, copier());
	source.tried = 2 * TRIES;
	source.mapped = mapped;
}

/* To the end; true if it is wanted[at..size). */
static bool reads(size_t at, size_t size, size_t piece)
{
	size_t have = 0;
	ptrdiff_t len;

	while ((len = ivp_source_read(&source, got + have, piece)) > 0)
		have += (size_t)len;
	ivp_source_end(&source);
	return !len && have == size - at && !memcmp(got, wanted + at, have);
}

static bool both_ways(void)
{
	static const size_t pieces[] = {1000, 4096, 65528, 65536, WINDOW, WINDOW + 1};
	bool good = true;

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		for (int mapped = 0; mapped < 2; mapped++) {
			begin(SIZE, 0, mapped);
			good = good && reads(0, SIZE, pieces[i]);
			begin(SIZE, 12345, mapped);
			good = good && reads(12345, SIZE, pieces[i]);
		}
	return good;
}

/* One piece has been read, and so there is a mapping. */
static void begin_mapped(void)
{
	begin(SIZE, 0, true);
	if (ivp_source_read(&source, got, 4096) != 4096 || !source.map)
		abort();
}

/* In pieces of which the last one ends in the page in which the file does, or in one that is gone. */
static bool cut_to(size_t size, size_t piece)
{
	begin_mapped();
	if (ftruncate(fd, (off_t)size))
		abort();
	return reads(4096, size < 4096 ? 4096 : size, piece);
}

static bool changed(void)
{
	begin_mapped();
	if (pwrite(fd, "changed", 7, 5000) != 7)
		abort();
	memcpy(wanted + 5000, "changed", 7);
	return reads(4096, SIZE, 65536);
}

static bool grown(void)
{
	begin_mapped();
	memcpy(wanted + SIZE, wanted, MORE);
	if (pwrite(fd, wanted + SIZE, MORE, SIZE) != MORE)
		abort();
	return reads(4096, SIZE + MORE, 65536);
}

/* By the clock: whichever it was, all eight pieces of it are as they are in the file, and nothing stays mapped for nothing. */
static bool chosen(void)
{
	new_file(SIZE);
	lseek(fd, 0, SEEK_SET);
	ivp_source_begin(&source, fd, copier());
	for (int i = 0; i < 2 * TRIES; i++)
		if (ivp_source_read(&source, got + i * 4096, 4096) != 4096)
			return false;
	return source.tried == 2 * TRIES && source.mapped == !!source.map &&
	       !memcmp(got, wanted, (size_t)2 * TRIES * 4096) && source.best_read < INT64_MAX &&
	       source.best_map < INT64_MAX;
}

static bool faster(int64_t read, int64_t map)
{
	ivp_source_begin(&source, fd, copier());
	for (int i = 0; i < 2 * TRIES; i++)
		judge(&source, i % 2, i % 2 ? map : read, 1024);
	return source.mapped;
}

/* Whatever limit is met: then it is read. */
static bool without_room(void)
{
	struct rlimit old, none = {0};
	bool good;

	begin(SIZE, 0, true);
	getrlimit(RLIMIT_AS, &old);
	none.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_AS, &none);
	good = ivp_source_read(&source, got, 65536) == 65536 && !source.mapped && !source.map;
	setrlimit(RLIMIT_AS, &old);
	return good && !memcmp(got, wanted, 65536);
}

int main(void)
{
	wanted = malloc(SIZE + MORE);
	got = malloc(SIZE + MORE);
	for (size_t i = 0; i < SIZE + MORE; i++)
		wanted[i] = (char)(i * 7 + i / 256 + i / 65536);
	check(!ivp_sigbus_install(), "there is a handler");
	check(both_ways(), "all of it, from anywhere on, in all pieces");
	check(cut_to(4096 * 100, 65536), "cut between two pages");
	check(cut_to(4096 * 100 + 1, 65536) && cut_to(4096 * 100 + 1, 4096), "within a page");
	check(cut_to(WINDOW + 5000, 65536), "behind what is mapped");
	check(cut_to(0, 65536), "to nothing");
	check(changed(), "changed: as it is when its turn comes");
	check(grown(), "made longer: what is there at the end counts");
	check(chosen(), "by the clock");
	check(faster(300, 100) && !faster(100, 300) && !faster(100, 99),
	      "a mapping only where it is faster beyond doubt");
	check(without_room(), "no room for a mapping");
	fd = -1;
	ivp_source_begin(&source, fd, copier());
	check(ivp_source_read(&source, got, 1) < 0 && ivp_source_read(&source, got, 1) < 0,
	      "errors are those of the file");
	return check_done();
}
