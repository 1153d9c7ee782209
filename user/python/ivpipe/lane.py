# SPDX-License-Identifier: MIT
"""Lanes: bytes, messages, and memory itself, in both directions."""
import contextlib
import ctypes
import enum
import errno
import gc
import os
import threading

from ._handle import Deadline, Handle, Turn
from ._library import Bytes, IoVec, lib
from .errors import Report
from .view import BUSY, Peek, Reserve, exporter


class Wait(enum.IntFlag):
    """What arm() is to tell of."""

    ROOM = 1
    DATA = 2
    RESULT = 4


class Verdict(enum.IntEnum):
    """A receiver's word about what it received."""

    OK = 1
    DAMAGED = 20
    NO_SPACE = 21
    WRITE = 22
    READ = 23
    CLOSED = 24
    INTERRUPT = 25
    BROKEN = 26


class Lane:
    """One end of a connection, made by Region.connect() and Listener.accept().

    One thread may send while another receives. Timeouts are in seconds, None is for ever; when one is over that is a TimeoutError.
    file and size are what the client said of itself, piece is how many bytes go without a copy at a time.
    """

    def __init__(self, region, pointer):
        self._handle = Handle('lane', pointer, lib.lane_close, region)
        self._sending, self._receiving = Turn('lane, to send,'), Turn('lane, to receive,')
        self._life = threading.Lock()
        self._sent, self._received = Report(), Report()
        self._peeked = self._reserved = None
        self._holds = 0  # blocks of hold(), one in another
        self._exports = {}  # memory that somebody has, by id, weakly
        self.index = lib.lane_index(pointer)
        self.file = os.fsdecode(lib.lane_file(pointer))
        size = lib.lane_size(pointer)
        self.size = size if size >= 0 else None
        self.piece = lib.lane_piece(pointer)
        self._exporter = exporter(self.piece)

    @staticmethod
    def _go_on(call, deadline, report):
        """call(milliseconds) until there is more to say than that these are over."""
        while True:
            ret = call(deadline.slice())
            if ret >= 0:
                return ret
            if ret != -errno.ETIMEDOUT or deadline.over():
                raise report.error()

    def _wait(self, what, deadline, report):
        self._go_on(lambda ms: lib.lane_wait(self._handle(), what, ms, report), deadline, report)

    # ---- receiving ----

    def readinto(self, buffer, timeout=None):
        """At least one byte, as many as there are and fit; 0 at the end, if number and digest were right."""
        with self._receiving, Bytes(buffer, writable=True) as (address, length):
            return self._read(lib.lane_read_some, address, length, timeout)

    def read(self, size=65536, timeout=None):
        """At least one byte, at most so many; b'' at the end, if number and digest were right."""
        buffer = bytearray(size)
        return bytes(memoryview(buffer)[:self.readinto(buffer, timeout)])

    def receive_message(self, limit=1 << 20, timeout=None):
        """The next message, whole; b'' at the end. Of one beyond the limit the rest is lost, with errno EMSGSIZE."""
        buffer = bytearray(limit)
        return bytes(memoryview(buffer)[:self.receive_message_into(buffer, timeout)])

    def receive_message_into(self, buffer, timeout=None):
        """The same, into memory of the caller's; how many bytes it has. timeout is for its beginning."""
        with self._receiving, Bytes(buffer, writable=True) as (address, length):
            return self._read(lib.lane_recv_message, address, length, timeout)

    def receive_messages(self, count=64, limit=16384, timeout=None):
        """The next messages, as a list: all that are there, at least one, at most so many; [] at the end. One beyond the limit
        ends the list, and as the first of the next is lost, with errno EMSGSIZE."""
        buffer = bytearray(count * limit)
        lengths = (ctypes.c_size_t * count)()
        with self._receiving, Bytes(buffer, writable=True) as (address, _):
            self._drop_peeked()
            rooms = (IoVec * count)(*((address + i * limit, limit) for i in range(count)))
            pointer, report = self._handle(), self._received
            got = self._go_on(lambda ms: lib.lane_recv_messages(pointer, rooms, lengths, count, ms, report), Deadline(timeout), report)
        with memoryview(buffer) as view:
            return [bytes(view[i * limit:i * limit + lengths[i]]) for i in range(got)]

    def _read(self, call, address, length, timeout):
        self._drop_peeked()
        pointer, report = self._handle(), self._received
        return self._go_on(lambda ms: call(pointer, address, length, ms, report), Deadline(timeout), report)

    def peek(self, timeout=None):
        """A Peek at the piece at the front. `with lane.peek() as view:` consumes it at the end of the block."""
        deadline, report = Deadline(timeout), self._received
        span, length, more = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_bool()
        with self._receiving:
            self._drop_peeked()
            while True:
                ret = lib.lane_message_peek(self._handle(), span, length, more, report)
                if ret != -errno.EAGAIN:
                    break
                self._wait(Wait.DATA, deadline, report)
            if not ret and not length.value:
                ret = lib.lane_read(self._handle(), None, 0, report)
            if ret:
                raise report.error()
            self._peeked = Peek(self, span.value, length.value, more.value)
            return self._peeked

    def _drop_peeked(self):
        if self._peeked is not None:
            self._peeked._let_go()
            self._peeked = None

    def _consume(self, peek, length):
        with self._receiving:
            if self._peeked is not peek:
                raise ValueError('this was consumed, or let go')
            self._drop_peeked()
            if lib.lane_consume(self._handle(), length, self._received):
                raise self._received.error()

    def _leave(self, peek):
        with self._receiving:
            if self._peeked is peek:
                self._drop_peeked()

    # ---- sending ----

    def write(self, data, timeout=None):
        """All of it, to the ring; how many bytes, which are fewer only if the time was over in the middle."""
        deadline, report = Deadline(timeout), self._sent
        with self._sending, Bytes(data) as (address, length):
            self._drop_reserved()
            pointer = self._handle()
            return self._all(lambda done, ms: lib.lane_write_all(pointer, address + done, length - done, ms, report), length,
                             deadline, report)

    def _all(self, call, length, deadline, report):
        """call(done, milliseconds) until all is done, or the time is over and something is; how much."""
        done = 0
        while done < length:
            try:
                done += self._go_on(lambda ms, done=done: call(done, ms), deadline, report)
            except TimeoutError:
                if not done:
                    raise
                break
            if deadline.over():
                break
        return done

    def send_message(self, data, timeout=None):
        """All of it, as what one receive_message() gets. timeout is for its beginning."""
        report = self._sent
        with self._sending, Bytes(data) as (address, length):
            self._drop_reserved()
            pointer = self._handle()
            self._go_on(lambda ms: lib.lane_send_message(pointer, address, length, ms, report), Deadline(timeout), report)

    def send_messages(self, messages, timeout=None):
        """Each of them as by send_message(), and the peer is told once: for many small ones. How many, which are fewer only if the
        time was over in the middle."""
        deadline, report = Deadline(timeout), self._sent
        with self._sending, contextlib.ExitStack() as stack:
            spans = [stack.enter_context(Bytes(message)) for message in messages]
            vector = (IoVec * len(spans))(*spans)
            self._drop_reserved()
            pointer, start = self._handle(), ctypes.addressof(vector)
            return self._all(lambda done, ms: lib.lane_send_messages(pointer, start + done * ctypes.sizeof(IoVec), len(spans) - done, ms,
                                                                     report), len(spans), deadline, report)

    def reserve(self, size, timeout=None):
        """A Reserve of so many bytes, or of one piece. `with lane.reserve(n) as view:` commits it at the end of the block."""
        deadline, report = Deadline(timeout), self._sent
        span, length = ctypes.c_void_p(), ctypes.c_size_t(size)
        if size < 1:
            raise ValueError('room for no bytes')
        with self._sending:
            self._drop_reserved()
            while True:
                ret = lib.lane_reserve(self._handle(), span, length, report)
                if ret != -errno.EAGAIN:
                    break
                self._wait(Wait.ROOM, deadline, report)
            if ret:
                raise report.error()
            self._reserved = Reserve(self, span.value, length.value)
            return self._reserved

    def _drop_reserved(self):
        if self._reserved is not None:
            self._reserved._let_go()
            self._reserved = None

    def _commit(self, reserve, length, more):
        with self._sending:
            if self._reserved is not reserve:
                raise ValueError('this was committed, or let go')
            if not 0 < length <= len(reserve):
                raise ValueError(f'{length} bytes of {len(reserve)}')
            self._drop_reserved()
            if lib.lane_message_commit(self._handle(), length, more, self._sent):
                raise self._sent.error()

    def _forgo(self, reserve):
        with self._sending:
            if self._reserved is reserve:
                self._drop_reserved()

    @contextlib.contextmanager
    def hold(self):
        """`with lane.hold():` tells the peer of what is written in the block some of it at a time, and at its end of the rest: for many
        small writes, of which each costs more to tell than to make. Whoever then waits for an answer within it has to flush() first."""
        with self._sending:
            lib.lane_hold(self._handle(), True)
            self._holds += 1
        try:
            yield self
        finally:
            self._let_hold_end()

    def _let_hold_end(self):
        self._holds -= 1
        if self._holds or self.closed:
            return
        with self._sending:
            lib.lane_hold(self._handle(), False)

    def flush(self):
        """Tell the peer of all that was written, within hold(), now."""
        with self._sending:
            lib.lane_flush(self._handle())

    def no_digest(self):
        """Neither send a digest nor ask for one: before the first byte, in either direction. Twice as fast, where both do."""
        with self._sending:
            lib.lane_no_digest(self._handle())

    # ---- the end ----

    def end(self, timeout=None):
        """Nothing more will be sent."""
        deadline, report = Deadline(timeout), self._sent
        with self._sending:
            self._drop_reserved()
            while True:
                ret = lib.lane_end(self._handle(), report)
                if not ret:
                    return
                if ret != -errno.EAGAIN:
                    raise report.error()
                self._wait(Wait.ROOM, deadline, report)

    def confirm(self, timeout=None):
        """Wait for the receiver's verdict; what is not OK is raised."""
        with self._sending:
            self._go_on(lambda ms: lib.lane_confirm(self._handle(), ms, self._sent), Deadline(timeout), self._sent)

    def finish(self, timeout=None):
        """end() and confirm(): afterwards the other side has stored everything."""
        deadline = Deadline(timeout)
        self.end(timeout)
        self.confirm(deadline.left())

    def verdict(self, verdict=Verdict.OK):
        """A receiver's, once: everything is where it belongs, or why not."""
        with self._life:
            lib.lane_verdict(self._handle(), verdict)

    @property
    def peer_verdict(self):
        """The peer's, as it stands: 0, a Verdict, or whatever number it wrote."""
        with self._life:
            return lib.lane_peer_verdict(self._handle())

    @property
    def peer_local(self):
        """The peer is a process on this kernel."""
        with self._life:
            return lib.lane_peer_local(self._handle())

    def abort(self, why=Verdict.CLOSED):
        """Give it up, with a reason for the peer to show; whoever waits in it is told. It still has to be closed."""
        with self._life:
            lib.lane_abort(self._handle(), why)

    # ---- loops ----

    def fileno(self):
        """A descriptor to wait for, and not to read. It costs a thread of the library's."""
        with self._receiving, self._sending:
            fd = lib.lane_fd(self._handle(), self._received)
            if fd < 0:
                raise self._received.error()
            return fd

    def arm(self, what=Wait.DATA):
        """True: something of it can be done now, or has failed. False: the descriptor will tell. Arm again before each sleep."""
        with self._receiving, self._sending:
            ret = lib.lane_arm(self._handle(), what, self._received)
            if ret < 0:
                raise self._received.error()
            return ret > 0

    # ---- its life ----

    @property
    def closed(self):
        return self._handle.closed

    def close(self):
        """Let it go. All views end; an array that still has its memory is a BufferError. Closing twice is fine."""
        with self._receiving, self._sending, self._life:
            for span in (self._peeked, self._reserved):
                if span is not None:
                    span.view.release()
            if self._exports:
                gc.collect()
            if self._exports:
                raise BufferError(BUSY)
            self._peeked = self._reserved = None
            self._handle.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            self.close()
        except BufferError:
            if kind is None:
                raise
            # What was raised has them still. The peer is told now; the lane goes with the last of them.
            self.abort()
