# SPDX-License-Identifier: MIT
"""The driver lets go of the device while it is in use, and takes it again."""
from holder import Holder
from scenario import M, Scenario
from streams import Endless, both_ways, start_udev

with Scenario('unbind while mapped and streaming') as t:
    region = t.region(64 * M)
    vm = t.boot([region])
    start_udev(vm)
    pci = vm.sh('basename $(readlink -f /sys/class/ivshmem/ivshmem0/device)')

    def unbind():
        vm.sh(f'echo {pci} > /sys/bus/pci/drivers/ivshmem/unbind')

    def bind():
        vm.sh(f'echo {pci} > /sys/bus/pci/drivers/ivshmem/bind && udevadm wait --timeout=30 /dev/ivshmem0 && '
              'udevadm settle --timeout=30')

    mapped, opened = Holder(vm, True), Holder(vm, False)
    unbind()
    t.check(vm.run('test -e /dev/ivshmem0')[0] == 1, 'the node is gone')
    t.equal(mapped.go_on()[0], 128 + 7, 'touching a mapping is SIGBUS')
    t.matches(opened.go_on()[1], 'No such device', 'reading an open file is ENODEV')
    bind()
    both_ways(t, vm, region, 'after rebinding')

    for direction in ('to guest', 'to host'):
        stream = Endless(t, vm, region, direction)
        unbind()
        stream.check_host(f'unbind under a stream {direction}')
        stream.check_guest(f'unbind under a stream {direction}')
        bind()
    both_ways(t, vm, region, 'after two streams were cut')

    held = Holder(vm, True)
    vm.sh(f'cd /sys/bus/pci/drivers/ivshmem; for i in $(seq 20); do echo {pci} > unbind; echo {pci} > bind; done', 120)
    status, output = vm.run('udevadm settle --timeout=30; for n in /dev/ivshmem[0-9]*; do dd if=$n of=/dev/null bs=1M; done')
    t.check(status == 0,
            'it works after twenty rounds with a mapping left behind', output)
    t.equal(held.go_on()[0], 128 + 7, 'that mapping is SIGBUS still')
    vm.finish_and_stop()
