# SPDX-License-Identifier: MIT
"""Unplugged and plugged in again, round after round, each time under a stream and with waiters; and nothing is left behind.

IVPIPE_ROUNDS: how many, 10 by default. A kernel with kmemleak is asked for leaks, too.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'kunit'))
from guest import check_health, forget_leaks  # noqa: E402
from scenario import M, Scenario  # noqa: E402
from streams import Endless, both_ways, start_udev  # noqa: E402
from vm import plain_device, root_port  # noqa: E402
from waiters import NEVER, Waiter  # noqa: E402

ROUNDS = int(os.environ.get('IVPIPE_ROUNDS', '10'))
WAYS = ('wait', 'poll', 'epoll', 'edge', 'fork', 'fired')


def one_round(t, vm, region, number, name, memory):
    """Cut, and plugged in again under another name; returns that, and its memory's."""
    what, way = f'round {number}', WAYS[number % len(WAYS)]
    stream = Endless(t, vm, region, ('to host', 'to guest')[number % 2])
    # The superblock's first word, which a stream does not change.
    waiters = [Waiter(vm, way, offset=0), Waiter(vm, 'wait', 0, NEVER)]
    vm.unplug(name, memory)
    for waiter in waiters:
        waiter.check_gone(t, what)
    stream.check_host(what)
    stream.check_guest(what)
    name = f'round{number}'
    memory = vm.plug(region, name, 'rp1')
    vm.sh('udevadm wait --timeout=30 /dev/ivshmem0 && udevadm settle --timeout=30')
    return name, memory


def held(vm):
    """What grows if a round leaves something behind: mappings of the kernel's, device numbers, open files."""
    vm.sh('sync; echo 3 > /proc/sys/vm/drop_caches')
    counts = {'vmalloc': vm.sh('grep -c ivshmem /proc/vmallocinfo || true'),
              'iomem': vm.sh('grep -ci ivshmem /proc/iomem || true'),
              'class': vm.sh('ls /sys/class/ivshmem | wc -l')}
    return {what: int(count) for what, count in counts.items()}


with Scenario(f'{ROUNDS} rounds of unplugging under load', deadline=120 + 60 * ROUNDS) as t:
    shared = t.region(64 * M)
    guest = t.boot(devices=[*root_port(), *plain_device(shared, bus='rp1')])
    start_udev(guest)
    watched = guest.run('test -e /sys/kernel/debug/kmemleak')[0] == 0
    if watched:
        forget_leaks(guest)
    device, backend = one_round(t, guest, shared, 0, 'shm0', 'shm0-memory0')
    before = held(guest)
    for n in range(1, ROUNDS):
        device, backend = one_round(t, guest, shared, n, device, backend)
    t.equal(held(guest), before, 'the kernel holds what it held after the first round')
    both_ways(t, guest, shared, 'after the last round')
    if watched:
        check_health(t, guest, 'after the last round')
    guest.finish_and_stop()
