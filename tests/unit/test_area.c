// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ivpipe-xpra.h"
#include "unit.h"

#define SIZE  4096U
#define FIRST IVP_XPRA_HEADER

/* Both ends in memory that ends where the area does, so that the address sanitiser sees whoever goes past it. */
struct both {
	u32 *memory;
	struct ivp_xpra_area *writer, *reader;
	u32 size;
};

static void both_make(struct both *both, u32 size)
{
	both->size = size;
	both->memory = calloc(1, size);
	assert_int_equal(ivp_xpra_attach(&both->writer, both->memory, size, NULL), 0);
	assert_int_equal(ivp_xpra_attach(&both->reader, both->memory, size, NULL), 0);
}

static void both_free(struct both *both)
{
	ivp_xpra_close(both->writer);
	ivp_xpra_close(both->reader);
	free(both->memory);
}

static int setup(void **state)
{
	*state = malloc(sizeof(struct both));
	both_make(*state, SIZE);
	return 0;
}

static int teardown(void **state)
{
	both_free(*state);
	free(*state);
	return 0;
}

/* Xpra's own rules, told once more and without a thought for what is behind them. */
static int oracle(u64 size, u64 start, u64 end, u64 n, struct ivp_xpra_chunk *chunks)
{
	u64 chunk = end < start ? start - end : size - end;
	u64 available = end < start ? chunk : chunk + start - FIRST;

	if (n > size - FIRST || available <= n)
		return 0;
	if (n < chunk) {
		chunks[0] = (struct ivp_xpra_chunk){(u32)end, (u32)n};
		return 1;
	}
	if ((double)available >= (double)size / 2 && available >= 3 * n && n < start - FIRST) {
		chunks[0] = (struct ivp_xpra_chunk){FIRST, (u32)n};
		return 1;
	}
	chunks[0] = (struct ivp_xpra_chunk){(u32)end, (u32)chunk};
	chunks[1] = (struct ivp_xpra_chunk){FIRST, (u32)(n - chunk)};
	return 2;
}

static u64 pointer_of(const struct both *both, int which)
{
	return both->memory[which] < FIRST ? FIRST : both->memory[which];
}

/* Each picture's bytes count on from the last one's. */
static void fill(u8 *bytes, size_t len, u8 *count)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (*count)++;
}

struct queue {
	struct ivp_xpra_chunk chunks[2];
	int count;
	size_t len;
};

static bool put(struct both *both, struct queue *picture, size_t len, u8 *sent)
{
	struct ivp_xpra_chunk wanted[2];
	u8 *bytes = malloc(len), ahead = *sent;
	int count = oracle(both->size, pointer_of(both, 0), pointer_of(both, 1), len, wanted), got;

	fill(bytes, len, &ahead);
	got = ivp_xpra_write(both->writer, bytes, len, picture->chunks, NULL);
	free(bytes);
	if (!count) {
		assert_int_equal(got, len >= both->size - FIRST ? -EMSGSIZE : -EAGAIN);
		return false;
	}
	assert_int_equal(got, count);
	assert_memory_equal(picture->chunks, wanted, (size_t)count * sizeof(*wanted));
	/* Full to the last byte would be taken for empty. */
	assert_int_not_equal(pointer_of(both, 0), pointer_of(both, 1));
	picture->count = count;
	picture->len = len;
	*sent = ahead;
	return true;
}

static void take(struct both *both, const struct queue *picture, u8 *received)
{
	u8 *bytes = malloc(picture->len), *wanted = malloc(picture->len);

	assert_int_equal(
		ivp_xpra_read(both->reader, picture->chunks, (size_t)picture->count, bytes, picture->len, NULL),
		picture->len);
	fill(wanted, picture->len, received);
	assert_memory_equal(bytes, wanted, picture->len);
	free(bytes);
	free(wanted);
}

#define QUEUE 16

static void walk(u32 size, int rounds)
{
	struct queue queue[QUEUE];
	u64 seed = size;
	u8 sent = 0, received = 0;
	u32 head = 0, tail = 0;
	struct both both;

	both_make(&both, size);
	for (int i = 0; i < rounds; i++) {
		/* All sizes, and those at which the writer decides otherwise. */
		size_t len = 1 + unit_random(&seed) % (unit_random(&seed) % 4 ? size / 3 + 1 : size + 4);

		if (unit_random(&seed) % 4 == 0 && size > pointer_of(&both, 1))
			len = size - pointer_of(&both, 1);
		else if (unit_random(&seed) % 4 == 0 && pointer_of(&both, 0) > FIRST)
			len = pointer_of(&both, 0) - FIRST;
		if (head - tail < QUEUE && unit_random(&seed) % 2 && put(&both, &queue[head % QUEUE], len, &sent))
			head++;
		else if (head != tail)
			take(&both, &queue[tail++ % QUEUE], &received);
	}
	while (head != tail)
		take(&both, &queue[tail++ % QUEUE], &received);
	assert_int_equal(sent, received);
	both_free(&both);
}

