# SPDX-License-Identifier: MIT
"""Waiters outlive the machine's sleep, and the memory's absence, but streams end by it; a reboot and a power-off end with them outstanding."""
from scenario import M, Scenario
from streams import Endless, both_ways, start_udev
from waiters import WAYS, Waiter, let_it_look, outstanding, store

MEMORY = 2  # PCI_COMMAND_MEMORY


def all_waiters(vm):
    return [Waiter(vm, way) for way in WAYS]


def check_all(t, waiters, region, what, value):
    for waiter in waiters:
        waiter.check_waits(t, what)
    store(region, M, value)
    for waiter in waiters:
        waiter.check_changed(t, f'{what}, the host stores', value)


def sleeps(t, vm, region):
    store(region, M, 70)
    waiters = all_waiters(vm)
    job = vm.spawn('echo mem > /sys/power/state')
    vm.qmp.wait_event('SUSPEND', 60)
    vm.qmp.command('system_wakeup')
    t.equal(job.wait(60), 0, 'the guest sleeps and wakes')
    let_it_look(t, vm, 'after the sleep')
    check_all(t, waiters, region, 'after the sleep', 71)
    check_all(t, all_waiters(vm), region, 'after the sleep, anew', 72)


def changed_asleep(t, vm, region):
    """The change comes while nobody can look."""
    store(region, M, 80)
    waiters = all_waiters(vm)
    job = vm.spawn('echo mem > /sys/power/state')
    vm.qmp.wait_event('SUSPEND', 60)
    store(region, M, 81)
    vm.qmp.command('system_wakeup')
    t.equal(job.wait(60), 0, 'changed meanwhile: the guest sleeps and wakes')
    for waiter in waiters:
        waiter.check_changed(t, 'changed meanwhile', 81)


class Decode:
    """Memory decoding of the device, switched through sysfs as setpci does."""

    def __init__(self, vm):
        self.vm = vm
        self.config = vm.sh('readlink -f /sys/class/ivshmem/ivshmem0/device') + '/config'
        self.command = int(vm.sh(f'xxd -s 4 -l 1 -p {self.config}'), 16)

    def set(self, on):
        value = self.command if on else self.command & ~MEMORY
        self.vm.sh(f"printf '\\{value:03o}' | dd of={self.config} bs=1 seek=4 conv=notrunc 2>/dev/null")

    def word(self):
        """What the memory reads as, at the word that is waited for."""
        return self.vm.sh(f'dd if=/dev/ivshmem0 bs=4 skip={M // 4} count=1 2>/dev/null | xxd -p')


def decode_off(t, vm, region):
    decode = Decode(vm)
    store(region, M, 90)
    waiters = all_waiters(vm)
    decode.set(False)
    t.note(f'with decoding off a word reads {decode.word()}')
    t.check(decode.word() != '5a000000', 'decoding is off')
    let_it_look(t, vm, 'decoding off')
    decode.set(True)
    t.equal(decode.word(), '5a000000', 'decoding is on again, and the memory is there')
    check_all(t, waiters, region, 'decoding was off', 91)


def changed_without_decode(t, vm, region):
    decode = Decode(vm)
    store(region, M, 100)
    waiters = all_waiters(vm)
    decode.set(False)
    store(region, M, 101)
    let_it_look(t, vm, 'changed while decoding is off')
    decode.set(True)
    for waiter in waiters:
        waiter.check_changed(t, 'changed while decoding was off', 101)


def streams_without_decode(t, vm, region):
    """The memory goes under a stream: both ends end with an error, and the next stream works when it is there again."""
    for direction in ('to guest', 'to host'):
        what = f'decoding goes off under a stream {direction}'
        decode = Decode(vm)
        stream = Endless(t, vm, region, direction)
        decode.set(False)
        stream.check_guest(what)
        stream.check_host(what, codes=(7, 8))
        decode.set(True)
        both_ways(t, vm, region, f'after {what}', size=M)


def reboots(t, vm, region):
    verdict = vm.ask_verdict(0)
    t.check(verdict.startswith('PASS: '), 'before it reboots: verdict', verdict)
    outstanding(vm)
    hellos = vm.hellos
    vm.qmp.command('set-action', reboot='reset')
    vm.send(b'start 9999 0 0 0 9\nreboot -f')
    vm.until(lambda: vm.hellos > hellos, 120, 'boot after a reboot')
    vm.qmp.command('set-action', reboot='shutdown')
    t.check(True, 'rebooted with waiters outstanding')
    start_udev(vm)
    region.write(0, bytes(2 * M))
    both_ways(t, vm, region, 'after the reboot')
    check_all(t, all_waiters(vm), region, 'after the reboot', 110)


def powers_off(vm):
    """By the guest; the console has what it said."""
    vm.finish()
    outstanding(vm)
    vm.send(b'poweroff\n')
    vm.qemu.wait(60)
    vm.until_gone()
    vm.check_console()


with Scenario('sleep, decoding off, reboot and power off while words are waited for', deadline=1200) as t:
    shared = t.region(16 * M)
    # QEMU's S3 and S5 take effect once: a guest for each, which QEMU ends.
    for what in (sleeps, changed_asleep):
        guest = t.boot([shared], name=what.__name__)
        start_udev(guest)
        what(t, guest, shared)
        guest.finish_and_stop(power_off=False)

    guest = t.boot([shared], name='guest')
    start_udev(guest)
    decode_off(t, guest, shared)
    changed_without_decode(t, guest, shared)
    shared.write(0, bytes(2 * M))
    streams_without_decode(t, guest, shared)
    reboots(t, guest, shared)
    powers_off(guest)
