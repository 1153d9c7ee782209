// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format.h"
#include "pair.h"

static struct place place;
static struct ivp_region *region;
static struct ivp_error err;

static int setup(void **state)
{
	(void)state;
	place_make(&place, PLACE_SIZE);
	region = NULL;
	memset(&err, 0, sizeof(err));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ivp_region_close(region);
	place_remove(&place);
	return 0;
}

static int try_open(const char *path, unsigned int flags, int64_t wait_ms)
{
	struct ivp_open_options options = {.flags = flags, .side = IVP_SIDE_AUTO, .wait_ms = wait_ms};

	return ivp_region_open(&region, path, &options, &err);
}

static void open_is_refused(int number)
{
	assert_int_equal(try_open(place.file, 0, 0), number);
	assert_int_equal(err.number, number);
	assert_int_equal(err.kind, IVP_FAIL_NO_REGION);
	assert_non_null(strstr(err.text, place.file));
}

/* Lay the region out, change its superblock with `change`, and give it a checksum that fits unless told not to. */
static void lay_and(void (*change)(struct ivp_superblock *sb), bool sum)
{
	struct ivp_superblock sb;

	region = place_open(&place, 0);
	sb = region->sb;
	ivp_region_close(region);
	region = NULL;
	change(&sb);
	if (sum)
		sb.checksum = ivp_superblock_sum(&sb);
	place_write(&place, 0, &sb, sizeof(sb));
}

static struct ivp_superblock read_back(void)
{
	struct ivp_superblock sb;

	ivp_copy_from(&sb, region->map, sizeof(sb));
	return sb;
}

/* ---- contents that are somebody else's ---- */

static void foreign_contents_are_refused_and_kept(void **state)
{
	struct stat before, after;
	u8 there[8];

	(void)state;
	place_write(&place, 100, "somebody", 8);
	assert_int_equal(stat(place.file, &before), 0);
	open_is_refused(-EMEDIUMTYPE);
	assert_non_null(strstr(err.text, "format --force"));
	assert_int_equal(stat(place.file, &after), 0);
	assert_int_equal(before.st_blocks, after.st_blocks);
	assert_int_equal(ivp_format(place.file, &(struct ivp_format_options){0}, NULL, &err), -EMEDIUMTYPE);
	assert_int_equal(ivp_format(place.file, &(struct ivp_format_options){.force = true}, NULL, &err), 0);
	region = place_open(&place, 0);
	ivp_copy_from(there, region->map + 100, sizeof(there));
	assert_memory_not_equal(there, "somebody", 8);
}

static void foreign_contents_in_the_last_byte_of_the_page_count(void **state)
{
	(void)state;
	place_write(&place, IVP_SUPERBLOCK_BYTES - 1, "x", 1);
	open_is_refused(-EMEDIUMTYPE);
}

static void a_file_too_small_is_refused(void **state)
{
	(void)state;
	assert_int_equal(truncate(place.file, 1024), 0);
	open_is_refused(-EMEDIUMTYPE);
	assert_int_equal(truncate(place.file, 0), 0);
	open_is_refused(-EMEDIUMTYPE);
	assert_int_equal(truncate(place.file, IVP_REGION_MIN - 1), 0);
	assert_int_equal(try_open(place.file, 0, 0), -EINVAL);
	assert_non_null(strstr(err.text, "45056"));
}

/* ---- superblocks that lie ---- */

static void as_version_2(struct ivp_superblock *sb)
{
	sb->version = 2;
}

static void another_version_is_refused_and_kept(void **state)
{
	(void)state;
	lay_and(as_version_2, true);
	open_is_refused(-EPROTONOSUPPORT);
	assert_int_equal(ivp_format(place.file, &(struct ivp_format_options){0}, NULL, &err), -EPROTONOSUPPORT);
}

static void as_larger(struct ivp_superblock *sb)
{
	sb->region_size *= 2;
}

static void a_region_laid_out_for_more_than_there_is_is_refused(void **state)
{
	(void)state;
	lay_and(as_larger, true);
	open_is_refused(-EMSGSIZE);
	assert_non_null(strstr(err.text, "2097152"));
	assert_non_null(strstr(err.text, "1048576"));
}

static void as_damaged(struct ivp_superblock *sb)
{
	sb->reserved[50] ^= 1;
}

static void damage_shows_in_the_checksum(void **state)
{
	(void)state;
	lay_and(as_damaged, false);
	assert_int_equal(try_open(place.file, IVP_OPEN_READ_ONLY, 0), -EUCLEAN);
}

