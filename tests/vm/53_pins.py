# SPDX-License-Identifier: MIT
"""Disks, sockets and other processes use the mapping's pages; and the device goes while a disk writes into them."""
from scenario import M, Scenario

PINS = '/usr/lib/ivpipe/device/pins'
DISK = '/dev/nvme0n1'
DRIVER = '/sys/bus/pci/drivers/ivshmem'


def disk(t, **limits):
    """A disk of the guest, at most as fast as it is told."""
    path = f'{t.work}/disk'
    with open(path, 'wb') as f:
        f.truncate(64 * M)
    more = ''.join(f',{name}={value}' for name, value in limits.items())
    return ['-drive', f'if=none,id=disk,format=raw,file={path}{more}', '-device', 'nvme,drive=disk,serial=1']


def nodes(vm):
    return dict(reversed(line.split()) for line in
                vm.sh('cd /sys/class/ivshmem; for n in *; do echo $n $(cat $n/size); done').splitlines())


def uses(t):
    vm = t.boot([t.region(4 * M), t.region(2 * M)], 'uses', disk(t))
    vm.sh('modprobe ivshmem && ifconfig lo up')
    node = '/dev/' + nodes(vm)[str(4 * M)]
    t.subtests(*reversed(vm.run(f'{PINS} {node} {DISK}', 120)), 'pages')
    vm.sh('rmmod ivshmem && modprobe ivshmem pages=0')
    t.subtests(*reversed(vm.run(f'{PINS} {node} {DISK}', 120)), 'no pages')
    vm.finish_and_stop()


def unbind_while_reading(t):
    """4 MiB at 1 MiB/s: longer than removal waits."""
    vm = t.boot([t.region(4 * M)], 'slow', disk(t, **{'throttling.bps-total': M}))
    vm.sh('modprobe ivshmem')
    pci = vm.sh('basename $(readlink -f /sys/class/ivshmem/ivshmem0/device)')
    reader = vm.spawn(f'{PINS} /dev/ivshmem0 {DISK} read')
    t.check(reader.wait_for('reading'), 'a disk reads into the mapping')
    vm.sh(f'while ! grep -q blkdev_direct /proc/{vm.sh("pidof pins")}/stack; do usleep 10000; done', 30)
    vm.sh(f'echo {pci} > {DRIVER}/unbind', 30)
    t.check(vm.run(f'echo {pci} > {DRIVER}/bind')[0] != 0, 'the device is not bound again while the disk is at it')
    t.equal((reader.wait(60), reader.output.split('\n')[1]), (0, f'read {4 * M}'), 'the disk ends what it began')
    status = vm.run(f'for i in $(seq 100); do echo {pci} > {DRIVER}/bind && exit; usleep 100000; done 2>/dev/null; exit 1', 30)[0]
    t.check(status == 0, 'then the device is bound again')
    vm.sh(f'{PINS} /dev/ivshmem0 {DISK} read', 60)
    vm.finish_and_stop()


with Scenario('pages in other hands') as t:
    uses(t)
    unbind_while_reading(t)