static void writes_as_xpra_does(void **state)
{
	(void)state;
	for (u32 size = 16; size < 80; size++)
		walk(size, 2000);
	walk(1000, 20000);
	walk(65536, 5000);
}

static void touches_a_new_area_not_at_all(void **state)
{
	struct both *both = *state;
	struct ivp_xpra_status status;

	assert_int_equal(ivp_xpra_look(both->reader, &status, NULL), 0);
	assert_true(status.sane);
	assert_int_equal(status.size, SIZE);
	assert_int_equal(status.used, 0);
	assert_int_equal(status.room, SIZE - FIRST - 1);
	for (u32 i = 0; i < SIZE / 4; i++)
		assert_int_equal(both->memory[i], 0);
	assert_int_equal(ivp_xpra_size(both->reader), SIZE);
}

static void takes_only_what_fits(void **state)
{
	struct both *both = *state;
	struct ivp_xpra_chunk chunks[2];
	struct ivp_xpra_status status;
	u8 bytes[SIZE] = {0};

	assert_int_equal(ivp_xpra_write(both->writer, bytes, 0, chunks, NULL), -EINVAL);
	assert_int_equal(ivp_xpra_write(both->writer, bytes, SIZE - FIRST, chunks, NULL), -EMSGSIZE);
	assert_int_equal(ivp_xpra_write(both->writer, bytes, SIZE - FIRST - 1, chunks, NULL), 1);
	assert_int_equal(ivp_xpra_write(both->writer, bytes, 1, chunks, NULL), -EAGAIN);
	assert_int_equal(ivp_xpra_look(both->reader, &status, NULL), 0);
	assert_int_equal(status.used, SIZE - FIRST - 1);
	assert_int_equal(status.room, 0);
}

static void an_end_that_fits_exactly_has_an_empty_second_chunk(void **state)
{
	struct both *both = *state;
	struct ivp_xpra_chunk chunks[2];
	u8 bytes[SIZE] = {0};

	assert_int_equal(ivp_xpra_write(both->writer, bytes, 2000, chunks, NULL), 1);
	assert_int_equal(ivp_xpra_read(both->reader, chunks, 1, bytes, SIZE, NULL), 2000);
	assert_int_equal(ivp_xpra_write(both->writer, bytes, SIZE - FIRST - 2000, chunks, NULL), 2);
	assert_int_equal(chunks[1].offset, FIRST);
	assert_int_equal(chunks[1].length, 0);
	assert_int_equal(both->memory[1], FIRST);
	assert_int_equal(ivp_xpra_read(both->reader, chunks, 2, bytes, SIZE, NULL), SIZE - FIRST - 2000);
	assert_int_equal(both->memory[0], FIRST);
}

static void without_a_copy(void **state)
{
	struct both *both = *state;
	struct ivp_xpra_chunk chunks[2];

	assert_int_equal(ivp_xpra_commit(both->writer, NULL), -EINVAL);
	assert_int_equal(ivp_xpra_reserve(both->writer, 100, chunks, NULL), 1);
	assert_int_equal(both->memory[1], 0);
	memset(ivp_xpra_at(both->writer, &chunks[0]), 'x', 100);
	assert_int_equal(ivp_xpra_commit(both->writer, NULL), 0);
	assert_int_equal(ivp_xpra_commit(both->writer, NULL), -EINVAL);
	assert_int_equal(*(u8 *)ivp_xpra_at(both->reader, &chunks[0]), 'x');
	assert_int_equal(ivp_xpra_release(both->reader, chunks, 1, NULL), 0);
	assert_int_equal(both->memory[0], FIRST + 100);
}

