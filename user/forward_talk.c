// SPDX-License-Identifier: MIT
/* forward_talk: messages between the process that has the sockets and the one that has the region. */
#include "forward.h"
#include "packet_fd.h"

int ivp_forward_say(int socket, const struct ivp_forward_message *message, int fd)
{
	return ivp_packet_fd_send(socket, message, sizeof(*message), fd, 0);
}

int ivp_forward_hear(int socket, struct ivp_forward_message *message, int *fd)
{
	int ret = ivp_packet_fd_receive(socket, message, sizeof(*message), fd);

	if (!ret)
		message->address[sizeof(message->address) - 1] = '\0';
	return ret;
}
