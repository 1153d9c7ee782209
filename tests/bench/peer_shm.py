#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A ring of slots in multiprocessing.shared_memory, as one writes it in Python; called and measured as peer.h says.

    peer_shm.py stream|messages|trip PIECE MS PLACE
"""
import os
import statistics
import struct
import sys
import time
from multiprocessing import shared_memory

WORD = struct.Struct('=Q')
LINE = 128
# Looks at what the other end says before the processor is lent to somebody else.
LOOKS = 256


class Ring:
    """For one writer and one reader: a word for each, and slots of a piece."""

    def __init__(self, memory, piece):
        self.words = memory[:2 * LINE]
        self.piece = piece
        self.slots = max(4, (1 << 20) // piece) if piece > 64 else 4096
        self.bytes = memory[2 * LINE:2 * LINE + self.slots * piece]
        self.written = self.read = 0

    @staticmethod
    def size(piece):
        return 2 * LINE + max(4 * piece, 1 << 20)

    def word(self, at, unwanted):
        looks = 0
        while True:
            value, = WORD.unpack_from(self.words, at)
            if value != unwanted:
                return value
            looks += 1
            if looks % LOOKS == 0:
                os.sched_yield()

    def put(self, piece):
        self.word(LINE, self.written - self.slots & (1 << 64) - 1)
        at = self.written % self.slots * self.piece
        self.bytes[at:at + self.piece] = piece
        self.written += 1
        WORD.pack_into(self.words, 0, self.written)

    def get(self, piece):
        self.word(0, self.read)
        at = self.read % self.slots * self.piece
        piece[:] = self.bytes[at:at + self.piece]
        self.read += 1
        WORD.pack_into(self.words, LINE, self.read)


def pin(second):
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[second % len(processors)]})


def be(name):
    """For whoever looks where time goes."""
    with open('/proc/self/comm', 'w', encoding='ascii') as file:
        file.write(name)


def flow(end, second, count):
    """Seconds until so many pieces are through: what comes back says that they are."""
    out, back, piece = end
    began = time.perf_counter()
    for _ in range(count):
        if second:
            out.get(piece)
        else:
            out.put(piece)
    if second:
        back.put(piece)
    else:
        back.get(piece)
    return time.perf_counter() - began


def trips(end, second, count):
    out, back, piece = end
    numbers = []
    then = time.perf_counter_ns()
    for _ in range(count):
        if second:
            out.get(piece)
            back.put(piece)
        else:
            out.put(piece)
            back.get(piece)
        now = time.perf_counter_ns()
        numbers.append(now - then)
        then = now
    return statistics.median(numbers)


def measure(kind, end, ns, say):
    """The first end says how many each time, in so many words; none at last."""
    call = trips if kind == 'trip' else flow
    count, taken = 100, 0
    while taken < ns / 8:
        count *= 2
        began = time.perf_counter_ns()
        say(count)
        call(end, False, count)
        taken = time.perf_counter_ns() - began
    count = max(100, int(count * ns / taken))
    say(count)
    value = call(end, False, count)
    say(0)
    return value if kind == 'trip' else count / value * (end[2].nbytes if kind == 'stream' else 1)


def follow(kind, end, words):
    call = trips if kind == 'trip' else flow
    for word in words:
        if not int(word):
            break
        call(end, True, int(word))


def main():
    kind, piece, ms = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    size = Ring.size(piece)
    shared = shared_memory.SharedMemory(create=True, size=2 * size)
    shared.unlink()
    end = Ring(shared.buf, piece), Ring(shared.buf[size:], piece), memoryview(bytearray(piece))
    reading, writing = (os.fdopen(fd, mode, buffering=1) for fd, mode in zip(os.pipe(), 'rw'))
    child = os.fork()
    pin(child == 0)
    be('receiver' if child == 0 else 'sender')
    if child == 0:
        writing.close()
        follow(kind, end, reading)
        os._exit(0)
    print(measure(kind, end, ms * 1e6, lambda count: writing.write(f'{count}\n')))
    os.waitpid(child, 0)
    sys.stdout.flush()
    os._exit(0)  # the ring is still looked at: nothing to tidy, it has no name


if __name__ == '__main__':
    main()
