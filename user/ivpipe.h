/* SPDX-License-Identifier: MIT */
/*
 * libivpipe: streams through shared memory, between a virtual machine and its host, two guests, or two processes.
 *
 *   region    the shared memory: a file, /dev/ivshmemN, or a sysfs resource2(_wc); opened and, if need be, laid out
 *   listener  waits in a region for clients that ask for a service by its name
 *   lane      one full-duplex connection, made by a token handshake through the memory itself
 *
 * Conventions. Calls that can fail return 0 (or a count) or a negative errno, and fill *err, which may be NULL: a kind to
 * branch on and one sentence to show. The library never prints, never exits, and keeps its hands off signals unless
 * IVP_OPEN_SIGBUS asks for it. Objects belong to the caller until their close call. One region may be used by several
 * threads; one listener by one thread at a time, and so each direction of a lane: one thread may send while another receives.
 * Times are milliseconds, a negative one means for ever.
 *
 * Nothing is inherited over fork: a child must open its own. What its parent has open is not mapped there, and a call on it ends
 * the child by SIGSEGV; but the close calls, lanes and listeners before their regions, are harmless to the parent's streams. As
 * long as a child neither calls them, nor execs, nor ends, it keeps the parent's locks, and peers on this kernel take a parent
 * that died for alive.
 *
 * Everything that is read from the region may have been written by an enemy, and is checked before it is used; what comes
 * out of ivp_lane_peek() may even change while it is looked at. docs/PROTOCOL.md has the bytes.
 */
#ifndef IVPIPE_H
#define IVPIPE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IVP_SERVICE_MAX 32  /* bytes of a service name with its NUL: 1 to 31 of [A-Za-z0-9._-], no leading dot */
#define IVP_NAME_MAX    256 /* bytes of the file name shown to the peer, with its NUL */
#define IVP_TEXT_MAX    512

struct iovec; /* of sys/uio.h, for who moves many messages at a time */

/* What went wrong, coarsely. The numbers are the helper's exit codes. */
enum ivp_failure {
	IVP_FAIL_NONE = 0,
	IVP_FAIL_GENERAL = 1,    /* input, output, memory */
	IVP_FAIL_USAGE = 2,      /* the caller's words */
	IVP_FAIL_NO_REGION = 3,  /* no device or region, or one that is not ours to use */
	IVP_FAIL_PERMISSION = 4, /* permission or lockdown */
	IVP_FAIL_NO_PEER = 5,    /* nobody answered in time */
	IVP_FAIL_REFUSED = 6,    /* the handshake was refused, by either end */
	IVP_FAIL_DAMAGED = 7,    /* digest or length wrong, or the peer broke the rules of the protocol */
	IVP_FAIL_PEER_GONE = 8,  /* the peer, or the region, went in mid-stream */
};

/* number is the negative errno that was returned too; text is one line without a newline: what, where, what to do. */
struct ivp_error {
	enum ivp_failure kind;
	int number;
	char text[IVP_TEXT_MAX];
};

/* ---- finding regions ---- */

enum ivp_backing {
	IVP_BACKING_FILE = 1, /* a file, on a host or between processes */
	IVP_BACKING_NODE,     /* /dev/ivshmemN */
	IVP_BACKING_SYSFS,    /* resource2 or resource2_wc of a PCI device without our driver */
};

/* One device or file that is, or could be, a region. Every string is NUL-terminated, "" where it does not apply. */
struct ivp_found {
	enum ivp_backing backing;
	char path[256];        /* what ivp_region_open() takes; "" for a device that another driver owns */
	char slot[32];         /* PCI address, 0000:00:04.0 */
	char driver[32];       /* the driver bound to it */
	char cache[32];        /* write-back, write-combine, ... as the driver says */
	char cache_reason[64]; /* why not better */
	uint64_t size;         /* bytes */
	bool formatted;        /* a valid superblock was read */
	bool readable;         /* could be opened for reading by this user; formatted means nothing otherwise */
	bool automatic;        /* `auto` may take it: a device, or a file that is owned and protected well enough */
	uint32_t mode, uid, gid;
};

/* All devices (through libudev, or sysfs where that was left out of the build) and all files in /dev/shm that carry a
 * superblock. Writes nothing anywhere. *list is the caller's, to be freed with free(3). */