static void a_damaged_region_is_laid_out_by_who_is_alone(void **state)
{
	(void)state;
	lay_and(as_damaged, false);
	region = place_open(&place, 0);
	assert_int_equal(ivp_superblock_check(&region->sb, PLACE_SIZE), 0);
}

static void a_damaged_region_in_use_is_refused_and_kept(void **state)
{
	struct ivp_region *user = place_open(&place, 0);

	(void)state;
	place_write(&place, offsetof(struct ivp_superblock, lanes), "\xff", 1);
	assert_int_equal(try_open(place.file, 0, 0), -EUCLEAN);
	ivp_region_close(user);
	region = place_open(&place, 0);
}

static void as_ring_beyond(struct ivp_superblock *sb)
{
	sb->lanes_offset = sb->region_size;
}

static void impossible_geometry_with_a_right_checksum_is_damage(void **state)
{
	(void)state;
	lay_and(as_ring_beyond, true);
	assert_int_equal(try_open(place.file, IVP_OPEN_READ_ONLY, 0), -EUCLEAN);
}

static void a_magic_alone_is_damage(void **state)
{
	u64 magic = IVP_MAGIC;

	(void)state;
	place_write(&place, 0, &magic, sizeof(magic));
	assert_int_equal(try_open(place.file, IVP_OPEN_READ_ONLY, 0), -EPROTONOSUPPORT);
}

/* ---- who may lay out ---- */

static void assert_all_zero(void)
{
	static u8 bytes[PLACE_SIZE];
	int fd = open(place.file, O_RDONLY | O_CLOEXEC);

	assert_int_equal(read(fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
	for (size_t i = 0; i < sizeof(bytes); i++)
		if (bytes[i])
			fail_msg("byte %zu was written", i);
}

static void looking_only_writes_nothing(void **state)
{
	(void)state;
	assert_int_equal(try_open(place.file, IVP_OPEN_READ_ONLY, 0), -ENODATA);
	assert_all_zero();
}

static void a_device_does_not_lay_out(void **state)
{
	(void)state;
	assert_int_equal(try_open(place.device, 0, 0), -ENODATA);
	assert_all_zero();
}

struct waiter {
	struct ivp_region *region;
	struct ivp_error err;
	volatile sig_atomic_t cancel;
	atomic_int told;
	int ret;
};

static void told(void *arg, const char *text)
{
	struct waiter *waiter = arg;

	atomic_fetch_add(&waiter->told, text && *text ? 1 : 100);
}

static void *wait_for_layout(void *arg)
{
	struct waiter *waiter = arg;
	struct ivp_open_options options = {
		.side = IVP_SIDE_AUTO, .wait_ms = -1, .cancel = &waiter->cancel, .notice = told, .notice_arg = waiter};

	waiter->ret = ivp_region_open(&waiter->region, place.device, &options, &waiter->err);
	return NULL;
}

static void a_device_waits_until_the_file_side_has_laid_out(void **state)
{
	struct waiter waiter = {0};
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, wait_for_layout, &waiter), 0);
	await(atomic_load(&waiter.told));
	region = place_open(&place, 0);
	pthread_join(thread, NULL);
	assert_int_equal(waiter.ret, 0);
	assert_int_equal(atomic_load(&waiter.told), 1);
	assert_int_equal(waiter.region->side, 1);
	assert_true(waiter.region->sb.format_id == region->sb.format_id);
	ivp_region_close(waiter.region);
}

static void waiting_for_a_layout_can_be_cancelled(void **state)
{
	struct waiter waiter = {0};
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, wait_for_layout, &waiter), 0);
	await(atomic_load(&waiter.told));
	waiter.cancel = 1;
	pthread_join(thread, NULL);
	assert_int_equal(waiter.ret, -EINTR);
}

static void a_zero_file_is_laid_out_with_defaults(void **state)
{
	struct ivp_superblock sb, wanted;

	(void)state;
	region = place_open(&place, IVP_SIDE_AUTO);
	sb = read_back();
	assert_int_equal(ivp_superblock_lay(&wanted, PLACE_SIZE, 0, 0), 0);
	wanted.format_id = sb.format_id;
	wanted.checksum = ivp_superblock_sum(&wanted);
	assert_memory_equal(&sb, &wanted, sizeof(sb));
	assert_int_equal(region->side, 0);
}

static void what_is_laid_out_stays(void **state)
{
	u64 id;

	(void)state;
	region = place_open(&place, 0);
	id = region->sb.format_id;
	ivp_region_close(region);
	region = place_open(&place, 0);
	assert_true(region->sb.format_id == id);
}

