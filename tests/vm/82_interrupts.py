# SPDX-License-Identifier: MIT
"""Interrupts of the doorbell device: eventfds, waiters that nobody looks for, two guests, the host as a peer, a flood, sleep."""
import os
import resource
import threading

from doorbell_client import DoorbellClient
from doorbell_server import DoorbellServer
from scenario import M, Scenario
from streams import NODE, start_udev
from vm import KVM_USER
from waiters import NEVER, Waiter, no_32_bits, store

PROGRAM = '/usr/lib/ivpipe/device/doorbell'
FLOOD_SECONDS = 5


class Setting:
    """A server, the host as its peer, and devices of so many vectors."""

    def __init__(self, t, vectors, first_id=0):
        self.t, self.vectors = t, vectors
        self.region = t.region(16 * M)
        self.server = DoorbellServer(f'{t.work}/doorbell{vectors}', self.region, vectors)
        t.at_end(self.server.close)
        self.server.next_id = first_id
        self.host = DoorbellClient(self.server.path)
        t.at_end(self.host.close)

    def boot(self, name):
        """A guest; its id is the next."""
        number = self.server.next_id
        vm = self.t.boot(name=name, devices=['-chardev', f'socket,id=door,path={self.server.path}', '-device',
                                             f'ivshmem-doorbell,chardev=door,vectors={self.vectors},id=shm0'])
        start_udev(vm)
        self.t.equal(vm.sh('cat /sys/class/ivshmem/ivshmem0/ivposition'), str(number), f'{name}: ivposition')
        self.host.wait_vectors(number, self.vectors)
        return vm, number


def own_tests(t, vm, what, suffixes=('',)):
    for suffix in suffixes:
        if suffix and (why := no_32_bits(vm, 'doorbell')):
            t.skip(f'{what}, 32 bits', why)
            continue
        status, output = vm.run(f'{PROGRAM}{suffix} {NODE}', 200, KVM_USER)
        t.subtests(output, status, f'{what}{", 32 bits" if suffix else ""}')


def rung_by_host(t, vm, number, host, vector, what, times=20):
    """One after the other, for interrupts that come at once may be told as one."""
    job = vm.spawn(f'exec {PROGRAM} {NODE} count {vector} {times}', KVM_USER)
    good = bool(job.wait_for('counting'))
    for i in range(1, times + 1):
        host.ring(number, vector)
        good = good and bool(job.wait_for(f'(?m)^counted {i}$'))
    t.check(good and job.wait() == 0, f'{what}: counts {times} interrupts from the host on vector {vector}', job.output)


def host_is_rung(t, vm, host, vector, what):
    host.wait_vectors(host.number, vector + 1)
    vm.sh(f'{PROGRAM} {NODE} ring {host.number} {vector}', user=KVM_USER)
    t.equal(host.rung(vector), 1, f'{what}: rings the host on vector {vector}')


def wakes_waiters(t, vm, number, setting, what):
    """No look of the driver's finds the change, for there are none."""
    for way in ('wait', 'poll', 'epoll', 'edge', 'fork'):
        store(setting.region, M, 0)
        waiter = Waiter(vm, way, poll_us=NEVER)
        setting.host.ring(number)
        waiter.check_waits(t, f'{what}: rung for nothing')
        store(setting.region, M, 9)
        setting.host.ring(number)
        waiter.check_changed(t, f'{what}: the host stores and rings', 9)


def between_guests(t, one, two, numbers, region):
    """A waiter in one guest, woken by WAKE with IVSHMEM_WAKE_RING in the other, both ways."""
    for (sleeper, number), waker, way in (((one, numbers[0]), two, 'wait'), ((two, numbers[1]), one, 'poll')):
        store(region, M, 0)
        waiter = Waiter(sleeper, way, poll_us=NEVER)
        waker.sh(f'{PROGRAM} {NODE} wake {number} 0 {M} 5', user=KVM_USER)
        waiter.check_changed(t, f'{waker.name} wakes {sleeper.name}', 5)


def flood(t, vm, number, host):
    """As fast as the host can, on each vector; what the guest does meanwhile, it does."""
    enough, rings = threading.Event(), [0]

    def ring():
        while not enough.is_set():
            for fd in host.peers[number]:
                os.eventfd_write(fd, 1)
                rings[0] += 1
    threads = [threading.Thread(target=ring, daemon=True) for _ in range(2)]
    waiter = Waiter(vm, 'wait', poll_us=NEVER)
    counter = vm.spawn(f'exec {PROGRAM} {NODE} count 0 1000000000 > /dev/null', KVM_USER)
    for thread in threads:
        thread.start()
    busy = vm.run(f'timeout {FLOOD_SECONDS} sh -c "while :; do ls /dev > /dev/null; done"', 60)[0]
    status, output = vm.run(f'{PROGRAM} {NODE} ring {number} 0 1000', 60, KVM_USER)
    enough.set()
    for thread in threads:
        thread.join(10)
    t.note(f'{rings[0]} rings')
    t.check(busy in (124, 143), 'the guest works on in a flood of interrupts', busy)
    t.check(status == 0, 'and rings in it', output)
    waiter.check_waits(t, 'the flood')
    waiter.end()
    counter.kill()
    counter.wait()


def sleeps(t, vm, number, setting):
    """What is set up before the sleep delivers after it."""
    store(setting.region, M, 0)
    waiter = Waiter(vm, 'wait', poll_us=NEVER)
    counter = vm.spawn(f'exec {PROGRAM} {NODE} count 1 1', KVM_USER)
    counter.wait_for('counting')
    job = vm.spawn('echo mem > /sys/power/state')
    vm.qmp.wait_event('SUSPEND', 60)
    vm.qmp.command('system_wakeup')
    t.equal(job.wait(60), 0, 'the guest sleeps and wakes')
    setting.host.ring(number, 1)
    t.check(counter.wait() == 0, 'an eventfd counts after the sleep', counter.output)
    waiter.check_waits(t, 'after the sleep')
    store(setting.region, M, 3)
    setting.host.ring(number)
    waiter.check_changed(t, 'after the sleep', 3)
    own_tests(t, vm, 'after the sleep')
    rung_by_host(t, vm, number, setting.host, 1, 'after the sleep')


with Scenario('interrupts', deadline=1200) as t:
    # An eventfd for each vector of each peer, on both ends of the server's sockets.
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    for vectors, first_id in ((1, 0), (16, 65530), (300, 7)):
        setting = Setting(t, vectors, first_id)
        guest, me = setting.boot(f'{vectors}-vectors')
        label = f'{vectors} vectors, peer {me}'
        own_tests(t, guest, label)
        rung_by_host(t, guest, me, setting.host, min(vectors, 256) - 1, label)
        host_is_rung(t, guest, setting.host, min(vectors, 256) - 1, label)
        guest.finish_and_stop()

    pair = Setting(t, 2)
    (first, first_number), (second, second_number) = pair.boot('first'), pair.boot('second')
    for guest, me in ((first, first_number), (second, second_number)):
        own_tests(t, guest, f'{guest.name} of two', ('', '32'))
        rung_by_host(t, guest, me, pair.host, 0, guest.name)
        wakes_waiters(t, guest, me, pair, guest.name)
    between_guests(t, first, second, (first_number, second_number), pair.region)
    flood(t, second, second_number, pair.host)
    second.finish_and_stop()
    sleeps(t, first, first_number, pair)
    first.finish_and_stop(power_off=False)