int ivp_find(struct ivp_found **list, size_t *count, struct ivp_error *err);

/* ---- regions ---- */

enum {
	IVP_OPEN_READ_ONLY = 1 << 0, /* look only: never lays out, never locks an end, O_RDONLY suffices */
	IVP_OPEN_SIGBUS = 1 << 1, /* turn SIGBUS from a region that shrank or was unplugged into an error of the call */
	/* Open now what a listener and a lane of it will need, for a caller who is about to forbid himself to open files; of more than
	 * one of each at a time the others fail then. */
	IVP_OPEN_ENCLOSED = 1 << 2,
};

#define IVP_SIDE_AUTO (-1)

/* Zero-initialise, then set what is wanted. */
struct ivp_open_options {
	unsigned int flags;                  /* IVP_OPEN_ */
	int side;                            /* IVP_SIDE_AUTO: 0 for a file, 1 for a device */
	int64_t wait_ms;                     /* for the region to appear, and to be laid out by the other side */
	const volatile sig_atomic_t *cancel; /* waits end with -EINTR soon after *cancel becomes non-zero; or NULL */
	void (*notice)(void *arg, const char *text); /* told once what is waited for, if it takes a while; or NULL */
	void *notice_arg;
};

struct ivp_region;

/* address: a path (file, device node, sysfs resource) or "auto", which takes the only candidate there is. A file that is
 * all zero at its beginning, or carries a damaged superblock of ours that nobody uses, is laid out with default geometry.
 * -ENOENT, -ENODEV, -EBUSY (auto: several), -EACCES, -EPERM, -EMEDIUMTYPE (somebody else's contents), -EUCLEAN
 * (damaged, and in use or not ours to mend), -EPROTONOSUPPORT, -EMSGSIZE, -ENODATA (not laid out yet), -EINTR. */
int ivp_region_open(struct ivp_region **region, const char *address, const struct ivp_open_options *options,
		    struct ivp_error *err);

/* Lanes and listeners of the region must have been closed before. */
void ivp_region_close(struct ivp_region *region);

struct ivp_region_info {
	char path[256];
	enum ivp_backing backing;
	char cache[32];
	uint64_t size;      /* bytes that are mapped */
	uint64_t format_id; /* random, of this layout */
	uint32_t version, sides, side, lanes;
	uint64_t ring_size; /* bytes of each of a lane's two rings */
};
void ivp_region_describe(const struct ivp_region *region, struct ivp_region_info *info);

/* One end of a lane or one listener, as it stands in the region: a peer's claims, for showing. */
struct ivp_end_info {
	uint32_t state; /* a number; ivp_state_name() tells the word */
	bool local;     /* its lock is held on this kernel: alive for certain */
	uint32_t beat;  /* seen to change by a second look: alive, elsewhere */
	uint64_t epoch;
	uint64_t sent, received; /* positions announced: bytes with record headers */
};
struct ivp_lane_info {
	uint32_t index, side; /* side that its clients are on */
	struct ivp_end_info client, server;
};
struct ivp_listener_info {
	uint32_t side, slot;
	uint64_t id; /* 0: free */
	bool local;
	uint32_t beat;
	char service[IVP_SERVICE_MAX];
};
#define IVP_LISTENERS_PER_SIDE 16
/* -EINVAL beyond the region's lanes, sides or slots. */
int ivp_region_lane(struct ivp_region *region, uint32_t index, struct ivp_lane_info *info);
int ivp_region_listener(struct ivp_region *region, uint32_t side, uint32_t slot, struct ivp_listener_info *info);
const char *ivp_state_name(uint32_t state);

/* Zero means the default for all numbers. */
struct ivp_format_options {
	uint64_t size;  /* bytes of a file that is to be made; of an existing one: refused if it is not what it has */
	uint32_t lanes; /* 0: as many as fit, 256 at most */
	uint32_t sides; /* 0: 2; at most 16 */
	bool create;    /* make the file (mode 0660 under the umask); it must not exist */
	bool force;     /* over foreign contents, and under the feet of users */
};
/* Lays a region out anew. -EBUSY in use, -EEXIST, -EMEDIUMTYPE foreign contents without force, -EINVAL geometry does not
 * fit (err says the smallest size), -ENOSPC the file's blocks cannot be had. */
