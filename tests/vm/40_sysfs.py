# SPDX-License-Identifier: MIT
"""A guest without our module: streams through the PCI device's files in sysfs, as root."""
from scenario import M, Scenario
from streams import ToGuest, ToHost, both_ways
from vm import ROOT_USER

with Scenario('sysfs resource2 and resource2_wc without the driver') as t:
    region = t.region(64 * M)
    vm = t.boot([region])
    pci = vm.sh('cd /sys/bus/pci/devices; grep -l 0x1110 */device | cut -d/ -f1')
    t.check(vm.run(f'test -e /sys/bus/pci/devices/{pci}/driver')[0] == 1, 'no driver has the device')
    for name in ('resource2_wc', 'resource2'):
        both_ways(t, vm, region, name, node=f'/sys/bus/pci/devices/{pci}/{name}', user=ROOT_USER)
    ToHost(t, vm, region, node='auto', user=ROOT_USER).check('guest to host, found by auto')
    vm.sh('modprobe ivshmem')
    ToGuest(t, vm, region, user=ROOT_USER).check('the driver, loaded afterwards, serves the same region')
    status, output = vm.run(f'ivpipe info /sys/bus/pci/devices/{pci}/resource2')
    t.check(status < 126, 'with the driver bound, resource2 is an answer and no crash', f'{status} {output}')
    vm.finish_and_stop()
