# SPDX-License-Identifier: MIT
"""Regions: finding them, laying them out, opening them."""
import collections
import ctypes
import os
import weakref

from . import _library
from ._handle import Handle, Uses, interruptible, milliseconds
from ._library import lib
from .errors import Report
from .lane import Lane
from .listener import Listener

BACKINGS = {1: 'file', 2: 'node', 3: 'sysfs'}

RegionInfo = collections.namedtuple('RegionInfo', [name for name, _ in _library.CRegionInfo._fields_])
RegionInfo.__doc__ = 'How a region is laid out; sizes in bytes, cache as the driver or the kernel says.'
Found = collections.namedtuple('Found', [name for name, _ in _library.CFound._fields_])
Found.__doc__ = 'A device or file that is, or could be, a region.'


def _plain(kind, struct):
    values = {name: getattr(struct, name) for name, _ in struct._fields_}
    for name, value in values.items():
        if isinstance(value, bytes):
            values[name] = os.fsdecode(value)
    values['backing'] = BACKINGS.get(values['backing'], 'none')
    return kind(**values)


def find():
    """All devices, and all files in /dev/shm that are laid out."""
    report, count, first = Report(), ctypes.c_size_t(), ctypes.POINTER(_library.CFound)()
    if lib.find(first, count, report):
        raise report.error()
    try:
        return [_plain(Found, first[i]) for i in range(count.value)]
    finally:
        free = ctypes.CDLL(None).free
        free.argtypes = [ctypes.c_void_p]
        free(first)


class Region:
    """Memory that both ends map: a path, or "auto".

    wait     seconds for it to appear, and to be laid out by the other side; None is for ever
    side     0 for a file and 1 for a device, if it is None
    sigbus   turn the end of the memory (a file that was truncated, a device that was unplugged) into an error of the next call, by
             a handler of SIGBUS for the whole process; without it that kills
    notice   called with a sentence about what is waited for, if it takes a while
    """

    def __init__(self, address='auto', *, side=None, wait=0, read_only=False, sigbus=True, notice=None):
        flags = (_library.READ_ONLY if read_only else 0) | (_library.SIGBUS if sigbus else 0)
        tell = _library.Notice((lambda _, text: notice(os.fsdecode(text))) if notice else 0)
        self._cancel = ctypes.c_int(0)
        options = _library.OpenOptions(flags, -1 if side is None else side, milliseconds(wait),
                                       ctypes.pointer(self._cancel), tell, None)
        self._children = weakref.WeakSet()
        self._uses = Uses('region')

        def call():
            report, pointer = Report(), ctypes.c_void_p()
            if lib.region_open(pointer, os.fsencode(address), options, report):
                raise report.error()
            return Handle('region', pointer.value, lib.region_close, self._cancel)

        self._handle = call() if wait == 0 else interruptible(call, self._cancel)

    @staticmethod
    def format(address, *, size=0, lanes=0, sides=0, create=False, force=False):
        """Lay it out anew, and tell how; zero is the default of each number."""
        report, made = Report(), _library.CRegionInfo()
        options = _library.FormatOptions(size, lanes, sides, create, force)
        if lib.format(os.fsencode(address), options, made, report):
            raise report.error()
        return _plain(RegionInfo, made)

    @property
    def info(self):
        info = _library.CRegionInfo()
        with self._uses:
            lib.region_describe(self._handle(), info)
        return _plain(RegionInfo, info)

    @staticmethod
    def _options(service, control, timeout, peer_timeout, token_bytes, **more):
        return _library.LaneOptions(
            service=os.fsencode(service), control=None if control is None else os.fsencode(control),
            timeout_ms=milliseconds(timeout), peer_timeout_ms=milliseconds(peer_timeout), token_bytes=token_bytes, **more)

    def connect(self, service='default', *, file=None, size=None, wait=30, timeout=5, peer_timeout=3, control=None,
                token_bytes=0):
        """A Lane to whoever listens for that service, waited for so many seconds (None: for ever). file and size are words for the
        other end; timeout is for each answer, peer_timeout for signs of life."""
        options = self._options(service, control, timeout, peer_timeout, token_bytes,
                                file=None if file is None else os.fsencode(file), size=-1 if size is None else size,
                                wait_ms=milliseconds(wait))

        def call():
            report, pointer = Report(), ctypes.c_void_p()
            with self._uses:
                if lib.connect(pointer, self._handle(), options, report):
                    raise report.error()
                return self._adopt(Lane(self._handle, pointer.value))

        return interruptible(call, self._cancel)

    def listen(self, service='default', *, wait=0, timeout=5, peer_timeout=3, control=None, token_bytes=0):
        """A Listener. wait is for one of the 16 places that listeners of a side have."""
        options = self._options(service, control, timeout, peer_timeout, token_bytes, wait_ms=milliseconds(wait))

        def call():
            report, pointer = Report(), ctypes.c_void_p()
            with self._uses:
                if lib.listen(pointer, self._handle(), options, report):
                    raise report.error()
                return self._adopt(Listener(self, pointer.value, control))

        return call() if wait == 0 else interruptible(call, self._cancel)

    def _adopt(self, child):
        self._children.add(child)
        return child

    def cancel(self):
        """Whoever waits in this region, in any thread, gets a CancelledError, from now on."""
        self._cancel.value = 1

    @property
    def closed(self):
        return self._handle.closed

    def close(self):
        """Closes its lanes and listeners, too. Closing twice is fine."""
        self._uses.stop()
        try:
            # Until a listener is closed there may be more.
            while any(not child.closed for child in list(self._children)):
                for child in list(self._children):
                    child.close()
        except BaseException:
            self._uses.resume()
            raise
        self._handle.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            self.close()
        except BufferError:
            if kind is None:
                raise
