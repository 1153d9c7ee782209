// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>

#include "encode.h"
#include "rencode.h"
#include "span.h"

#define NUMBER_MAX 512  /* bytes */
#define DIGITS_MAX 1240 /* of such a number */

const char *ivp_encoding_name(enum ivp_encoding encoding)
{
	static const char *const names[] = {"bencode", "rencode", "rencodeplus"};

	return names[encoding];
}

static void put(struct ivp_writer *writer, const void *bytes, size_t len)
{
	if (!ivp_span_fits(writer->len, len, sizeof(writer->bytes))) {
		writer->failed = true;
		return;
	}
	memcpy(writer->bytes + writer->len, bytes, len);
	writer->len += len;
}

static void put_byte(struct ivp_writer *writer, unsigned int byte)
{
	u8 one = (u8)byte;

	put(writer, &one, 1);
}

static void put_string(struct ivp_writer *writer, const char *text)
{
	put(writer, text, strlen(text));
}

static void open_container(struct ivp_writer *writer, char bencode, unsigned int rencode, u32 count, u32 most)
{
	if (writer->encoding == IVP_ENCODING_BENCODE)
		put_byte(writer, (u8)bencode);
	else if (count <= most)
		put_byte(writer, rencode + count);
	else
		writer->failed = true;
}

void ivp_put_list(struct ivp_writer *writer, u32 count)
{
	open_container(writer, 'l', IVP_RENCODE_LIST_0, count, 63);
}

void ivp_put_dict(struct ivp_writer *writer, u32 pairs)
{
	open_container(writer, 'd', IVP_RENCODE_DICT_0, pairs, IVP_RENCODE_END - IVP_RENCODE_DICT_0 - 1);
}

void ivp_put_end(struct ivp_writer *writer)
{
	if (writer->encoding == IVP_ENCODING_BENCODE)
		put_byte(writer, 'e');
}

void ivp_put_text(struct ivp_writer *writer, const char *text)
{
	size_t len = strlen(text);
	char length[24];

	if (writer->encoding != IVP_ENCODING_BENCODE && len < IVP_RENCODE_LIST_0 - IVP_RENCODE_TEXT_0) {
		put_byte(writer, IVP_RENCODE_TEXT_0 + (unsigned int)len);
	} else {
		snprintf(length, sizeof(length), "%zu:", len);
		put_string(writer, length);
	}
	put(writer, text, len);
}

/* The type, and the last bytes of the number. */
static void put_whole(struct ivp_writer *writer, unsigned int type, int64_t number, int bytes)
{
	put_byte(writer, type);
	while (bytes--)
		put_byte(writer, (u8)((u64)number >> 8 * bytes));
}

static void rencode_int(struct ivp_writer *writer, int64_t number)
{
	if (number >= 0 && number <= IVP_RENCODE_INT_MOST)
		put_byte(writer, (unsigned int)number);
	else if (number < 0 && number >= -32)
		put_byte(writer, (unsigned int)(IVP_RENCODE_MINUS_1 - 1 - number));
	else if (number == (int8_t)number)
		put_whole(writer, IVP_RENCODE_I8, number, 1);
	else if (number == (int16_t)number)
		put_whole(writer, IVP_RENCODE_I16, number, 2);
	else if (number == (int32_t)number)
		put_whole(writer, IVP_RENCODE_I32, number, 4);
	else
		put_whole(writer, IVP_RENCODE_I64, number, 8);
}

void ivp_put_int(struct ivp_writer *writer, int64_t number)
{
	char text[32];

	if (writer->encoding != IVP_ENCODING_BENCODE) {
		rencode_int(writer, number);
		return;
	}
	snprintf(text, sizeof(text), "i%" PRId64 "e", number);
	put_string(writer, text);
}

/* bencode has numbers for it. */
void ivp_put_bool(struct ivp_writer *writer, bool value)
{
	if (writer->encoding == IVP_ENCODING_BENCODE)
		ivp_put_int(writer, value);
	else
		put_byte(writer, value ? IVP_RENCODE_TRUE : IVP_RENCODE_FALSE);
}

/* number /= 10, the remainder of which is returned. */
static unsigned int pop_digit(u8 *number, u32 bytes)
{
	unsigned int rest = 0;

	while (bytes--) {
		rest = rest << 8 | number[bytes];
		number[bytes] = (u8)(rest / 10);
		rest %= 10;
	}
	return rest;
}

void ivp_put_bytes(struct ivp_writer *writer, const u8 *number, u32 bytes)
{
	bool bencode = writer->encoding == IVP_ENCODING_BENCODE;
	char digits[DIGITS_MAX + 1] = "";
	size_t at = DIGITS_MAX;
	u8 left[NUMBER_MAX];
	u64 low = 0;

	while (bytes && !number[bytes - 1])
		bytes--;
	if (bytes > NUMBER_MAX) {
		writer->failed = true;
		return;
	}
	if (bytes < sizeof(low) || (bytes == sizeof(low) && number[7] < 0x80)) {
		memcpy(&low, number, bytes);
		ivp_put_int(writer, (int64_t)low);
		return;
	}
	memcpy(left, number, bytes);
	while (bytes) {
		digits[--at] = (char)('0' + pop_digit(left, bytes));
		while (bytes && !left[bytes - 1])
			bytes--;
	}
	put_byte(writer, bencode ? 'i' : IVP_RENCODE_DIGITS);
	put_string(writer, digits + at);
	put_byte(writer, bencode ? 'e' : IVP_RENCODE_END);
}
