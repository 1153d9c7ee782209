// SPDX-License-Identifier: MIT
/* The bytes themselves, made from docs/PROTOCOL.md by another program in another language: what lies in the memory is that. */
#include "digest.h"
#include "format.h"
#include "handshake.h"
#include "region.h"
#include "ring.h"
#include "unit.h"

/* 16 bytes; between pieces everything is zero. */
struct piece {
	size_t offset;
	u8 bytes[16 + 1];
};

/* Of 1 MiB. */
static const struct piece superblock[] = {
	{0, "\x49\x56\x50\x49\x50\x45\x1a\x0a\x01\x00\x00\x00\x02\x00\x00\x00"},
	{16, "\x00\x00\x10\x00\x00\x00\x00\x00\x88\x77\x66\x55\x44\x33\x22\x11"},
	{32, "\x0e\x00\x00\x00\x00\x10\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00"},
	{48, "\x00\x30\x00\x00\x00\x00\x00\x00\x00\x20\x01\x00\x00\x00\x00\x00"},
	{64, "\x00\x10\x00\x00\x00\x00\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00"},
	{240, "\x00\x00\x00\x00\x00\x00\x00\x00\xb0\xa0\x42\xcb\x33\x0a\xfe\x7d"},
};

/* To listener 0x2233445566778899, on lane 9. */
static const struct piece hello[] = {
	{0, "\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
	{16, "\x88\x77\x66\x55\x44\x33\x22\x11\x99\x88\x77\x66\x55\x44\x33\x22"},
	{32, "\xaa\x99\x88\x77\x66\x55\x44\x33\x00\x00\x00\x00\x00\x00\x00\x00"},
	{48, "\x01\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00"},
	{64, "\xef\xcd\xab\x00\x00\x00\x00\x00\x4d\x00\x00\x00\x00\x00\x00\x00"},
	{80, "\x64\x65\x66\x61\x75\x6c\x74\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
	{112, "\x00\x00\x00\x00\x00\x00\x00\x00\x6e\x61\x6d\x65\x00\x00\x00\x00"},
	{368, "\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08"},
	{384, "\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x00\x00\x00\x00\x00\x00\x00\x00"},
};

/* "hello", a part "abc", and an end without a digest. */
static const struct piece records[] = {
	{0, "\x05\x00\x00\x00\x01\x09\xb1\xce\x68\x65\x6c\x6c\x6f\x00\x00\x00"},
	{16, "\x03\x00\x00\x00\x03\xf4\xed\xa0\x61\x62\x63\x00\x00\x00\x00\x00"},
	{32, "\x20\x00\x00\x00\x02\x76\x8a\x1b\x08\x00\x00\x00\x00\x00\x00\x00"},
};

#define FORMAT_ID 0x1122334455667788
#define LISTENER  0x2233445566778899
#define SENDER    0x33445566778899aa

#define assert_golden(at, len, pieces) check_golden((const u8 *)(at), len, pieces, ARRAY_SIZE(pieces))

static void check_golden(const u8 *at, size_t len, const struct piece *pieces, size_t count)
{
	u8 wanted[2048] = {0};

	assert_true(len <= sizeof(wanted));
	for (size_t i = 0; i < count; i++)
		memcpy(wanted + pieces[i].offset, pieces[i].bytes, 16);
	assert_memory_equal(at, wanted, len);
}

static void a_superblock(void **state)
{
	struct ivp_superblock sb;

	(void)state;
	assert_int_equal(ivp_superblock_lay(&sb, 1 << 20, 0, 0), 0);
	sb.format_id = FORMAT_ID;
	sb.checksum = ivp_superblock_sum(&sb);
	assert_golden(&sb, sizeof(sb), superblock);
	assert_int_equal(ivp_superblock_check(&sb, 1 << 20), 0);
}

static void a_hello(void **state)
{
	const struct ivp_superblock sb = {.format_id = FORMAT_ID};
	const u8 service[IVP_SERVICE_BYTES] = "default";
	const struct ivp_expect expect = {
		.sb = &sb, .listener_id = LISTENER, .peer_epoch = SENDER, .lane = 9, .service = service};
	struct ivp_message message;

	(void)state;
	ivp_message_begin(&message, IVP_MESSAGE_HELLO, &expect, 1);
	memcpy(message.file, "name", 4);
	message.size = 77;
	message.token_index = 0xabcdef;
	message.token_bytes = 16;
	for (u8 i = 0; i < 16; i++)
		message.token[i] = i + 1;
	assert_golden(&message, sizeof(message), hello);
}

static void records_in_a_ring(void **state)
{
	const struct ivp_end end = {.bytes = 8};
	_Alignas(8) u8 data[4096] = {0};
	u64 prod = 0, cons = 0;
	struct ivp_ring ring;

	(void)state;
	ivp_ring_attach(&ring, data, sizeof(data), SENDER, &prod, &cons);
	assert_int_equal(ivp_ring_put(&ring, IVP_RECORD_DATA, "hello", 5), 0);
	assert_int_equal(ivp_ring_put(&ring, IVP_RECORD_PART, "abc", 3), 0);
	assert_int_equal(ivp_ring_put(&ring, IVP_RECORD_END, &end, sizeof(end)), 0);
	assert_golden(data, 2048, records);
	assert_int_equal(prod, 72);
}

/* XXH3's own test vector, in canonical order. */
static void digests(void **state)
{
	static const u8 none[] = "\x99\xaa\x06\xd3\x01\x47\x98\xd8\x60\x01\xc3\x24\x46\x8d\x49\x7f";
	static struct ivp_digest_stream stream __attribute__((aligned(64)));
	u8 digest[IVP_DIGEST_BYTES];

	(void)state;
	ivp_digest_start(&stream);
	ivp_digest_finish(&stream, digest);
	assert_memory_equal(digest, none, sizeof(digest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_superblock),
		cmocka_unit_test(a_hello),
		cmocka_unit_test(records_in_a_ring),
		cmocka_unit_test(digests),
	};

	return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
