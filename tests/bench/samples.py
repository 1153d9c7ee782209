# SPDX-License-Identifier: MIT
"""What the parts of the benchmark have in common: programs, places, samples of both distances in an order drawn by lot, JSON.

A part is a command `tests/bench/PART [--quick | --tiny] --json` that prints one object:

    command     what somebody would type to measure it again
    figures     [{kind, way, size, label, unit, median, least, most, n}]
    goals       [{figure, goal, better, most, label, reached, limit, of}]: `most` says that less is better; `better` is what would
                be even better; `reached` is null where nothing was measured; `limit` is a sentence on what limits it; `of` are
                [kind, way, size] of what it is made of. One that was missed has `profiles`, [{kind, way, size, label, ends:
                [{end, samples, share, functions: [[percent, function, object]]}]}], or says why not in `no_profile`
    curves      [{name, title, x, y, lines: [{kind, way, right}], why}], where there are any
    notes       sentences
    left_out    peers whose libraries are not there

`label` tells how far apart the first two processors were, before and after a sample: near, far, or empty where there is but
one. A sample during which they moved is dropped. --tiny measures next to nothing: whether all works, not how fast.
"""
import argparse
import contextlib
import json
import os
import random
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCES = os.path.join(ROOT, 'tests', 'bench')
BUILD = os.path.join(ROOT, 'build')
TOOLS = os.path.join(BUILD, 'bench')
IVPIPE = os.path.join(BUILD, 'ivpipe')
FAR_NS = 250
PATIENCE = 60


def arguments(what):
    parser = argparse.ArgumentParser(description=what.split('\n', maxsplit=1)[0])
    parser.add_argument('--json', action='store_true', help='the one format there is')
    parser.add_argument('--quick', action='store_true', help='few and short samples')
    parser.add_argument('--tiny', action='store_true', help='next to none: whether all works, not how fast')
    parser.add_argument('--profile', action='store_true', help='where time goes for all goals, not only for those that were missed')
    options = parser.parse_args()
    options.quick |= options.tiny
    # What is in the memory file system goes, too, when this is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return options


def command(options):
    part = os.path.join('tests', 'bench', os.path.basename(sys.argv[0]))
    return ' '.join([part] + ['--quick'] * (options.quick and not options.tiny) + ['--tiny'] * options.tiny + ['--json'])


def make():
    """Helper and programs, as far as they are not there."""
    for place in 'user', 'tests/bench':
        subprocess.run(['make', '-s', '-j2', '-C', os.path.join(ROOT, place)], check=True, stdout=sys.stderr)


