# SPDX-License-Identifier: MIT
"""The device is unplugged while it is in use, and plugged in again; the module is not unloaded under anybody."""
from holder import Holder, hold_all
from scenario import M, Scenario
from streams import Endless, both_ways, start_udev
from vm import plain_device, root_port


def plug_again(t, vm, region, name, bus):
    memory = vm.plug(region, name, bus)
    vm.sh('udevadm wait --timeout=30 /dev/ivshmem0 && udevadm settle --timeout=30')
    return memory


def unplug_and_plug(t, vm, region, bus, what):
    holders = hold_all(vm)
    vm.unplug('shm0', 'shm0-memory0')
    for holder in holders:
        holder.check_gone(t, f'{what}, device_del')
    t.check(vm.run('ls /dev/ivshmem[0-9]*')[0] != 0, f'{what}: the node is gone')
    region.write(0, bytes(M))  # the holders wrote all over it
    memory = plug_again(t, vm, region, 'shm1', bus)

    stream = Endless(t, vm, region, 'to host')
    vm.unplug('shm1', memory)
    stream.check_host(f'{what}, device_del under a stream')
    stream.check_guest(f'{what}, device_del under a stream')
    plug_again(t, vm, region, 'shm2', bus)
    both_ways(t, vm, region, f'{what}, plugged in again')


def unload(t, vm, region):
    holder = Holder(vm, 'open')
    status, output = vm.run('rmmod ivshmem')
    t.check(status and vm.run('test -c /dev/ivshmem0')[0] == 0, 'rmmod while the node is open is refused', output)
    status, output = holder.go_on()
    t.check(status == 0 and 'alive' in output.splitlines(), 'and the open file works on', output)
    t.equal(vm.run('rmmod ivshmem')[0], 0, 'once it is closed rmmod works')
    vm.sh('modprobe ivshmem && udevadm settle --timeout=30')
    both_ways(t, vm, region, 'loaded again')


with Scenario('device_del and hot-add while mapped and streaming') as t:
    region = t.region(64 * M)
    vm = t.boot(name='q35', devices=[*root_port(), *plain_device(region, bus='rp1')])
    start_udev(vm)
    unplug_and_plug(t, vm, region, 'rp1', 'q35')
    unload(t, vm, region)
    vm.finish_and_stop()

    other = t.region(64 * M)
    vm = t.boot(name='pc', machine='pc', devices=plain_device(other))
    start_udev(vm)
    unplug_and_plug(t, vm, other, None, 'pc')
    vm.finish_and_stop()
