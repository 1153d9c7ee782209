# SPDX-License-Identifier: MIT
"""The goals of tests/bench/node: ratios of medians of one guest, and what limits each."""
import statistics

import samples
from node_samples import LARGE, LIMIT, LOOKED, MANY, ONE, ONE_BYTES, PIECES

COPY = ('Both are one copy by the kernel between its memory and the user\'s. At 4 KiB the call is as much as the copy; with `max` the copy is '
        'all, for the kernel makes it by `rep movsb`, which QEMU runs byte by byte.')
LARGE_LIMIT = 'An entry of 2 MiB is one fault; what is left is QEMU\'s own look-up of each page that is touched.'
MANY_LIMIT = 'A fault that fills 512 entries has to write each of them, and to count each page.'
FUTEX = 'To wake a process takes most of the time for both; WAIT has looked for 10 us before it sleeps.'
LOOK = 'The timer looks after 1/64 of the time since the last change, so a change is seen half of that late, and at most all of it.'
IDLE = 'QEMU\'s own timers, and a look each 1/64 of the time since the last change, up to 50 ms.'
BELL = 'The interrupt goes through QEMU\'s main loop, which has to be woken, and wakes a virtual processor that sleeps.'
NOTES = [
    'What limits what. read() and write() are one copy, as far as user memory is mapped, and one look-up of the memory for 64 KiB; a file in '
    'tmpfs is looked up for each page, and so may be slower. With `rep movsb` (`max`) the copy itself is the limit under TCG.',
    'A mapping takes entries of 2 MiB with kernels from 6.1 on, on x86-64, with transparent huge pages, if the memory and the mapping are '
    'aligned to 2 MiB (mmap() without an address is); memories of 2 MiB and up are. Else, and with older kernels, '
    'on which it was never tried, a fault takes up to 512 pages. Without struct pages each entry is one page, but a fault takes as many.',
    'A waiter pays by what wakes it. Looks cost some microseconds each and come 64 times in the time since the last change, between the two '
    'limits of the setting: latency is about 1/128 of that time, and costs more the oftener a word changes. WAKE and the doorbell cost '
    'next to nothing until they come: a look each 100 ms. Percent are QEMU\'s, of one processor, the guest\'s work for the answer included; '
    'what is seldom and late, as the 99th of a hundred, is so because three threads share two processors here.',
]


class Medians:
    def __init__(self, label, cells):
        self.label, self.of = label, {(c.kind, c.way, c.size): statistics.median(c.values) for c in cells if c.values}

    def ratio(self, kind, way, other, size=0, other_size=None):
        return samples.ratio(self.of.get((kind, way, size)), self.of.get((kind, other, size if other_size is None else other_size)))

    def goal(self, what, wanted, reached, limit, better=None, most=False):
        return samples.goal(what, wanted, reached, self.label, better=better, most=most, limit=limit)


def copies(m):
    for call in 'read()', 'write()':
        for piece in PIECES:
            if (call, 'node', piece) in m.of:
                yield m.goal(f'{call} of the node against the kernel\'s copy, {piece >> 10} KiB at a time', .9,
                             m.ratio(call, 'node', LIMIT, piece), COPY, better=1)


def mappings(m):
    """The larger of two sizes is there for whoever reads the table."""
    size = min(size for kind, way, size in m.of if (kind, way) == ('map and read', LARGE))
    for touch in 'read', 'write':
        kind = f'map and {touch}'
        for way, wanted, limit in (LARGE, 10, LARGE_LIMIT), (MANY, 4, MANY_LIMIT):
            # Nanoseconds: the other's, by ours.
            yield m.goal(f'first {touch} of a mapping, {way}, against faults of one page', wanted,
                         m.ratio(kind, ONE, way, ONE_BYTES, size), limit)


def waits(m):
    within, quiet = 'wake-up within the guest', 'wake-up by the host, a change each 100 ms'
    yield m.goal('WAKE and WAIT within the guest against a futex', 1.3, m.ratio(within, 'WAIT, woken', 'futex'), FUTEX, 1.1, True)
    looked = m.of.get((quiet, LOOKED, 0))
    yield m.goal('a change after 100 ms is seen by looking, percent of that time later', 2, looked and looked / 1000, LOOK, most=True)
    yield m.goal('the doorbell against looking, after 100 ms', 1, m.ratio(quiet, 'doorbell', LOOKED), BELL, .5, True)
    yield m.goal('waiting for a word that does not change, percent of a processor', 1, m.of.get(('processor, no change', 'looks', 0)), IDLE,
                 most=True)


def goals(cells):
    """`cells` by processor. What only one guest has measured holds for all."""
    first = Medians('', next(iter(cells.values())))
    return [row for cpu in cells for row in copies(Medians(cpu, cells[cpu]))] + [*mappings(first), *waits(first)]
