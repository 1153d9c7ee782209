// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handshake.h"
#include "peer.h"

/* Two sides, two lanes each. */
#define LANES 4

struct peer peer;

/* What the region has to hold, and what it began with. */
static u8 *shadow, *pristine;
static int fds[4];
static int to, from;

/* To where nothing lies behind it that could be touched unseen. */
static void move_region(int fd, u64 size)
{
	u64 guard = 1 << 30;
	u8 *at = mmap(NULL, 2 * guard + size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	require(at != MAP_FAILED && !munmap(peer.region->map, size));
	peer.region->map = mmap(at + guard, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	require(peer.region->map == at + guard);
}

static void open_region(void)
{
	struct ivp_format_options format = {.lanes = LANES};
	struct ivp_open_options options = {0};
	struct ivp_error err;
	u64 size = ivp_superblock_smallest(0, LANES, 2);
	int fd = memfd_create("region", MFD_CLOEXEC);
	size_t copiers;
	char path[32];

	require(fd >= 0 && !ftruncate(fd, (off_t)size));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	require(!ivp_format(path, &format, NULL, &err));
	require(!ivp_region_open(&peer.region, path, &options, &err));
	move_region(fd, size);
	/* The one that the address sanitiser watches, however long it takes. */
	peer.region->copy_in = peer.region->copy_out = ivp_copiers(&copiers);
	/* The file stays open, for ends of lanes open it once more by its name. Who writes to nobody is not killed. */
	signal(SIGPIPE, SIG_IGN);
	shadow = malloc(size);
	pristine = malloc(size);
	require(shadow && pristine);
	memcpy(pristine, peer.region->map, size);
}

/* A full pipe takes nothing more, and its reader never comes. */
static void fill(int fd)
{
	static const u8 page[4096];

	require(fcntl(fd, F_SETPIPE_SZ, sizeof(page)) > 0 && !fcntl(fd, F_SETFL, O_NONBLOCK));
	while (write(fd, page, sizeof(page)) > 0)
		;
	require(!fcntl(fd, F_SETFL, 0));
}

static void open_connection(u8 how)
{
	fds[2] = fds[3] = -1;
	if (how & 1) {
		require(!pipe2(fds, O_CLOEXEC) && !pipe2(fds + 2, O_CLOEXEC));
		peer.deaf = how & 2;
		if (peer.deaf)
			fill(fds[3]);
		snprintf(peer.spec, sizeof(peer.spec), "fd:%d,%d", fds[0], fds[3]);
	} else {
		require(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
		snprintf(peer.spec, sizeof(peer.spec), "fd:%d", fds[0]);
	}
	to = fds[1];
	from = how & 1 ? fds[2] : fds[1];
}

void peer_begin_region(void)
{
	if (!peer.region)
		open_region();
	memcpy(peer.region->map, pristine, peer.region->size);
	memcpy(shadow, pristine, peer.region->size);
}

void peer_begin(struct input *input)
{
	peer_begin_region();
	peer.said.len = peer.heard.len = 0;
	peer.silent = peer.deaf = false;
	open_connection(input_byte(input));
}

void peer_end(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* The other end may have gone, and then nothing comes to anybody. */
void peer_say(const void *bytes, size_t len)
{
	ssize_t put = 0;

	if (peer.silent || len > PEER_LOG - peer.said.len)
		return;
	put = write(to, bytes, len);
	if (put != (ssize_t)len)
		return;
	memcpy(peer.said.bytes + peer.said.len, bytes, len);
	peer.said.len += len;
}

void peer_hear(void)
{
	struct pollfd poll_fd = {.fd = from, .events = POLLIN};
	ssize_t got;

	if (peer.deaf || poll(&poll_fd, 1, 0) <= 0)
		return;
	got = read(from, peer.heard.bytes + peer.heard.len, PEER_LOG - peer.heard.len);
	peer.heard.len += got > 0 ? (size_t)got : 0;
}

void peer_hang_up(void)
{
	if (peer.silent)
		return;
	peer.silent = true;
	if (fds[2] < 0) {
		shutdown(to, SHUT_WR);
		return;
	}
	close(to);
	fds[1] = -1;
}

bool peer_message(const struct peer_log *log, u32 number, struct ivp_message *message)
{
	size_t at = 0;

	for (;; at += sizeof(*message)) {
		while (at < log->len && !log->bytes[at])
			at++;
		if (log->len - at < sizeof(*message))
			return false;
		if (!number--)
			break;
	}
	memcpy(message, log->bytes + at, sizeof(*message));
	return true;
}

void peer_store(u64 offset, const void *bytes, size_t len)
{
	require(offset <= peer.region->size && len <= peer.region->size - offset);
	memcpy(peer.region->map + offset, bytes, len);
	memcpy(shadow + offset, bytes, len);
}

void peer_store64(u64 offset, u64 value)
{
	peer_store(offset, &value, sizeof(value));
}

void peer_store32(u64 offset, u32 value)
{
	peer_store(offset, &value, sizeof(value));
}

void peer_poke(struct input *input)
{
	const struct ivp_superblock *sb = &peer.region->sb;
	u64 where = ivp_half_offset(sb, input_below(input, LANES), input_byte(input) % 2);
	u32 place = input_below(input, 8);

	if (place == 0)
		where = 4 * input_below(input, sizeof(struct ivp_superblock) / 4);
	else if (place == 1)
		where = 4 * (input_number(input) % (peer.region->size / 4 - 1));
	else if (place == 2)
		where = ivp_slot_offset(sb, input_byte(input) % 2, input_byte(input) % 2) + 4 * input_below(input, 40);
	else if (place == 3)
		where += 2 * sb->half_size + 8 * input_below(input, 64);
	else
		where += 4 * input_below(input, 66);
	if (input_byte(input) % 2)
		peer_store32(where, (u32)input_number(input));
	else
		peer_store64(where & ~7ULL, input_number(input));
}

static void expect_end_swept(u32 lane, bool server)
{
	const struct ivp_superblock *sb = &peer.region->sb;
	struct ivp_half half;

	if (!server && lane / (sb->lanes / sb->sides) != peer.region->side)
		return;
	memcpy(&half, shadow + ivp_half_offset(sb, lane, server), sizeof(half));
	if (half.side != peer.region->side || ivp_state_over(half.state))
		return;
	half.state = IVP_STATE_CLOSED;
	memcpy(shadow + ivp_half_offset(sb, lane, server), &half, sizeof(half));
}

void peer_expect_sweep(void)
{
	for (u32 lane = 0; lane < LANES; lane++) {
		expect_end_swept(lane, false);
		expect_end_swept(lane, true);
	}
}

static void allow(u64 offset, u64 len)
{
	memcpy(shadow + offset, peer.region->map + offset, len);
}

bool peer_changed_half(u32 *lane, bool server)
{
	const struct ivp_superblock *sb = &peer.region->sb;

	for (*lane = 0; *lane < LANES; ++*lane) {
		u64 half = ivp_half_offset(sb, *lane, server);

		if (memcmp(shadow + half, peer.region->map + half, sizeof(struct ivp_half)))
			return true;
	}
	return false;
}

void peer_require_all_untouched(void)
{
	require(!memcmp(shadow, peer.region->map, peer.region->size));
}

void peer_require_untouched(u32 lane, bool server, bool all)
{
	const struct ivp_superblock *sb = &peer.region->sb;

	allow(ivp_half_offset(sb, lane, server), sizeof(struct ivp_half));
	allow(ivp_ring_offset(sb, lane, server), sb->ring_size);
	if (all)
		allow(ivp_ring_offset(sb, lane, !server), sb->ring_size);
	peer_require_all_untouched();
}

/* Lanes that were taken have another epoch. */
static void allow_end(u32 lane, bool server, bool all)
{
	const struct ivp_superblock *sb = &peer.region->sb;
	u64 half = ivp_half_offset(sb, lane, server);

	if (!memcmp(shadow + half, peer.region->map + half, sizeof(struct ivp_half)))
		return;
	allow(half, sizeof(struct ivp_half));
	allow(ivp_ring_offset(sb, lane, server), sb->ring_size);
	if (all)
		allow(ivp_ring_offset(sb, lane, !server), sb->ring_size);
}

void peer_require_rest_untouched(bool server, u32 gone)
{
	const struct ivp_superblock *sb = &peer.region->sb;
	size_t line = offsetof(struct ivp_slot, accept);

	for (u32 lane = 0; lane < LANES; lane++)
		if (server || ivp_lane_side(sb, lane) == peer.region->side)
			allow_end(lane, server, lane == gone);
	if (server)
		allow(ivp_slot_offset(sb, peer.region->side, 0), line);
	else
		for (u32 slot = 0; slot < sb->sides * IVP_SLOTS_PER_SIDE; slot++)
			allow(ivp_slot_offset(sb, 0, slot) + line, sizeof(u32));
	peer_require_all_untouched();
}
