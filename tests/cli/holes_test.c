// SPDX-License-Identifier: MIT
/* Files of zeros and other bytes in all arrangements: the same bytes, in less room. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../../user/holes.c"
#include "check.h"

#define SIZE (64 * BLOCK)

static char wanted[SIZE], got[SIZE];
static int fd;

static void empty(void)
{
	char path[] = "/dev/shm/ivpipe-holes-XXXXXX";

	fd = mkstemp(path);
	unlink(path);
}

/* Writes wanted[0..size) in pieces of at most that many bytes; true if it is what the file has then. */
static bool carries(size_t size, size_t piece)
{
	struct ivp_holes holes;
	struct stat st;
	bool good;

	empty();
	holes = (struct ivp_holes){.fd = fd};
	for (size_t pos = 0; pos < size;) {
		size_t len = size - pos < piece ? size - pos : piece;
		ptrdiff_t put = ivp_holes_write(&holes, wanted + pos, len);

		if (put < 1 || (size_t)put > len)
			return false;
		pos += (size_t)put;
	}
	good = !ivp_holes_end(&holes) && !fstat(fd, &st) && (size_t)st.st_size == size &&
	       pread(fd, got, SIZE, 0) == (ssize_t)size && !memcmp(got, wanted, size);
	close(fd);
	return good;
}

static size_t room(void)
{
	struct ivp_holes holes;
	struct stat st;

	empty();
	holes = (struct ivp_holes){.fd = fd};
	for (size_t pos = 0; pos < SIZE;)
		pos += (size_t)ivp_holes_write(&holes, wanted + pos, SIZE - pos);
	ivp_holes_end(&holes);
	fstat(fd, &st);
	close(fd);
	return (size_t)st.st_blocks * 512;
}

static bool all_sizes(void)
{
	static const size_t sizes[] = {0, 1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 5 * BLOCK + 100, SIZE};
	static const size_t pieces[] = {1, 3, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 65536, SIZE};
	bool good = true;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (size_t j = 0; j < sizeof(pieces) / sizeof(pieces[0]); j++)
			good = good && carries(sizes[i], pieces[j]);
	return good;
}

int main(void)
{
	struct ivp_holes bad = {.fd = -1};
	unsigned int seed = 1;

	check(all_sizes(), "zeros alone, of all sizes and in all pieces");
	check(room() == 0, "take no room");
	memset(wanted, 'x', SIZE);
	check(all_sizes(), "no zero at all");
	check(room() == SIZE, "takes its room");
	memset(wanted, 0, SIZE);
	wanted[10 * BLOCK + 17] = 'x';
	wanted[SIZE - 1] = 'y';
	check(all_sizes(), "two bytes");
	check(room() == 2 * BLOCK, "take two blocks");
	for (size_t block = 0; block < SIZE / BLOCK; block++)
		if (rand_r(&seed) % 2)
			wanted[block * BLOCK + (size_t)rand_r(&seed) % BLOCK] = (char)(rand_r(&seed) | 1);
	check(all_sizes(), "a random choice of blocks");
	check(ivp_holes_write(&bad, "x", 1) == -1 && ivp_holes_end(&bad) == -1, "errors are those of the file");
	return check_done();
}
