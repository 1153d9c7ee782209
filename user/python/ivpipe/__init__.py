# SPDX-License-Identifier: MIT
"""Streams and messages through shared memory, between a virtual machine and its host, two guests, or two processes.

    with ivpipe.Region('/dev/shm/vm0') as region, region.connect('frames') as lane:
        lane.send_message(b'hello')
        with lane.reserve(4096) as view:         # memory that the other side sees: no copy
            numpy.frombuffer(view, 'u1')[:] = 7
        with lane.hold():                        # many small ones, told together
            for number in range(1000):
                lane.send_message(b'%d' % number)
        lane.finish()                            # the other side has stored it

libivpipe(3) has what all of it means. Whoever uses an object after it was closed, or in a child after fork(), gets a ValueError, and a
view never outlives its memory: a lane whose memory an array still has cannot be closed (BufferError).
"""
from ._library import lib as _lib
from .errors import (AccessError, CancelledError, DamagedError, Error, NoPeerError, NoRegionError, PeerGoneError,
                     RefusedError, UsageError)
from .lane import Lane, Verdict, Wait
from .listener import Listener
from .region import Found, Region, RegionInfo, find

__version__ = _lib.version().decode()
__all__ = ['AccessError', 'CancelledError', 'DamagedError', 'Error', 'Found', 'Lane', 'Listener', 'NoPeerError',
           'NoRegionError', 'PeerGoneError', 'RefusedError', 'Region', 'RegionInfo', 'UsageError', 'Verdict', 'Wait',
           'find']
