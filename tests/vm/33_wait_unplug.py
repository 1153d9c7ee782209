# SPDX-License-Identifier: MIT
"""The device goes while processes wait on its words, poll it and have eventfds on it; it comes again, and they wait again."""
from doorbell_server import DoorbellServer
from scenario import M, Scenario
from streams import start_udev
from vm import plain_device, root_port
from waiters import NEVER, WAYS, Waiter, store, until_timers


def all_waiters(vm, last):
    """In every way, looked for and not; and `last`: a storm rings itself, which an eventfd would count."""
    return [Waiter(vm, way, poll_us=poll_us) for way in WAYS for poll_us in (0, NEVER)] + \
           [Waiter(vm, way) for way in ('fired', last)]


def check_all_gone(t, waiters, what):
    for waiter in waiters:
        waiter.check_gone(t, what)


def still_waits(t, vm, region, what):
    """The node that is there now does all that the first did."""
    vm.sh('udevadm wait --timeout=30 /dev/ivshmem0 && udevadm settle --timeout=30')
    for way in WAYS:
        store(region, M, 0)
        waiter = Waiter(vm, way)
        store(region, M, 6)
        waiter.check_changed(t, what, 6)


def pci_of(vm):
    return vm.sh('basename $(readlink -f /sys/class/ivshmem/ivshmem0/device)')


def unbound(t, vm, region, what, last='storm'):
    pci = pci_of(vm)
    waiters = all_waiters(vm, last)
    vm.sh(f'echo {pci} > /sys/bus/pci/drivers/ivshmem/unbind')
    check_all_gone(t, waiters, f'{what}, unbind')
    t.check(until_timers(vm, False), f'{what}, unbind: no timer is left')
    vm.sh(f'echo {pci} > /sys/bus/pci/drivers/ivshmem/bind')
    still_waits(t, vm, region, f'{what}, bound again')


def removed(t, vm, region, what, last='storm'):
    pci = pci_of(vm)
    waiters = all_waiters(vm, last)
    vm.sh(f'echo 1 > /sys/bus/pci/devices/{pci}/remove')
    check_all_gone(t, waiters, f'{what}, remove')
    vm.sh('echo 1 > /sys/bus/pci/rescan')
    still_waits(t, vm, region, f'{what}, found again')


def unplugged(t, vm, region, what, bus):
    waiters = all_waiters(vm, 'storm')
    vm.unplug('shm0', 'shm0-memory0')
    check_all_gone(t, waiters, f'{what}, device_del')
    vm.plug(region, 'shm1', bus)
    still_waits(t, vm, region, f'{what}, plugged in again')


def unloaded(t, vm, region, what, more=()):
    store(region, M, 0)
    waiters = [Waiter(vm, way) for way in (*WAYS, *more)]
    status, output = vm.run('rmmod ivshmem')
    t.check(status and vm.run('test -c /dev/ivshmem0')[0] == 0, f'{what}: rmmod while somebody waits is refused', output)
    for waiter in waiters:
        waiter.check_waits(t, f'{what}, rmmod')
    store(region, M, 2)
    for waiter in waiters:
        if waiter.way in WAYS:
            waiter.check_changed(t, f'{what}, after rmmod was refused', 2)
        else:
            waiter.end()
    t.equal(vm.run('rmmod ivshmem')[0], 0, f'{what}: when nobody waits rmmod works')
    vm.sh('modprobe ivshmem')
    still_waits(t, vm, region, f'{what}, loaded again')


def many_times(t, vm, region, what):
    """Waiters of one round wait while the device comes and goes for those of the next."""
    pci = pci_of(vm)
    vm.sh(f'''set -e; cd /sys/bus/pci/drivers/ivshmem
        for i in $(seq 20); do
            for way in wait poll fork storm; do
                /usr/lib/ivpipe/device/late /dev/ivshmem0 $way > /tmp/late.$way.$i & eval $way=$!
            done
            for way in wait poll fork storm; do
                until grep -q waiting /tmp/late.$way.$i; do kill -0 $(eval echo \\$$way); done
            done
            echo {pci} > unbind
            for way in wait poll fork storm; do wait $(eval echo \\$$way); grep -q gone /tmp/late.$way.$i; done
            echo {pci} > bind
        done''', 500)
    still_waits(t, vm, region, f'{what}, after twenty rounds')


with Scenario('the device goes while its words are waited for', deadline=1200) as t:
    shared = t.region(16 * M)
    guest = t.boot(name='plain', devices=[*root_port(), *plain_device(shared, bus='rp1')])
    start_udev(guest)
    unbound(t, guest, shared, 'plain')
    removed(t, guest, shared, 'plain')
    unloaded(t, guest, shared, 'plain')
    many_times(t, guest, shared, 'plain')
    unplugged(t, guest, shared, 'plain', 'rp1')
    guest.finish_and_stop()

    server = DoorbellServer(f'{t.work}/doorbell', shared, 2)
    t.at_end(server.close)
    guest = t.boot(name='doorbell', devices=['-chardev', f'socket,id=door,path={server.path}', '-device',
                                             'ivshmem-doorbell,chardev=door,vectors=2,id=shm0'])
    start_udev(guest)
    unbound(t, guest, shared, 'doorbell', 'eventfd')
    removed(t, guest, shared, 'doorbell', 'eventfd')
    unloaded(t, guest, shared, 'doorbell', ('eventfd',))
    many_times(t, guest, shared, 'doorbell')
    guest.finish_and_stop()
