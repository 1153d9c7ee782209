// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "caps.h"
#include "unit.h"

static struct ivp_claim claim_of(u8 first, const char *file)
{
	struct ivp_claim claim = {.given = true, .size = 64 << 20, .token = {.index = 4096, .bytes = 128}};

	/* 2^120 and a little. */
	claim.token.value[15] = 1;
	claim.token.value[0] = first;
	snprintf(claim.file, sizeof(claim.file), "%s", file);
	return claim;
}

#define BIG "1329227995784915872903807060280344577" /* that of claim_of(1) */

static void compare(const struct ivp_writer *writer, const char *wanted, size_t len)
{
	assert_false(writer->failed);
	assert_int_equal(writer->len, len);
	assert_memory_equal(writer->bytes, wanted, len);
}

static void as_a_client_of_3(void **state)
{
	static const char wanted[] =
		"l5:hellod7:version5:3.1.311:rencodeplusi0e9:ui_clienti0e7:windowsi0e17:compression_leveli0e"
		"13:wants_aliasesi0e14:wants_featuresi0e14:wants_versionsi0e13:wants_displayi0e15:wants_encodingsi0e"
		"9:mmap_file6:/dev/m9:mmap_sizei67108864e10:mmap_tokeni" BIG
		"e16:mmap_token_indexi4096e16:mmap_token_bytesi128e"
		"4:mmapd4:file6:/dev/m4:sizei67108864e5:tokeni" BIG "e11:token_indexi4096e11:token_bytesi128eeee";
	struct ivp_claim down = claim_of(1, "/dev/m");
	struct ivp_offer offer = {"3.1.3", ivp_caps_forms("3.1.3"), {&down}};
	struct ivp_writer writer = {.encoding = IVP_ENCODING_BENCODE};

	(void)state;
	ivp_caps_put_client(&writer, &offer);
	compare(&writer, wanted, sizeof(wanted) - 1);
}

#define CLAIM(file)                                                                                                    \
	"\x84"                                                                                                         \
	"file\x86" file "\x84size\x40\x04\x00\x00\x00\x85token=" BIG "\x7f\x8btoken_index\x3f\x10\x00\x8btoken_bytes"  \
	"\x3f\x00\x80"

static void as_a_client_of_6_3(void **state)
{
	static const char wanted[] =
		"\xc2\x85hello\x71\x87version\x85"
		"6.5.3\x8brencodeplus\x43"
		"\x89ui_client\x00\x87windows\x00\x91"
		"compression_level\x00\x8dwants_aliases\x00\x8ewants_features\x00"
		"\x8ewants_versions\x00\x8dwants_display\x00\x8fwants_encodings\x00"
		"\x84mmap\x6d" CLAIM("/dev/m") "\x84read\x6b" CLAIM("/dev/m") "\x85write\x6b" CLAIM("/dev/n");
	struct ivp_claim down = claim_of(1, "/dev/m"), up = claim_of(1, "/dev/n");
	struct ivp_offer offer = {"6.5.3", ivp_caps_forms("6.5.3"), {&down, &up}};
	struct ivp_writer writer = {.encoding = IVP_ENCODING_RENCODEPLUS};

	(void)state;
	ivp_caps_put_client(&writer, &offer);
	compare(&writer, wanted, sizeof(wanted) - 1);
}

/* What one side writes, the other reads; in each encoding. */
static int meet(struct ivp_caps *caps, enum ivp_encoding encoding, bool server, const struct ivp_offer *offer)
{
	struct ivp_writer writer = {.encoding = encoding};
	struct ivp_packet packet = {0};
	int ret;

	if (server)
		ivp_caps_put_server(&writer, offer);
	else
		ivp_caps_put_client(&writer, offer);
	assert_false(writer.failed);
	ret = encoding ? ivp_rencode_decode(&packet.tree, writer.bytes, writer.len)
		       : ivp_bencode_decode(&packet.tree, writer.bytes, writer.len);
	assert_int_equal(ret, 0);
	ret = ivp_caps_read(caps, &packet, server);
	ivp_packet_drop(&packet);
	return ret;
}

static void same_claim(const struct ivp_claim *one, const struct ivp_claim *other)
{
	assert_true(one->given && other->given);
	assert_int_equal(one->size, other->size);
	assert_string_equal(one->file, other->file);
	assert_memory_equal(&one->token, &other->token, sizeof(one->token));
}

