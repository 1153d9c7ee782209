// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "endpoint.h"
#include "error.h"
#include "wait.h"

extern char **environ;

/* How long a command may go on after the end of its connection, and after being told. */
#define CHILD_PATIENCE_MS 5000

/* Connections that wait until the listener has time. */
#define BACKLOG 64

/* ---- words ---- */

static int bad(struct ivp_error *err, const char *spec, const char *wanted)
{
	return ivp_fail(err, IVP_FAIL_USAGE, -EINVAL, "control connection '%.80s': give %s", spec, wanted);
}

/* The whole of [text, end) as a decimal number. */
static bool number(const char *text, const char *end, u32 most, u32 *value)
{
	u64 sum = 0;

	if (text == end)
		return false;
	for (; text < end; text++) {
		if (*text < '0' || *text > '9')
			return false;
		sum = sum * 10 + (u64)(*text - '0');
		if (sum > most)
			return false;
	}
	*value = (u32)sum;
	return true;
}

static bool is_word(const char *text, const char *end, const char *word)
{
	return strlen(word) == (size_t)(end - text) && !memcmp(text, word, (size_t)(end - text));
}

static int parse_vsock(struct ivp_endpoint *endpoint, const char *spec, struct ivp_error *err)
{
	const char *colon = strchr(endpoint->rest, ':'), *end = spec + strlen(spec);

	if (!colon || !number(colon + 1, end, 0xfffffffe, &endpoint->port))
		return bad(err, spec, "vsock:CID:PORT, and for CID a number, host, local or any");
	if (is_word(endpoint->rest, colon, "any"))
		endpoint->cid = IVP_ENDPOINT_CID_ANY;
	else if (is_word(endpoint->rest, colon, "host"))
		endpoint->cid = VMADDR_CID_HOST;
	else if (is_word(endpoint->rest, colon, "local"))
		endpoint->cid = VMADDR_CID_LOCAL;
	else if (!number(endpoint->rest, colon, 0xfffffffe, &endpoint->cid))
		return bad(err, spec, "vsock:CID:PORT, and for CID a number, host, local or any");
	return 0;
}

/* An address with colons stands in brackets. */
static int parse_tcp(struct ivp_endpoint *endpoint, const char *spec, struct ivp_error *err)
{
	const char *colon = strrchr(endpoint->rest, ':'), *host = endpoint->rest, *end = colon;
	bool bracket = *host == '[';

	if (!colon || !number(colon + 1, spec + strlen(spec), 65535, &endpoint->port) || !endpoint->port)
		return bad(err, spec, "tcp:HOST:PORT, with a port of 1 to 65535");
	if (bracket) {
		host++;
		end--;
		if (end <= host || *end != ']')
			return bad(err, spec, "tcp:[ADDRESS]:PORT");
	}
	if ((size_t)(end - host) >= sizeof(endpoint->host) || (!bracket && memchr(host, ':', (size_t)(end - host))) ||
	    memchr(host, ']', (size_t)(end - host)) || memchr(host, '[', (size_t)(end - host)))
		return bad(err, spec, "tcp:HOST:PORT, or tcp:[ADDRESS]:PORT for IPv6");
	memcpy(endpoint->host, host, (size_t)(end - host));
	endpoint->host[end - host] = '\0';
	return 0;
}

static int parse_fd(struct ivp_endpoint *endpoint, const char *spec, struct ivp_error *err)
{
	const char *end = spec + strlen(spec), *comma = strchr(endpoint->rest, ',');
	u32 in, out;

	if (!number(endpoint->rest, comma ? comma : end, 1 << 20, &in) ||
	    (comma && !number(comma + 1, end, 1 << 20, &out)))
		return bad(err, spec, "fd:N, or fd:IN,OUT");
	endpoint->in = (int)in;
	endpoint->out = (int)(comma ? out : in);
	return 0;
}

