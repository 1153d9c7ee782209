// SPDX-License-Identifier: MIT
#include <stdio.h>
#ifndef IVP_NO_ZLIB
#include <zlib.h>
#endif

#include "packet.h"
#include "unit.h"

/* Decode a copy of exactly these bytes, so that the address sanitiser sees whoever goes past them. */
static int decode_into(struct ivp_values *tree, bool bencode, const void *bytes, size_t len)
{
	u8 *copy = malloc(len ? len : 1);

	if (len)
		memcpy(copy, bytes, len);
	*tree = (struct ivp_values){0};
	return bencode ? ivp_bencode_decode(tree, copy, len) : ivp_rencode_decode(tree, copy, len);
}

static void drop(struct ivp_values *tree)
{
	free((void *)(uintptr_t)tree->bytes);
	ivp_values_drop(tree);
}

static int outcome(bool bencode, const void *bytes, size_t len)
{
	struct ivp_values tree;
	int ret = decode_into(&tree, bencode, bytes, len);

	drop(&tree);
	return ret;
}

/* The tree in words, for comparing. */
static void tell(const struct ivp_values *tree, const struct ivp_value *value, char **to)
{
	const struct ivp_value *item = value + 1;
	u32 count = value->kind == IVP_VALUE_DICT ? 2 * value->count : value->count;

	switch (value->kind) {
	case IVP_VALUE_NONE:
		*to += sprintf(*to, "None");
		break;
	case IVP_VALUE_BOOL:
		*to += sprintf(*to, value->number ? "True" : "False");
		break;
	case IVP_VALUE_INT:
		*to += sprintf(*to, "%lld", (long long)value->number);
		break;
	case IVP_VALUE_REAL:
		*to += sprintf(*to, "%g", value->real);
		break;
	case IVP_VALUE_BIG:
	case IVP_VALUE_TEXT:
		*to += sprintf(*to, value->kind == IVP_VALUE_BIG ? "%.*s" : "'%.*s'", (int)value->text.len,
			       (const char *)tree->bytes + value->text.at);
		break;
	default:
		*to += sprintf(*to, value->kind == IVP_VALUE_LIST ? "[" : "{");
		for (u32 i = 0; i < count; i++) {
			tell(tree, item, to);
			*to += sprintf(*to, ",");
			item = tree->values + item->next;
		}
		*to += sprintf(*to, value->kind == IVP_VALUE_LIST ? "]" : "}");
	}
}

static void means(bool bencode, const void *bytes, size_t len, const char *wanted)
{
	struct ivp_values tree;
	char words[1024], *end = words;

	assert_int_equal(decode_into(&tree, bencode, bytes, len), 0);
	tell(&tree, tree.values, &end);
	assert_string_equal(words, wanted);
	drop(&tree);
}

#define BENCODE(text, wanted) means(true, text, sizeof(text) - 1, wanted)
#define RENCODE(text, wanted) means(false, text, sizeof(text) - 1, wanted)

static void bencode_of_everything(void **state)
{
	(void)state;
	BENCODE("i0e", "0");
	BENCODE("i-42e", "-42");
	BENCODE("i9223372036854775807e", "9223372036854775807");
	BENCODE("i-9223372036854775808e", "-9223372036854775808");
	BENCODE("i9223372036854775808e", "9223372036854775808");
	BENCODE("i340282366920938463463374607431768211455e", "340282366920938463463374607431768211455");
	BENCODE("0:", "''");
	BENCODE("5:hello", "'hello'");
	BENCODE("le", "[]");
	BENCODE("de", "{}");
	BENCODE("li1el2:abdeei-3ee", "[1,['ab',{},],-3,]");
	BENCODE("d4:mmapd4:filei1ee1:xi2ee", "{'mmap',{'file',1,},'x',2,}");
}