int ivp_format(const char *address, const struct ivp_format_options *options, struct ivp_region_info *made,
	       struct ivp_error *err);

/* ---- lanes ---- */

struct ivp_lane;
struct ivp_listener;

/* Zero-initialise; service NULL is "default". */
struct ivp_lane_options {
	const char *service;
	const char *file;        /* client: a name to show to the server, never opened there; or NULL */
	int64_t size;            /* client: bytes that will be sent, -1 unknown; informative */
	int64_t wait_ms;         /* client: for a free live listener; listener: for a client */
	int64_t timeout_ms;      /* from hello to welcome, and from welcome to ready; 0: 5000 */
	int64_t peer_timeout_ms; /* without a beat across a VM boundary until the peer is dead; 0: 3000; negative: never */
	uint32_t token_bytes;    /* client and server: 16 to 512; 0: 128 */
	const char *control;     /* a connection for the handshake and for kicks; NULL: through the memory itself */
};

/*
 * control: unix:PATH, vsock:CID:PORT (CID of the peer, or host, local; for a listener any, too), tcp:HOST:PORT,
 * tcp:[ADDRESS]:PORT, serial:PATH (a port that both ends open: a virtio port, a tty, or the socket of QEMU's end of one),
 * fd:N or fd:IN,OUT (connected already), exec:COMMAND (for /bin/sh; its standard input and output). A client connects, a
 * listener listens, and who serves somebody lets others wait. The connection stays open while the lane is; its end is the
 * peer's death. Both ends have to name one, or neither. The string has to stay until the call returns.
 */

/* Connect as a client. -ETIMEDOUT (nobody listened, or no answer; err lists who does listen), -ECONNREFUSED (err has the
 * reason), -EAGAIN never, -EINTR, -EPROTO. */
int ivp_connect(struct ivp_lane **lane, struct ivp_region *region, const struct ivp_lane_options *options,
		struct ivp_error *err);

/* Announce a listener. -EBUSY: all slots of this side are taken, and stayed so for wait_ms. */
int ivp_listen(struct ivp_listener **listener, struct ivp_region *region, const struct ivp_lane_options *options,
	       struct ivp_error *err);
/* Wait for one client until it is ready. -ETIMEDOUT, -ECONNREFUSED (a client's proof was wrong, or it refused ours),
 * -EINTR. The listener goes on listening until it is closed. */
int ivp_accept(struct ivp_lane **lane, struct ivp_listener *listener, struct ivp_error *err);
/* The same, for so long instead of the listener's own wait_ms. */
int ivp_accept_within(struct ivp_lane **lane, struct ivp_listener *listener, int64_t wait_ms, struct ivp_error *err);
void ivp_listener_close(struct ivp_listener *listener);

/* As ivp_lane_fd() and ivp_lane_arm(): for loops that wait for descriptors, 1: somebody is there to be accepted. A listener of theirs
 * has wait_ms 0, so that accepting does not wait for clients; it still waits, up to timeout_ms, for each answer of the one it has.
 * -EOPNOTSUPP: a control connection of a kind that cannot announce anybody (serial:, fd:, exec:). */
int ivp_listener_fd(struct ivp_listener *listener, struct ivp_error *err);
int ivp_listener_arm(struct ivp_listener *listener, struct ivp_error *err);

/* What the hello said. file has no control characters; size is -1 if unknown. Valid while the lane is open. */
const char *ivp_lane_file(const struct ivp_lane *lane);
int64_t ivp_lane_size(const struct ivp_lane *lane);
uint32_t ivp_lane_index(const struct ivp_lane *lane);
bool ivp_lane_peer_local(const struct ivp_lane *lane); /* the peer is a process on this kernel */

/* How bytes are copied out of the memory, or into it: what was fastest when the region's first lane was attached ("memcpy",
 * "words", ...). For people to read; static. */
const char *ivp_lane_copier(const struct ivp_lane *lane, bool out);

/* ---- bytes ---- */

enum {
	IVP_WAIT_ROOM = 1 << 0,   /* ivp_lane_reserve() would succeed */
	IVP_WAIT_DATA = 1 << 1,   /* ivp_lane_peek() would succeed */
	IVP_WAIT_RESULT = 1 << 2, /* the peer's verdict on what it received */
};

