# SPDX-License-Identifier: MIT
"""Driver, helper and library on arm64: another page table, a kernel that makes no struct pages for devices, and another memory model.

Of the last only what the compiler makes of it: an x86 that emulates keeps its own, stronger order, so that a missing barrier shows on
a real arm64 alone. There `make check` has the same unit tests.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'vm'))
from asleep import Wakes, same_guest  # noqa: E402
from holder import hold_all  # noqa: E402
from scenario import M, Scenario  # noqa: E402
from streams import NODE, ToGuest, ToHost, both_ways, guest_digest, make_file  # noqa: E402
from vm import KVM_USER, VM, plain_device  # noqa: E402

UNIT = '/usr/lib/ivpipe/unit'


class Arm64(VM):
    """QEMU's `virt` has one serial line, the console; two lines of a PCI card are the control line and the verdict's."""

    IOCTL = 29

    def command_line(self, image, initramfs):
        log, work = self.log, self.scenario.work
        return ['qemu-system-aarch64', '-name', self.name, '-M', 'virt', '-accel', 'tcg,thread=multi',
                # The architecture's own pointer authentication takes most of the time under TCG.
                '-cpu', 'max,pauth-impdef=on', '-m', str(self.memory), '-smp', '2',
                '-display', 'none', '-nodefaults', '-no-user-config', '-no-reboot',
                '-kernel', image, '-initrd', initramfs,
                '-append', f'console=ttyAMA0 panic=-1 panic_on_warn=1 oops=panic {self.append}',
                '-chardev', f'file,id=console,path={log}.console', '-serial', 'chardev:console',
                '-chardev', 'null,id=unused0', '-chardev', 'null,id=unused3',
                '-chardev', f'socket,id=control,path={work}/{self.name}.control',
                '-chardev', f'file,id=verdict,path={log}.verdict',
                '-device', 'pci-serial-4x,chardev1=unused0,chardev2=control,chardev3=verdict,chardev4=unused3',
                '-chardev', f'socket,id=qmp,path={work}/{self.name}.qmp', '-mon', 'chardev=qmp,mode=control',
                *self.devices]


def give_to_group(vm):
    """There is no udev in this guest; the kernel makes the nodes before modprobe, or bind, is over."""
    vm.sh('chown 0:104 /dev/ivshmem* && chmod 660 /dev/ivshmem*')


def unit_tests(t, vm):
    """Of core and library, four at a time; but for two that take most of the time, and it is deadlines that they are about."""
    names = vm.sh(f'cd {UNIT}; ls | grep -v -e test_connect -e test_death').split()
    vm.sh(f'cd /tmp; printf "%s\\n" {" ".join(names)} | xargs -P 4 -I @ sh -c "CMOCKA_MESSAGE_OUTPUT=TAP {UNIT}/@ > @.tap 2>&1 < /dev/null; '
          'echo \\$? > @.status"', 120)
    for name in names:
        t.subtests(vm.sh(f'cat /tmp/{name}.tap'), int(vm.sh(f'cat /tmp/{name}.status')), name)


def between_processes(t, vm):
    """A file, and words one by one to a receiver who sleeps before each."""
    wanted = make_file(vm, '/tmp/out', 24 * M)
    receiver = vm.spawn(f'ivpipe recv -q -r {NODE} -o /tmp/in', KVM_USER)
    sender = vm.spawn(f'ivpipe send -q -r {NODE} /tmp/out', KVM_USER)
    codes = sender.wait(), receiver.wait()
    t.check(codes == (0, 0) and guest_digest(vm, '/tmp/in') == wanted, 'a file between two processes of the guest',
            f'{codes}\n{sender.output}\n{receiver.output}')
    vm.sh('rm /tmp/out /tmp/in')
    same_guest(t, vm, Wakes(t, vm))


def what_there_is(t, vm):
    """As the helper tells it to programs, and to people."""
    listed = json.loads(vm.sh('ivpipe list --json', user=KVM_USER))['regions']
    t.equal([(r['path'], r['size'], r['driver'], r['cache']) for r in listed if r['formatted']],
            [(NODE, 64 * M, 'ivshmem', 'write-back')], 'list --json')
    t.matches(vm.sh('ivpipe list', user=KVM_USER), rf'(?m)^{NODE} +device +64 MiB .* write-back +formatted ', 'list')
    info = json.loads(vm.sh(f'ivpipe info --json -v {NODE}', user=KVM_USER))
    t.check(len(info['lanes']) == info['lane_count'] > 1 and not info['listeners'], 'info --json', info)


with Scenario('alias, node, streams, unit tests and unbind on arm64') as t:
    region, small = t.region(64 * M), t.region(4096)
    vm = Arm64(t, 'guest', [*plain_device(region), *plain_device(small, 'shm1')])
    vm.sh('/bin/busybox --install -s /bin')
    t.equal(vm.sh('uname -m'), 'aarch64', 'the machine')
    pci = vm.sh('cd /sys/bus/pci/devices; grep -l 0x1110 */device | head -n 1 | cut -d/ -f1')
    t.equal(vm.run(f'modprobe $(cat /sys/bus/pci/devices/{pci}/modalias)')[0], 0, 'modprobe takes the device\'s alias')
    give_to_group(vm)
    t.equal(vm.sh('cat /sys/class/ivshmem/ivshmem0/size'), str(64 * M), 'size')
    t.matches(vm.sh('cat /sys/class/ivshmem/ivshmem0/cache'), '^write-back$', 'cache')
    for node, label in ((NODE, '64 MiB'), ('/dev/ivshmem1', '4 KiB')):
        status, output = vm.run(f'/usr/lib/ivpipe/device/mmap {node}', 120)
        t.subtests(output, status, label, not_meant=('too small a memory', 'no /dev/pte'))
    for name, args in ('wait', ''), ('watch', ''), ('crowd', ' 20000 5'):
        status, output = vm.run(f'/usr/lib/ivpipe/device/{name} {NODE}{args}', 200, KVM_USER)
        t.subtests(output, status, name)
    region.write(0, bytes(M))

    ToHost(t, vm, region, first='guest').check('guest to host, sender first')
    ToGuest(t, vm, region, first='guest').check('host to guest, receiver first')
    both_ways(t, vm, region, 'host first', size=24 * M)
    between_processes(t, vm)
    what_there_is(t, vm)
    unit_tests(t, vm)

    holders = hold_all(vm)
    vm.sh(f'echo {pci} > /sys/bus/pci/drivers/ivshmem/unbind')
    for holder in holders:
        holder.check_gone(t, 'unbind')
    vm.sh(f'echo {pci} > /sys/bus/pci/drivers/ivshmem/bind')
    give_to_group(vm)
    region.write(0, bytes(M))
    both_ways(t, vm, region, 'after rebinding')
    t.check(vm.run('dd if=/dev/ivshmem0 of=/dev/null bs=1M', user=KVM_USER)[0] == 0, 'a user of the group reads it all')
    t.equal(vm.run('modprobe -r ivshmem')[0], 0, 'unloading')
    vm.finish_and_stop()
