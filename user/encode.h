/* SPDX-License-Identifier: MIT */
/* encode: writes a packet for Xpra, a value at a time, in the encoding that the peer reads. What does not fit is remembered. */
#ifndef IVP_ENCODE_H
#define IVP_ENCODE_H

#include "deps.h"

enum ivp_encoding {
	IVP_ENCODING_BENCODE,     /* Xpra 3 to 5 */
	IVP_ENCODING_RENCODE,     /* the old one, of 3 and 4: strings are bytes */
	IVP_ENCODING_RENCODEPLUS, /* 4 to 6 */
};
const char *ivp_encoding_name(enum ivp_encoding encoding);

#define IVP_ENCODE_MAX 4096 /* bytes of a packet of ours */

struct ivp_writer {
	enum ivp_encoding encoding;
	bool failed;
	size_t len;
	u8 bytes[IVP_ENCODE_MAX];
};

/* What follows is in it, up to its end: `count` items, or pairs of a key and a value; at most 63 and 24. */
void ivp_put_list(struct ivp_writer *writer, u32 count);
void ivp_put_dict(struct ivp_writer *writer, u32 pairs);
void ivp_put_end(struct ivp_writer *writer);

void ivp_put_text(struct ivp_writer *writer, const char *text);
void ivp_put_int(struct ivp_writer *writer, int64_t number);
void ivp_put_bool(struct ivp_writer *writer, bool value);
/* A whole number of so many bytes, at most 512, the least significant first. */
void ivp_put_bytes(struct ivp_writer *writer, const u8 *number, u32 bytes);

#endif
