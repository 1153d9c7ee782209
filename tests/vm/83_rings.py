# SPDX-License-Identifier: MIT
"""Two guests with doorbell devices: their helpers interrupt each other, once for each sleep, and nobody looks meanwhile."""
import signal

from asleep import InGuest
from doorbell_server import DoorbellServer
from scenario import M, Scenario
from streams import NODE, guest_digest, make_file, start_udev
from vm import KVM_USER

RECORDS = 200


class Guest:
    """A guest on its side, and how often it was interrupted."""

    def __init__(self, t, server, name, side):
        self.vm = t.boot(name=name, devices=['-chardev', f'socket,id=door,path={server.path}', '-device',
                                             'ivshmem-doorbell,chardev=door,vectors=1,id=shm0'])
        start_udev(self.vm)
        self.options, self.began = f'-q -r {NODE} --side {side} --peer-timeout 0', 0

    def count(self):
        lines = [line.split() for line in self.vm.sh('cat /proc/interrupts').splitlines() if line.endswith(' ivshmem')]
        return sum(int(word) for line in lines for word in line[1:] if word.isdigit())

    def begin(self):
        self.began = self.count()

    def interrupts(self):
        return self.count() - self.began


class Stream:
    """From a pipe in one guest, that its shell writes to, to a file in the other."""

    def __init__(self, sender, receiver):
        self.sender, self.receiver = sender, receiver
        sender.vm.sh('rm -f /tmp/words && mkfifo -m 666 /tmp/words')
        self.recv = InGuest(receiver.vm, f'recv {receiver.options}')
        self.recv.asleep()
        self.writer = sender.vm.spawn('exec 8<>/tmp/words; echo open; exec sleep 1000', KVM_USER)
        self.writer.wait_for('open')
        self.send = InGuest(sender.vm, f'send {sender.options}', '< /tmp/words')
        self.say('first')
        self.hears('first')

    def say(self, word):
        self.sender.vm.sh(f'echo {word} > /tmp/words')

    def hears(self, word):
        return self.recv.job.wait_for(f'(?m)^{word}$')

    def say_each(self, count):
        """So many words, each a record of its own: the next when the sender has read the one before."""
        self.sender.vm.sh(f'reads() {{ sed -n "s/^syscr: //p" /proc/{self.send.pid}/io; }}; for n in $(seq {count}); do '
                          'before=$(reads); echo word$n > /tmp/words; until [ $(reads) -gt $before ]; do :; done; done')

    def end(self, t, what):
        self.writer.kill()
        t.equal((self.send.job.wait(), self.recv.job.wait()), (0, 0), f'{what}: both ends are content')


def one_for_each(t, stream):
    """Of words that come one by one, to somebody who sleeps again after each."""
    for number in range(10):
        stream.recv.asleep()
        stream.receiver.begin()
        stream.say(f'word{number}')
        if not t.check(stream.hears(f'word{number}') and stream.receiver.interrupts() == 1, f'word {number}: one interrupt',
                       f'{stream.receiver.interrupts()}: {stream.recv.job.output}'):
            return


def one_for_many(t, stream):
    """However many records are sent to somebody who is not up yet."""
    stream.recv.asleep()
    stream.recv.job.kill(signal.SIGSTOP)
    stream.receiver.vm.sh(f'until grep -q "^State:.T" /proc/{stream.recv.pid}/status; do :; done')
    stream.receiver.begin()
    stream.say_each(RECORDS)
    t.equal(stream.receiver.interrupts(), 1, f'{RECORDS} records, and one interrupt')
    stream.recv.job.kill(signal.SIGCONT)
    t.check(stream.hears(f'word{RECORDS}'), 'all of them arrive', stream.recv.job.output)


def looks_for_nothing(t, stream):
    stream.recv.check_asleep(t, 'a receiver')
    stream.receiver.begin()
    stream.recv.check_asleep(t, 'still')
    t.equal(stream.receiver.interrupts(), 0, 'nobody is interrupted for nothing')


def files(t, sender, receiver, what):
    wanted = make_file(sender.vm, '/tmp/out', 64 * M)
    recv = InGuest(receiver.vm, f'recv {receiver.options} -o /tmp/in')
    recv.asleep()
    for guest in (sender, receiver):
        guest.begin()
    send = sender.vm.spawn(f'ivpipe send {sender.options} /tmp/out', KVM_USER)
    codes = send.wait(120), recv.job.wait(120)
    t.check(codes == (0, 0) and guest_digest(receiver.vm, '/tmp/in') == wanted, f'{what}: a file of 64 MiB',
            f'{codes}\n{send.output}\n{recv.job.output}')
    t.note(f'{what}: 1024 records of 64 KiB, {receiver.interrupts()} interrupts there and {sender.interrupts()} back')
    t.check(receiver.interrupts() <= 1100 and sender.interrupts() <= 1100, f'{what}: no more interrupts than records')


with Scenario('doorbells of the helper', deadline=600) as t:
    region = t.region(64 * M)
    t.equal(t.ivpipe('format', region.path, '--sides', '3').wait(20), 0, 'a region of three sides')
    server = DoorbellServer(f'{t.work}/doorbell', region, 1)
    t.at_end(server.close)
    one, two = Guest(t, server, 'one', 1), Guest(t, server, 'two', 2)
    for here, there, what in ((two, one, 'two to one'), (one, two, 'one to two')):
        stream = Stream(here, there)
        one_for_each(t, stream)
        looks_for_nothing(t, stream)
        one_for_many(t, stream)
        stream.end(t, what)
        files(t, here, there, what)
    for guest in (one, two):
        guest.vm.finish_and_stop()
