#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Xpra's own functions at one end of an area and the library at the other, in both directions.

    area.py LIBIVPIPE XPRA [COUNT]

XPRA is where the package xpra is unpacked. COUNT pictures (1000000) go each way, of all the sizes at which a writer decides
otherwise. Prints TAP.
"""
import ctypes as c
import mmap
import random
import sys
import time
import zlib

HEADER = 8
FAILURES = []


class Chunk(c.Structure):
    _fields_ = [('offset', c.c_uint32), ('length', c.c_uint32)]


class Token(c.Structure):
    _fields_ = [('index', c.c_uint64), ('bytes', c.c_uint32), ('value', c.c_uint8 * 512)]


def load(path):
    lib = c.CDLL(path)
    for name in ('write', 'attach', 'token_make', 'token_place', 'token_verify', 'prepare'):
        getattr(lib, 'ivp_xpra_' + name).restype = c.c_int
    lib.ivp_xpra_read.restype = c.c_ssize_t
    lib.ivp_xpra_write.argtypes = c.c_void_p, c.c_char_p, c.c_size_t, c.POINTER(Chunk), c.c_void_p
    lib.ivp_xpra_read.argtypes = c.c_void_p, c.POINTER(Chunk), c.c_size_t, c.c_void_p, c.c_size_t, c.c_void_p
    lib.ivp_xpra_attach.argtypes = c.POINTER(c.c_void_p), c.c_void_p, c.c_uint64, c.c_void_p
    lib.ivp_xpra_close.argtypes = c.c_void_p,
    for name in ('make', 'place', 'verify'):
        getattr(lib, 'ivp_xpra_token_' + name).argtypes = c.c_void_p, c.POINTER(Token), c.c_void_p
    return lib


def check(good, what):
    check.count += 1
    if not good:
        FAILURES.append(what)
    print(f'{"ok" if good else "not ok"} {check.count} - {what}', flush=True)


check.count = 0


class Area:
    """Memory that both see: ours by its address, theirs as a Python mmap."""

    def __init__(self, lib, size):
        self.lib, self.size = lib, size
        self.map = mmap.mmap(-1, size)
        self.pointers = (c.c_uint32 * 2).from_buffer(self.map)
        self.ours = c.c_void_p()
        assert lib.ivp_xpra_attach(c.byref(self.ours), c.addressof(self.pointers), size, None) == 0

    def full(self):
        start, end = (max(HEADER, p) for p in self.pointers)
        return start == end

    def close(self):
        self.lib.ivp_xpra_close(self.ours)


class OurWriter:
    def __init__(self, area, xpra):
        self.area, self.xpra, self.chunks = area, xpra, (Chunk * 2)()
        self.write_c, self.ours = area.lib.ivp_xpra_write, area.ours

    def write(self, data):
        count = self.write_c(self.ours, data, len(data), self.chunks, None)
        return [(k.offset, k.length) for k in self.chunks[:count]] if count > 0 else None

    def read(self, chunks):
        return self.xpra.mmap_read(self.area.map, *chunks)


class OurReader:
    def __init__(self, area, xpra):
        self.area, self.xpra = area, xpra
        self.read_c, self.ours = area.lib.ivp_xpra_read, area.ours
        self.buffer, self.chunks = c.create_string_buffer(area.size), (Chunk * 2)()

    def write(self, data):
        return self.xpra.mmap_write(self.area.map, self.area.size, data)[0]

    def read(self, chunks):
        for to, (to.offset, to.length) in zip(self.chunks, chunks):
            pass
        got = self.read_c(self.ours, self.chunks, len(chunks), self.buffer, self.area.size, None)
        return memoryview(self.buffer)[:got] if got >= 0 else b''


def sizes(area, seed):
    """For ever: small ones, any, and those around the memory's end, the reader, a third and a half of the room."""
    chance = random.Random(seed)
    while True:
        start, end = (max(HEADER, p) for p in area.pointers)
        first = (start if end < start else area.size) - end
        room = first + (0 if end < start else start - HEADER)
        edges = first, room, start - HEADER, room // 3, area.size // 2, area.size - HEADER
        kind = chance.random()
        if kind < .6:
            yield chance.randrange(1, 200)
        elif kind < .8:
            yield chance.randrange(1, max(2, area.size // 8))
        else:
            yield chance.choice(edges) + chance.randrange(-2, 3)


def stream(area, ends, count, seed):
    """Move `count` pictures; returns what was seen on the way."""
    source = random.Random(seed).randbytes(2 * area.size)
    chance, lengths, queue = random.Random(seed), sizes(area, seed), []
    sent = received = done = at = full = 0
    shapes = {'whole': 0, 'begun again': 0, 'split': 0, 'empty second': 0, 'refused': 0}

    def take():
        nonlocal received
        received = zlib.crc32(ends.read(queue.pop(0)), received)

    while done < count:
        length = next(lengths)
        if length < 1 or length >= area.size - HEADER:
            continue
        data = source[at:at + length]
        before = area.pointers[1]
        chunks = ends.write(data)
        if not chunks:
            shapes['refused'] += 1
            if not queue:
                return None
            take()
            continue
        full += area.full()
        sent = zlib.crc32(data, sent)
        at = (at + 1) % area.size
        done += 1
        shapes['empty second' if chunks[-1][1] == 0 else 'split' if len(chunks) > 1
               else 'begun again' if chunks[0][0] == HEADER != max(HEADER, before) else 'whole'] += 1
        queue.append(chunks)
        while queue and chance.random() < .5 + len(queue) / 20:
            take()
    while queue:
        take()
    return sent == received, full, shapes


def run(lib, xpra, ends, what, count):
    area = Area(lib, 1 << 16)
    began = time.monotonic()
    result = stream(area, ends(area, xpra), count, 11)
    check(bool(result) and result[0], f'{what}: the digests of {count} pictures agree')
    check(bool(result) and result[1] == 0, f'{what}: the area was never full to the last byte')
    check(bool(result) and all(result[2].values()), f'{what}: all shapes occurred')
    print(f'# {what}: {result and result[2]}, {time.monotonic() - began:.1f} s')
    area.close()


def same_decisions(lib, xpra, rounds=20000):
    """From any state of both pointers, both writers lay the same chunks, or refuse both."""
    chance, size, wrong, written = random.Random(3), 256, 0, 0
    mine, theirs = Area(lib, size), mmap.mmap(-1, size)
    pointers = (c.c_uint32 * 2).from_buffer(theirs)
    chunks = (Chunk * 2)()
    for _ in range(rounds):
        start, end = (chance.choice((0, 8, chance.randrange(size))) for _ in range(2))
        data = bytes(chance.randrange(1, size - HEADER - 1))
        lib.ivp_xpra_close(mine.ours)
        mine.pointers[:] = pointers[:] = start, end
        lib.ivp_xpra_attach(c.byref(mine.ours), c.addressof(mine.pointers), size, None)
        count = lib.ivp_xpra_write(mine.ours, data, len(data), chunks, None)
        wanted = xpra.mmap_write(theirs, size, data)[0]
        got = [(k.offset, k.length) for k in chunks[:count]] if count > 0 else None
        written += count > 0
        wrong += got != wanted or (count > 0 and mine.pointers[1] != pointers[1])
    check(not wrong, f'both writers decide the same, {rounds} times')
    check(rounds // 10 < written < rounds, 'sometimes to write and sometimes not')


def tokens(lib, xpra, rounds=300):
    area, token, good = Area(lib, 4096), Token(), True
    for _ in range(rounds):
        lib.ivp_xpra_token_make(area.ours, c.byref(token), None)
        good &= lib.ivp_xpra_token_place(area.ours, c.byref(token), None) == 0
        value = int.from_bytes(bytes(token.value), 'little')
        good &= xpra.read_mmap_token(area.map, token.index, token.bytes) == value
    check(good, 'Xpra finds our tokens')
    for _ in range(rounds):
        value, index, count = random.getrandbits(128), random.randrange(HEADER, 4096 - 512), random.randrange(16, 513)
        xpra.write_mmap_token(area.map, value, index, count)
        token = Token(index, count, (c.c_uint8 * 512)(*value.to_bytes(512, 'little')))
        good &= lib.ivp_xpra_token_verify(area.ours, c.byref(token), None) == 0
    check(good, 'and we its')


def main():
    lib = load(sys.argv[1])
    sys.path.insert(0, sys.argv[2] + '/usr/lib/python3/dist-packages')
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 1000000
    from xpra.net import mmap_pipe
    mmap_pipe.log.warn = lambda *args: None
    same_decisions(lib, mmap_pipe)
    tokens(lib, mmap_pipe)
    run(lib, mmap_pipe, OurWriter, 'from the library to Xpra', count)
    run(lib, mmap_pipe, OurReader, 'from Xpra to the library', count)
    print(f'1..{check.count}')
    sys.exit(bool(FAILURES))


main()
