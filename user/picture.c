// SPDX-License-Identifier: MIT
#include <errno.h>

#include "error.h"
#include "picture.h"

#define WINDOW   1
#define SEQUENCE 1
#define SIDE     64 /* pixels, of 4 bytes */
#define ROW      (4 * SIDE)

static void put_window(struct ivp_writer *writer)
{
	ivp_put_list(writer, 8);
	ivp_put_text(writer, "new-window");
	ivp_put_int(writer, WINDOW);
	ivp_put_int(writer, 0);
	ivp_put_int(writer, 0);
	ivp_put_int(writer, SIDE);
	ivp_put_int(writer, SIDE);
	ivp_put_dict(writer, 1);
	ivp_put_text(writer, "title");
	ivp_put_text(writer, "ivpipe");
	ivp_put_end(writer);
	ivp_put_dict(writer, 0);
	ivp_put_end(writer);
	ivp_put_end(writer);
}

static void put_chunks(struct ivp_writer *writer, const struct ivp_xpra_chunk *chunks, int count)
{
	ivp_put_list(writer, (u32)count);
	for (int i = 0; i < count; i++) {
		ivp_put_list(writer, 2);
		ivp_put_int(writer, chunks[i].offset);
		ivp_put_int(writer, chunks[i].length);
		ivp_put_end(writer);
	}
	ivp_put_end(writer);
}

/* The chunks stand where all versions look for them, and where those from 6.3 on look first. */
static void put_draw(struct ivp_writer *writer, const struct ivp_xpra_chunk *chunks, int count)
{
	ivp_put_list(writer, 11);
	ivp_put_text(writer, "draw");
	ivp_put_int(writer, WINDOW);
	ivp_put_int(writer, 0);
	ivp_put_int(writer, 0);
	ivp_put_int(writer, SIDE);
	ivp_put_int(writer, SIDE);
	ivp_put_text(writer, "mmap");
	put_chunks(writer, chunks, count);
	ivp_put_int(writer, SEQUENCE);
	ivp_put_int(writer, ROW);
	ivp_put_dict(writer, 2);
	ivp_put_text(writer, "rgb_format");
	ivp_put_text(writer, "BGRX");
	ivp_put_text(writer, "chunks");
	put_chunks(writer, chunks, count);
	ivp_put_end(writer);
	ivp_put_end(writer);
}

/* Its older name, or its newer one; whatever else comes before is no concern of ours. */
static int await(struct ivp_talk *talk, const char *type, const char *newer, int64_t deadline, struct ivp_error *err)
{
	for (;;) {
		int ret = ivp_talk_next(talk, deadline, err);

		if (ret || ivp_packet_is(&talk->packet, type) || ivp_packet_is(&talk->packet, newer))
			return ret;
		if (ivp_packet_is(&talk->packet, "disconnect"))
			return ivp_fail(err, IVP_FAIL_REFUSED, -EPIPE, "the client took its leave");
	}
}

static int write_picture(struct ivp_xpra_area *area, struct ivp_xpra_chunk *chunks, struct ivp_error *err)
{
	u8 pixels[SIDE * ROW];

	for (int y = 0; y < SIDE; y++)
		for (int x = 0; x < SIDE; x++)
			memcpy(&pixels[y * ROW + 4 * x], (u8[]){(u8)(4 * x), (u8)(4 * y), 128, 255}, 4);
	return ivp_xpra_write(area, pixels, sizeof(pixels), chunks, err);
}

static int check_answer(const struct ivp_talk *talk, const struct ivp_xpra_area *area,
			const struct ivp_xpra_chunk *last, struct ivp_error *err)
{
	struct ivp_xpra_status status;
	int ret;

	/* The time that it took, or -1. */
	if (ivp_value_int(ivp_packet_item(&talk->packet, 5), -1) < 0)
		return ivp_fail(err, IVP_FAIL_REFUSED, -EIO, "the client had a picture, and could not show it");
	ret = ivp_xpra_look(area, &status, err);
	if (!ret && status.start != last->offset + last->length)
		ret = ivp_fail(err, IVP_FAIL_DAMAGED, -EPROTO,
			       "the client showed a picture that ends at %u, and says that it has read up to %u",
			       last->offset + last->length, status.start);
	return ret;
}

int ivp_picture_show(struct ivp_talk *talk, enum ivp_encoding encoding, struct ivp_xpra_area *area, int64_t deadline,
		     struct ivp_error *err)
{
	struct ivp_writer window = {.encoding = encoding}, draw = {.encoding = encoding};
	struct ivp_xpra_chunk chunks[2];
	int ret, count;

	put_window(&window);
	ret = ivp_talk_send(talk, &window, deadline, err);
	if (!ret)
		ret = await(talk, "map-window", "window-map", deadline, err);
	if (ret)
		return ret;
	count = write_picture(area, chunks, err);
	if (count < 0)
		return count;
	put_draw(&draw, chunks, count);
	ret = ivp_talk_send(talk, &draw, deadline, err);
	if (!ret)
		ret = await(talk, "damage-sequence", "window-draw-ack", deadline, err);
	return ret ? ret : check_answer(talk, area, &chunks[count - 1], err);
}
