# SPDX-License-Identifier: MIT
"""Who waits in a guest sleeps in the driver: on another machine's word, or until a process of the same guest wakes it."""
import os
import threading

from asleep import WAIT, InGuest, Wakes, same_guest
from scenario import M, Scenario, digest
from streams import NODE, make_file, start_udev
from vm import BUILD, plain_device, root_port

class Pipe:
    """With a name, for one end of the host's helper: silent, or full, as long as we please."""

    def __init__(self, t):
        self.path = f'{t.work}/pipe{t.next_number()}'
        os.mkfifo(self.path)
        self.fd = os.open(self.path, os.O_RDWR)

    def say(self, text):
        os.write(self.fd, text.encode())

    def close(self):
        os.close(self.fd)


def listener_and_receiver(t, vm, region):
    pipe = Pipe(t)
    guest = InGuest(vm, f'recv -q -r {NODE}')
    guest.check_asleep(t, 'a listener')
    host = t.ivpipe('send', '-q', '-r', region.path, stdin=pipe.path)
    pipe.say('first\n')
    t.check(guest.job.wait_for('first'), 'a client on the host reaches it', guest.job.output)
    guest.check_asleep(t, 'a receiver whose sender is silent')
    pipe.say('second\n')
    t.check(guest.job.wait_for('second'), 'what the host sends then comes through', guest.job.output)
    pipe.close()
    t.equal((host.wait(), guest.job.wait()), (0, 0), 'and the end as well')


def full_ring(t, vm, region, wakes):
    pipe, wanted = Pipe(t), make_file(vm, '/tmp/out', 8 * M)
    target = f'{t.work}/got'
    wakes.begin()
    host = t.host('/bin/sh', '-c', f'exec {BUILD}/ivpipe recv -q -r {region.path} > {pipe.path}')
    guest = InGuest(vm, f'send -q -r {NODE} /tmp/out')
    guest.check_asleep(t, 'a sender before a full ring')

    def drain():
        with open(target, 'wb') as out:
            while out.tell() < 8 * M:
                out.write(os.read(pipe.fd, M))
    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    t.equal((guest.job.wait(), host.wait()), (0, 0), 'it goes on when the host does')
    reader.join(60)
    t.equal(digest(target), wanted, 'and everything arrives')
    pipe.close()
    wakes.check(0, 0, 'nobody is woken in the guest for a peer that is not there')


def unplugged(t, vm, region):
    pipe = Pipe(t)
    guest = InGuest(vm, f'recv -q -r {NODE}')
    host = t.ivpipe('send', '-q', '-r', region.path, stdin=pipe.path)
    pipe.say('first\n')
    guest.job.wait_for('first')
    t.matches(guest.asleep(), WAIT, 'a receiver sleeps while its device is unplugged')
    vm.unplug('shm0', 'shm0-memory0')
    t.equal(guest.job.wait(), 8, 'and says that the memory went away')
    t.matches(guest.job.output, 'went away', 'in a sentence')
    t.equal(host.wait(), 8, 'the host\'s end notices')
    pipe.close()


with Scenario('sleeping in the driver') as t:
    region = t.region(64 * M)
    vm = t.boot(devices=[*root_port(), *plain_device(region, bus='rp1')], memory=768)
    start_udev(vm)
    t.equal(t.ivpipe('format', region.path).wait(20), 0, 'the region is laid out')
    wakes = Wakes(t, vm)
    listener_and_receiver(t, vm, region)
    full_ring(t, vm, region, wakes)
    same_guest(t, vm, wakes)
    unplugged(t, vm, region)
    vm.finish_and_stop()