static void what_is_said_is_understood(void **state)
{
	struct ivp_claim down = claim_of(3, "/dev/m"), up = claim_of(4, "/dev/n");
	struct ivp_offer offer = {"6.3", IVP_FORM_ALL, {&down, &up}};
	struct ivp_caps caps;

	(void)state;
	for (int encoding = IVP_ENCODING_BENCODE; encoding <= IVP_ENCODING_RENCODEPLUS; encoding++)
		for (int server = 0; server < 2; server++) {
			assert_int_equal(meet(&caps, encoding, server, &offer), 0);
			assert_string_equal(caps.version, "6.3");
			assert_int_equal(caps.forms, IVP_FORM_ALL);
			assert_int_equal(caps.enabled & IVP_FORM_AREAS, IVP_FORM_AREAS);
			same_claim(&caps.claim[IVP_DOWN], &down);
			same_claim(&caps.claim[IVP_UP], &up);
		}
	offer.claim[IVP_DOWN] = offer.claim[IVP_UP] = NULL;
	assert_int_equal(meet(&caps, IVP_ENCODING_BENCODE, true, &offer), 0);
	assert_int_equal(caps.enabled, 0);
	assert_false(caps.claim[IVP_DOWN].given);
}

static int read_text(struct ivp_caps *caps, const char *text, bool from_server)
{
	struct ivp_packet packet = {0};
	int ret;

	assert_int_equal(ivp_bencode_decode(&packet.tree, (const u8 *)text, strlen(text)), 0);
	ret = ivp_caps_read(caps, &packet, from_server);
	ivp_packet_drop(&packet);
	return ret;
}

static void answers_of_each_version(void **state)
{
	static const char token[] = "10:mmap_tokeni5e";
	struct ivp_caps caps;
	char text[200];

	(void)state;
	snprintf(text, sizeof(text), "l5:hellod7:version5:3.1.312:mmap_enabledi1e%see", token);
	assert_int_equal(read_text(&caps, text, true), 0);
	assert_int_equal(caps.enabled, IVP_FORM_FLAT);
	/* What it does not say. */
	assert_int_equal(caps.claim[IVP_DOWN].token.index, 512);
	assert_int_equal(caps.claim[IVP_DOWN].token.bytes, 128);
	assert_int_equal(read_text(&caps, "l5:hellod4:mmapd7:enabledi1e5:tokeni5eeee", true), 0);
	assert_int_equal(caps.enabled, IVP_FORM_NESTED | IVP_FORM_AREAS);
	assert_int_equal(caps.claim[IVP_DOWN].token.index, 0);
	assert_int_equal(read_text(&caps, "l5:hellod4:mmapd7:enabledi0eeee", true), 0);
	assert_int_equal(caps.enabled, 0);
	assert_int_equal(read_text(&caps, "l5:hellod4:mmapd5:writed5:tokeni5eeeee", true), 0);
	assert_int_equal(caps.enabled, IVP_FORM_AREAS);
	assert_int_equal(read_text(&caps, "l5:hellod4:mmapdeee", true), 0);
	assert_int_equal(caps.enabled | caps.forms, 0);
	/* From the client's view the same words mean the other way. */
	assert_int_equal(read_text(&caps, "l5:hellod4:mmapd5:writed5:tokeni5eeeee", false), 0);
	assert_false(caps.claim[IVP_DOWN].given);
	assert_true(caps.claim[IVP_UP].given);
}

static void claims_that_are_none(void **state)
{
	static const char *const bad[] = {
		"5:tokeni-1e",
		"5:token1:x",
		"5:tokeni1e11:token_bytesi0e",
		"5:tokeni1e11:token_bytesi513e",
		"5:tokeni256e11:token_bytesi1e",
		"5:tokeni1e11:token_indexi-1e",
		"5:tokeni1e4:sizei-1e",
		"5:tokenle",
		"",
		"5:tokeni1e11:token_bytesi99999999999999999999e11:token_indexi-5e",
	};
	static const char *const none[] = {"l4:pinge", "l5:helloe", "l5:helloi1ee", "l5:hellolee", "le", "li5edee"};
	struct ivp_caps caps;
	char text[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "l5:hellod4:mmapd%seee", bad[i]);
		assert_int_equal(read_text(&caps, text, true), 0);
		assert_false(caps.claim[IVP_DOWN].given);
	}
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_int_equal(read_text(&caps, none[i], true), -EPROTO);
}

static void who_agrees_with_whom(void **state)
{
	static const char *const versions[] = {"3.1.3", "4.4.6", "5.1", "6.0", "6.2.9", "6.3", "6.5.3", "7.0", "word"};
	static const char *const agree[] = {"110000000", "110000000", "001110000", "001110000", "001110000",
					    "001111111", "001111111", "001111111", "001111111"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		for (size_t j = 0; j < ARRAY_SIZE(versions); j++)
			assert_int_equal(ivp_caps_agree(versions[i], versions[j]), agree[i][j] - '0');
	assert_int_equal(ivp_caps_demand("4.9"), IVP_FORM_FLAT);
	assert_int_equal(ivp_caps_demand("99999999999999999999999.1"), IVP_FORM_AREAS);
	assert_string_equal(ivp_caps_clients("6.2"), "5 and later");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_a_client_of_3),           cmocka_unit_test(as_a_client_of_6_3),
		cmocka_unit_test(what_is_said_is_understood), cmocka_unit_test(answers_of_each_version),
		cmocka_unit_test(claims_that_are_none),       cmocka_unit_test(who_agrees_with_whom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
