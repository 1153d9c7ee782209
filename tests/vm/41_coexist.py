# SPDX-License-Identifier: MIT
"""A device that another driver shall have: the driver keeps away from it, lets go of it, and takes it back."""
from scenario import M, Scenario
from streams import both_ways, start_udev
from vm import VM, plain_device

PCI = '/sys/bus/pci'
OTHER = 'uio_pci_generic'


class Bus:
    def __init__(self, vm):
        self.vm = vm
        self.slots = vm.sh(f'cd {PCI}/devices; grep -l 0x1110 */device | cut -d/ -f1').split()

    def owner(self, slot):
        return self.vm.sh(f'basename $(readlink {PCI}/devices/{slot}/driver || echo none)')

    def owners(self):
        return [self.owner(slot) for slot in self.slots]

    def reserve(self, slot, driver):
        """For that driver alone; for any when it is empty."""
        self.vm.sh(f'echo {driver} > {PCI}/devices/{slot}/driver_override')

    def unbind(self, slot):
        self.vm.sh(f'echo {slot} > {PCI}/devices/{slot}/driver/unbind')

    def probe(self, slot):
        self.vm.sh(f'echo {slot} > {PCI}/drivers_probe')

    def bind(self, slot, driver):
        """By hand; the exit code."""
        return self.vm.run(f'echo {slot} > {PCI}/drivers/{driver}/bind')[0]

    def settle(self):
        self.vm.sh('udevadm settle --timeout=30')

    def node(self, slot):
        return '/dev/' + self.vm.sh(f'ls {PCI}/devices/{slot}/ivshmem')


def reserved_before_loading(t, bus):
    first, second = bus.slots
    bus.reserve(first, OTHER)
    start_udev(bus.vm)
    t.equal(bus.owners(), ['none', 'ivshmem'], 'loaded by alias, it takes the device that is nobody\'s and leaves the other')
    t.equal(bus.vm.sh('ls /sys/class/ivshmem'), 'ivshmem0', 'one node')
    t.check(bus.bind(first, 'ivshmem') != 0, 'nor does it take the other by hand')
    bus.vm.sh(f'modprobe {OTHER}')
    bus.probe(first)
    t.equal(bus.owners(), [OTHER, 'ivshmem'], 'the driver that it was reserved for has it')
    t.check(bus.bind(first, 'ivshmem') != 0, 'ours does not take it from that one')


def handed_back(t, bus, region):
    first = bus.slots[0]
    bus.unbind(first)
    bus.reserve(first, 'ivshmem')
    bus.probe(first)
    bus.settle()
    t.equal(bus.owners(), ['ivshmem', 'ivshmem'], 'reserved for ours, it is ours')
    both_ways(t, bus.vm, region, 'through the device that was handed back', node=bus.node(first))


def given_away(t, bus, region):
    """And nothing is kept: where ours had it exclusively, another may map the memory now."""
    first = bus.slots[0]
    resource = f'{PCI}/devices/{first}/resource2'
    region.write(4096, b'the memory itself')
    look = (f'python3 -c "import mmap; f = open(\'{resource}\', \'r+b\'); m = mmap.mmap(f.fileno(), 8192); '
            'print(m[4096:4113].decode())"')
    t.check(bus.vm.run(look)[0] != 0, 'while ours has the device, nobody maps its memory in another way')
    bus.reserve(first, OTHER)
    bus.unbind(first)
    bus.probe(first)
    bus.settle()
    t.equal(bus.owners(), [OTHER, 'ivshmem'], 'given to the other driver while ours is loaded')
    t.equal(bus.vm.sh(look), 'the memory itself', 'whose user maps the memory')
    bus.vm.sh('modprobe -r ivshmem && modprobe ivshmem')
    t.equal(bus.owners(), [OTHER, 'ivshmem'], 'loading ours again does not change that')


def claimed_by_id(t, bus):
    """Two drivers for one id, nothing reserved: it is the first one's, and no complaint."""
    bus.vm.sh('modprobe -r ivshmem')
    for slot in bus.slots:
        bus.reserve(slot, '')
    bus.vm.sh(f'echo 1af4 1110 > {PCI}/drivers/{OTHER}/new_id')
    t.equal(bus.owners(), [OTHER, OTHER], 'the other driver has both by their id')
    bus.vm.sh('modprobe ivshmem')
    t.equal(bus.owners(), [OTHER, OTHER], 'ours is loaded, and waits')
    bus.vm.sh(f'modprobe -r {OTHER}')
    for slot in bus.slots:
        bus.probe(slot)
    t.equal(bus.owners(), ['ivshmem', 'ivshmem'], 'with the other one gone it has both')


def something_else(t, bus):
    """A disk controller that somebody reserves for ours by mistake."""
    slot = bus.vm.sh(f'cd {PCI}/devices; grep -l 0x0106 */class | head -n 1 | cut -d/ -f1')
    bus.reserve(slot, 'ivshmem')
    t.check(bus.bind(slot, 'ivshmem') != 0, 'it refuses what is no such device')
    t.equal(bus.owner(slot), 'none', 'and keeps nothing of it')
    bus.reserve(slot, '')


def given_to_vfio(t, region):
    """As programs do that run the device themselves; that one needs an IOMMU."""
    vm = VM(t, 'iommu', ['-device', 'intel-iommu,intremap=off', *plain_device(region)], append='intel_iommu=on')
    start_udev(vm)
    bus = Bus(vm)
    slot = bus.slots[0]
    vm.sh('modprobe vfio-pci && modprobe vfio_iommu_type1')
    bus.reserve(slot, 'vfio-pci')
    bus.unbind(slot)
    bus.probe(slot)
    bus.settle()
    group = vm.sh(f'basename $(readlink {PCI}/devices/{slot}/iommu_group)')
    t.equal(vm.sh(f'ls /dev/vfio/{group}; ls /dev | grep -c ivshmem; true').split(), [f'/dev/vfio/{group}', '0'],
            'given to vfio-pci')
    bus.unbind(slot)
    bus.reserve(slot, '')
    bus.probe(slot)
    bus.settle()
    region.write(0, bytes(M))
    both_ways(t, vm, region, 'taken back from vfio-pci', node=bus.node(slot))
    vm.finish_and_stop()


with Scenario('coexistence with another driver for the device') as t:
    regions = [t.region(64 * M), t.region(64 * M)]
    vm = t.boot(regions)
    if vm.run(f'find /lib/modules/*/updates/{OTHER}.ko')[0]:
        t.skip('another driver for the device', f'this kernel comes without {OTHER}')
    else:
        bus = Bus(vm)
        reserved_before_loading(t, bus)
        handed_back(t, bus, regions[0])
        given_away(t, bus, regions[0])
        claimed_by_id(t, bus)
        something_else(t, bus)
    vm.finish_and_stop()
    if not t.skipped:
        given_to_vfio(t, regions[0])
