# SPDX-License-Identifier: MIT
"""Listeners: waiting for clients."""
import ctypes
import errno

from ._handle import Deadline, Handle, Turn, interruptible, milliseconds
from ._library import lib
from .errors import Report
from .lane import Lane

# A connection of these is opened by the listener itself, and once: its wait is not cut in slices.
_SINGLE = ('serial:', 'fd:', 'exec:')


class Listener:
    """Made by Region.listen(). For one thread at a time."""

    def __init__(self, region, pointer, control):
        self._region = region
        self._handle = Handle('listener', pointer, lib.listener_close, region._handle)
        self._single = control is not None and str(control).startswith(_SINGLE)
        self._turn = Turn('listener')

    def _accept(self, wait_ms):
        report, pointer = Report(), ctypes.c_void_p()
        if lib.accept_within(pointer, self._handle(), wait_ms, report):
            raise report.error()
        return Lane(self._region._handle, pointer.value)

    def accept(self, timeout=None):
        """A Lane to the next client, in so many seconds. RefusedError: one was refused, and the listener goes on."""
        with self._turn:
            if self._single:
                return self._region._adopt(
                    interruptible(lambda: self._accept(milliseconds(timeout)), self._region._cancel))
            deadline = Deadline(timeout)
            while True:
                try:
                    return self._region._adopt(self._accept(deadline.slice()))
                except TimeoutError as error:
                    if error.errno != errno.ETIMEDOUT or deadline.over():
                        raise

    def fileno(self):
        """For loops: a descriptor to wait for, and not to read."""
        with self._turn:
            report = Report()
            fd = lib.listener_fd(self._handle(), report)
            if fd < 0:
                raise report.error()
            return fd

    def arm(self):
        """True: accept(0) has somebody, or a reason to fail. False: the descriptor will tell."""
        with self._turn:
            report = Report()
            ret = lib.listener_arm(self._handle(), report)
            if ret < 0:
                raise report.error()
            return ret > 0

    @property
    def closed(self):
        return self._handle.closed

    def close(self):
        with self._turn:
            self._handle.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __iter__(self):
        """Lanes, one after the other, for ever."""
        while True:
            yield self.accept()
