// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Older ones want to have heard of sockets. */
#include <linux/vm_sockets.h>

#include "endpoint.h"
#include "error.h"
#include "port.h"
#include "socket.h"
#include "wait.h"

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

/* Up to the caller whether that is final. */
static int failed(struct ivp_error *err, int number, const struct ivp_endpoint *endpoint)
{
	enum ivp_failure kind = number == -EACCES || number == -EPERM ? IVP_FAIL_PERMISSION : IVP_FAIL_GENERAL;

	if (number == -EAGAIN || number == -EBUSY)
		return ivp_fail(err, IVP_FAIL_NO_PEER, number, "control connection %.200s: %s", endpoint->spec,
				number == -EBUSY ? "another process has this end of it open" : "others wait for it");
	if (number == -ECONNREFUSED || number == -ENOENT || number == -ECONNRESET || number == -ENODEV ||
	    number == -ETIMEDOUT || number == -EHOSTUNREACH)
		kind = IVP_FAIL_NO_PEER;
	return ivp_fail(err, kind, number, "control connection %.200s: %s%s", endpoint->spec, strerror(-number),
			kind == IVP_FAIL_NO_PEER ? ": start the other side with the same --control" : "");
}

/* ---- clients ---- */

static int try_connect(const struct ivp_endpoint *endpoint, struct ivp_ends *ends, int64_t deadline,
		       const volatile sig_atomic_t *cancel, struct ivp_error *err)
{
	int fd;

	*ends = (struct ivp_ends){.in = -1, .out = -1, .socket = true};
	switch (endpoint->kind) {
	case IVP_ENDPOINT_FD:
		return ivp_port_borrow(endpoint, ends, err);
	case IVP_ENDPOINT_EXEC:
		fd = ivp_port_run(endpoint->rest, ends);
		return fd ? failed(err, fd, endpoint) : 0;
	case IVP_ENDPOINT_UNIX:
		fd = ivp_socket_connect_unix(endpoint->rest, deadline, cancel);
		break;
	case IVP_ENDPOINT_VSOCK:
		fd = ivp_socket_connect_vsock(endpoint->cid, endpoint->port, deadline, cancel);
		break;
	case IVP_ENDPOINT_TCP:
		fd = ivp_socket_connect_tcp(endpoint->host, endpoint->port, deadline, cancel, err);
		break;
	default:
		fd = ivp_port_open(endpoint->rest, endpoint->listens, ends);
	}
	if (fd < 0)
		return err && err->number == fd ? fd : failed(err, fd, endpoint);
	ends->in = ends->out = fd;
	return 0;
}

/* What may be otherwise when the other end has started, or has time: EAGAIN is a unix socket's that has connections enough, and EBUSY a
 * port's that somebody has open. */
static bool may_come(int number)
{
	return number == -ECONNREFUSED || number == -ENOENT || number == -ECONNRESET || number == -ENODEV ||
	       number == -EHOSTUNREACH || number == -EAGAIN || number == -EBUSY || number == -ETIMEDOUT;
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

int ivp_endpoint_listen(struct ivp_endpoint *endpoint, struct ivp_error *err)
{
	struct ivp_error own = {0};
	struct stat st;
	int fd;

	switch (endpoint->kind) {
	case IVP_ENDPOINT_UNIX:
		fd = ivp_socket_listen_unix(endpoint->rest);
		if (fd >= 0 && !stat(endpoint->rest, &st)) {
			endpoint->device = st.st_dev;
			endpoint->inode = st.st_ino;
		}
		break;
	case IVP_ENDPOINT_VSOCK:
		fd = ivp_socket_listen_vsock(endpoint->port);
		break;
	case IVP_ENDPOINT_TCP:
		fd = ivp_socket_listen_tcp(endpoint->host, endpoint->port, &own);
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
	u32 cid;
	int fd = ivp_socket_accept(listener, &cid);

	if (fd < 0)
		return fd == -EAGAIN ? fd : failed(err, fd, endpoint);
	/* Who may connect is the peer that was named, and nobody in its place. */
	if (endpoint->kind == IVP_ENDPOINT_VSOCK && endpoint->cid != IVP_ENDPOINT_CID_ANY && cid != endpoint->cid) {
		close(fd);
		return -EAGAIN;
	}
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

int ivp_endpoint_resolve(const struct ivp_endpoint *endpoint, char spec[IVP_ENDPOINT_NUMERIC_MAX],
			 struct ivp_error *err)
{
	spec[0] = '\0';
	if (endpoint->kind != IVP_ENDPOINT_TCP || !endpoint->host[0] || !strcmp(endpoint->host, "localhost"))
		return 0;
	return ivp_socket_resolve(endpoint->host, endpoint->port, spec, IVP_ENDPOINT_NUMERIC_MAX, err);
}