/* The bytes are those of python3-rencode, and of rencodeplus. */
static void rencode_of_everything(void **state)
{
	(void)state;
	RENCODE("\x00", "0");
	RENCODE("\x2b", "43");
	RENCODE("\x3e\x2c", "44");
	RENCODE("\x46", "-1");
	RENCODE("\x65", "-32");
	RENCODE("\x3e\xdf", "-33");
	RENCODE("\x3f\x00\x80", "128");
	RENCODE("\x3f\xff\x7f", "-129");
	RENCODE("\x40\x00\x00\x9c\x40", "40000");
	RENCODE("\x41\x00\x00\x00\x00\x80\x00\x00\x00", "2147483648");
	RENCODE("\x41\x80\x00\x00\x00\x00\x00\x00\x00", "-9223372036854775808");
	RENCODE("\x3d"
		"9223372036854775808\x7f",
		"9223372036854775808");
	RENCODE("\xc3\x43\x44\x45", "[True,False,None,]");
	RENCODE("\x42\x3f\xc0\x00\x00", "1.5");
	RENCODE("\x2c\xbf\xf8\x00\x00\x00\x00\x00\x00", "-1.5");
	RENCODE("\x83"
		"abc",
		"'abc'");
	RENCODE("4:abcd", "'abcd'");
	RENCODE("4/abcd", "'abcd'");
	RENCODE("0/", "''");
	RENCODE("\xc0", "[]");
	RENCODE("\x66", "{}");
	RENCODE("\x3b\x01\x3b\x7f\x7f", "[1,[],]");
	RENCODE("\x3c\x81x\x01\x81y\x67\x81z\x02\x7f", "{'x',1,'y',{'z',2,},}");
}

static void malformed(void **state)
{
	static const char *const bencode[] = {"",
					      "i",
					      "ie",
					      "i-e",
					      "i1",
					      "i1x2e",
					      "l",
					      "li1e",
					      "d",
					      "di1ee",
					      "5",
					      "5:abcd",
					      ":",
					      "-1:a",
					      "1x",
					      "x",
					      "i1ei2e",
					      "lee",
					      "99999999999999999999:a",
					      "1:",
					      "d1:ae",
					      "i--1e",
					      "i 1e",
					      "00000000000000000002:a"};
	static const char *const rencode[] = {"",
					      "\x3e",
					      "\x3f\x01",
					      "\x40\x01\x02\x03",
					      "\x41"
					      "1234567",
					      "\x42"
					      "123",
					      "\x2c"
					      "1234567",
					      "\x3d",
					      "\x3d"
					      "12",
					      "\x3d\x7f",
					      "\x3d-\x7f",
					      "\x83"
					      "ab",
					      "5:abcd",
					      "5",
					      "5/abcd",
					      "5x",
					      "\x3b",
					      "\x3b\x01",
					      "\x3c\x01\x7f",
					      "\x68\x01\x02\x03",
					      "\xc2\x01",
					      "\x7f",
					      "\x2d",
					      "\x3a",
					      "\x01\x01"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bencode); i++)
		assert_int_equal(outcome(true, bencode[i], strlen(bencode[i])), -EPROTO);
	for (size_t i = 0; i < ARRAY_SIZE(rencode); i++)
		assert_int_equal(outcome(false, rencode[i], strlen(rencode[i])), -EPROTO);
}

static void too_deep_and_too_many(void **state)
{
	size_t len = IVP_VALUES_MAX + 16;
	u8 *bytes = malloc(len);

	(void)state;
	memset(bytes, 'l', len);
	assert_int_equal(outcome(true, bytes, len), -E2BIG);
	memset(bytes, 0xc1, len);
	assert_int_equal(outcome(false, bytes, len), -E2BIG);
	memset(bytes, 0x3c, len);
	assert_int_equal(outcome(false, bytes, len), -E2BIG);
	/* Of the depth that is allowed. */
	memset(bytes, 'l', IVP_VALUES_DEPTH);
	memset(bytes + IVP_VALUES_DEPTH, 'e', IVP_VALUES_DEPTH);
	assert_int_equal(outcome(true, bytes, 2 * IVP_VALUES_DEPTH), 0);
	memset(bytes, 0x3b, IVP_VALUES_DEPTH);
	memset(bytes + IVP_VALUES_DEPTH, 0x7f, IVP_VALUES_DEPTH);
	assert_int_equal(outcome(false, bytes, 2 * IVP_VALUES_DEPTH), 0);
	memset(bytes, 0, len);
	bytes[0] = 0x3b;
	bytes[len - 1] = 0x7f;
	assert_int_equal(outcome(false, bytes, len), -E2BIG);
	free(bytes);
}

