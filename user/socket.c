// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Older ones want to have heard of sockets. */
#include <linux/vm_sockets.h>

#include "error.h"
#include "socket.h"
#include "wait.h"

/* Connections that wait until the listener has time. */
#define BACKLOG 64

static socklen_t unix_address(const char *path, struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, strlen(path));
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

/* A connection in the making is waited for up to the deadline. */
static int finish_connect(int fd, int64_t deadline)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
	int64_t left = deadline - ivp_now();
	socklen_t len = sizeof(int);
	int number = 0;

	if (poll(&poll_fd, 1, left > 250 ? 250 : left > 0 ? (int)left : 0) <= 0)
		return -EINPROGRESS;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len))
		return -errno;
	return -number;
}

static int connect_socket(int family, const void *address, socklen_t len, int64_t deadline,
			  const volatile sig_atomic_t *cancel)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), ret = 0, one = 1;

	if (fd < 0)
		return -errno;
	if (connect(fd, address, len))
		ret = -errno;
	while (ret == -EINPROGRESS && ivp_now() < deadline && !(cancel && *cancel))
		ret = finish_connect(fd, deadline);
	if (ret == -EINPROGRESS)
		ret = -ETIMEDOUT;
	if (ret) {
		close(fd);
		return ret;
	}
	if (family == AF_INET || family == AF_INET6)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

int ivp_socket_connect_unix(const char *path, int64_t deadline, const volatile sig_atomic_t *cancel)
{
	struct sockaddr_un address;
	socklen_t len = unix_address(path, &address);

	return connect_socket(AF_UNIX, &address, len, deadline, cancel);
}

int ivp_socket_connect_vsock(u32 cid, u32 port, int64_t deadline, const volatile sig_atomic_t *cancel)
{
	struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};

	return connect_socket(AF_VSOCK, &address, sizeof(address), deadline, cancel);
}

/* One name can have several. */
#define ADDRESSES_MAX 8

struct addresses {
	struct sockaddr_storage list[ADDRESSES_MAX];
	socklen_t len[ADDRESSES_MAX];
	size_t count;
};

static void add_address(struct addresses *addresses, const void *address, socklen_t len)
{
	if (addresses->count == ADDRESSES_MAX)
		return;
	memcpy(&addresses->list[addresses->count], address, len);
	addresses->len[addresses->count++] = len;
}

static void add_number(struct addresses *addresses, const char *host, u32 port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
		add_address(addresses, &v4, sizeof(v4));
	else if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
		add_address(addresses, &v6, sizeof(v6));
}

#if defined(IVP_STATIC) && defined(__GLIBC__)
/* glibc's resolver is loaded when it is wanted, and a static helper loads nothing. musl's is linked like all else. */
static int look_up(const char *host, u32 port, struct addresses *addresses, struct ivp_error *err)
{
	(void)port;
	(void)addresses;
	return ivp_fail(err, IVP_FAIL_USAGE, -EADDRNOTAVAIL,
			"control connection: %s: the static ivpipe takes addresses, and no names but localhost", host);
}
#else
static int look_up(const char *host, u32 port, struct addresses *addresses, struct ivp_error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list;
	char number[12];
	int ret;

	snprintf(number, sizeof(number), "%u", port);
	ret = getaddrinfo(host, number, &hints, &list);
	if (ret)
		return ivp_fail(err, IVP_FAIL_GENERAL, -EADDRNOTAVAIL, "control connection: %s: %s", host,
				gai_strerror(ret));
	for (struct addrinfo *one = list; one; one = one->ai_next)
		add_address(addresses, one->ai_addr, one->ai_addrlen);
	freeaddrinfo(list);
	return 0;
}
#endif

static int resolve(const char *host, u32 port, struct addresses *addresses, struct ivp_error *err)
{
	addresses->count = 0;
	if (!strcmp(host, "localhost")) {
		add_number(addresses, "127.0.0.1", port);
		add_number(addresses, "::1", port);
	} else {
		add_number(addresses, host, port);
	}
	return addresses->count ? 0 : look_up(host, port, addresses, err);
}