int ivp_endpoint_parse(struct ivp_endpoint *endpoint, const char *spec, struct ivp_error *err)
{
	static const struct {
		const char *prefix;
		enum ivp_endpoint_kind kind;
	} kinds[] = {
		{"unix:", IVP_ENDPOINT_UNIX},     {"vsock:", IVP_ENDPOINT_VSOCK}, {"tcp:", IVP_ENDPOINT_TCP},
		{"serial:", IVP_ENDPOINT_SERIAL}, {"fd:", IVP_ENDPOINT_FD},       {"exec:", IVP_ENDPOINT_EXEC},
	};

	memset(endpoint, 0, sizeof(*endpoint));
	endpoint->spec = spec;
	endpoint->in = endpoint->out = -1;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !endpoint->rest; i++)
		if (!strncmp(spec, kinds[i].prefix, strlen(kinds[i].prefix))) {
			endpoint->kind = kinds[i].kind;
			endpoint->rest = spec + strlen(kinds[i].prefix);
		}
	if (!endpoint->rest || !*endpoint->rest)
		return bad(err, spec, "unix:PATH, vsock:CID:PORT, tcp:HOST:PORT, serial:PATH, fd:N or exec:COMMAND");
	switch (endpoint->kind) {
	case IVP_ENDPOINT_VSOCK:
		return parse_vsock(endpoint, spec, err);
	case IVP_ENDPOINT_TCP:
		return parse_tcp(endpoint, spec, err);
	case IVP_ENDPOINT_FD:
		return parse_fd(endpoint, spec, err);
	case IVP_ENDPOINT_UNIX:
		return strlen(endpoint->rest) < sizeof(((struct sockaddr_un *)0)->sun_path)
			       ? 0
			       : bad(err, spec, "a path of less than 108 bytes");
	default:
		return 0;
	}
}

/* ---- sockets ---- */

/* Up to the caller whether that is final. */
static int failed(struct ivp_error *err, int number, const struct ivp_endpoint *endpoint)
{
	enum ivp_failure kind = number == -EACCES || number == -EPERM ? IVP_FAIL_PERMISSION : IVP_FAIL_GENERAL;

	if (number == -ECONNREFUSED || number == -ENOENT || number == -ECONNRESET || number == -ENODEV ||
	    number == -ETIMEDOUT || number == -EHOSTUNREACH)
		kind = IVP_FAIL_NO_PEER;
	return ivp_fail(err, kind, number, "control connection %.200s: %s%s", endpoint->spec, strerror(-number),
			kind == IVP_FAIL_NO_PEER ? ": start the other side with the same --control" : "");
}

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

static int connect_unix(const char *path, int64_t deadline, const volatile sig_atomic_t *cancel)
{
	struct sockaddr_un address;
	socklen_t len = unix_address(path, &address);

	return connect_socket(AF_UNIX, &address, len, deadline, cancel);
}

static int connect_vsock(const struct ivp_endpoint *endpoint, int64_t deadline, const volatile sig_atomic_t *cancel)
{
	struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = endpoint->cid, .svm_port = endpoint->port};

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
static int look_up(const struct ivp_endpoint *endpoint, struct addresses *addresses, struct ivp_error *err)
{
	(void)addresses;
	return ivp_fail(err, IVP_FAIL_USAGE, -EADDRNOTAVAIL,
			"control connection: %s: the static ivpipe takes addresses, and no names but localhost",
			endpoint->host);
}
#else
static int look_up(const struct ivp_endpoint *endpoint, struct addresses *addresses, struct ivp_error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list;
	char port[12];
	int ret;

	snprintf(port, sizeof(port), "%u", endpoint->port);
	ret = getaddrinfo(endpoint->host, port, &hints, &list);
	if (ret)
		return ivp_fail(err, IVP_FAIL_GENERAL, -EADDRNOTAVAIL, "control connection: %s: %s", endpoint->host,
				gai_strerror(ret));
	for (struct addrinfo *one = list; one; one = one->ai_next)
		add_address(addresses, one->ai_addr, one->ai_addrlen);
	freeaddrinfo(list);
	return 0;
}
#endif

static int resolve(const struct ivp_endpoint *endpoint, const char *nobody, struct addresses *addresses,
		   struct ivp_error *err)
{
	const char *host = endpoint->host[0] ? endpoint->host : nobody;

	addresses->count = 0;
	if (!strcmp(host, "localhost")) {
		add_number(addresses, "127.0.0.1", endpoint->port);
		add_number(addresses, "::1", endpoint->port);
	} else {
		add_number(addresses, host, endpoint->port);
	}
	return addresses->count ? 0 : look_up(endpoint, addresses, err);
}

static int connect_tcp(const struct ivp_endpoint *endpoint, int64_t deadline, const volatile sig_atomic_t *cancel,
		       struct ivp_error *err)
{
	struct addresses addresses;
	int ret = resolve(endpoint, "localhost", &addresses, err);

	if (ret)
		return ret;
	ret = -EADDRNOTAVAIL;
	for (size_t i = 0; i < addresses.count && ret < 0; i++)
		ret = connect_socket(addresses.list[i].ss_family, &addresses.list[i], addresses.len[i], deadline,
				     cancel);
	return ret;
}

/* ---- what is open already, or is opened by both ends ---- */

static void make_raw(int fd)
{
	struct termios attributes;

	if (tcgetattr(fd, &attributes))
		return;
	cfmakeraw(&attributes);
	tcsetattr(fd, TCSANOW, &attributes);
}

