#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Frames that are full of their numbers.

  frames.py make SIZE COUNT [TAIL]        COUNT of them on standard output, from 1 on, and TAIL bytes of another
  frames.py check SIZE LAST [FIFO [MOST]] from standard input: each whole, each newer, the last one LAST; the first one is
                                          read, "one" is said on standard error, and FIFO is waited for before the rest;
                                          MOST of them at the most
"""
import sys


def make(size, count, tail=0):
    for number in range(1, count + 1):
        sys.stdout.buffer.write(number.to_bytes(8, 'little') * (size // 8))
    sys.stdout.buffer.write(bytes(tail))


def read_frame(size):
    frame = sys.stdin.buffer.read(size)
    if not frame:
        return 0
    number = int.from_bytes(frame[:8], 'little')
    if frame != number.to_bytes(8, 'little') * (size // 8):
        sys.exit(f'frame {number} is torn')
    return number


def check(size, last, fifo='', most=0):
    newest, count = 0, 0
    while number := read_frame(size):
        if number <= newest:
            sys.exit(f'frame {number} after {newest}')
        newest, count = number, count + 1
        if count == 1 and fifo:
            print('one', file=sys.stderr, flush=True)
            with open(fifo, encoding='ascii') as waited:
                waited.read()
    if newest != last:
        sys.exit(f'the last of {count} was {newest}')
    if most and count > most:
        sys.exit(f'{count} frames')


what, *rest = sys.argv[1:]
words = [int(word) if word.isdigit() else word for word in rest]
{'make': make, 'check': check}[what](*words)
