# SPDX-License-Identifier: MIT
"""Several devices in one guest: the ways to name one, a user who may not, and their list by libudev and without."""
import json

from scenario import M, Scenario
from streams import ToHost, start_udev
from vm import KVM_USER, NO_GROUP_USER


def lists_agree(t, vm, what, user=KVM_USER):
    """By libudev and by reading sysfs; returns what both found."""
    for options in ('', ' -v', ' --json'):
        by_udev, by_sysfs = (vm.run(f'{helper} list{options}', user=user) for helper in ('ivpipe', 'ivpipe-static'))
        t.check(by_udev == by_sysfs and by_udev[0] == 0, f'{what}: list{options} says the same with libudev and without',
                f'{by_udev}\n{by_sysfs}')
    return {found['slot']: found for found in json.loads(by_sysfs[1])['regions']}


def lists(t, vm, slots):
    """Of two devices and a region in a file; then with a device that has no driver."""
    vm.sh('ivpipe format -q --create --size 1M /dev/shm/own', user=KVM_USER)
    found = lists_agree(t, vm, 'two devices and a file')
    t.equal(sorted(found), ['', *sorted(slots)], 'all three are there')
    lists_agree(t, vm, 'for somebody who may open none', NO_GROUP_USER)
    vm.sh(f'echo {slots[0]} > /sys/bus/pci/drivers/ivshmem/unbind')
    found = lists_agree(t, vm, 'one without a driver')
    t.check(not found[slots[0]]['driver'] and found[slots[0]]['path'].startswith('/sys/'), 'its memory is found in sysfs', found)
    t.equal(found[slots[1]]['driver'], 'ivshmem', 'the other has its driver')


with Scenario('which region: auto, the environment, the link by slot') as t:
    first, second = t.region(16 * M), t.region(4 * M)
    vm = t.boot([first, second])
    start_udev(vm)
    status, output = vm.run('ivpipe send --wait 1s /etc/passwd', user=KVM_USER)
    t.equal(status, 3, 'auto does not guess between two devices')
    t.check('ivshmem0' in output and 'ivshmem1' in output, 'it lists them', output)

    by_size = dict(line.split() for line in
                   vm.sh('cd /sys/class/ivshmem; for n in *; do echo $(cat $n/size) $n; done').splitlines())
    name = by_size[str(second.size)]
    slot = vm.sh(f'cat /sys/class/ivshmem/{name}/slot')
    ToHost(t, vm, second, node=f'/dev/ivshmem/by-slot/{slot}', size=M).check('by the link that names the slot')

    target = f'{t.work}/got'
    host = t.ivpipe('recv', '-r', second.path, '-o', target)
    status, output = vm.run(f'IVPIPE_REGION=/dev/{name} ivpipe-static send /etc/passwd', user=KVM_USER)
    t.equal((status, host.wait()), (0, 0), 'by the environment, with the static helper')
    with open(target, encoding='utf-8') as f:
        t.equal(f.read().strip(), vm.sh('cat /etc/passwd'), 'the file is whole')

    status, output = vm.run(f'ivpipe send -r /dev/{name} --wait 1s /etc/passwd', user=NO_GROUP_USER)
    t.equal(status, 4, 'a user without the group: code 4')
    status, output = vm.run('ivpipe send -r /dev/ivshmem9 --wait 1s /etc/passwd', user=KVM_USER)
    t.equal(status, 3, 'a node that is not there: code 3')
    status, output = vm.run(f'ivpipe send -r /dev/{name} -s nobody --wait 1s /etc/passwd', user=KVM_USER)
    t.equal(status, 5, 'a service that nobody offers: code 5')
    lists(t, vm, vm.sh('cd /sys/bus/pci/devices; grep -l 0x1110 */device | cut -d/ -f1').split())
    vm.finish_and_stop()