static void whoever_lies_about_its_pointer_is_refused(void **state)
{
	static const u32 lies[] = {SIZE + 1, 1 << 16, 0x7fffffff, 0x80000000, 0xffffffff};
	struct both *both = *state;
	struct ivp_xpra_chunk chunks[2];
	struct ivp_xpra_status status;
	struct ivp_error err;

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		both->memory[0] = lies[i];
		assert_int_equal(ivp_xpra_write(both->writer, "x", 1, chunks, &err), -EPROTO);
		assert_int_equal(err.kind, IVP_FAIL_DAMAGED);
		assert_int_equal(ivp_xpra_look(both->writer, &status, NULL), 0);
		assert_false(status.sane);
	}
	/* What is possible harms only whoever says it: nothing is written outside of the area. */
	for (u32 start = 0; start <= SIZE; start++) {
		both->memory[0] = start;
		if (ivp_xpra_write(both->writer, "0123456789", 10, chunks, NULL) > 0)
			assert_int_not_equal(pointer_of(both, 0), pointer_of(both, 1));
	}
}

static void a_pointer_of_ours_that_another_moves_is_noticed(void **state)
{
	struct both *both = *state;
	struct ivp_xpra_chunk chunks[2];

	assert_int_equal(ivp_xpra_write(both->writer, "x", 1, chunks, NULL), 1);
	both->memory[1] = 1000;
	assert_int_equal(ivp_xpra_write(both->writer, "x", 1, chunks, NULL), -ESTALE);
	both->memory[0] = 1000;
	assert_int_equal(ivp_xpra_release(both->reader, chunks, 1, NULL), -ESTALE);
}

static void what_a_crash_left_is_zeroed(void **state)
{
	struct both *both = *state;
	struct ivp_xpra_area *late;
	struct ivp_xpra_status status;
	struct ivp_xpra_chunk chunks[2];

	both->memory[1] = SIZE * 3;
	assert_int_equal(ivp_xpra_attach(&late, both->memory, SIZE, NULL), 0);
	assert_int_equal(ivp_xpra_write(late, "x", 1, chunks, NULL), -EPROTO);
	both->memory[0] = FIRST;
	both->memory[1] = SIZE - 64;
	assert_int_equal(ivp_xpra_look(late, &status, NULL), 0);
	assert_int_equal(status.used, SIZE - 64 - FIRST);
	assert_int_equal(ivp_xpra_prepare(late, NULL), 0);
	assert_int_equal(both->memory[0] | both->memory[1], 0);
	assert_int_equal(ivp_xpra_write(late, "x", 1, chunks, NULL), 1);
	ivp_xpra_close(late);
}

