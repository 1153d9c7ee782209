# SPDX-License-Identifier: MIT
"""The module loads by its alias, and the node is what the rule and the manual say."""
from scenario import M, Scenario
from streams import start_udev
from vm import KVM_USER, NO_GROUP_USER

with Scenario('modprobe by alias, node, links, rights, attributes') as t:
    region = t.region(64 * M)
    vm = t.boot([region])
    pci = vm.sh('cd /sys/bus/pci/devices; grep -l 0x1110 */device | cut -d/ -f1')
    alias = vm.sh(f'cat /sys/bus/pci/devices/{pci}/modalias')

    t.check(vm.run(f'modprobe {alias}')[0] == 0, 'modprobe takes the device\'s alias')
    t.equal(vm.sh(f'basename $(readlink /sys/bus/pci/devices/{pci}/driver)'), 'ivshmem', 'the driver has the device')
    t.equal(vm.sh('cd /sys/class/ivshmem; ls'), 'ivshmem0', 'one device in the class')
    t.equal(vm.sh('modprobe -r ivshmem; ls /dev | grep -c ivshmem; true'), '0', 'unloading takes the node away')
    t.equal(vm.sh('modprobe ivshmem; test -c /dev/ivshmem0; echo $?'), '0', 'loading brings it back at once')
    vm.sh('modprobe -r ivshmem')

    start_udev(vm)
    t.equal(vm.sh('stat -c "%a %U %G" /dev/ivshmem0'), '660 root kvm', 'udev loaded the module; the rule set the rights')
    link = f'/dev/ivshmem/by-slot/{pci.replace(":", "-")}'
    t.equal(vm.sh(f'readlink -f {link}'), '/dev/ivshmem0', 'the link by slot')
    t.equal(vm.run('find /dev/ivshmem* -name "*:*"')[1], '', 'no path has a colon')

    def attribute(name):
        return vm.sh(f'cat /sys/class/ivshmem/ivshmem0/{name}')
    t.equal(attribute('size'), str(64 * M), 'size')
    t.equal(attribute('model'), 'plain', 'model')
    t.equal(attribute('cache'), 'write-back', 'cache')
    t.equal(attribute('cache_reason'), 'none', 'cache_reason')
    t.equal(attribute('slot'), pci.replace(':', '-'), 'slot')
    t.equal(attribute('index'), '0', 'index')
    t.equal(attribute('ivposition'), '0', 'ivposition')
    t.equal(attribute('vectors'), '0', 'vectors')

    t.check(vm.run('dd if=/dev/ivshmem0 of=/dev/null bs=4096 count=1', user=KVM_USER)[0] == 0, 'group kvm reads')
    t.check(vm.run('dd if=/dev/zero of=/dev/ivshmem0 bs=64 count=1 conv=notrunc', user=KVM_USER)[0] == 0,
            'group kvm writes')
    status, output = vm.run('dd if=/dev/ivshmem0 of=/dev/null count=1', user=NO_GROUP_USER)
    t.check(status and 'Permission denied' in output, 'others may not', output)

    info = vm.sh('modinfo ivshmem')
    with open(f'{t.root}/dkms.conf', encoding='utf-8') as f:
        version = f.read().split('PACKAGE_VERSION="')[1].split('"')[0]
    for field, wanted in {'version': version, 'license': 'GPL', 'description': r'\S',
                          'alias': r'pci:v00001AF4d00001110'}.items():
        t.matches(info, rf'{field}:\s*{wanted}', f'modinfo: {field}')
    vm.finish_and_stop()
