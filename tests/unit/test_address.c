// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "found.h"
#include "pair.h"

static struct place place;
static struct ivp_address address;
static struct ivp_error err;

static int setup(void **state)
{
	(void)state;
	place_make(&place, PLACE_SIZE);
	memset(&address, 0xa5, sizeof(address));
	memset(&err, 0, sizeof(err));
	found_count = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	place_remove(&place);
	return 0;
}

static void refused(const char *spec, int number, enum ivp_failure kind)
{
	assert_int_equal(ivp_address_resolve(&address, spec, &err), number);
	assert_int_equal(err.number, number);
	assert_int_equal(err.kind, kind);
	assert_int_not_equal(err.text[0], 0);
	assert_null(strchr(err.text, '\n'));
}

static void what_is_not_there_is_no_region(void **state)
{
	(void)state;
	refused("/dev/shm/ivpipe-unit-none", -ENOENT, IVP_FAIL_NO_REGION);
}

static void a_directory_is_no_region(void **state)
{
	(void)state;
	refused(place.dir, -ENODEV, IVP_FAIL_NO_REGION);
}

static void a_path_beyond_all_bounds_is_refused(void **state)
{
	char path[5000];

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = 0;
	refused(path, -ENAMETOOLONG, IVP_FAIL_USAGE);
}

static void a_file_is_locked_where_it_is_mapped(void **state)
{
	(void)state;
	assert_int_equal(ivp_address_resolve(&address, place.file, &err), 0);
	assert_int_equal(address.backing, IVP_BACKING_FILE);
	assert_string_equal(address.path, place.file);
	assert_string_equal(address.lock, place.file);
	assert_false(address.combined);
}

static void a_sysfs_resource_is_locked_on_resource2(void **state)
{
	char lock[128];

	(void)state;
	snprintf(lock, sizeof(lock), "%s/bar/resource2", place.dir);
	assert_int_equal(ivp_address_resolve(&address, place.device, &err), 0);
	assert_int_equal(address.backing, IVP_BACKING_SYSFS);
	assert_string_equal(address.path, place.device);
	assert_string_equal(address.lock, lock);
	assert_true(address.combined);
}

static void a_character_device_is_taken_for_a_node(void **state)
{
	(void)state;
	assert_int_equal(ivp_address_resolve(&address, "/dev/null", &err), 0);
	assert_int_equal(address.backing, IVP_BACKING_NODE);
}

/* ---- auto ---- */

static struct ivp_found candidate(const char *path, bool automatic)
{
	struct ivp_found found = {.backing = IVP_BACKING_FILE, .automatic = automatic};

	snprintf(found.path, sizeof(found.path), "%s", path);
	return found;
}

static void auto_without_candidates_fails(void **state)
{
	(void)state;
	refused("auto", -ENOENT, IVP_FAIL_NO_REGION);
}

static void auto_takes_nothing_that_is_not_safe(void **state)
{
	struct ivp_found list[] = {candidate(place.file, false), candidate("", true)};

	(void)state;
	found_list = list;
	found_count = 2;
	refused("auto", -ENOENT, IVP_FAIL_NO_REGION);
}

static void auto_names_the_candidates_if_there_are_several(void **state)
{
	struct ivp_found list[] = {candidate("/dev/one", true), candidate("/dev/two", true),
				   candidate("/dev/three", false)};

	(void)state;
	found_list = list;
	found_count = 3;
	refused("auto", -EBUSY, IVP_FAIL_NO_REGION);
	assert_non_null(strstr(err.text, "/dev/one, /dev/two"));
	assert_null(strstr(err.text, "/dev/three"));
}

static void auto_with_very_many_candidates_still_ends_in_a_line(void **state)
{
	static struct ivp_found list[500];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		list[i] = candidate("", true);
		memset(list[i].path, 'p', sizeof(list[i].path) - 1);
	}
	found_list = list;
	found_count = ARRAY_SIZE(list);
	refused("auto", -EBUSY, IVP_FAIL_NO_REGION);
}

static void auto_takes_the_only_one(void **state)
{
	struct ivp_found list[] = {candidate("/dev/one", false), candidate(place.file, true)};

	(void)state;
	found_list = list;
	found_count = 2;
	assert_int_equal(ivp_address_resolve(&address, "auto", &err), 0);
	assert_string_equal(address.path, place.file);
	assert_int_equal(ivp_address_resolve(&address, NULL, &err), 0);
	assert_int_equal(ivp_address_resolve(&address, "", &err), 0);
	assert_string_equal(address.path, place.file);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_not_there_is_no_region),
		TEST(a_directory_is_no_region),
		TEST(a_path_beyond_all_bounds_is_refused),
		TEST(a_file_is_locked_where_it_is_mapped),
		TEST(a_sysfs_resource_is_locked_on_resource2),
		TEST(a_character_device_is_taken_for_a_node),
		TEST(auto_without_candidates_fails),
		TEST(auto_takes_nothing_that_is_not_safe),
		TEST(auto_names_the_candidates_if_there_are_several),
		TEST(auto_with_very_many_candidates_still_ends_in_a_line),
		TEST(auto_takes_the_only_one),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
