// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>

#include "inflate.h"

#ifdef IVP_NO_ZLIB
int ivp_inflate(const u8 *bytes, size_t len, size_t most, u8 **plain, size_t *plain_len)
{
	(void)bytes, (void)len, (void)most, (void)plain, (void)plain_len;
	return -EOPNOTSUPP;
}
#else
#include <zlib.h>

#define FIRST_GUESS 65536

/* Twice the room, up to the limit. */
static int grow(u8 **plain, size_t *room, size_t most)
{
	size_t wanted = *room ? 2 * *room : FIRST_GUESS;
	u8 *larger;

	if (*room == most)
		return -E2BIG;
	if (wanted > most)
		wanted = most;
	larger = realloc(*plain, wanted);
	if (!larger)
		return -ENOMEM;
	*plain = larger;
	*room = wanted;
	return 0;
}

static int run(z_stream *stream, size_t most, u8 **plain, size_t *plain_len)
{
	size_t room = 0;
	int ret, status;

	do {
		ret = grow(plain, &room, most);
		if (ret)
			return ret;
		stream->next_out = *plain + stream->total_out;
		stream->avail_out = (uInt)(room - stream->total_out);
		status = inflate(stream, Z_NO_FLUSH);
	} while (status == Z_OK && !stream->avail_out);
	*plain_len = stream->total_out;
	return status == Z_STREAM_END && !stream->avail_in ? 0 : status == Z_MEM_ERROR ? -ENOMEM : -EPROTO;
}

int ivp_inflate(const u8 *bytes, size_t len, size_t most, u8 **plain, size_t *plain_len)
{
	z_stream stream = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)len};
	int ret;

	*plain = NULL;
	if (inflateInit(&stream) != Z_OK)
		return -ENOMEM;
	ret = run(&stream, most, plain, plain_len);
	inflateEnd(&stream);
	if (!ret)
		return 0;
	free(*plain);
	*plain = NULL;
	return ret;
}
#endif
