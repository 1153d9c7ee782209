#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write random words into a part of a region until killed.   scribble.py REGION all|superblock|slots|halves|rings

Prints a line after the first word. Where the parts are is read from the superblock once, at the beginning.
"""
import mmap
import os
import random
import struct
import sys


def parts(m):
    """Ranges of offsets by name."""
    (lanes,) = struct.unpack_from('<I', m, 32)
    slots, first, stride, half, ring = struct.unpack_from('<5Q', m, 40)
    starts = [first + i * stride for i in range(lanes)]
    return {
        'all': [(0, len(m))],
        'superblock': [(0, slots)],
        'slots': [(slots, first)],
        'halves': [(s + h * half, s + h * half + 2048) for s in starts for h in (0, 1)],
        'rings': [(s + 2 * half, s + 2 * half + 2 * ring) for s in starts],
    }


def main():
    path, part = sys.argv[1:]
    fd = os.open(path, os.O_RDWR)
    m = mmap.mmap(fd, os.fstat(fd).st_size)
    ranges = parts(m)[part]
    said = False
    while True:
        begin, end = random.choice(ranges)
        # Whole words: half of one would forge a small number, such as "received", sooner or later.
        offset = random.randrange(begin, end - 7) & ~7
        m[offset:offset + 8] = os.urandom(8)
        if not said:
            print('scribbling', file=sys.stderr, flush=True)
            said = True


main()