static void looking_things_up(void **state)
{
	static const char text[] = "ld4:listli1eli2ee1:xe1:k1:v3:big20:18446744073709551616ee";
	struct ivp_values tree;
	const struct ivp_value *dict, *list;
	char word[3];

	(void)state;
	assert_int_equal(decode_into(&tree, true, text, sizeof(text) - 1), 0);
	dict = ivp_values_item(&tree, tree.values, 0);
	list = ivp_values_get(&tree, dict, "list");
	assert_int_equal(list->count, 3);
	assert_int_equal(ivp_value_int(ivp_values_item(&tree, list, 0), 9), 1);
	assert_int_equal(ivp_value_int(ivp_values_item(&tree, list, 1), 9), 9);
	assert_true(ivp_value_is(&tree, ivp_values_item(&tree, list, 2), "x"));
	assert_null(ivp_values_item(&tree, list, 3));
	assert_null(ivp_values_item(&tree, dict, 0));
	assert_null(ivp_values_get(&tree, list, "x"));
	assert_null(ivp_values_get(&tree, dict, "lis"));
	assert_null(ivp_values_get(&tree, NULL, "x"));
	assert_null(ivp_values_item(&tree, NULL, 0));
	assert_true(ivp_value_is(&tree, ivp_values_get(&tree, dict, "k"), "v"));
	ivp_value_text(&tree, ivp_values_get(&tree, dict, "big"), word, sizeof(word));
	assert_string_equal(word, "18");
	ivp_value_text(&tree, list, word, sizeof(word));
	assert_string_equal(word, "");
	assert_false(ivp_value_true(NULL));
	assert_true(ivp_value_true(list));
	drop(&tree);
}

static int number_of(const char *digits, u8 *to, u32 bytes)
{
	char text[1400];
	struct ivp_values tree;
	int ret;

	snprintf(text, sizeof(text), "i%se", digits);
	assert_int_equal(decode_into(&tree, true, text, strlen(text)), 0);
	ret = ivp_value_bytes(&tree, tree.values, to, bytes);
	drop(&tree);
	return ret;
}

static void large_numbers(void **state)
{
	struct ivp_writer writer = {0};
	struct ivp_values tree;
	char digits[1300];
	u8 bytes[512], back[512];
	u64 seed = 5;

	(void)state;
	assert_int_equal(number_of("340282366920938463463374607431768211455", bytes, 128), 0);
	for (int i = 0; i < 128; i++)
		assert_int_equal(bytes[i], i < 16 ? 255 : 0);
	assert_int_equal(number_of("340282366920938463463374607431768211456", bytes, 16), -ERANGE);
	assert_int_equal(number_of("255", bytes, 1), 0);
	assert_int_equal(number_of("256", bytes, 1), -ERANGE);
	assert_int_equal(number_of("-1", bytes, 8), -ERANGE);
	assert_int_equal(number_of("-99999999999999999999", bytes, 128), -ERANGE);
	memset(digits, '9', sizeof(digits) - 1);
	digits[1299] = '\0';
	assert_int_equal(number_of(digits, bytes, 512), -ERANGE);
	for (int i = 0; i < 2000; i++) {
		u32 len = 1 + (u32)(unit_random(&seed) % 512);

		for (u32 j = 0; j < len; j++)
			bytes[j] = (u8)unit_random(&seed);
		writer.len = 0;
		writer.encoding = i % 3;
		ivp_put_bytes(&writer, bytes, len);
		assert_false(writer.failed);
		assert_int_equal(decode_into(&tree, !writer.encoding, writer.bytes, writer.len), 0);
		assert_int_equal(ivp_value_bytes(&tree, tree.values, back, len), 0);
		assert_memory_equal(bytes, back, len);
		drop(&tree);
	}
}

static void put_everything(struct ivp_writer *writer)
{
	static const int64_t numbers[] = {0,   43,   44,    -1,        -32,       -33,      127,
					  128, -129, 40000, 1LL << 40, INT64_MIN, INT64_MAX};

	ivp_put_list(writer, ARRAY_SIZE(numbers) + 2);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		ivp_put_int(writer, numbers[i]);
	ivp_put_text(writer, "a string of more than sixty-three bytes, which has its length in decimal digits");
	ivp_put_dict(writer, 1);
	ivp_put_text(writer, "yes");
	ivp_put_bool(writer, true);
	ivp_put_end(writer);
	ivp_put_end(writer);
}