def missing():
    """Peers whose libraries are not there."""
    done = subprocess.run(['make', '-s', '-C', SOURCES, 'missing'], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.split()


# What all programs of ours are started by, meanwhile.
starter = []


@contextlib.contextmanager
def under(argv):
    starter[:] = argv
    try:
        yield
    finally:
        starter.clear()


def tool(name, *args, prefix=()):
    """The numbers that a program of ours prints."""
    argv = [*starter, *prefix, os.path.join(TOOLS, name), *map(str, args)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    if done.returncode:
        raise RuntimeError(f'it ended with {done.returncode}: {shlex.join(argv)}')
    return [float(word) for word in done.stdout.split()]


class Place:
    """A directory in the memory file system, gone at the end."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix='ivpipe-bench-', dir='/dev/shm')
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def fresh(self, name):
        """A directory of a sample's own; or the name of a file that is not there."""
        path = self.path(name)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.unlink(path)
        return path

    def named(self, name, program):
        """The same program, as a process of that name: which end is which can be seen."""
        path = self.path(name)
        if not os.path.lexists(path):
            os.symlink(shutil.which(program), path)
        return path

    def region(self, name, size, *options):
        path = self.path(name)
        subprocess.run([IVPIPE, 'format', '-q', '--create', '--size', str(size), *options, path], check=True)
        return path


def info(region):
    done = subprocess.run([IVPIPE, 'info', '--json', region], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


class Probe:
    """How far apart the processors are, now."""

    def __init__(self):
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen([os.path.join(TOOLS, 'pingpong')], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.ns = float(self.process.stdout.readline())

    def label(self):
        """Asked again where the processors were too busy for an answer; one alone never has any."""
        for _ in range(5 if len(os.sched_getaffinity(0)) > 1 else 1):
            self.process.stdin.write('\n')
            self.process.stdin.flush()
            self.ns = float(self.process.stdout.readline())
            if self.ns:
                return 'near' if self.ns < FAR_NS else 'far'
        return ''

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Samples:
    """Cells, and what was measured of each: by (kind, way, size) and label."""

    def __init__(self):
        self.cells, self.units, self.values = {}, {}, {}
        self.dropped, self.notes, self.least = 0, [], 1

    def add(self, kind, way, size, unit, call):
        """What `call` returns is one sample of it."""
        self.cells[kind, way, size] = call
        self.units[kind] = unit

    def count(self, cell, label):
        return len(self.values.get((cell, label), ()))

    def take(self, cell, label, probe):
        try:
            value = self.cells[cell]()
        except (RuntimeError, subprocess.SubprocessError) as error:
            # One that fails is left out, and named; the others are no worse for it.
            self.notes.append(f'{cell[0]}, {cell[1]}, {cell[2]}: {error}')
            del self.cells[cell]
            return
        if probe.label() != label:
            self.dropped += 1
        else:
            self.values.setdefault((cell, label), []).append(value)

    def run(self, want, seconds):
        """So many samples of each cell for each distance that comes; those of a rare one as far as there is time for them.

        Drawn by lot from the cells that have the fewest for the distance that is: all have had the same when time is up.
        """
        probe = Probe()
        seen = set()
        self.least = min(want, 3)
        began = time.monotonic()
        end, enough = began + seconds, None
        try:
            while self.cells:
                label = probe.label()
                seen.add(label)
                now = time.monotonic()
                least = min(self.count(cell, label) for cell in self.cells)
                missing = any(self.count(cell, other) < want for cell in self.cells for other in seen)
                # Until each cell has one there is no end: figures have to be there.
                if now > end and self.complete(seen):
                    break
                if not missing:
                    # As long again, for the processors to move; where they never do, or nobody needs it, that is all.
                    enough = enough or now
                    if len(seen) > 1 or want < 3 or '' in seen or now > 2 * enough - began:
                        break
                if least >= want:
                    # The other distance is what is missing; it comes by itself.
                    time.sleep(0.1)
                    continue
                self.take(random.choice([cell for cell in self.cells if self.count(cell, label) == least]), label, probe)
                progress(f'{sum(map(len, self.values.values()))} samples, {len(self.cells)} figures, {label}')
        finally:
            probe.close()
            progress('')

    def complete(self, seen):
        return any(all(self.count(cell, label) for cell in self.cells) for label in seen)

    def labels(self):
        return sorted({label for _, label in self.values}, key=lambda label: ('near', 'far', '').index(label))

    def median(self, kind, way, size, label):
        """None: there are too few to say anything by."""
        values = self.values.get(((kind, way, size), label), ())
        return statistics.median(values) if len(values) >= self.least else None

    def figures(self):
        return [figure(kind, way, size, label, self.units[kind], values)
                for ((kind, way, size), label), values in sorted(self.values.items())]


def figure(kind, way, size, label, unit, values):
    return {'kind': kind, 'way': way, 'size': size, 'label': label, 'unit': unit, 'median': statistics.median(values),
            'least': min(values), 'most': max(values), 'n': len(values)}


def goal(what, wanted, reached, label='', better=None, most=False, limit='', of=()):
    return {'figure': what, 'goal': wanted, 'better': better, 'most': most, 'label': label, 'reached': reached, 'limit': limit,
            'of': of}


def missed(one):
    return one['reached'] is not None and (one['reached'] > one['goal'] if one['most'] else one['reached'] < one['goal'])


def ratio(ours, theirs):
    return ours / theirs if ours and theirs else None


def below_copies(label, dual, ours, theirs):
    """How much there is to be had against them: what no stream exceeds, and what is missing to that."""
    if not (dual and ours and theirs):
        return ''
    where = f'{label.capitalize()}, two' if label else 'Two'
    return f'{where} copies where nobody waits would be {dual / theirs:.2f} times it; ours has {ours / dual:.2f} of that. '


def progress(text):
    if sys.stderr.isatty():
        print(f'\r\033[K{os.path.basename(sys.argv[0])}: {text}' if text else '\r\033[K', end='', file=sys.stderr, flush=True)


def tell(options, figures, goals, **more):
    json.dump({'command': command(options), 'figures': figures, 'goals': goals, **more}, sys.stdout)
    print()
