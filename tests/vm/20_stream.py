# SPDX-License-Identifier: MIT
"""Files between a guest and its host, by a user who is in group kvm and nothing else."""
from scenario import M, Scenario
from streams import ToGuest, ToHost, both_ways, start_udev

with Scenario('streams both ways, either side first') as t:
    region = t.region(64 * M)
    vm = t.boot([region])
    start_udev(vm)
    ToHost(t, vm, region, first='host').check('guest to host, receiver first')
    ToHost(t, vm, region, first='guest').check('guest to host, sender first')
    ToGuest(t, vm, region, first='host').check('host to guest, sender first')
    ToGuest(t, vm, region, first='guest').check('host to guest, receiver first')
    ToHost(t, vm, region, node='auto').check('guest to host, the guest\'s region found by auto')
    ToGuest(t, vm, region, node='auto').check('host to guest, the guest\'s region found by auto')
    for size in (0, 1, 4095, M + 1):
        both_ways(t, vm, region, f'{size} bytes', size=size)
    ToHost(t, vm, region, options='--no-checksum').check('guest to host without a digest')
    ToGuest(t, vm, region, host_options=['--no-checksum']).check('host to guest without a digest')
    status, output = vm.run('ivpipe list --json && ivpipe info /dev/ivshmem0 --json')
    t.check(status == 0 and '"' in output, 'list and info speak JSON', output)
    vm.finish_and_stop()
