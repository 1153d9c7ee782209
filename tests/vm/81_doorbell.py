# SPDX-License-Identifier: MIT
"""The doorbell variant: bound, told apart, and a stream through it."""
from doorbell_server import DoorbellServer
from scenario import M, Scenario
from streams import both_ways, start_udev

VECTORS = 3

with Scenario('ivshmem-doorbell') as t:
    region = t.region(16 * M)
    server = DoorbellServer(f'{t.work}/doorbell', region, VECTORS)
    t.at_end(server.close)
    device = ['-chardev', f'socket,id=door,path={server.path}', '-device',
              f'ivshmem-doorbell,chardev=door,vectors={VECTORS},id=shm0']
    first = t.boot(name='first', devices=device)
    second = t.boot(name='second', devices=device)
    for number, vm in enumerate((first, second)):
        start_udev(vm)

        def attribute(name):
            return vm.sh(f'cat /sys/class/ivshmem/ivshmem0/{name}')
        t.equal(attribute('model'), 'doorbell', f'{vm.name}: model')
        t.equal(attribute('vectors'), str(VECTORS), f'{vm.name}: vectors')
        t.equal(attribute('ivposition'), str(number), f'{vm.name}: ivposition')
        t.equal(attribute('size'), str(16 * M), f'{vm.name}: size')
        t.check(attribute('cache').startswith('write-back'), f'{vm.name}: cache')
    second.finish_and_stop()
    both_ways(t, first, region, 'streams through a doorbell device')
    first.finish_and_stop()
