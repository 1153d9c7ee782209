/* SPDX-License-Identifier: MIT */
/* endpoint: what the user calls a control connection, and the descriptors that it comes to. For the library's own files. */
#ifndef IVP_ENDPOINT_H
#define IVP_ENDPOINT_H

#include <signal.h>
#include <sys/types.h>

#include "deps.h"
#include "ivpipe.h"

enum ivp_endpoint_kind {
	IVP_ENDPOINT_UNIX, /* unix:PATH */
	IVP_ENDPOINT_VSOCK, /* vsock:CID:PORT; CID is the peer's, for a listener the only one it takes; host, local or any */
	IVP_ENDPOINT_TCP, /* tcp:HOST:PORT, tcp:[ADDRESS]:PORT; a listener may leave HOST empty */
	IVP_ENDPOINT_SERIAL, /* serial:PATH, a port that both ends open: a virtio port or a tty, or the socket of QEMU's end of it */
	IVP_ENDPOINT_FD,   /* fd:N or fd:IN,OUT, already connected */
	IVP_ENDPOINT_EXEC, /* exec:COMMAND, for the shell; its standard input and output are the connection */
};

#define IVP_ENDPOINT_HOST_MAX 256
#define IVP_ENDPOINT_CID_ANY  0xffffffffU

struct ivp_endpoint {
	enum ivp_endpoint_kind kind;
	const char *spec; /* has to stay */
	const char *rest; /* PATH or COMMAND, a part of it */
	char host[IVP_ENDPOINT_HOST_MAX];
	u32 cid, port;
	int in, out;
	bool listens; /* up to the caller: take a port also when nobody has its other end open */
	dev_t device; /* of the name that a listener made */
	ino_t inode;
};

/* Pure: touches nothing but its arguments. -EINVAL with *err filled. */
int ivp_endpoint_parse(struct ivp_endpoint *endpoint, const char *spec, struct ivp_error *err);

/* Descriptors of a connection; the caller's, but for those of fd:, which stay the user's. */
struct ivp_ends {
	int in, out; /* the same one, for whatever goes both ways */
	pid_t child; /* of exec:, to be waited for; else 0 */
	bool borrowed;
	bool socket;
	bool vacant; /* a port whose other end nobody had open */
};

/* As a client. Until the deadline (ivp_now()) nobody is given up who may yet come. -ECONNREFUSED and -ENOENT: nobody was there in
 * time; -EINTR: *cancel; others. */
int ivp_endpoint_connect(const struct ivp_endpoint *endpoint, struct ivp_ends *ends, int64_t deadline,
			 const volatile sig_atomic_t *cancel, struct ivp_error *err);

/* As a server: a socket that listens, or -EOPNOTSUPP for kinds that are one connection, which ivp_endpoint_connect() opens. */
int ivp_endpoint_listen(struct ivp_endpoint *endpoint, struct ivp_error *err);

/* What poll() announced on such a socket. -EAGAIN: it was nothing, or somebody who may not. */
int ivp_endpoint_accept(const struct ivp_endpoint *endpoint, int listener, struct ivp_ends *ends,
			struct ivp_error *err);

/* tcp: with a name, as a spec with its first address; "" where there is no name to look up. */
#define IVP_ENDPOINT_NUMERIC_MAX 80
int ivp_endpoint_resolve(const struct ivp_endpoint *endpoint, char spec[IVP_ENDPOINT_NUMERIC_MAX],
			 struct ivp_error *err);

/* The listener is closed by the caller; this takes away the name of a unix socket, if it still is the one that was made. */
void ivp_endpoint_forget(const struct ivp_endpoint *endpoint);

#endif