/* A virtio port says by POLLHUP that nobody has the other end of it open. */
static int open_port(const char *path, bool *socket)
{
	struct pollfd poll_fd = {.events = POLLOUT};
	struct stat st;

	*socket = !stat(path, &st) && S_ISSOCK(st.st_mode);
	if (*socket)
		return connect_unix(path, ivp_now() + 1000, NULL);
	poll_fd.fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (poll_fd.fd < 0)
		return errno == EBUSY ? -EAGAIN : -errno;
	make_raw(poll_fd.fd);
	if (poll(&poll_fd, 1, 0) < 0 || !(poll_fd.revents & POLLHUP))
		return poll_fd.fd;
	close(poll_fd.fd);
	return -ECONNREFUSED;
}

static int use_descriptors(const struct ivp_endpoint *endpoint, struct ivp_ends *ends, struct ivp_error *err)
{
	struct stat st;

	if (fcntl(endpoint->in, F_GETFD) < 0 || fcntl(endpoint->out, F_GETFD) < 0)
		return ivp_fail(err, IVP_FAIL_USAGE, -EBADF, "control connection: descriptor %d is not open",
				fcntl(endpoint->in, F_GETFD) < 0 ? endpoint->in : endpoint->out);
	ends->in = endpoint->in;
	ends->out = endpoint->out;
	ends->borrowed = true;
	ends->socket = ends->in == ends->out && !fstat(ends->in, &st) && S_ISSOCK(st.st_mode);
	return 0;
}

