# SPDX-License-Identifier: MIT
"""Mappings by whole entries of 2 MiB, where the kernel has them for such a memory: all that can be done to one."""
from holder import Holder, hold_all
from scenario import M, Scenario
from streams import both_ways, start_udev

HUGE = '/usr/lib/ivpipe/device/huge /dev/ivshmem0'


def kernel_has_them(vm):
    return tuple(int(n) for n in vm.release.split('-')[0].split('+')[0].split('.')[:2]) >= (6, 1)


def mapped(vm):
    """What the kernel counts as mapped by whole entries, KiB: of the memory, too."""
    return int(vm.sh('sed -n "s/FilePmdMapped: *//p" /proc/meminfo').split()[0])


def run(t, vm, entry):
    status, output = vm.run(f'{HUGE} {entry}', 500)
    t.subtests(output, status, f'entries of {entry}')


def under_load(t, vm, pci, rounds):
    """The device goes while threads fault; no fault is late, so no page stays in use and it can come back at once."""
    for number in range(rounds):
        holders = [Holder(vm, mode) for mode in ('refault', 'touch', 'refault')]
        vm.sh(f'echo {pci} > /sys/bus/pci/drivers/ivshmem/unbind')
        for holder in holders:
            holder.check_gone(t, f'round {number}')
        vm.sh(f'echo {pci} > /sys/bus/pci/drivers/ivshmem/bind && udevadm wait --timeout=30 /dev/ivshmem0; '
              'udevadm settle --timeout=30')
    t.check('still pinned' not in vm.sh('dmesg'), 'no page stayed in use')


with Scenario('mappings by entries of 2 MiB', deadline=1500) as t:
    region = t.region(64 * M)
    vm = t.boot([region], parallel=True)
    start_udev(vm)
    vm.sh('modprobe pte')
    pci = vm.sh('basename $(readlink -f /sys/class/ivshmem/ivshmem0/device)')
    has = kernel_has_them(vm)
    run(t, vm, '2M' if has else '4K')
    t.equal(mapped(vm), 0, 'nothing is left mapped')
    under_load(t, vm, pci, 5)
    holders = hold_all(vm)
    t.equal(mapped(vm) > 0, has, 'the kernel counts what is mapped')
    vm.sh(f'echo {pci} > /sys/bus/pci/drivers/ivshmem/unbind')
    for holder in holders:
        holder.check_gone(t, 'unbind')
    t.equal(mapped(vm), 0, 'nothing is left mapped after the device went')
    vm.sh(f'cd /sys/bus/pci/drivers/ivshmem; for i in $(seq 30); do echo {pci} > bind; echo {pci} > unbind; done', 240)
    vm.sh(f'echo 0 > /sys/module/ivshmem/parameters/huge; echo {pci} > /sys/bus/pci/drivers/ivshmem/bind && '
          'udevadm wait --timeout=30 /dev/ivshmem0; udevadm settle --timeout=30')
    run(t, vm, '4K')
    region.write(0, bytes(M))
    both_ways(t, vm, region, 'after all that')
    vm.finish_and_stop()
