#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Bind again and again while the pages of the life before are just being freed: refused until they are gone, never half."""

from holder import Holder
from scenario import M, Scenario
from streams import start_udev

ROUNDS = 5

with Scenario('bind while pinned pages are being freed') as t:
    region = t.region(64 * M)
    vm = t.boot([region], parallel=True)
    start_udev(vm)
    pci = vm.sh('basename $(readlink -f /sys/class/ivshmem/ivshmem0/device)')
    vm.sh('echo 10 > /sys/module/ivshmem/parameters/revoke_wait_ms')
    for number in range(ROUNDS):
        holder = Holder(vm, 'pin')
        vm.sh(f'echo {pci} > /sys/bus/pci/drivers/ivshmem/unbind')
        job = vm.spawn('for i in $(seq 100000); do '
                       f'echo {pci} > /sys/bus/pci/drivers/ivshmem/bind && exit; done 2>/dev/null; exit 1')
        holder.go_on()
        t.equal(job.wait(60), 0, f'round {number}: binding works once the pin is gone')
        vm.sh('udevadm wait --timeout=30 /dev/ivshmem0; udevadm settle --timeout=30')
    vm.finish_and_stop()
