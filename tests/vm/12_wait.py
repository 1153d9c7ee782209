# SPDX-License-Identifier: MIT
"""WAIT, WAKE and WATCH: their rules, on four sizes of memory and for 32-bit callers; crowds; nothing runs while nobody waits."""
import os

from scenario import M, Scenario
from streams import start_udev
from vm import KVM_USER
from waiters import NEVER, WAYS, Waiter, no_32_bits, store, until_timers

SIZES = {'64 MiB': 64 * M, '1 MiB': M, '4 KiB': 4096, '1 KiB': 1024}
ROUNDS = os.environ.get('IVPIPE_ROUNDS', '100000')
SECONDS = os.environ.get('IVPIPE_SECONDS', '15')  # of each ping-pong, at most
DEVICE = '/usr/lib/ivpipe/device'


def programs(t, vm, name, where):
    """The program as it is, and as a 32-bit one; where and what it is called with."""
    for suffix, label in (('', ''), ('32', ', 32 bits')):
        if suffix and (why := no_32_bits(vm, name)):
            t.skip(f'{name}{label}', why)
            continue
        for what, args in where:
            status, output = vm.run(f'{DEVICE}/{name}{suffix} {args}', 200, KVM_USER)
            t.subtests(output, status, f'{name}{label}, {what}')
            t.note('\n'.join(line[2:] for line in output.splitlines() if line.startswith('# ')))


def example(t, vm, node):
    for suffix in ('', '32'):
        if suffix and (why := no_32_bits(vm, 'example')):
            t.skip('the example, 32 bits', why)
            continue
        status, output = vm.run(f'{DEVICE}/example{suffix} {node}', 60, KVM_USER)
        t.check(status == 0 and output.startswith('100 turns in 64 MiB at 0000:'), f'the example{suffix} takes its turns',
                f'{status}: {output}')


def from_the_host(t, vm, region, node):
    """Another machine's store: nobody says WAKE."""
    for way in WAYS:
        store(region, M, 0)
        waiter = Waiter(vm, way, node=node)
        store(region, M, 7)
        waiter.check_changed(t, 'the host stores', 7)


def nothing_runs(t, vm, region, node):
    t.check(until_timers(vm, False), 'nobody waits: the driver has no timer')
    for way in ('wait', 'poll'):
        store(region, M, 0)
        waiter = Waiter(vm, way, node=node)
        t.check(until_timers(vm, True), f'{way}: it has one')
        store(region, M, 1)
        waiter.check_changed(t, 'with a timer', 1)
        t.check(until_timers(vm, False), f'{way}: and none when it is over')
        store(region, M, 0)
        waiter = Waiter(vm, way, poll_us=NEVER, node=node)
        t.check(until_timers(vm, False), f'{way} with IVSHMEM_POLL_NEVER: none')
        waiter.end()
        waiter = Waiter(vm, way, node=node)
        waiter.end()
        t.check(until_timers(vm, False), f'{way}, killed: none')
    fired = Waiter(vm, 'fired', node=node)
    t.check(until_timers(vm, False), 'a watch that fired: none')
    fired.end()


with Scenario('waiting on words', deadline=900) as t:
    regions = [t.region(size) for size in SIZES.values()]
    vm = t.boot(regions, parallel=True)
    start_udev(vm)
    nodes = {}
    for line in vm.sh('cd /sys/class/ivshmem; for n in *; do echo $n $(cat $n/size); done').splitlines():
        name, size = line.split()
        nodes[int(size)] = f'/dev/{name}'
    on_all = [(label, nodes[size]) for label, size in SIZES.items()]
    largest = nodes[64 * M]
    programs(t, vm, 'wait', on_all)
    programs(t, vm, 'watch', on_all)
    programs(t, vm, 'crowd', [('64 MiB', f'{largest} {ROUNDS} {SECONDS}')])
    example(t, vm, largest)
    from_the_host(t, vm, regions[0], largest)
    nothing_runs(t, vm, regions[0], largest)
    vm.finish_and_stop()
