# SPDX-License-Identifier: MIT
"""The guest sleeps (S3) with the memory mapped and streaming, and is paused by its host."""
from holder import Holder
from scenario import M, Scenario
from streams import Endless, both_ways, start_udev


def suspend(t, vm, region):
    region.write(M, b'before the sleep')
    holder = Holder(vm, 'open')
    job = vm.spawn('echo mem > /sys/power/state')
    vm.qmp.wait_event('SUSPEND', 60)
    vm.qmp.command('system_wakeup')
    t.equal(job.wait(60), 0, 'the guest sleeps and wakes')
    status, output = holder.go_on()
    t.check(status == 0 and 'alive' in output.splitlines(), 'an open file works on', output)
    t.equal(vm.sh('dd if=/dev/ivshmem0 bs=16 skip=65536 count=1 2>/dev/null'), 'before the sleep', 'the memory is the same')


def pause(t, vm, region):
    """Longer than the peer's patience: dead to the host, and the guest learns it on its return."""
    stream = Endless(t, vm, region, 'to host')
    vm.qmp.command('stop')
    stream.check_host('paused under a stream')
    vm.qmp.command('cont')
    stream.check_guest('paused under a stream')


with Scenario('suspend to RAM, and a guest that is paused') as t:
    region = t.region(64 * M)
    vm = t.boot([region])
    start_udev(vm)
    suspend(t, vm, region)
    region.write(0, bytes(2 * M))
    both_ways(t, vm, region, 'after the sleep')
    pause(t, vm, region)
    both_ways(t, vm, region, 'after the pause')
    # Once it slept, QEMU's S5 takes effect only after the kernel warned that it is still there.
    vm.finish_and_stop(power_off=False)
