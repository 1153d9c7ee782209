# SPDX-License-Identifier: MIT
"""The memory of a lane itself: what is at the front of it, and room for what comes next. No copy is made."""
import ctypes
import gc
import weakref

BUSY = 'the memory of this lane is still in use (by an array or a slice of the view): delete that, or copy it'


def exporter(piece):
    """What all views of a lane are made of. Whoever has one of these, through whatever array, has the lane as well."""
    return type('Memory', (ctypes.c_ubyte * piece,), {})


class Span:
    """view: the memory, until it is let go."""

    def __init__(self, lane, address, length, readonly):
        memory = lane._exporter.from_address(address)
        memory.lane = lane
        self._lane = lane
        self._length = length
        exports, key = lane._exports, id(memory)
        self._memory = exports[key] = weakref.ref(memory, lambda _: exports.pop(key, None))
        view = memoryview(memory).cast('B')[:length]
        self.view = view.toreadonly() if readonly else view

    def __len__(self):
        return self._length

    def _let_go(self):
        """Nobody has it any more: BufferError if somebody does."""
        self.view.release()
        if self._memory() is not None:
            gc.collect()
        if self._memory() is not None:
            raise BufferError(BUSY)

    def __enter__(self):
        return self.view


class Peek(Span):
    """What Lane.peek() sees. In a with statement: the view, consumed at its end.

    view   readonly; of no bytes at the peer's end. The peer may change what is in it at any time: look at it once, or check a copy
    more   the next piece belongs to the same message
    """

    def __init__(self, lane, address, length, more):
        super().__init__(lane, address, length, True)
        self.more = more

    def consume(self, length=None):
        """Give its room back, or that of its first bytes: the rest is what the next peek() sees."""
        length = len(self) if length is None else length
        self._lane._consume(self, length)

    def release(self):
        """Leave it there, for the next peek()."""
        self._lane._leave(self)

    def __exit__(self, kind, *_):
        if self._lane._peeked is not self:
            return
        if kind is None:
            self.consume()
        else:
            self.view.release()


class Reserve(Span):
    """Room that Lane.reserve() had. In a with statement: the view, all of which is committed at its end, if nothing else was said."""

    def __init__(self, lane, address, length):
        super().__init__(lane, address, length, False)

    def commit(self, length=None, *, more=False):
        """The first bytes of it are for the peer to see; more: and the next piece belongs to the same message."""
        self._lane._commit(self, len(self) if length is None else length, more)

    def release(self):
        """Say nothing."""
        self._lane._forgo(self)

    def __exit__(self, kind, *_):
        if self._lane._reserved is not self:
            return
        if kind is None:
            self.commit()
        else:
            self.view.release()