static void *open_at_once(void *arg)
{
	pthread_barrier_t *barrier = arg;
	struct ivp_region *mine = NULL;
	struct ivp_open_options options = {.side = IVP_SIDE_AUTO, .wait_ms = 10000};

	pthread_barrier_wait(barrier);
	ivp_region_open(&mine, place.file, &options, NULL);
	return mine;
}

static void openers_at_once_agree_on_one_layout(void **state)
{
	enum { OPENERS = 8 };
	struct ivp_region *regions[OPENERS];
	pthread_t threads[OPENERS];
	pthread_barrier_t barrier;

	(void)state;
	for (int round = 0; round < 10; round++) {
		u64 zero[512] = {0};

		place_write(&place, 0, zero, sizeof(zero));
		pthread_barrier_init(&barrier, NULL, OPENERS);
		for (int i = 0; i < OPENERS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, open_at_once, &barrier), 0);
		for (int i = 0; i < OPENERS; i++)
			pthread_join(threads[i], (void **)&regions[i]);
		for (int i = 0; i < OPENERS; i++) {
			assert_non_null(regions[i]);
			assert_true(regions[i]->sb.format_id == regions[0]->sb.format_id);
		}
		for (int i = 0; i < OPENERS; i++)
			ivp_region_close(regions[i]);
		pthread_barrier_destroy(&barrier);
	}
}

/* ---- sides ---- */

static void a_side_that_the_region_has_not_is_refused(void **state)
{
	struct ivp_open_options options = {.side = 2};

	(void)state;
	assert_int_equal(ivp_region_open(&region, place.file, &options, &err), -EINVAL);
	assert_int_equal(err.kind, IVP_FAIL_USAGE);
	options.side = 1;
	assert_int_equal(ivp_region_open(&region, place.file, &options, &err), 0);
	assert_int_equal(region->side, 1);
}

/* ---- ivp_format() ---- */

static int format(const struct ivp_format_options *options)
{
	return ivp_format(place.file, options, NULL, &err);
}

static void format_refuses_a_region_in_use(void **state)
{
	(void)state;
	region = place_open(&place, 0);
	assert_int_equal(format(&(struct ivp_format_options){0}), -EBUSY);
	assert_non_null(strstr(err.text, "--force"));
	assert_true(read_back().format_id == region->sb.format_id);
}

static void format_refuses_a_region_in_use_behind_a_device(void **state)
{
	struct ivp_lane_options options = pair_options();
	struct ivp_listener *listener;

	(void)state;
	assert_int_equal(format(&(struct ivp_format_options){0}), 0);
	region = place_open_device(&place);
	assert_int_equal(ivp_listen(&listener, region, &options, &err), 0);
	assert_int_equal(format(&(struct ivp_format_options){0}), -EBUSY);
	ivp_listener_close(listener);
	assert_int_equal(format(&(struct ivp_format_options){0}), 0);
}

static void a_forced_format_ends_its_users_sessions(void **state)
{
	(void)state;
	region = place_open(&place, 0);
	assert_int_equal(ivp_region_check(region, &err), 0);
	assert_int_equal(format(&(struct ivp_format_options){.force = true}), 0);
	assert_int_equal(ivp_region_check(region, &err), -ESTALE);
	assert_int_equal(err.kind, IVP_FAIL_PEER_GONE);
}

static void format_takes_lanes_and_sides(void **state)
{
	struct ivp_region_info made;

	(void)state;
	assert_int_equal(ivp_format(place.file, &(struct ivp_format_options){.lanes = 6, .sides = 3}, &made, &err), 0);
	assert_int_equal(made.lanes, 6);
	assert_int_equal(made.sides, 3);
	assert_int_equal(made.size, PLACE_SIZE);
	region = place_open(&place, 2);
	assert_int_equal(region->sb.lanes, 6);
}

static void format_says_what_size_would_do(void **state)
{
	char size[32];

	(void)state;
	assert_int_equal(format(&(struct ivp_format_options){.lanes = 256}), -EINVAL);
	assert_int_equal(err.kind, IVP_FAIL_USAGE);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)ivp_superblock_smallest(0, 256, 2));
	assert_non_null(strstr(err.text, size));
}

static void format_does_not_resize(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(format(&(struct ivp_format_options){.size = PLACE_SIZE / 2}), -EINVAL);
	assert_int_equal(format(&(struct ivp_format_options){.size = PLACE_SIZE * 2}), -EINVAL);
	assert_int_equal(stat(place.file, &st), 0);
	assert_int_equal(st.st_size, PLACE_SIZE);
}

