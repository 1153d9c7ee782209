# SPDX-License-Identifier: MIT
"""The driver lets go of the device while it is in use, and takes it again."""
from holder import Holder, hold_all
from scenario import M, Scenario
from streams import Endless, both_ways, start_udev


def while_held(t, vm, bind, unbind):
    holders = hold_all(vm)
    unbind()
    t.check(vm.run('test -e /dev/ivshmem0')[0] == 1, 'unbind: the node is gone')
    for holder in holders:
        holder.check_gone(t, 'unbind')
    bind()


def while_streaming(t, vm, region, bind, unbind):
    for direction in ('to guest', 'to host'):
        stream = Endless(t, vm, region, direction)
        unbind()
        stream.check_host(f'unbind under a stream {direction}')
        stream.check_guest(f'unbind under a stream {direction}')
        bind()


def many_times(t, vm, pci):
    held = Holder(vm, 'open')
    vm.sh(f'cd /sys/bus/pci/drivers/ivshmem; for i in $(seq 20); do echo {pci} > unbind; echo {pci} > bind; done', 120)
    held.check_gone(t, 'after twenty rounds')
    vm.sh('udevadm settle --timeout=30')
    vm.sh(f'echo {pci} > /sys/bus/pci/drivers/ivshmem/unbind; echo {pci} > /sys/bus/pci/drivers/ivshmem/bind')
    status, output = vm.run('udevadm wait --timeout=30 /dev/ivshmem0 && dd if=/dev/ivshmem0 of=/dev/null bs=1M')
    t.check(status == 0, 'after twenty rounds it works, under its first name', output)


def while_pinned(t, vm, pci, bind):
    """A page that sits in a pipe: removal does not wait for ever, and nothing is freed under the pipe."""
    holder = Holder(vm, 'pin')
    vm.sh(f'timeout 20 sh -c "echo {pci} > /sys/bus/pci/drivers/ivshmem/unbind"')
    status, output = vm.run(f'echo {pci} > /sys/bus/pci/drivers/ivshmem/bind')
    t.check(status != 0, 'the range is not taken while a page of it is pinned', output)
    status, output = holder.go_on()
    t.check(status == 0 and 'dropped' in output.splitlines(), 'the pinned page still had its bytes', output)
    status, output = vm.run(f'for i in $(seq 100); do echo {pci} > /sys/bus/pci/drivers/ivshmem/bind && exit; '
                            'usleep 100000; done 2>/dev/null; exit 1', 30)
    t.check(status == 0, 'it is taken again within 10 s of the last pin')
    vm.sh('udevadm wait --timeout=30 /dev/ivshmem0 && udevadm settle --timeout=30')


with Scenario('unbind while mapped, polled, pinned and streaming') as t:
    region = t.region(64 * M)
    vm = t.boot([region], parallel=True)
    start_udev(vm)
    pci = vm.sh('basename $(readlink -f /sys/class/ivshmem/ivshmem0/device)')

    def unbind():
        vm.sh(f'echo {pci} > /sys/bus/pci/drivers/ivshmem/unbind')

    def bind():
        vm.sh(f'echo {pci} > /sys/bus/pci/drivers/ivshmem/bind && udevadm wait --timeout=30 /dev/ivshmem0 && '
              'udevadm settle --timeout=30')

    while_held(t, vm, bind, unbind)
    many_times(t, vm, pci)
    while_pinned(t, vm, pci, bind)
    region.write(0, bytes(M))  # the holders wrote all over it
    both_ways(t, vm, region, 'after rebinding')
    while_streaming(t, vm, region, bind, unbind)
    both_ways(t, vm, region, 'after two streams were cut')
    vm.finish_and_stop()
