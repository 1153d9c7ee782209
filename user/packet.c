// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "error.h"
#include "inflate.h"
#include "packet.h"

#define MAGIC 'P'

enum {
	FLAG_RENCODE = 0x01,
	FLAG_CIPHER = 0x02,
	FLAG_YAML = 0x04,
	FLAG_FLUSH = 0x08, /* a hint */
	FLAG_RENCODEPLUS = 0x10,
};

/* What the upper half of the level means. */
#define ALGORITHM 0xf0

struct head {
	u8 flags, level, index;
	u32 length;
};

static int unknown(struct ivp_error *err, const char *what)
{
	return ivp_fail(err, IVP_FAIL_REFUSED, -EOPNOTSUPP, "%s", what);
}

/* Somebody who speaks another protocol says so in words, often. */
static int foreign(const u8 *bytes, size_t len, struct ivp_error *err)
{
	char text[81];
	size_t i;

	for (i = 0; i < len && i < sizeof(text) - 1 && bytes[i] >= ' ' && bytes[i] < 127; i++)
		text[i] = (char)bytes[i];
	text[i] = '\0';
	return ivp_fail(err, IVP_FAIL_REFUSED, -EPROTO, "no packet of Xpra's: \"%s\"", text);
}

static int read_head(struct head *head, const u8 *bytes, struct ivp_error *err)
{
	*head = (struct head){.flags = bytes[1], .level = bytes[2], .index = bytes[3]};
	head->length = (u32)bytes[4] << 24 | (u32)bytes[5] << 16 | (u32)bytes[6] << 8 | bytes[7];
	if (head->length > IVP_PACKET_MAX)
		return ivp_fail(err, IVP_FAIL_DAMAGED, -E2BIG, "a packet of %u bytes: %d at most are taken",
				head->length, IVP_PACKET_MAX);
	if (head->flags & FLAG_CIPHER)
		return unknown(err, "it is encrypted: go without --encryption here");
	if (head->flags & FLAG_YAML)
		return unknown(err, "it is encoded as yaml: --packet-encoders=rencodeplus (bencode before 4.0)");
	if (head->level & ALGORITHM)
		return unknown(err, "it is compressed by lz4, lzo or brotli: --compressors=none (zlib before 5.0)");
	return 0;
}

static int inflate(struct ivp_packet *packet, struct ivp_error *err)
{
	size_t len;
	int ret = ivp_inflate(packet->bytes, packet->len, IVP_PACKET_MAX, &packet->inflated, &len);

	if (ret == -EOPNOTSUPP)
		return unknown(err,
			       "it is compressed by zlib, which this ivpipe was built without: --compression_level=0");
	if (ret)
		return ivp_fail(err, IVP_FAIL_DAMAGED, ret, "a packet that cannot be inflated: %s", strerror(-ret));
	packet->bytes = packet->inflated;
	packet->len = len;
	return 0;
}

static int decode(struct ivp_packet *packet, struct ivp_error *err)
{
	int ret = packet->encoding == IVP_ENCODING_BENCODE
			  ? ivp_bencode_decode(&packet->tree, packet->bytes, packet->len)
			  : ivp_rencode_decode(&packet->tree, packet->bytes, packet->len);

	if (!ret && packet->tree.values[0].kind != IVP_VALUE_LIST)
		ret = -EPROTO;
	if (ret)
		return ivp_fail(err, IVP_FAIL_DAMAGED, ret, "a packet that is no %s: %s",
				ivp_encoding_name(packet->encoding),
				ret == -E2BIG ? "it has too many parts" : strerror(-ret));
	return 0;
}

ptrdiff_t ivp_packet_take(struct ivp_packet *packet, const u8 *bytes, size_t len, size_t *wanted, struct ivp_error *err)
{
	struct head head;
	int ret;

	*packet = (struct ivp_packet){0};
	*wanted = IVP_PACKET_HEADER;
	if (len && bytes[0] != MAGIC)
		return foreign(bytes, len, err);
	if (len < IVP_PACKET_HEADER)
		return -EAGAIN;
	ret = read_head(&head, bytes, err);
	if (ret)
		return ret;
	*wanted = IVP_PACKET_HEADER + (size_t)head.length;
	if (len < *wanted)
		return -EAGAIN;
	packet->index = head.index;
	packet->encoding = head.flags & FLAG_RENCODEPLUS ? IVP_ENCODING_RENCODEPLUS
			   : head.flags & FLAG_RENCODE   ? IVP_ENCODING_RENCODE
							 : IVP_ENCODING_BENCODE;
	packet->bytes = bytes + IVP_PACKET_HEADER;
	packet->len = head.length;
	if (head.level)
		ret = inflate(packet, err);
	if (!ret && !head.index)
		ret = decode(packet, err);
	if (ret)
		ivp_packet_drop(packet);
	return ret ? ret : (ptrdiff_t)*wanted;
}

void ivp_packet_drop(struct ivp_packet *packet)
{
	ivp_values_drop(&packet->tree);
	free(packet->inflated);
	*packet = (struct ivp_packet){0};
}

const struct ivp_value *ivp_packet_item(const struct ivp_packet *packet, u32 number)
{
	return packet->tree.count ? ivp_values_item(&packet->tree, packet->tree.values, number) : NULL;
}

bool ivp_packet_is(const struct ivp_packet *packet, const char *type)
{
	return ivp_value_is(&packet->tree, ivp_packet_item(packet, 0), type);
}

void ivp_packet_head(u8 header[IVP_PACKET_HEADER], const struct ivp_writer *writer)
{
	static const u8 flags[] = {0, FLAG_RENCODE, FLAG_RENCODEPLUS};

	header[0] = MAGIC;
	header[1] = flags[writer->encoding];
	header[2] = header[3] = 0;
	for (int i = 0; i < 4; i++)
		header[4 + i] = (u8)(writer->len >> 8 * (3 - i));
}
