# SPDX-License-Identifier: MIT
"""Somebody else's bytes before a start, and random bytes over everything while streams run."""
import mmap
import os
import random
import threading

from scenario import M, Scenario, digest
from streams import both_ways, guest_digest, make_file, start_udev
from vm import KVM_USER

SEED = int(os.environ.get('IVPIPE_SEED', '1'))
DEADLINE = 60  # --wait, --timeout, --peer-timeout and the transfer itself, and a margin


class Scribbler:
    """Writes random bytes at random places of a part of the region, until it is stopped."""

    def __init__(self, region, start, size, pause):
        self.region, self.start, self.size, self.pause = region, start, size, pause
        self.rng, self.enough = random.Random(f'{SEED} {start} {size}'), threading.Event()
        self.thread = threading.Thread(target=self.scribble, daemon=True)
        self.thread.start()

    def scribble(self):
        with open(self.region.path, 'r+b') as f, mmap.mmap(f.fileno(), self.region.size) as memory:
            while not self.enough.wait(self.pause):
                length = self.rng.choice((4, 8, 64, 512))
                place = self.start + self.rng.randrange(0, self.size - length, 4)
                memory[place:place + length] = self.rng.randbytes(length)

    def stop(self):
        self.enough.set()
        self.thread.join(10)


def garbage_at_start(t, vm, region):
    region.write(0, os.urandom(M))
    host = t.ivpipe('recv', '-r', region.path, '--wait', '3s', '-o', f'{t.work}/never')
    t.equal(host.wait(20), 3, 'the host refuses to lay out over somebody else\'s bytes')
    t.matches(host.errors, 'ivpipe format', 'and names the command that would')
    status, output = vm.run('ivpipe send -r /dev/ivshmem0 --wait 3s /etc/passwd', user=KVM_USER)
    t.check(0 < status < 126, 'the guest does not take them for a region', f'{status} {output}')
    t.equal(t.ivpipe('format', region.path, '--force').wait(20), 0, 'format --force takes the memory')


def check_end(t, what, sender, receiver, wanted, got):
    """A code of the documented ones; and 0 only when the file is whole."""
    t.check(sender in range(9) and receiver in range(9), f'{what}: both ends exit by themselves', (sender, receiver))
    t.check(receiver != 0 or got == wanted, f'{what}: code 0 means a whole file (codes {sender}, {receiver})')
    t.check(sender != 0 or receiver == 0, f'{what}: a sender that says done was right', (sender, receiver))


def round_of_streams(t, vm, region, node, what, size, start, length, pause, flowing):
    """A stream each way at once; the scribbling begins before them, or when both are connected."""
    options = '-v --wait 5s --timeout 5s'
    host_file, host_wanted = t.random_file(size)
    guest_wanted = make_file(vm, '/tmp/hostile', size)
    target = f'{t.work}/hostile'
    scribbler = None if flowing else Scribbler(region, start, length, pause)
    guest_recv = vm.spawn(f'ivpipe recv -r {node} -s a {options} -o /tmp/hostile-in', KVM_USER)
    recv = t.ivpipe('recv', '-r', region.path, '-s', 'b', *options.split(), '-o', target)
    send = t.ivpipe('send', '-r', region.path, '-s', 'a', *options.split(), host_file)
    guest_send = vm.spawn(f'ivpipe send -r {node} -s b {options} /tmp/hostile', KVM_USER)
    if flowing:
        connected = send.wait_for_error('connected') and recv.wait_for_error('stream ')
        t.check(connected, f'{what}: the streams began', f'{send.errors}\n{recv.errors}')
        scribbler = Scribbler(region, start, length, pause)
    codes = [end.wait(DEADLINE) for end in (send, guest_recv, guest_send, recv)]
    scribbler.stop()
    check_end(t, f'{what}, host to guest', codes[0], codes[1], host_wanted,
              guest_digest(vm, '/tmp/hostile-in') if codes[1] == 0 else None)
    check_end(t, f'{what}, guest to host', codes[2], codes[3], guest_wanted, digest(target) if codes[3] == 0 else None)
    vm.sh('rm -f /tmp/hostile-in')


def lay_out(t, region, what, *options):
    t.equal(t.ivpipe('format', region.path, '--force', *options).wait(20), 0, f'{what}: laid out again')


with Scenario('garbage at the start, and scribbling under streams', deadline=420) as t:
    large, small = t.region(16 * M), t.region(2 * M)
    vm = t.boot([large, small])
    start_udev(vm)
    t.note(f'IVPIPE_SEED={SEED}')
    garbage_at_start(t, vm, large)
    both_ways(t, vm, large, 'after formatting')

    for what, start, length, pause in (('slow, everywhere', 0, large.size, 0.01), ('fast, everywhere', 0, large.size, 0),
                                       ('the first page', 0, 4096, 0.02), ('the first 64 KiB', 0, 65536, 0.005)):
        round_of_streams(t, vm, large, '/dev/ivshmem0', what, 8 * M, start, length, pause, flowing=False)
        lay_out(t, large, what)

    # One lane a side: whatever is hit is in use.
    lay_out(t, small, 'two lanes', '--lanes', '2')
    for length, pause in ((192, 0.05), (160, 0.001), (160, 0), (64, 0.005), (16, 0.01), (4, 0.1)):
        what = f'two lanes, under way, the first {length} KiB'
        round_of_streams(t, vm, small, '/dev/ivshmem1', what, 16 * M, 0, length * 1024, pause, flowing=True)
        lay_out(t, small, what, '--lanes', '2')
    for region, node in ((large, '/dev/ivshmem0'), (small, '/dev/ivshmem1')):
        both_ways(t, vm, region, 'when the scribbling is over', node=node)
    vm.finish_and_stop()
