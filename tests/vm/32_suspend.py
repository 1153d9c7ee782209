# SPDX-License-Identifier: MIT
"""The guest sleeps (S3) with the memory mapped and streaming, and is paused by its host."""
from holder import Holder
from scenario import M, Scenario
from streams import Endless, both_ways, start_udev


def suspend(t, vm, region, other):
    """With a stream under way through the other device, for longer than its host is patient."""
    region.write(M, b'before the sleep')
    holder = Holder(vm, 'open')
    stream = Endless(t, vm, other, 'to host', node='/dev/ivshmem1')
    job = vm.spawn('echo mem > /sys/power/state')
    vm.qmp.wait_event('SUSPEND', 60)
    stream.check_host('asleep under a stream')
    vm.qmp.command('system_wakeup')
    t.equal(job.wait(60), 0, 'the guest sleeps and wakes')
    stream.check_guest('asleep under a stream')
    status, output = holder.go_on()
    t.check(status == 0 and 'alive' in output.splitlines(), 'an open file works on', output)
    t.equal(vm.sh('dd if=/dev/ivshmem0 bs=16 skip=65536 count=1 2>/dev/null'), 'before the sleep', 'the memory is the same')
    both_ways(t, vm, other, 'after a sleep under a stream', size=M, node='/dev/ivshmem1')


def pause(t, vm, region):
    """Longer than the peer's patience: dead to the host, and the guest learns it on its return."""
    stream = Endless(t, vm, region, 'to host')
    vm.qmp.command('stop')
    stream.check_host('paused under a stream')
    vm.qmp.command('cont')
    stream.check_guest('paused under a stream')


with Scenario('suspend to RAM, and a guest that is paused') as t:
    region, other = t.region(64 * M), t.region(16 * M)
    vm = t.boot([region, other])
    start_udev(vm)
    suspend(t, vm, region, other)
    region.write(0, bytes(2 * M))
    both_ways(t, vm, region, 'after the sleep')
    pause(t, vm, region)
    both_ways(t, vm, region, 'after the pause')
    # Once it slept, QEMU's S5 takes effect only after the kernel warned that it is still there.
    vm.finish_and_stop(power_off=False)
