// SPDX-License-Identifier: MIT
#include "beat.h"
#include "pair.h"

static void a_word_is_counted_up_at_once(void **state)
{
	struct ivp_beat *beat;
	u32 word = 7;

	(void)state;
	assert_int_equal(ivp_beat_open(&beat), 0);
	assert_int_equal(ivp_beat_add(beat, &word), 0);
	assert_true(ivp_load32(&word) > 7);
	ivp_beat_remove(beat, &word);
	ivp_beat_close(beat);
}

static void all_words_go_on(void **state)
{
	struct ivp_beat *beat;
	u32 words[3] = {0, ~0u, 1000};

	(void)state;
	assert_int_equal(ivp_beat_open(&beat), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ivp_beat_add(beat, &words[i]), 0);
	for (int i = 0; i < 3; i++) {
		u32 before = ivp_load32(&words[i]);

		await(ivp_load32(&words[i]) != before);
	}
	for (int i = 0; i < 3; i++)
		ivp_beat_remove(beat, &words[i]);
	ivp_beat_close(beat);
}

static void a_removed_word_is_left_alone(void **state)
{
	struct ivp_beat *beat;
	u32 *gone = malloc(sizeof(*gone)), kept = 0, before;

	(void)state;
	*gone = 0;
	assert_int_equal(ivp_beat_open(&beat), 0);
	assert_int_equal(ivp_beat_add(beat, gone), 0);
	assert_int_equal(ivp_beat_add(beat, &kept), 0);
	ivp_beat_remove(beat, gone);
	/* The sanitiser would see a touch. */
	free(gone);
	for (int i = 0; i < 2; i++) {
		before = ivp_load32(&kept);
		await(ivp_load32(&kept) != before);
	}
	ivp_beat_remove(beat, &kept);
	ivp_beat_close(beat);
}

static void nothing_is_fine(void **state)
{
	struct ivp_beat *beat;
	u32 word = 0;

	(void)state;
	ivp_beat_close(NULL);
	assert_int_equal(ivp_beat_open(&beat), 0);
	ivp_beat_remove(beat, &word);
	ivp_beat_close(beat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_is_counted_up_at_once),
		cmocka_unit_test(all_words_go_on),
		cmocka_unit_test(a_removed_word_is_left_alone),
		cmocka_unit_test(nothing_is_fine),
	};

	return cmocka_run_group_tests_name("beat", tests, NULL, NULL);
}