/* The command has one end of a pair of sockets for its standard input and output, and what we have for standard error. */
static int spawn(const char *command, int end, pid_t *child)
{
	const char *const argv[] = {"sh", "-c", command, NULL};
	posix_spawn_file_actions_t actions;
	int ret;

	posix_spawn_file_actions_init(&actions);
	ret = posix_spawn_file_actions_adddup2(&actions, end, 0);
	if (!ret)
		ret = posix_spawn_file_actions_adddup2(&actions, end, 1);
	if (!ret)
		ret = posix_spawn(child, "/bin/sh", &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -ret;
}

static int run_command(const struct ivp_endpoint *endpoint, struct ivp_ends *ends, struct ivp_error *err)
{
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return failed(err, -errno, endpoint);
	ret = spawn(endpoint->rest, pair[1], &ends->child);
	close(pair[1]);
	if (ret) {
		close(pair[0]);
		return failed(err, ret, endpoint);
	}
	ends->in = ends->out = pair[0];
	ends->socket = true;
	return 0;
}

/* ---- clients ---- */

static int try_connect(const struct ivp_endpoint *endpoint, struct ivp_ends *ends, int64_t deadline,
		       const volatile sig_atomic_t *cancel, struct ivp_error *err)
{
	int fd;

	*ends = (struct ivp_ends){.in = -1, .out = -1, .socket = true};
	switch (endpoint->kind) {
	case IVP_ENDPOINT_FD:
		return use_descriptors(endpoint, ends, err);
	case IVP_ENDPOINT_EXEC:
		return run_command(endpoint, ends, err);
	case IVP_ENDPOINT_UNIX:
		fd = connect_unix(endpoint->rest, deadline, cancel);
		break;
	case IVP_ENDPOINT_VSOCK:
		fd = connect_vsock(endpoint, deadline, cancel);
		break;
	case IVP_ENDPOINT_TCP:
		fd = connect_tcp(endpoint, deadline, cancel, err);
		break;
	default:
		fd = open_port(endpoint->rest, &ends->socket);
	}
	if (fd < 0)
		return err && err->number == fd ? fd : failed(err, fd, endpoint);
	ends->in = ends->out = fd;
	return 0;
}

/* What may be otherwise when the other end has started. */
static bool may_come(int number)
{
	return number == -ECONNREFUSED || number == -ENOENT || number == -ECONNRESET || number == -ENODEV ||
	       number == -EHOSTUNREACH || number == -EAGAIN || number == -ETIMEDOUT;
}

int ivp_endpoint_connect(const struct ivp_endpoint *endpoint, struct ivp_ends *ends, int64_t deadline,
			 const volatile sig_atomic_t *cancel, struct ivp_error *err)
{
	struct ivp_doze doze = {.looks = ~0u / 2, .longest_us = 50000};
	struct ivp_error own;
	int ret;

	for (;;) {
		own = (struct ivp_error){0};
		ret = try_connect(endpoint, ends, deadline, cancel, &own);
		if (cancel && *cancel && ret)
			return ivp_fail(err, IVP_FAIL_GENERAL, -EINTR, "interrupted");
		if (!ret || !may_come(ret) || ivp_now() >= deadline)
			break;
		ivp_doze(&doze);
	}
	if (ret && err)
		*err = own;
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
	fd = connect_unix(path, ivp_now() + 1000, NULL);
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

/* Nobody in particular: every address of this machine, of both families where there are both. */
static int listen_tcp(const struct ivp_endpoint *endpoint, struct ivp_error *err)
{
	struct addresses addresses;
	int ret = resolve(endpoint, "::", &addresses, err);

	if (ret)
		return ret;
	if (!endpoint->host[0])
		add_number(&addresses, "0.0.0.0", endpoint->port);
	ret = -EADDRNOTAVAIL;
	for (size_t i = 0; i < addresses.count && ret < 0; i++)
		ret = listen_on(addresses.list[i].ss_family, &addresses.list[i], addresses.len[i], NULL);
	return ret;
}

int ivp_endpoint_listen(struct ivp_endpoint *endpoint, struct ivp_error *err)
{
	struct sockaddr_vm vsock = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = endpoint->port};
	struct ivp_error own = {0};
	struct stat st;
	int fd;

	switch (endpoint->kind) {
	case IVP_ENDPOINT_UNIX:
		fd = listen_on(AF_UNIX, NULL, 0, endpoint->rest);
		if (fd >= 0 && !stat(endpoint->rest, &st)) {
			endpoint->device = st.st_dev;
			endpoint->inode = st.st_ino;
		}
		break;
	case IVP_ENDPOINT_VSOCK:
		fd = listen_on(AF_VSOCK, &vsock, sizeof(vsock), NULL);
		break;
	case IVP_ENDPOINT_TCP:
		fd = listen_tcp(endpoint, &own);
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (fd >= 0)
		return fd;
	if (!own.number)
		ivp_fail(&own, fd == -EACCES ? IVP_FAIL_PERMISSION : IVP_FAIL_GENERAL, fd,
			 "control connection %.200s: cannot listen: %s", endpoint->spec, strerror(-fd));
	if (err)
		*err = own;
	return fd;
}

int ivp_endpoint_accept(const struct ivp_endpoint *endpoint, int listener, struct ivp_ends *ends, struct ivp_error *err)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	int fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;

	if (fd < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? -EAGAIN
										  : failed(err, -errno, endpoint);
	/* Who may connect is the peer that was named, and nobody in its place. */
	if (endpoint->kind == IVP_ENDPOINT_VSOCK && endpoint->cid != IVP_ENDPOINT_CID_ANY &&
	    ((struct sockaddr_vm *)&from)->svm_cid != endpoint->cid) {
		close(fd);
		return -EAGAIN;
	}
	if (endpoint->kind == IVP_ENDPOINT_TCP)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	*ends = (struct ivp_ends){.in = fd, .out = fd, .socket = true};
	return 0;
}

void ivp_endpoint_forget(const struct ivp_endpoint *endpoint)
{
	struct stat st;

	if (endpoint->kind == IVP_ENDPOINT_UNIX && !stat(endpoint->rest, &st) && st.st_dev == endpoint->device &&
	    st.st_ino == endpoint->inode)
		unlink(endpoint->rest);
}

/* It sees the end of its input; one that goes on nevertheless is told twice. */
void ivp_endpoint_reap(pid_t child)
{
	static const int ends[] = {0, SIGTERM, SIGKILL};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		int64_t deadline = ivp_now() + CHILD_PATIENCE_MS;
		struct ivp_doze doze = {.looks = ~0u / 2, .longest_us = 20000};

		if (ends[i])
			kill(child, ends[i]);
		while (ivp_now() < deadline) {
			pid_t ended = waitpid(child, NULL, WNOHANG);

			if (ended == child || (ended < 0 && errno == ECHILD))
				return;
			ivp_doze(&doze);
		}
	}
}

int ivp_endpoint_resolve(const struct ivp_endpoint *endpoint, char spec[IVP_ENDPOINT_NUMERIC_MAX],
			 struct ivp_error *err)
{
	char host[INET6_ADDRSTRLEN];
	struct addresses addresses;
	const void *address;
	int ret;

	spec[0] = '\0';
	if (endpoint->kind != IVP_ENDPOINT_TCP || !endpoint->host[0] || !strcmp(endpoint->host, "localhost"))
		return 0;
	ret = resolve(endpoint, "", &addresses, err);
	if (ret)
		return ret;
	address = addresses.list[0].ss_family == AF_INET ? (void *)&((struct sockaddr_in *)addresses.list)->sin_addr
							 : (void *)&((struct sockaddr_in6 *)addresses.list)->sin6_addr;
	if (!inet_ntop(addresses.list[0].ss_family, address, host, sizeof(host)))
		return ivp_fail(err, IVP_FAIL_GENERAL, -errno, "control connection: %s: no address", endpoint->host);
	snprintf(spec, IVP_ENDPOINT_NUMERIC_MAX, "tcp:[%s]:%u", host, endpoint->port);
	return 0;
}