static void what_is_encoded_is_decoded(void **state)
{
	(void)state;
	for (int encoding = IVP_ENCODING_BENCODE; encoding <= IVP_ENCODING_RENCODEPLUS; encoding++) {
		struct ivp_writer writer = {.encoding = encoding};

		put_everything(&writer);
		assert_false(writer.failed);
		means(!encoding, writer.bytes, writer.len,
		      encoding
			      ? "[0,43,44,-1,-32,-33,127,128,-129,40000,1099511627776,-9223372036854775808,"
				"9223372036854775807,'a string of more than sixty-three bytes, which has its length in "
				"decimal digits',{'yes',True,},]"
			      : "[0,43,44,-1,-32,-33,127,128,-129,40000,1099511627776,-9223372036854775808,"
				"9223372036854775807,'a string of more than sixty-three bytes, which has its length in "
				"decimal digits',{'yes',1,},]");
		for (int i = 0; i < 100; i++)
			put_everything(&writer);
		assert_true(writer.failed && writer.len <= IVP_ENCODE_MAX);
	}
}

/* ---- packets ---- */

static ptrdiff_t take(struct ivp_packet *packet, const void *bytes, size_t len, struct ivp_error *err)
{
	size_t wanted;

	return ivp_packet_take(packet, bytes, len, &wanted, err);
}

static void packets_come_in_pieces(void **state)
{
	static const u8 stream[] = "P\0\0\0\0\0\0\x07l4:pinge";
	struct ivp_packet packet;
	size_t wanted;

	(void)state;
	for (size_t len = 0; len < 15; len++) {
		assert_int_equal(ivp_packet_take(&packet, stream, len, &wanted, NULL), -EAGAIN);
		assert_int_equal(wanted, len < 8 ? 8 : 15);
	}
	/* A byte less than its contents take. */
	assert_int_equal(take(&packet, stream, 15, NULL), -EPROTO);
	assert_int_equal(take(&packet, "P\0\0\0\0\0\0\x08l4:pinge", 16, NULL), 16);
	assert_true(ivp_packet_is(&packet, "ping"));
	assert_int_equal(packet.encoding, IVP_ENCODING_BENCODE);
	assert_null(ivp_packet_item(&packet, 1));
	ivp_packet_drop(&packet);
	assert_int_equal(take(&packet, "P\x19\0\0\0\0\0\x03\xc1\x81x", 11, NULL), 11);
	assert_int_equal(packet.encoding, IVP_ENCODING_RENCODEPLUS);
	assert_true(ivp_packet_is(&packet, "x"));
	ivp_packet_drop(&packet);
	/* Bytes that belong into the next packet. */
	assert_int_equal(take(&packet, "P\0\0\3\0\0\0\x02zz", 10, NULL), 10);
	assert_int_equal(packet.index, 3);
	assert_int_equal(packet.len, 2);
	assert_null(ivp_packet_item(&packet, 0));
	assert_false(ivp_packet_is(&packet, "zz"));
	ivp_packet_drop(&packet);
}

static void packets_that_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int ret;
		const char *text;
	} bad[] = {
		{"disconnect: the 'bencode' decoder", 33, -EPROTO, "disconnect: the 'bencode' decoder"},
		{"HTTP/1.1 400\r\n", 14, -EPROTO, "\"HTTP/1.1 400\""},
		{"\x1b[31m", 5, -EPROTO, "\"\""},
		{"P\2\0\0\0\0\0\1", 8, -EOPNOTSUPP, "encrypted"},
		{"P\4\0\0\0\0\0\1", 8, -EOPNOTSUPP, "yaml"},
		{"P\0\x11\0\0\0\0\1", 8, -EOPNOTSUPP, "lz4"},
		{"P\0\0\0\xff\xff\xff\xff", 8, -E2BIG, "4294967295"},
		{"P\0\0\0\1\0\0\1", 8, -E2BIG, "16777217"},
		{"P\0\0\0\0\0\0\0", 8, -EPROTO, "no bencode"},
		{"P\0\0\0\0\0\0\3i1e", 11, -EPROTO, "no bencode"},
		{"P\1\0\0\0\0\0\1\x7f", 9, -EPROTO, "no rencode"},
	};
	struct ivp_packet packet;
	struct ivp_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(take(&packet, bad[i].bytes, bad[i].len, &err), bad[i].ret);
		assert_non_null(strstr(err.text, bad[i].text));
	}
}

