# SPDX-License-Identifier: MIT
"""The driver on arm64: another memory model, another page table, and a kernel that makes no struct pages for devices."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'vm'))
from holder import hold_all  # noqa: E402
from scenario import M, Scenario  # noqa: E402
from streams import ToGuest, ToHost, both_ways  # noqa: E402
from vm import KVM_USER, VM, plain_device  # noqa: E402

NODE = '/dev/ivshmem0'


class Arm64(VM):
    """QEMU's `virt` has one serial line, the console; two lines of a PCI card are the control line and the verdict's."""

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


with Scenario('alias, node, streams and unbind on arm64') as t:
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
