# SPDX-License-Identifier: MIT
"""What tests/bench/guest measures: for each figure how one sample of it is taken, in the guest's own time."""
import os

from guest_machine import BARE, END
from stage import BUILD, PROGRAMS, M

PIECE = 65536
NODE, PLAIN_NODE = '/dev/ivshmem0', '/dev/ivshmem1'
BAR = f'/sys/bus/pci/devices/{BARE}/resource2_wc'
# The window of a copy has the size of a ring in the region that streams go through.
RING = 512 << 10
DIRECTIONS = ('out', 'to host'), ('in', 'to guest')
COPIES = 'memcpy', 'words', 'streaming loads', 'rep movsq', 'rep movsb'


class Cell:
    """One figure of one guest. take() gives samples; qemu, host: processor time of a sample, ms, of QEMU and of who serves lanes."""

    def __init__(self, machine, kind, way, size, take, unit='bytes/s'):
        self.machine, self.kind, self.way, self.size, self.take, self.unit = machine, kind, way, size, take, unit
        self.values, self.qemu, self.host = [], [], []

    def sample(self):
        pids = self.machine.vm.qemu.pid, self.machine.host[-1].pid
        before = [cpu_ns(pid) for pid in pids]
        self.values += self.take()
        for used, pid, then in zip((self.qemu, self.host), pids, before):
            used.append((cpu_ns(pid) - then) / 1e6)


def cpu_ns(pid):
    """Processor time, all threads."""
    total = 0
    for task in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{task}/schedstat') as f:
            total += int(f.read().split()[0])
    return total


class Cells:
    def __init__(self, machine):
        self.machine, self.vm, self.all = machine, machine.vm, []
        self.turns = 1000 if machine.size < 256 * M else 5000
        self.streams()
        self.others()
        self.commands()
        self.alone()
        self.trips()

    def add(self, kind, way, size, command, bytes_):
        """Bytes a second, of a command that prints seconds."""
        def take():
            seconds = float(self.vm.sh(f'{PROGRAMS}/{command}', 120))
            return [bytes_ / seconds]
        self.all.append(Cell(self.machine, kind, way, size, take))

    def streams(self):
        size = self.machine.size
        for direction, kind in DIRECTIONS:
            # More of what takes least time: a sample is to be longer than what a scheduler does meanwhile.
            for way, name, bytes_ in ('lane', 'ivpipe', 4 * size), ('digest', 'ivpipe-digest', size):
                self.add(kind, name, PIECE, f'guest_end stream {way} {NODE} {direction} {bytes_}', bytes_)

    def others(self):
        size = self.machine.size
        port = self.vm.sh('ls /dev/vport*')
        for direction, kind in DIRECTIONS:
            self.add(kind, 'virtio-serial', PIECE, f'guest_end stream file {port} {direction} {size // 4}', size // 4)
            self.add(kind, 'slirp TCP', PIECE, f'guest_end stream tcp {self.machine.port} {direction} {size // 16}', size // 16)
            self.add(kind, 'virtio-blk, O_DIRECT', 256 << 10, f'guest_alone file /dev/vda {direction} {256 << 10} {size} {size} direct',
                     size)
            # What cp and cat write at a time, and what suits 9p better.
            for piece in (128 << 10, M) if self.machine.has_9p else ():
                self.add(kind, '9p', piece, f'guest_alone file /tmp/p9/file {direction} {piece} {size} {size}', size)

    def commands(self):
        size, lanes = self.machine.sent, self.machine.memory['lanes'].path

        def take(guest, host):
            process = self.machine.start_host([f'{BUILD}/ivpipe', *host.split()])
            seconds = float(self.vm.sh(f'{PROGRAMS}/guest_alone run ivpipe {guest}', 120))
            if process.wait(60):
                raise SystemExit(f'status {process.returncode} from: ivpipe {host}')
            self.machine.host.remove(process)
            return [size / seconds]
        for option in '', ' --no-checksum':
            send, recv = f'send -q{option} -r', f'recv -q{option} -r'
            for kind, guest, host in (('to host', f'{send} {NODE} /tmp/file', f'{recv} {lanes} -o /dev/null'),
                                      ('to guest', f'{recv} {NODE} -o /dev/null', f'{send} {lanes} {self.machine.work}/file')):
                self.all.append(Cell(self.machine, kind, f'send and recv{option}', size,
                                     lambda guest=guest, host=host: take(guest, host)))

    def alone(self):
        size = self.machine.size // 2
        there = self.vm.run(f'{PROGRAMS}/guest_alone copies')[1].splitlines()
        for direction, kind in ('out', 'copy into the BAR'), ('in', 'copy out of the BAR'):
            for way in COPIES:
                if way in there:
                    self.add(kind, way, PIECE, f"guest_alone copy {BAR} '{way}' {direction} {RING} {size}", size)
        self.add('digest', 'XXH3-128', PIECE, f'guest_alone digest {size}', size)
        for direction, kind in ('out', 'write()'), ('in', 'read()'):
            for path, way in (PLAIN_NODE, 'node'), ('/tmp/file', 'tmpfs (the kernel\'s copy)'):
                self.add(kind, way, PIECE, f'guest_alone file {path} {direction} {PIECE} {16 * M} {size // 2}', size // 2)
        # Of the file that is sent, all of which no cache has.
        self.add('read()', 'a large file', PIECE, f'guest_alone file /tmp/file in {PIECE} {self.machine.sent} {size}', size)
        self.add('read()', 'the same, as send does', PIECE, f'guest_alone source /tmp/file {size}', size)

    def trips(self):
        def take(command, line):
            if line:
                self.machine.on_host([END, 'line', self.machine.memory['bare'].path, str(self.turns)])
            ns = float(self.vm.sh(f'{PROGRAMS}/guest_end trip {command} {self.turns}', 120))
            if line:
                self.machine.host.pop().wait(60)
            return [ns]
        for way, command, line in ('ivpipe', f'lane {NODE}', False), ('a polled line', f'line {BAR}', True):
            self.all.append(Cell(self.machine, 'round trip', way, 64, lambda c=command, n=line: take(c, n), 'ns'))

    def touch(self):
        """Once a boot: the program has rounds of its own."""
        rows = [[float(n) for n in line.split()] for line in self.vm.sh(f'{PROGRAMS}/guest_wait {PLAIN_NODE} touch', 300).splitlines()]
        size = int(rows[0][0])
        for column, way in (1, 'entries of 2 MiB'), (2, 'faults of up to 512 pages'), (4, 'faults of one page'):
            cell = Cell(self.machine, 'first touch', way, size, None, 'ns/page')
            cell.values = [row[column] for row in rows]
            self.all.append(cell)
