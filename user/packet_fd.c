// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packet_fd.h"

int ivp_packet_fd_send(int socket, const void *bytes, size_t len, int fd, int flags)
{
	struct iovec all = {.iov_base = (void *)bytes, .iov_len = len};
	char room[CMSG_SPACE(sizeof(int))] = {0};
	struct msghdr header = {.msg_iov = &all, .msg_iovlen = 1};
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
		sent = sendmsg(socket, &header, MSG_NOSIGNAL | flags);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int ivp_packet_fd_receive(int socket, void *bytes, size_t len, int *fd)
{
	struct iovec all = {.iov_base = bytes, .iov_len = len};
	char room[CMSG_SPACE(sizeof(int))];
	struct msghdr header = {.msg_iov = &all, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	struct cmsghdr *rights;
	ssize_t got;

	*fd = -1;
	do
		got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	rights = got < 0 ? NULL : CMSG_FIRSTHDR(&header);
	if (rights && rights->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(rights), sizeof(*fd));
	if (got == (ssize_t)len && !(header.msg_flags & MSG_TRUNC))
		return 0;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return -EPIPE;
}
