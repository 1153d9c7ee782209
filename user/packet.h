/* SPDX-License-Identifier: MIT */
/* packet: how Xpra cuts the stream of its socket: a header of 8 bytes, and a payload that may be compressed. */
#ifndef IVP_PACKET_H
#define IVP_PACKET_H

#include "encode.h"
#include "ivpipe.h"
#include "value.h"

#define IVP_PACKET_HEADER 8
#define IVP_PACKET_MAX    (16 << 20) /* bytes of a payload, as it came and inflated; Xpra's own limit before the hello */

struct ivp_packet {
	u8 index; /* 0: a packet; else bytes in place of that item of the next one */
	enum ivp_encoding encoding;
	const u8 *bytes; /* of a packet with an index; in the stream, or inflated */
	size_t len;
	u8 *inflated; /* ours, to be freed */
	struct ivp_values tree;
};

/* The packet at the front of `len` bytes of the stream. How many of them it has, and they have to stay while it is used. -EAGAIN: more
 * have to come, *wanted in all; -EPROTO: not Xpra's, or damaged; -E2BIG: larger than is taken, -EOPNOTSUPP: compressed, encrypted or
 * encoded in a way that is not understood; -ENOMEM. A packet that was taken has to be dropped. */
ptrdiff_t ivp_packet_take(struct ivp_packet *packet, const u8 *bytes, size_t len, size_t *wanted,
			  struct ivp_error *err);
void ivp_packet_drop(struct ivp_packet *packet);

/* Its first item. */
bool ivp_packet_is(const struct ivp_packet *packet, const char *type);
const struct ivp_value *ivp_packet_item(const struct ivp_packet *packet, u32 number);

/* The header for a packet that was encoded. */
void ivp_packet_head(u8 header[IVP_PACKET_HEADER], const struct ivp_writer *writer);

#endif
