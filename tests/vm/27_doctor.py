# SPDX-License-Identifier: MIT
"""The doctor in a guest: what is wrong with it, by and by, and what --fix makes of it; and a device as `setup` says it."""
import json
import re
import shlex

from scenario import M, Scenario, shared_directory
from streams import both_ways
from vm import KVM_USER, NO_GROUP_USER, ROOT_USER, root_port

PCI = '/sys/bus/pci'


class Patient:
    def __init__(self, t, vm):
        self.t, self.vm = t, vm
        self.slot = vm.sh(f'cd {PCI}/devices; grep -l 0x1110 */device | cut -d/ -f1')

    def check(self, what, code, numbers, user=ROOT_USER, options=''):
        """Exit code, and the findings that count; returns all by their number."""
        status, output = self.vm.run(f'ivpipe doctor --json {options} 2>/dev/null', user=user)
        report = json.loads(output)
        found = {f['number']: f for f in report['findings']}
        got = sorted(n for n, f in found.items() if f['exit_code'])
        self.t.check((status, got) == (code, numbers), f'{what}: {code}, {numbers}', f'{status}: {output}')
        return found

    def fix(self, what):
        status, output = self.vm.run('ivpipe doctor --fix --yes')
        self.t.check(status == 0 and 'healthy: /dev/ivshmem0' in output, what, f'{status}: {output}')

    def command_register(self, value):
        self.vm.sh(f'printf "\\x{value:02x}\\x00" | dd of={PCI}/devices/{self.slot}/config bs=1 seek=4 conv=notrunc 2>/dev/null')


def without_module(patient):
    vm, directory = patient.vm, f'{PCI}/devices/{patient.slot}'
    found = patient.check('no module', 3, [31, 53])
    patient.t.equal(found[31]['remedy'], 'modprobe ivshmem', 'the command for root')
    found = patient.check('for a user', 3, [31], KVM_USER)
    patient.t.equal(found[31]['remedy'], 'sudo modprobe ivshmem', 'the command for a user')
    found = patient.check('through sysfs', 3, [31, 53], options=f'-r {directory}/resource2_wc')
    patient.t.check('write-combine' in found[53]['evidence'], 'which is write-combining', found)
    patient.command_register(1)
    patient.check('memory decode off', 3, [31, 34, 53])
    vm.sh('/lib/systemd/systemd-udevd --daemon')
    patient.fix('decode on, module loaded: mended')


def with_module(patient):
    vm = patient.vm
    vm.sh('udevadm settle')
    found = patient.check('well', 0, [], KVM_USER)
    patient.t.equal(vm.run('ivpipe doctor', user=KVM_USER)[1].count('\n'), 1, 'in one line')
    status, output = vm.run('ivpipe-static doctor -v', user=KVM_USER)
    patient.t.check(status == 0 and re.search(r'ivshmem0: 16 MiB, write-back, reads \d+ MB/s, writes \d+ MB/s', output),
                    'the static helper, with the speeds', output)
    found = patient.check('a user without the group', 4, [36], NO_GROUP_USER)
    patient.t.check('adduser' in found[36]['remedy'], 'how to come into it', found)
    vm.sh(f'echo {patient.slot} > {PCI}/drivers/ivshmem/unbind; udevadm settle')
    patient.check('unbound', 3, [32, 53])
    patient.fix('bound: mended')
    vm.sh('udevadm settle; chmod 666 /dev/ivshmem0')
    patient.check('a node for everybody', 1, [37])
    vm.sh('chown root:root /dev/ivshmem0; chmod 600 /dev/ivshmem0')
    patient.check('a node for root alone', 4, [36, 37], KVM_USER)
    vm.run('ivpipe doctor --fix --yes')
    vm.sh('udevadm settle')
    patient.check('by udev: mended', 0, [], KVM_USER)
    patient.command_register(0)
    found = patient.check('memory decode off under the driver', 3, [34])
    patient.t.check('setpci' in found[34]['remedy'], 'how to switch it on', found)
    patient.command_register(2)
    patient.check('on again', 0, [])


def other_driver(patient):
    vm = patient.vm
    if vm.run('modprobe uio_pci_generic')[0]:
        return patient.t.skip('another driver', 'this kernel comes without uio_pci_generic')
    device = f'{PCI}/devices/{patient.slot}'
    vm.sh(f'echo uio_pci_generic > {device}/driver_override; echo {patient.slot} > {device}/driver/unbind; '
          f'echo {patient.slot} > {PCI}/drivers_probe')
    found = patient.check('another driver', 3, [33])
    vm.sh(found[33]['remedy'].split(': ', 1)[1].replace('sudo ', ''))
    vm.sh('udevadm settle')
    return patient.check('the remedy, typed by hand', 0, [])


def no_window(patient, region):
    """A port with the window that firmware gives it, and a memory larger than that."""
    vm = patient.vm
    vm.plug(region, 'late', 'rp1')
    vm.sh(f'until [ $(grep -l 0x1110 {PCI}/devices/*/device | wc -l) = 2 ]; do udevadm settle; usleep 20000; done')
    slot = vm.sh(f'cd {PCI}/devices; grep -l 0x1110 */device | cut -d/ -f1 | grep -v {patient.slot}')
    vm.sh('udevadm settle')
    found = patient.check('a port whose window is too small', 3, [30, 32], options=f'-r {PCI}/devices/{slot}/resource0')
    patient.t.check('pref64-reserve' in found[30]['remedy'], 'what to give the port', found)


def host_side(t, region):
    """QEMU itself has the file mapped: by its command line and its maps it is found."""
    for what, wanted in ('well', []), ('its file deleted', [2, 22]):
        doctor = t.ivpipe('doctor', '--json', '-r', region.path)
        doctor.wait()
        t.equal([f['number'] for f in json.loads(doctor.output)['findings']], wanted, f'the host: {what}')
        region.remove()


def arguments(t, region):
    """What `setup` prints for QEMU, with a file that it made where regions may lie here."""
    made = t.ivpipe('setup', '-q', 'qemu', '--name', region.path.rsplit('/', 1)[1], '--size', str(region.size))
    t.equal(made.wait(), 0, 'setup qemu')
    return shlex.split(made.output.replace('/dev/shm/', shared_directory() + '/'))


with Scenario('doctor and setup') as t:
    region = t.region(16 * M)
    vm = t.boot(devices=[*arguments(t, region), *root_port(reserve='1M')])
    t.equal(t.ivpipe('format', '-q', region.path).wait(), 0, 'the host lays it out')
    patient = Patient(t, vm)
    without_module(patient)
    with_module(patient)
    other_driver(patient)
    both_ways(t, vm, region, 'through the device of setup', size=M)
    no_window(patient, t.region(64 * M))
    host_side(t, region)
    vm.finish_and_stop()
