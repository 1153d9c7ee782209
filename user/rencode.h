/* SPDX-License-Identifier: MIT */
/* rencode: its type bytes, for both directions. */
#ifndef IVP_RENCODE_H
#define IVP_RENCODE_H

enum {
	IVP_RENCODE_INT_0 = 0, /* to 43: the number itself */
	IVP_RENCODE_INT_MOST = 43,
	IVP_RENCODE_F64 = 44,    /* big-endian, as all that follow */
	IVP_RENCODE_LENGTH = 48, /* to 57: the first digit of a string's length */
	IVP_RENCODE_LENGTH_MOST = 57,
	IVP_RENCODE_LIST = 59,   /* items, and the end */
	IVP_RENCODE_DICT = 60,   /* pairs, and the end */
	IVP_RENCODE_DIGITS = 61, /* a number in decimal, and the end */
	IVP_RENCODE_I8 = 62,
	IVP_RENCODE_I16,
	IVP_RENCODE_I32,
	IVP_RENCODE_I64,
	IVP_RENCODE_F32,
	IVP_RENCODE_TRUE,
	IVP_RENCODE_FALSE,
	IVP_RENCODE_NONE,
	IVP_RENCODE_MINUS_1 = 70, /* to 101: -1 to -32 */
	IVP_RENCODE_DICT_0 = 102, /* to 126: of so many pairs */
	IVP_RENCODE_END = 127,
	IVP_RENCODE_TEXT_0 = 128, /* to 191: of so many bytes */
	IVP_RENCODE_LIST_0 = 192, /* to 255: of so many items */
};

#endif
