// SPDX-License-Identifier: MIT
/* peer_boost_queue: message_queue of Boost.Interprocess, one in each direction, of about a megabyte. */
#include <boost/interprocess/ipc/message_queue.hpp>
#include <string>
#include <unistd.h>

#include "peer.h"

using boost::interprocess::message_queue;

static message_queue *queues[2];
static std::string names[2];

static void prepare(struct peer_end *end)
{
	size_t count = (1 << 20) / end->piece;

	for (int i = 0; i < 2; i++) {
		names[i] = "ivpipe-bench-" + std::to_string(getpid()) + "-" + std::to_string(i);
		queues[i] = new message_queue(boost::interprocess::create_only, names[i].c_str(),
					      count < 4      ? 4
					      : count > 4096 ? 4096
							     : count,
					      end->piece);
	}
}

static void write_bytes(struct peer_end *end, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes; done += end->piece)
		queues[end->second]->send(end->memory, end->piece, 0);
}

static void read_bytes(struct peer_end *end, uint64_t bytes)
{
	message_queue::size_type len;
	unsigned int priority;

	for (uint64_t done = 0; done < bytes; done += len)
		queues[!end->second]->receive(end->memory, end->piece, len, priority);
}

static void clean(struct peer_end *)
{
	for (int i = 0; i < 2; i++)
		message_queue::remove(names[i].c_str());
}

extern const struct peer peer = {0, prepare, nullptr, write_bytes, read_bytes, clean};
