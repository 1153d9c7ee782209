# SPDX-License-Identifier: MIT
"""The goals of tests/bench/guest: ratios of medians of one run, and what limits one that was missed, as counters of that run tell."""
import statistics

PIECE = 65536
WORDS = {'to host': 'guest to host', 'to guest': 'host to guest'}


class Figures:
    """The cells of one guest."""

    def __init__(self, label, cells):
        self.label, self.cells = label, cells

    def of(self, kind, way, size=None):
        for cell in self.cells:
            if (cell.kind, cell.way) == (kind, way) and size in (None, cell.size):
                return cell
        return None

    def median(self, kind, way, size=None):
        cell = self.of(kind, way, size)
        return statistics.median(cell.values) if cell else None

    def best_copy(self):
        return max((statistics.median(c.values), c.way) for c in self.cells if c.kind == 'copy into the BAR')


def goal(figures, name, ours, theirs, least, better, limit):
    reached = ours / theirs if ours and theirs else None
    missed = reached is not None and reached < least
    return {'figure': name, 'goal': least, 'better': better, 'most': False, 'label': figures.label, 'reached': reached,
            'limit': 'not there in this guest' if reached is None else limit() if missed else ''}


def who_waits(figures, kind):
    """Processor time of a sample, its connecting included."""
    cell = figures.of(kind, 'ivpipe')
    qemu, host = statistics.median(cell.qemu), statistics.median(cell.host)
    return (f'a sample takes QEMU {qemu:.0f} ms of processor time and the host\'s end {host:.0f} ms: '
            f'the {"guest" if qemu > host else "host"} has more to do')


def against(figures, kind, other, least):
    """No stream is faster than the copy that it makes."""
    copy, way = figures.best_copy()
    if copy / other < least:
        return lambda: f'the copy alone ({way}) is {copy / other:.1f} times as fast'
    return lambda: who_waits(figures, kind)


def parts(figures, kind, way):
    """What a command does with each byte, one after the other, by what each takes alone in the same guest."""
    cell = figures.of(kind, way)
    copy = figures.best_copy()[0]
    whole = cell.size / statistics.median(cell.values)
    each = {'the copy': copy}
    if 'no-checksum' not in way:
        each['the digest'] = figures.median('digest', 'XXH3-128')
    if kind == 'to host':
        each['reading the file'] = figures.median('read()', 'the same, as send does')
    seconds = {name: cell.size / speed for name, speed in each.items()}
    told = ', '.join(f'{name} {s:.2f} s' for name, s in sorted(seconds.items(), key=lambda item: -item[1]))
    rest = whole - sum(seconds.values())
    # Alone each was slower, or another processor worked at the same time.
    rest = f'all else, with start and connecting, {rest:.2f} s' if rest > 0 else 'and nothing that can be seen for all else'
    return f'of {whole:.2f} s for {cell.size >> 20} MiB: {told}, {rest}'


def of_stream(figures, kind):
    stream, digest = figures.median(kind, 'ivpipe'), figures.median(kind, 'ivpipe-digest')
    copy, memcpy = figures.best_copy()[0], figures.median('copy into the BAR', 'memcpy')
    plain = {'max': (5, 8), 'qemu64': (1.4, 1.8)}[figures.label]
    serial = {'to host': (4, 5), 'to guest': (15, 25)}[kind]
    rows = [('the best copy into the BAR', copy, .8, .95), ('memcpy into resource2_wc', memcpy, *plain)]
    for way, size, least, better in (('virtio-serial', PIECE, *serial), ('virtio-blk, O_DIRECT', 256 << 10, 3, 4),
                                     ('9p', 128 << 10, 4, 5), ('9p', 1 << 20, 4, 5), ('slirp TCP', PIECE, 30, 60)):
        rows.append((f'{way}, {size >> 10} KiB at a time', figures.median(kind, way, size), least, better))
    for name, other, least, better in rows:
        yield goal(figures, f'stream {WORDS[kind]} against {name}', stream, other, least, better,
                   against(figures, kind, other, least) if other else None)
    for way, name, other in (('send and recv', 'with its digest', digest), ('send and recv', 'without a digest', stream),
                             ('send and recv --no-checksum', 'without a digest', stream)):
        yield goal(figures, f'{way}, {WORDS[kind]}, against the library\'s stream {name}', figures.median(kind, way), other, .6, .8,
                   lambda way=way: parts(figures, kind, way))


def goals(figures):
    return [row for kind in WORDS for row in of_stream(figures, kind)]
