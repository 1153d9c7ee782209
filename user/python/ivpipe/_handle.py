# SPDX-License-Identifier: MIT
"""Who closes what, and when; whose turn it is; calls that wait, and signals."""
import _thread
import contextlib
import math
import os
import threading
import time
import weakref

# A call that waits comes back that often, for Python does what signals ask for between two calls.
SLICE_MS = 250

_process = [0]  # grows with each fork: a child has copies of its parent's objects, and must leave them alone


def _forked():
    _process[0] += 1


os.register_at_fork(after_in_child=_forked)


def _finish(close, pointer, process, _keep):
    if process == _process[0]:
        close(pointer)


class Handle:
    """A pointer of the library's, closed once: by close(), or when nobody has it any more. At the end of the interpreter it is left to
    the kernel, since other threads may still be in a call. It keeps what has to outlive it, and is part of no cycle."""

    __slots__ = ('_pointer', '_name', '_process', '_finalizer', '__weakref__')

    def __init__(self, name, pointer, close, *keep):
        self._name = name
        self._pointer = pointer
        self._process = _process[0]
        self._finalizer = weakref.finalize(self, _finish, close, pointer, self._process, keep)
        self._finalizer.atexit = False

    def __call__(self):
        if self._process != _process[0]:
            raise ValueError(f'this {self._name} is of the process before fork(): open another')
        if self._pointer is None:
            raise ValueError(f'this {self._name} is closed')
        return self._pointer

    @property
    def closed(self):
        return self._pointer is None

    def close(self):
        self._pointer = None
        self._finalizer()


class Turn:
    """For one thread at a time. Who comes second is told so, and does not wait."""

    def __init__(self, what):
        self._what = what
        self._lock = threading.Lock()

    def __enter__(self):
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(f'this {self._what} is in a call of another thread')

    def __exit__(self, *_):
        self._lock.release()


class Uses:
    """How many calls use a thing just now, so that nobody closes it under them."""

    def __init__(self, what):
        self._what = what
        self._lock = threading.Lock()
        self._count = 0
        self._stopped = False

    def __enter__(self):
        with self._lock:
            if self._stopped:
                raise ValueError(f'this {self._what} is closed')
            self._count += 1

    def __exit__(self, *_):
        with self._lock:
            self._count -= 1

    def stop(self):
        with self._lock:
            if self._count:
                raise RuntimeError(f'this {self._what} is in a call of another thread')
            self._stopped = True

    def resume(self):
        self._stopped = False


def milliseconds(seconds):
    """As the library has it: None is for ever."""
    return -1 if seconds is None else max(0, math.ceil(seconds * 1000))


class Deadline:
    """Seconds from now on, None: never."""

    def __init__(self, seconds):
        self._end = math.inf if seconds is None else time.monotonic() + seconds

    def slice(self):
        """Milliseconds that the next call may wait."""
        left = self._end - time.monotonic()
        return SLICE_MS if left * 1000 > SLICE_MS else max(0, math.ceil(left * 1000))

    def left(self):
        """Seconds, None: for ever."""
        return None if self._end == math.inf else max(0, self._end - time.monotonic())

    def over(self):
        return time.monotonic() >= self._end


def interruptible(call, cancel):
    """call(), which may wait long and cannot be called again: in a thread of its own, as signals reach the main one only between
    calls. Whoever interrupts it cancels what waits in the region meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        return call()
    results, done = [], threading.Event()

    def run():
        try:
            results.append((call(), None))
        except BaseException as error:  # goes to who asked
            results.append((None, error))
        finally:
            done.set()

    try:
        # One instruction, so that it is known to run. No threading.Thread: who is interrupted in its join() takes it for ended, in Python
        # 3.9 to 3.12.
        _thread.start_new_thread(run, ())
        done.wait()
    except BaseException:
        before, cancel.value = cancel.value, 1
        while not done.is_set():
            with contextlib.suppress(BaseException):
                done.wait()
        cancel.value = before
        results.clear()
        raise
    result, error = results[0]
    if error:
        raise error
    return result