int ivp_socket_connect_tcp(const char *host, u32 port, int64_t deadline, const volatile sig_atomic_t *cancel,
			   struct ivp_error *err)
{
	struct addresses addresses;
	int ret = resolve(host[0] ? host : "localhost", port, &addresses, err);

	if (ret)
		return ret;
	ret = -EADDRNOTAVAIL;
	for (size_t i = 0; i < addresses.count && ret < 0; i++)
		ret = connect_socket(addresses.list[i].ss_family, &addresses.list[i], addresses.len[i], deadline,
				     cancel);
	return ret;
}

/* ---- servers ---- */

/* The name of a socket whose listener died stays; nobody answers there. */
static bool nobody_answers(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) || !S_ISSOCK(st.st_mode))
		return false;
	fd = ivp_socket_connect_unix(path, ivp_now() + 1000, NULL);
	if (fd >= 0)
		close(fd);
	return fd == -ECONNREFUSED;
}

static int bind_unix(int fd, const char *path)
{
	struct sockaddr_un address;
	socklen_t len = unix_address(path, &address);

	if (!bind(fd, (struct sockaddr *)&address, len))
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	if (!nobody_answers(path) || unlink(path))
		return -EADDRINUSE;
	return bind(fd, (struct sockaddr *)&address, len) ? -errno : 0;
}

static int listen_on(int family, const void *address, socklen_t len, const char *path)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, ret;

	if (fd < 0)
		return -errno;
	if (family == AF_INET || family == AF_INET6)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ret = path ? bind_unix(fd, path) : bind(fd, address, len) ? -errno : 0;
	if (!ret && listen(fd, BACKLOG))
		ret = -errno;
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

int ivp_socket_listen_unix(const char *path)
{
	return listen_on(AF_UNIX, NULL, 0, path);
}

int ivp_socket_listen_vsock(u32 port)
{
	struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port};

	return listen_on(AF_VSOCK, &address, sizeof(address), NULL);
}

/* Nobody in particular: every address of this machine, of both families where there are both. */
int ivp_socket_listen_tcp(const char *host, u32 port, struct ivp_error *err)
{
	struct addresses addresses;
	int ret = resolve(host[0] ? host : "::", port, &addresses, err);

	if (ret)
		return ret;
	if (!host[0])
		add_number(&addresses, "0.0.0.0", port);
	ret = -EADDRNOTAVAIL;
	for (size_t i = 0; i < addresses.count && ret < 0; i++)
		ret = listen_on(addresses.list[i].ss_family, &addresses.list[i], addresses.len[i], NULL);
	return ret;
}

int ivp_socket_accept(int listener, u32 *cid)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	int fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;

	if (fd < 0)
		return errno == EINTR || errno == ECONNABORTED ? -EAGAIN : -errno;
	*cid = from.ss_family == AF_VSOCK ? ((struct sockaddr_vm *)&from)->svm_cid : VMADDR_CID_ANY;
	if (from.ss_family == AF_INET || from.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

int ivp_socket_resolve(const char *host, u32 port, char *text, size_t size, struct ivp_error *err)
{
	char number[INET6_ADDRSTRLEN];
	struct addresses addresses;
	const void *address;
	int ret = resolve(host, port, &addresses, err);

	if (ret)
		return ret;
	address = addresses.list[0].ss_family == AF_INET ? (void *)&((struct sockaddr_in *)addresses.list)->sin_addr
							 : (void *)&((struct sockaddr_in6 *)addresses.list)->sin6_addr;
	if (!inet_ntop(addresses.list[0].ss_family, address, number, sizeof(number)))
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "control connection: %s: no address", host);
	snprintf(text, size, "tcp:[%s]:%u", number, port);
	return 0;
}
