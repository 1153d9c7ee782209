# SPDX-License-Identifier: MIT
"""What can go wrong: one class for each exit code of ivpipe(1), each with the library's own sentence."""
import ctypes
import errno


class Error(OSError):
    """errno, strerror (what, where, what to do) and exit_code; of the plain class: input, output, memory."""

    exit_code = 1

    def __str__(self):
        return self.strerror or ''


class UsageError(Error, ValueError):
    """The caller's words: of a service, a side, a geometry."""

    exit_code = 2


class NoRegionError(Error):
    """There is no such device or region, or it is not ours to use."""

    exit_code = 3


class AccessError(Error, PermissionError):
    """The user may not open it."""

    exit_code = 4


class NoPeerError(Error, TimeoutError):
    """Nobody answered, or went on, in time."""

    exit_code = 5


class RefusedError(Error, ConnectionRefusedError):
    """The handshake was refused, by either end."""

    exit_code = 6


class DamagedError(Error):
    """Number or digest of the bytes were wrong, or the peer broke the rules."""

    exit_code = 7


class PeerGoneError(Error, ConnectionError):
    """The peer, or the region, went in mid-stream."""

    exit_code = 8


class CancelledError(Error, InterruptedError):
    """Region.cancel() ended the wait."""


CLASSES = {c.exit_code: c for c in (UsageError, NoRegionError, AccessError, NoPeerError, RefusedError, DamagedError,
                                    PeerGoneError)}


class Report(ctypes.Structure):
    """struct ivp_error"""

    _fields_ = [('kind', ctypes.c_int), ('number', ctypes.c_int), ('text', ctypes.c_char * 512)]

    def error(self):
        """It as an exception."""
        kind = CancelledError if self.number == -errno.EINTR else CLASSES.get(self.kind, Error)
        return kind(-self.number, self.text.decode('utf-8', 'replace'))