/* Sleep until one of `what` holds. 0; -ETIMEDOUT; -EINTR (cancelled); -EPIPE peer gone or receiver closed; -ESTALE the
 * session was taken over or the region is gone; -EPROTO. timeout_ms 0 only looks. */
int ivp_lane_wait(struct ivp_lane *lane, unsigned int what, int64_t timeout_ms, struct ivp_error *err);

/*
 * For loops that wait for descriptors (epoll, glib, libuv). The descriptor is the lane's: wait for it to be readable, and do not
 * read it. Arm: 1: one of `what` holds already, or never will: call what you would; 0: it does not, and the descriptor becomes
 * readable as soon as it may. Then arm again, or just call. It costs a thread, from the first call on.
 *
 *	while (ivp_lane_arm(lane, IVP_WAIT_DATA, &err) > 0)
 *		use(ivp_lane_read(lane, bytes, sizeof(bytes), &err));
 *	... epoll_wait() ...
 */
int ivp_lane_fd(struct ivp_lane *lane, struct ivp_error *err);
int ivp_lane_arm(struct ivp_lane *lane, unsigned int what, struct ivp_error *err);

/* Is the peer still there, for what the caller is about to do (IVP_WAIT_)? Cheap enough to call four times a second while the
 * caller waits elsewhere. Errors as above. */
int ivp_lane_check(struct ivp_lane *lane, unsigned int what, struct ivp_error *err);

/* Zero copy out: *span is room for one record of up to *len bytes (in: wanted, out: granted, at most
 * ivp_lane_piece()). Commit makes its first len bytes visible to the peer. -EAGAIN: no room for a useful piece yet. */
int ivp_lane_reserve(struct ivp_lane *lane, void **span, size_t *len, struct ivp_error *err);
int ivp_lane_commit(struct ivp_lane *lane, size_t len, struct ivp_error *err);
size_t ivp_lane_piece(const struct ivp_lane *lane);

/* Zero copy in: *span are *len bytes of the record at the front. They may change under your eyes until they are consumed,
 * and no digest covers what you make of them. 0 with *len 0: the peer's end record is at the front. -EAGAIN: nothing yet. */
int ivp_lane_peek(struct ivp_lane *lane, const void **span, size_t *len, struct ivp_error *err);
int ivp_lane_consume(struct ivp_lane *lane, size_t len, struct ivp_error *err);

/* Copying, counted and digested (XXH3-128 over private bytes) if the client did not say otherwise. Read returns 0 at the end,
 * when length and digest were right; -EBADMSG when they were not. Both: -EAGAIN, and at most one piece at a time. */
ptrdiff_t ivp_lane_write(struct ivp_lane *lane, const void *bytes, size_t len, struct ivp_error *err);
ptrdiff_t ivp_lane_read(struct ivp_lane *lane, void *bytes, size_t len, struct ivp_error *err);

/* The same, waiting. Write: until everything is in the ring, or timeout_ms have passed; len, or fewer bytes when the time was over in
 * the middle. Read: until there is at least one byte; 0 at the end. -ETIMEDOUT when not a byte was moved in time. Both return when
 * the lane fails, with an error, although some bytes of this call may have been moved. */
ptrdiff_t ivp_lane_write_all(struct ivp_lane *lane, const void *bytes, size_t len, int64_t timeout_ms,
			     struct ivp_error *err);
ptrdiff_t ivp_lane_read_some(struct ivp_lane *lane, void *bytes, size_t len, int64_t timeout_ms, struct ivp_error *err);

/*
 * Messages: what one call sends, one call receives, whole. A message has at least one byte (-EINVAL), and may be larger than the
 * ring. A lane carries bytes or messages; what its peer wrote as bytes comes as messages that end anywhere.
 *
 * Send: 0; -ETIMEDOUT when it could not be begun in time: once begun it is sent to its end, as long as the peer lives. Receive:
 * the length; 0 at the end; -ETIMEDOUT when none began in time; -EMSGSIZE: it was longer than len, and the rest of it is gone.
 * After ivp_lane_message_peek() they can be taken piece by piece without a copy: *more says that the next piece belongs to the
 * same message.
 */
