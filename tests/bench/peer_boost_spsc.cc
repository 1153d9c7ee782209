// SPDX-License-Identifier: MIT
/* peer_boost_spsc: spsc_queue of Boost.Lockfree in shared memory, of bytes for streams and of messages for messages. */
#include <boost/lockfree/spsc_queue.hpp>
#include <cstring>
#include <new>

#include "peer.h"

using boost::lockfree::capacity;
using boost::lockfree::spsc_queue;

struct message {
	char bytes[64];
};

struct queues {
	spsc_queue<char, capacity<1 << 20>> bytes[2];
	spsc_queue<struct message, capacity<1 << 14>> messages[2];
};

static struct queues *queues;

static void prepare(struct peer_end *end)
{
	if (!end->stream && end->piece != sizeof(struct message))
		peer_die("messages", "they have 64 bytes");
	queues = new (end->window) struct queues;
}

static void write_stream(struct peer_end *end, uint64_t bytes)
{
	uint32_t looks = 0;

	for (uint64_t done = 0; done < bytes; done += end->piece)
		for (size_t put = 0; put < end->piece;) {
			size_t now = queues->bytes[end->second].push(end->memory + put, end->piece - put);

			put += now;
			if (!now)
				peer_relax(&looks);
		}
}

static void read_stream(struct peer_end *end, uint64_t bytes)
{
	uint32_t looks = 0;

	for (uint64_t done = 0; done < bytes; done += end->piece)
		for (size_t got = 0; got < end->piece;) {
			size_t now = queues->bytes[!end->second].pop(end->memory + got, end->piece - got);

			got += now;
			if (!now)
				peer_relax(&looks);
		}
}

static void write_bytes(struct peer_end *end, uint64_t bytes)
{
	uint32_t looks = 0;

	if (end->stream)
		return write_stream(end, bytes);
	for (uint64_t done = 0; done < bytes; done += end->piece)
		while (!queues->messages[end->second].push(*reinterpret_cast<struct message *>(end->memory)))
			peer_relax(&looks);
}

static void read_bytes(struct peer_end *end, uint64_t bytes)
{
	uint32_t looks = 0;

	if (end->stream)
		return read_stream(end, bytes);
	for (uint64_t done = 0; done < bytes; done += end->piece)
		while (!queues->messages[!end->second].pop(*reinterpret_cast<struct message *>(end->memory)))
			peer_relax(&looks);
}

extern const struct peer peer = {sizeof(struct queues), prepare, nullptr, write_bytes, read_bytes, nullptr};
