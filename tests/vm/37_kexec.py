# SPDX-License-Identifier: MIT
"""One kernel starts the next, while words are waited for and interrupts come: no firmware cleans up in between."""
import threading

from doorbell_client import DoorbellClient
from doorbell_server import DoorbellServer
from scenario import M, Scenario
from streams import both_ways, start_udev
from vm import KVM_USER, guest_files, plain_device
from waiters import NEVER, Waiter, outstanding, store

PROGRAM = '/usr/lib/ivpipe/device/kexec'
NO_KEXEC = 77


def prepare(t, vm, region, what):
    """The next kernel's files go into the guest by the means that are at hand; so far all was well; and words are waited for."""
    start_udev(vm)
    for path, target in zip(guest_files()[1:], ('/tmp/kernel', '/tmp/initramfs')):
        host = t.ivpipe('send', '-q', '-r', region.path, path)
        job = vm.spawn(f'ivpipe recv -q -r /dev/ivshmem0 -o {target}', KVM_USER)
        t.equal((host.wait(), job.wait()), (0, 0), f'{what}: {target} is in the guest')
    verdict = vm.ask_verdict(0)
    t.check(verdict.startswith('PASS: '), f'{what}, before: verdict', verdict)
    store(region, M, 0)
    outstanding(vm)


def next_kernel(vm, what):
    """Starts it; False, with a skip, where this one cannot."""
    hellos, append = vm.hellos, vm.sh('cat /proc/cmdline')
    job = vm.spawn(f"{PROGRAM} /tmp/kernel /tmp/initramfs '{append} again={what}'")
    if not job.wait_for('going', 120):
        t.check(job.status == NO_KEXEC, f'{what}: the kernel starts another', job.output)
        t.skip(what, 'this kernel has no kexec_file_load()')
        return False
    vm.until(lambda: vm.hellos > hellos, 120, 'boot by kexec')
    t.matches(vm.sh('cat /proc/cmdline'), f'again={what}', f'{what}: the next kernel runs')
    start_udev(vm)
    return True


def plain(t):
    region = t.region(64 * M)
    vm = t.boot(name='plain', devices=plain_device(region), memory=1024)
    prepare(t, vm, region, 'plain')
    if not next_kernel(vm, 'plain'):
        return
    t.equal(vm.sh('cat /sys/class/ivshmem/ivshmem0/cache'), 'write-back', 'plain, after: cache')
    region.write(0, bytes(2 * M))  # the storm wrote all over it
    both_ways(t, vm, region, 'plain, after')
    store(region, M, 0)
    waiter = Waiter(vm, 'wait')
    store(region, M, 1)
    waiter.check_changed(t, 'plain, after: the host stores', 1)
    vm.finish_and_stop()


def doorbell(t):
    """The host rings without a pause: no interrupt finds the next kernel unprepared."""
    region = t.region(64 * M)
    server = DoorbellServer(f'{t.work}/doorbell', region, 2)
    t.at_end(server.close)
    host = DoorbellClient(server.path)
    t.at_end(host.close)
    number, enough, rung = server.next_id, threading.Event(), threading.Event()
    vm = t.boot(name='doorbell', memory=1024, devices=[
        '-chardev', f'socket,id=door,path={server.path}', '-device', 'ivshmem-doorbell,chardev=door,vectors=2,id=shm0'])
    prepare(t, vm, region, 'doorbell')
    host.wait_vectors(number, 2)

    def ring():
        while not enough.wait(0.001):
            host.ring(number, 0)
            host.ring(number, 1)
            rung.set()
    thread = threading.Thread(target=ring, daemon=True)
    thread.start()
    rung.wait(10)
    went = next_kernel(vm, 'doorbell')
    enough.set()
    thread.join(10)
    if not went:
        return
    waiter = Waiter(vm, 'wait', poll_us=NEVER)
    store(region, M, 1)
    host.ring(number)
    waiter.check_changed(t, 'doorbell, after: the host stores and rings', 1)
    region.write(0, bytes(2 * M))
    both_ways(t, vm, region, 'doorbell, after')
    vm.finish_and_stop()


with Scenario('kexec', deadline=900) as t:
    plain(t)
    doorbell(t)
