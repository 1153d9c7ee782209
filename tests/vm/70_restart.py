# SPDX-License-Identifier: MIT
"""Guests that reboot, panic or vanish, hosts that die, and what an earlier run left in the memory."""
from scenario import M, Scenario
from streams import Endless, both_ways, start_udev

with Scenario('guest reboot, QEMU killed, host end killed, stale contents') as t:
    region = t.region(64 * M)
    vm = t.boot([region])
    start_udev(vm)

    for direction in ('to guest', 'to host'):
        stream = Endless(t, vm, region, direction)
        stream.host.kill()
        code = stream.guest.wait(5)
        t.equal(code, 8, f'the host\'s end is killed, stream {direction}: the guest exits 8 in time')
        both_ways(t, vm, region, f'after that, stream {direction}')

    for direction in ('to guest', 'to host'):
        stream = Endless(t, vm, region, direction)
        vm.finish()
        vm.reset()
        stream.check_host(f'reset under a stream {direction}')
        start_udev(vm)
        both_ways(t, vm, region, f'after a reset, stream {direction}')

    for direction in ('to guest', 'to host'):
        stream = Endless(t, vm, region, direction)
        vm.kill()
        stream.check_host(f'QEMU killed under a stream {direction}')
        vm.start()
        start_udev(vm)
        both_ways(t, vm, region, f'with the next QEMU, stream {direction}')

    stream = Endless(t, vm, region, 'to host')
    vm.spawn('echo c > /proc/sysrq-trigger')
    stream.check_host('the guest\'s kernel panics under a stream')
    vm.kill()
    vm.start()
    start_udev(vm)
    both_ways(t, vm, region, 'after a panic')
    vm.finish_and_stop()
