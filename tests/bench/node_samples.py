# SPDX-License-Identifier: MIT
"""What tests/bench/node measures: for each figure how one sample of it is taken."""
import random
import statistics
import time

from stage import PROGRAMS, M

PAGE = 4096
PIECES = 4096, 65536, M
WINDOW, COPIED = 16 * M, 32 * M
LIMIT = "tmpfs (the kernel's copy)"
LARGE, MANY, ONE, POPULATE = ('entries of 2 MiB', 'faults of up to 512 pages', 'faults of one page', 'entries of 2 MiB, MAP_POPULATE')
HOW = {LARGE: 'large', MANY: 'many', POPULATE: 'populate'}
FILE = 'a file in tmpfs'
# As many as stay below the limit of mappings that a process may have.
ONE_BYTES = 32 * M
DEFAULT = 70, 50000
LOOKS = DEFAULT, (10, 1000), (1000, 100000)  # poll_min_us and poll_max_us
SPINS = 'spins, and no call'
LOOKED = 'looks each 70 us to 50 ms'
QUIET_MS = 1, 10, 100
PATIENCE = 120


class Cell:
    """One figure of one guest."""

    def __init__(self, kind, way, size, unit, take=None, values=()):
        self.kind, self.way, self.size, self.unit, self.take, self.values = kind, way, size, unit, take, list(values)


class Cells:
    """`drawn`: those whose samples are taken in an order drawn by lot. `waits`: those that have been taken."""

    def __init__(self, machine, quick):
        self.machine, self.vm, self.quick, self.drawn, self.waits = machine, machine.vm, quick, [], []
        self.copies()

    def program(self, command):
        return self.vm.sh(f'{PROGRAMS}/{command}', PATIENCE)

    def copies(self):
        bytes_ = COPIED // 8 if self.quick else COPIED
        window = min(WINDOW, bytes_)
        for call in 'read', 'write':
            for path, way in (self.machine.node['plain'], 'node'), (self.machine.file(WINDOW), LIMIT):
                for piece in PIECES[1:2] if self.quick else PIECES:
                    def take(command=f'node_alone copy {path} {call} {piece} {window} {bytes_}'):
                        return [bytes_ / float(self.program(command))]
                    self.drawn.append(Cell(f'{call}()', way, piece, 'bytes/s', take))

    def mappings(self):
        """Of up to 1 GiB, and a file's for comparison."""
        # Once for the host, to whom the memory is new.
        self.program(f"node_alone map {self.machine.node['plain']} {self.machine.size} large write 1")
        size = min(1024 * M, self.machine.size)
        for touch in 'read', 'write':
            for way in HOW:
                self.drawn.append(self.mapping(touch, way, size))
            self.drawn.append(self.mapping(touch, ONE, ONE_BYTES))
            self.drawn.append(self.mapping(touch, FILE, ONE_BYTES))

    def whole(self):
        """Of all there is, once: as often as the others it would take its time."""
        for touch in ('read', 'write') if self.machine.size > 1024 * M else ():
            for way in LARGE, MANY:
                cell = self.mapping(touch, way, self.machine.size)
                cell.values = cell.take()
                self.waits.append(cell)

    def mapping(self, touch, way, size):
        path = self.machine.file(size) if way == FILE else self.machine.node['plain']
        how = {**HOW, ONE: 'one', FILE: 'many'}[way]

        def take():
            mapped, touched, _ = map(int, self.program(f'node_alone map {path} {size} {how} {touch} 1').split())
            return [(mapped + touched) / (size / PAGE)]
        return Cell(f'map and {touch}', way, size, 'ns/page', take)

    # ---- waiting ----

    def waiting(self):
        self.within()
        for low, high in LOOKS[:1] if self.quick else LOOKS:
            self.set_looks(low, high)
            self.across('plain', 'wait', f'looks each {low} us to {high / 1000:g} ms')
        self.set_looks(*DEFAULT)
        if not self.quick:
            self.across('plain', 'spin', SPINS)
        self.across('door', 'wait', 'doorbell')
        self.idle()

    def set_looks(self, low, high):
        self.machine.parameter('poll_min_us', low)
        self.machine.parameter('poll_max_us', high)

    def within(self):
        """From one process of the guest to another, by turns."""
        lines = self.program(f"guest_wait {self.machine.node['plain']} latency {15 if self.quick else 150}").splitlines()
        for way, column in zip(('WAIT, woken', 'WAIT, woken, and looks', 'futex'), zip(*(line.split() for line in lines))):
            self.add_wait('within the guest', way, [int(n) / 1000 for n in column])

    def add_wait(self, where, way, micros):
        self.waits.append(Cell(f'wake-up {where}', way, 0, 'us', values=micros))
        if len(micros) >= 100:
            self.waits.append(Cell(f'wake-up {where}, p99', way, 0, 'us', values=[statistics.quantiles(micros, n=100)[-1]]))

    def across(self, model, how, way):
        for quiet in QUIET_MS[:2] if way == SPINS else QUIET_MS:
            count = max(3 if self.quick else 10, (20 if self.quick else 200) // quiet)
            micros, percent = self.echoes(model, how, quiet, count)
            where = f'by the host, a change each {quiet} ms'
            self.add_wait(where, way, micros)
            self.waits.append(Cell(f'processor, a change each {quiet} ms', way, 0, '%', values=[percent]))

    def echoes(self, model, how, quiet, count):
        """Microseconds from the host's store to the guest's, and what QEMU used meanwhile."""
        words, ring = self.machine.words[model], self.machine.ring if model == 'door' else lambda: None
        words.reset(0)
        job = self.vm.spawn(f'exec {PROGRAMS}/guest_wait {self.machine.node[model]} echo {how} 0 {count + 3}')
        job.wait_for('ready')
        micros = []
        for value in range(1, count + 4):
            if value == 4:  # the first changes come out of a silence
                began, used = time.perf_counter(), self.machine.cpu_ns()
            time.sleep(random.uniform(0.5, 1.5) * quiet / 1000)  # the traffic that is measured
            micros.append(words.trip(value, ring) / 1000)
        percent = self.percent(began, used)
        job.wait()
        return micros[3:], percent

    def percent(self, began, used):
        """Of a processor, since then; a hundredth is as good as nothing."""
        return max(0.01, (self.machine.cpu_ns() - used) / 1e7 / (time.perf_counter() - began))

    def idle(self):
        """For a word that does not change, once the looks have become seldom."""
        settle, seconds = (0.2, 0.3) if self.quick else (1.5, 1.5)
        for way, model in ('nobody waits', None), ('looks', 'plain'), ('doorbell', 'door'):
            job = model and self.vm.spawn(f'exec {PROGRAMS}/guest_wait {self.machine.node[model]} idle 5')
            if job:
                job.wait_for('ready')
            time.sleep(0 if model == 'door' else settle)  # a silence, and then more of it, which is measured
            began, used = time.perf_counter(), self.machine.cpu_ns()
            time.sleep(seconds)
            self.waits.append(Cell('processor, no change', way, 0, '%', values=[self.percent(began, used)]))
            if job:
                job.kill()
                job.wait()