static void format_creates_only_what_is_not_there(void **state)
{
	struct ivp_format_options options = {.size = PLACE_SIZE, .create = true};
	struct stat st;
	char path[128];

	(void)state;
	assert_int_equal(format(&options), -EEXIST);
	snprintf(path, sizeof(path), "%s/new", place.dir);
	assert_int_equal(ivp_format(path, &(struct ivp_format_options){0}, NULL, &err), -ENOENT);
	assert_non_null(strstr(err.text, "--create"));
	assert_int_equal(ivp_format(path, &(struct ivp_format_options){.create = true}, NULL, &err), -EINVAL);
	assert_int_equal(stat(path, &st), -1);
	options.size = 1000;
	assert_int_not_equal(ivp_format(path, &options, NULL, &err), 0);
	assert_int_equal(stat(path, &st), -1);
	options.size = PLACE_SIZE;
	assert_int_equal(ivp_format(path, &options, NULL, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07007, 0);
}

static void format_has_the_blocks_before_it_writes(void **state)
{
	struct stat st;

	(void)state;
	region = place_open(&place, 0);
	assert_int_equal(stat(place.file, &st), 0);
	assert_true((u64)st.st_blocks * 512 >= region->sb.lanes_offset + region->sb.lanes * region->sb.lane_stride);
}

static void a_full_file_system_is_an_error_and_no_signal(void **state)
{
	struct ivp_format_options options = {.size = 1ULL << 50, .create = true};
	struct stat st;
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/huge", place.dir);
	assert_true(ivp_format(path, &options, NULL, &err) < 0);
	assert_int_equal(stat(path, &st), -1);
}

/* ---- the file goes ---- */

static void a_deleted_file_ends_the_session(void **state)
{
	(void)state;
	region = place_open(&place, 0);
	assert_int_equal(unlink(place.file), 0);
	assert_int_equal(ivp_region_check(region, &err), -ESTALE);
	assert_int_equal(err.kind, IVP_FAIL_PEER_GONE);
	assert_non_null(strstr(err.text, "deleted"));
}

static void an_overwritten_format_id_ends_the_session(void **state)
{
	u8 other;

	(void)state;
	region = place_open(&place, 0);
	other = (u8)~region->sb.format_id;
	place_write(&place, offsetof(struct ivp_superblock, format_id), &other, 1);
	assert_int_equal(ivp_region_check(region, &err), -ESTALE);
	assert_int_equal(err.kind, IVP_FAIL_PEER_GONE);
}

static void no_other_field_is_ever_asked_again(void **state)
{
	struct ivp_superblock sb, mine;

	(void)state;
	region = place_open(&place, 0);
	mine = region->sb;
	memset(&sb, 0xff, sizeof(sb));
	sb.format_id = mine.format_id;
	place_write(&place, 0, &sb, sizeof(sb));
	assert_int_equal(ivp_region_check(region, &err), 0);
	assert_memory_equal(&region->sb, &mine, sizeof(mine));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(foreign_contents_are_refused_and_kept),
		TEST(foreign_contents_in_the_last_byte_of_the_page_count),
		TEST(a_file_too_small_is_refused),
		TEST(another_version_is_refused_and_kept),
		TEST(a_region_laid_out_for_more_than_there_is_is_refused),
		TEST(damage_shows_in_the_checksum),
		TEST(a_damaged_region_is_laid_out_by_who_is_alone),
		TEST(a_damaged_region_in_use_is_refused_and_kept),
		TEST(impossible_geometry_with_a_right_checksum_is_damage),
		TEST(a_magic_alone_is_damage),
		TEST(looking_only_writes_nothing),
		TEST(a_device_does_not_lay_out),
		TEST(a_device_waits_until_the_file_side_has_laid_out),
		TEST(waiting_for_a_layout_can_be_cancelled),
		TEST(a_zero_file_is_laid_out_with_defaults),
		TEST(what_is_laid_out_stays),
		TEST(openers_at_once_agree_on_one_layout),
		TEST(a_side_that_the_region_has_not_is_refused),
		TEST(format_refuses_a_region_in_use),
		TEST(format_refuses_a_region_in_use_behind_a_device),
		TEST(a_forced_format_ends_its_users_sessions),
		TEST(format_takes_lanes_and_sides),
		TEST(format_says_what_size_would_do),
		TEST(format_does_not_resize),
		TEST(format_creates_only_what_is_not_there),
		TEST(format_has_the_blocks_before_it_writes),
		TEST(a_full_file_system_is_an_error_and_no_signal),
		TEST(a_deleted_file_ends_the_session),
		TEST(an_overwritten_format_id_ends_the_session),
		TEST(no_other_field_is_ever_asked_again),
	};

	return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