static void hostile_chunks(void **state)
{
	static const struct ivp_xpra_chunk bad[] = {
		{0, 1},
		{7, 2},
		{0, 0},
		{SIZE, 1},
		{SIZE + 1, 0},
		{FIRST, SIZE},
		{SIZE - 1, 2},
		{0xffffffff, 0},
		{0xffffffff, 0xffffffff},
		{FIRST, 0xffffffff},
		{0xfffffff8, 16},
	};
	struct ivp_xpra_chunk many[IVP_XPRA_CHUNKS_MAX + 1];
	struct both *both = *state;
	u8 bytes[2 * SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(ivp_xpra_read(both->reader, &bad[i], 1, bytes, sizeof(bytes), NULL), -EPROTO);
		assert_int_equal(ivp_xpra_release(both->reader, &bad[i], 1, NULL), -EPROTO);
		assert_null(ivp_xpra_at(both->reader, &bad[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct ivp_xpra_chunk){FIRST, 1};
	assert_int_equal(ivp_xpra_read(both->reader, many, 0, bytes, sizeof(bytes), NULL), -EPROTO);
	assert_int_equal(ivp_xpra_read(both->reader, many, ARRAY_SIZE(many), bytes, sizeof(bytes), NULL), -EPROTO);
	/* The same bytes again and again would be more than there are. */
	many[0] = many[1] = (struct ivp_xpra_chunk){FIRST, SIZE - FIRST};
	assert_int_equal(ivp_xpra_read(both->reader, many, 2, bytes, sizeof(bytes), NULL), -EPROTO);
	assert_int_equal(both->memory[0], 0);
	assert_int_equal(ivp_xpra_read(both->reader, many, 1, bytes, SIZE - FIRST - 1, NULL), -EMSGSIZE);
	assert_int_equal(both->memory[0], 0);
	assert_int_equal(ivp_xpra_read(both->reader, many, 1, bytes, SIZE, NULL), SIZE - FIRST);
	assert_int_equal(both->memory[0], SIZE);
}

static void random_chunks(void **state)
{
	struct both *both = *state;
	struct ivp_xpra_chunk chunks[4];
	u8 bytes[SIZE];
	u64 seed = 7;

	for (int i = 0; i < 200000; i++) {
		size_t count = unit_random(&seed) % 5;

		for (size_t j = 0; j < 4; j++)
			chunks[j] = (struct ivp_xpra_chunk){(u32)unit_nasty(&seed), (u32)unit_nasty(&seed)};
		ivp_xpra_read(both->reader, chunks, count, bytes, sizeof(bytes), NULL);
		assert_true(both->memory[0] <= SIZE);
	}
}

static void tokens(void **state)
{
	struct both *both = *state;
	struct ivp_xpra_token token, other;

	for (int i = 0; i < 200; i++) {
		assert_int_equal(ivp_xpra_token_make(both->writer, &token, NULL), 0);
		assert_true(token.index >= FIRST && token.index <= SIZE - 128 && token.bytes == 128);
		assert_int_equal(ivp_xpra_token_place(both->writer, &token, NULL), 0);
		assert_int_equal(ivp_xpra_token_verify(both->reader, &token, NULL), 0);
		assert_int_equal(both->memory[0] | both->memory[1], 0);
	}
	other = token;
	other.value[15] ^= 1;
	assert_int_equal(ivp_xpra_token_verify(both->reader, &other, NULL), -EBADMSG);
	other = token;
	other.index ^= 1;
	assert_int_equal(ivp_xpra_token_verify(both->reader, &other, NULL), -EBADMSG);
	/* One that untouched memory has, too. */
	other = (struct ivp_xpra_token){.bytes = 128};
	assert_int_equal(ivp_xpra_token_verify(both->reader, &other, NULL), -EBADMSG);
}

static void tokens_lie_within_the_area(void **state)
{
	static const struct {
		u64 index;
		u32 bytes;
	} bad[] = {
		{SIZE - 127, 128}, {SIZE, 1},    {SIZE - 512, 513}, {FIRST, 0},         {FIRST, 0xffffffff},
		{~0ULL, 1},        {~0ULL, 128}, {1ULL << 32, 128}, {~0ULL - 100, 128},
	};
	struct both *both = *state;
	struct ivp_xpra_token token = {.value = {1}};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		token.index = bad[i].index;
		token.bytes = bad[i].bytes;
		assert_int_equal(ivp_xpra_token_place(both->writer, &token, NULL), -ERANGE);
		assert_int_equal(ivp_xpra_token_verify(both->reader, &token, NULL), -ERANGE);
	}
	/* Ours never lies on the pointers; a peer's may. */
	token.index = 0;
	token.bytes = 128;
	assert_int_equal(ivp_xpra_token_place(both->writer, &token, NULL), -ERANGE);
	both->memory[0] = 1;
	assert_int_equal(ivp_xpra_token_verify(both->reader, &token, NULL), 0);
	token = (struct ivp_xpra_token){.index = SIZE - 512, .bytes = 512, .value = {[511] = 9}};
	assert_int_equal(ivp_xpra_token_place(both->writer, &token, NULL), 0);
	assert_int_equal(ivp_xpra_token_verify(both->reader, &token, NULL), 0);
}

static void sizes_of_memory(void **state)
{
	struct both *both = *state;
	struct ivp_xpra_area *area;
	struct ivp_xpra_token token;

	assert_int_equal(ivp_xpra_attach(&area, both->memory, 15, NULL), -EMSGSIZE);
	assert_int_equal(ivp_xpra_attach(&area, both->memory, 1ULL << 32, NULL), -EMSGSIZE);
	assert_int_equal(ivp_xpra_attach(&area, (u8 *)both->memory + 2, 100, NULL), -EINVAL);
	assert_int_equal(ivp_xpra_attach(&area, both->memory, 64, NULL), 0);
	assert_int_equal(ivp_xpra_token_make(area, &token, NULL), -ERANGE);
	ivp_xpra_close(area);
	ivp_xpra_close(NULL);
}

/* ---- in a file ---- */

static char path[] = "/dev/shm/ivpipe-area-XXXXXX";

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	return close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static void parts_of_a_file(void **state)
{
	struct ivp_xpra_area *one, *two;
	struct ivp_xpra_chunk chunks[2];
	char bytes[5];

	(void)state;
	assert_int_equal(ivp_xpra_open(&one, path, 0, 0, 1 << 19, NULL), 0);
	assert_int_equal(ivp_xpra_open(&two, path, 0, 1 << 19, 0, NULL), 0);
	assert_int_equal(ivp_xpra_size(one), 1 << 19);
	assert_int_equal(ivp_xpra_size(two), 1 << 19);
	assert_int_equal(ivp_xpra_write(one, "first", 5, chunks, NULL), 1);
	assert_int_equal(ivp_xpra_read(two, chunks, 1, bytes, 5, NULL), 5);
	assert_memory_equal(bytes, "\0\0\0\0\0", 5);
	assert_int_equal(ivp_xpra_read(one, chunks, 1, bytes, 5, NULL), 5);
	assert_memory_equal(bytes, "first", 5);
	ivp_xpra_close(one);
	ivp_xpra_close(two);
	assert_int_equal(ivp_xpra_open(&one, path, 0, 0, (1 << 20) + 1, NULL), -EMSGSIZE);
	assert_int_equal(ivp_xpra_open(&one, path, 0, ~0ULL, 8, NULL), -EMSGSIZE);
	assert_int_equal(ivp_xpra_open(&one, path, 0, 2, 0, NULL), -EINVAL);
	assert_int_equal(ivp_xpra_open(&one, "/nowhere", 0, 0, 0, NULL), -ENOENT);
}

static void only_looked_at(void **state)
{
	struct ivp_xpra_area *area;
	struct ivp_xpra_chunk chunks[2] = {{FIRST, 1}};
	struct ivp_xpra_token token;
	struct ivp_xpra_status status;
	char byte;

	(void)state;
	assert_int_equal(ivp_xpra_open(&area, path, IVP_XPRA_READ_ONLY, 0, 0, NULL), 0);
	assert_int_equal(ivp_xpra_look(area, &status, NULL), 0);
	assert_int_equal(ivp_xpra_prepare(area, NULL), -EROFS);
	assert_int_equal(ivp_xpra_write(area, "x", 1, chunks, NULL), -EROFS);
	assert_int_equal(ivp_xpra_read(area, chunks, 1, &byte, 1, NULL), -EROFS);
	assert_int_equal(ivp_xpra_token_make(area, &token, NULL), 0);
	assert_int_equal(ivp_xpra_token_place(area, &token, NULL), -EROFS);
	ivp_xpra_close(area);
}

static void a_file_that_shrinks(void **state)
{
	struct ivp_xpra_area *area;
	struct ivp_xpra_chunk chunks[2];
	struct ivp_error err;

	(void)state;
	assert_int_equal(ivp_xpra_open(&area, path, IVP_XPRA_SIGBUS, 0, 0, NULL), 0);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(ivp_xpra_write(area, "x", 1, chunks, &err), -ESTALE);
	assert_int_equal(err.kind, IVP_FAIL_PEER_GONE);
	assert_int_equal(ivp_xpra_prepare(area, &err), -ESTALE);
	ivp_xpra_close(area);
	assert_int_equal(truncate(path, 1 << 20), 0);
}

static void a_region_of_ours_is_left_alone(void **state)
{
	const struct ivp_format_options options = {0};
	struct ivp_xpra_area *area;
	struct ivp_region_info info;
	struct ivp_error err;

	(void)state;
	assert_int_equal(ivp_format(path, &options, &info, NULL), 0);
	assert_int_equal(ivp_xpra_open(&area, path, 0, 0, 0, &err), -EMEDIUMTYPE);
	assert_int_equal(err.kind, IVP_FAIL_NO_REGION);
	assert_int_equal(ivp_xpra_open(&area, path, IVP_XPRA_FORCE, 0, 0, &err), 0);
	ivp_xpra_close(area);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_as_xpra_does, NULL, NULL),
		cmocka_unit_test_setup_teardown(touches_a_new_area_not_at_all, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_only_what_fits, setup, teardown),
		cmocka_unit_test_setup_teardown(an_end_that_fits_exactly_has_an_empty_second_chunk, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(whoever_lies_about_its_pointer_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_pointer_of_ours_that_another_moves_is_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_crash_left_is_zeroed, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_chunks, setup, teardown),
		cmocka_unit_test_setup_teardown(random_chunks, setup, teardown),
		cmocka_unit_test_setup_teardown(tokens, setup, teardown),
		cmocka_unit_test_setup_teardown(tokens_lie_within_the_area, setup, teardown),
		cmocka_unit_test_setup_teardown(sizes_of_memory, setup, teardown),
		cmocka_unit_test(parts_of_a_file),
		cmocka_unit_test(only_looked_at),
		cmocka_unit_test(a_file_that_shrinks),
		cmocka_unit_test(a_region_of_ours_is_left_alone),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