int ivp_lane_send_message(struct ivp_lane *lane, const void *bytes, size_t len, int64_t timeout_ms,
			  struct ivp_error *err);
ptrdiff_t ivp_lane_recv_message(struct ivp_lane *lane, void *bytes, size_t len, int64_t timeout_ms,
				struct ivp_error *err);
/*
 * Many at a time, which for small ones costs a few nanoseconds each: the peer is told once, and nobody is asked anything in between.
 * Send: messages[i] is one, count at least 1 (-EINVAL); how many were sent, in their order, which is fewer than count only when the
 * time was over, or the next one is empty; the errors of ivp_lane_send_message(), after which some may have been sent. Receive: waits for
 * the first, and takes what else is there: message i into rooms[i], its length into lens[i]; how many; 0 at the end. What does
 * not find room is left to the next call, or for the first one is -EMSGSIZE as above.
 */
ptrdiff_t ivp_lane_send_messages(struct ivp_lane *lane, const struct iovec *messages, size_t count, int64_t timeout_ms,
				 struct ivp_error *err);
ptrdiff_t ivp_lane_recv_messages(struct ivp_lane *lane, const struct iovec *rooms, size_t *lens, size_t count,
				 int64_t timeout_ms, struct ivp_error *err);
/* As ivp_lane_peek(), and ivp_lane_commit(). */
int ivp_lane_message_peek(struct ivp_lane *lane, const void **span, size_t *len, bool *more, struct ivp_error *err);
int ivp_lane_message_commit(struct ivp_lane *lane, size_t len, bool more, struct ivp_error *err);

/*
 * Hold back what is written until it is 64 KiB or an eighth of the ring, whichever is less; until there is no room for more, and
 * at the end; or until ivp_lane_flush(). For those who write a little at a time: telling the peer of a write costs more than some
 * hundred bytes do. Without hold every write is told at once; ending it tells what was held. To be called by the thread that writes.
 * Whoever holds, and then waits for an answer, has to flush first.
 */
void ivp_lane_hold(struct ivp_lane *lane, bool hold);
void ivp_lane_flush(struct ivp_lane *lane);

/* Leave the digest out of what this end sends, and do without that of what it receives: call it before the first byte, in either
 * direction. Length and headers are checked all the same. About twice as fast, where both ends do. */
void ivp_lane_no_digest(struct ivp_lane *lane);

/* Say that nothing more will be sent (half-close), with length and digest. -EAGAIN: no room for the record yet. */
int ivp_lane_end(struct ivp_lane *lane, struct ivp_error *err);

/* Verdict of a receiver, told once: everything is where it belongs, or why not. */
enum ivp_verdict {
	IVP_VERDICT_OK = 1,
	IVP_VERDICT_DAMAGED = 20,   /* length or digest */
	IVP_VERDICT_NO_SPACE = 21,  /* could not be stored: no space */
	IVP_VERDICT_WRITE = 22,     /* could not be stored */
	IVP_VERDICT_READ = 23,      /* sender: could not be read */
	IVP_VERDICT_CLOSED = 24,    /* receiver: the output was closed, nothing more is wanted */
	IVP_VERDICT_INTERRUPT = 25, /* a signal */
	IVP_VERDICT_BROKEN = 26,    /* the peer broke the rules */
};
void ivp_lane_verdict(struct ivp_lane *lane, enum ivp_verdict verdict);
/* The peer's, as it stands: 0, one of those, or anything else, for it is the peer's word. */
uint32_t ivp_lane_peer_verdict(const struct ivp_lane *lane);
/* After ivp_lane_end(): wait for the peer's verdict. 0 if it was OK, else -EPIPE, -EBADMSG ... with its reason in err. */
int ivp_lane_confirm(struct ivp_lane *lane, int64_t timeout_ms, struct ivp_error *err);
/* Give the lane up with a reason for the peer to show. The lane still has to be closed. */
void ivp_lane_abort(struct ivp_lane *lane, enum ivp_verdict why);

/* Wipes what this end wrote, and lets the lane go. NULL is fine. */
void ivp_lane_close(struct ivp_lane *lane);

const char *ivp_version(void); /* such as "0.1.0" */

#ifdef __cplusplus
}
#endif

#endif /* IVPIPE_H */
