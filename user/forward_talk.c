// SPDX-License-Identifier: MIT
/* forward_talk: messages between the process that has the sockets and the one that has the region. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "forward.h"

int ivp_forward_say(int socket, const struct ivp_forward_message *message, int fd)
{
	struct iovec bytes = {.iov_base = (void *)message, .iov_len = sizeof(*message)};
	char room[CMSG_SPACE(sizeof(int))] = {0};
	struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};
	ssize_t sent;

	if (fd >= 0) {
		struct cmsghdr *rights;

		header.msg_control = room;
		header.msg_controllen = sizeof(room);
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	}
	do
		sent = sendmsg(socket, &header, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent == sizeof(*message) ? 0 : -EPIPE;
}

int ivp_forward_hear(int socket, struct ivp_forward_message *message, int *fd)
{
	struct iovec bytes = {.iov_base = message, .iov_len = sizeof(*message)};
	char room[CMSG_SPACE(sizeof(int))];
	struct msghdr header = {
		.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	struct cmsghdr *rights;
	ssize_t got;

	*fd = -1;
	do
		got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got != sizeof(*message))
		return -EPIPE;
	message->address[sizeof(message->address) - 1] = '\0';
	rights = CMSG_FIRSTHDR(&header);
	if (rights && rights->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(rights), sizeof(*fd));
	return 0;
}