static void a_packet_of_ours(void **state)
{
	struct ivp_writer writer = {.encoding = IVP_ENCODING_RENCODEPLUS};
	struct ivp_packet packet;
	u8 stream[64];

	(void)state;
	ivp_put_list(&writer, 1);
	ivp_put_text(&writer, "ping");
	ivp_put_end(&writer);
	ivp_packet_head(stream, &writer);
	memcpy(stream + IVP_PACKET_HEADER, writer.bytes, writer.len);
	assert_int_equal(take(&packet, stream, IVP_PACKET_HEADER + writer.len, NULL), IVP_PACKET_HEADER + writer.len);
	assert_true(ivp_packet_is(&packet, "ping"));
	ivp_packet_drop(&packet);
}

#ifndef IVP_NO_ZLIB
static u8 *squeeze(const u8 *bytes, size_t len, size_t *total)
{
	uLongf room = compressBound(len);
	u8 *stream = malloc(IVP_PACKET_HEADER + room);

	assert_int_equal(compress2(stream + IVP_PACKET_HEADER, &room, bytes, len, 1), Z_OK);
	memcpy(stream, "P\0\1\0", 4);
	for (int i = 0; i < 4; i++)
		stream[4 + i] = (u8)(room >> 8 * (3 - i));
	*total = IVP_PACKET_HEADER + room;
	return stream;
}

static void compressed(void **state)
{
	struct ivp_packet packet;
	size_t len = 200000, total;
	u8 *bytes = malloc(len), *stream;

	(void)state;
	memset(bytes, 'x', len);
	memcpy(bytes, "l199992:", 8);
	bytes[len - 1] = 'e';
	bytes[1] = '1';
	stream = squeeze(bytes, len, &total);
	/* One byte less than it says. */
	assert_int_equal(take(&packet, stream, total, NULL), -EPROTO);
	memcpy(bytes, "l199991:", 8);
	free(stream);
	stream = squeeze(bytes, len, &total);
	assert_int_equal(take(&packet, stream, total, NULL), total);
	assert_int_equal(ivp_packet_item(&packet, 0)->text.len, 199991);
	ivp_packet_drop(&packet);
	stream[total - 1] ^= 1;
	assert_int_equal(take(&packet, stream, total, NULL), -EPROTO);
	free(stream);
	free(bytes);
}

static void a_bomb(void **state)
{
	struct ivp_packet packet;
	size_t len = IVP_PACKET_MAX + 1, total;
	u8 *bytes = calloc(1, len), *stream = squeeze(bytes, len, &total);

	(void)state;
	assert_int_equal(take(&packet, stream, total, NULL), -E2BIG);
	free(stream);
	free(bytes);
}
#else
static void compressed(void **state)
{
	struct ivp_packet packet;
	struct ivp_error err;

	(void)state;
	assert_int_equal(take(&packet, "P\0\1\0\0\0\0\1x", 9, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "--compression_level=0"));
}
#endif

static void random_bytes(void **state)
{
	static const u8 likely[] = "Pldie0123456789:/-\0\0\0\0\x01\x10\x3b\x3c\x3d\x7f\x81\x83\xc1\xc2\x66\x67\x68";
	u64 seed = 99;
	u8 bytes[64];

	(void)state;
	for (int i = 0; i < 300000; i++) {
		size_t len = unit_random(&seed) % sizeof(bytes);

		for (size_t j = 0; j < len; j++)
			bytes[j] = unit_random(&seed) % 8 ? likely[unit_random(&seed) % sizeof(likely)]
							  : (u8)unit_random(&seed);
		outcome(i % 2, bytes, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bencode_of_everything),
		cmocka_unit_test(rencode_of_everything),
		cmocka_unit_test(malformed),
		cmocka_unit_test(too_deep_and_too_many),
		cmocka_unit_test(looking_things_up),
		cmocka_unit_test(large_numbers),
		cmocka_unit_test(what_is_encoded_is_decoded),
		cmocka_unit_test(packets_come_in_pieces),
		cmocka_unit_test(packets_that_are_refused),
		cmocka_unit_test(a_packet_of_ours),
		cmocka_unit_test(compressed),
#ifndef IVP_NO_ZLIB
		cmocka_unit_test(a_bomb),
#endif
		cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
