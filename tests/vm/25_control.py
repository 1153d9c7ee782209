# SPDX-License-Identifier: MIT
"""Control connections into a guest and within it: a virtio port, and vsock by the kernel's loopback. Streams, kicks, pipes, deaths."""
import os
import signal

from asleep import InGuest
from scenario import M, Scenario
from streams import NODE, Endless, ToGuest, ToHost, both_ways, start_udev
from vm import KVM_USER, plain_device

PORT = '/dev/virtio-ports/ivpipe'
HELLO = 1024
STREAMS = 8


def virtio_port(t):
    """QEMU's arguments for it, and the socket of its other end."""
    path = f'{t.work}/port'
    return path, ['-device', 'virtio-serial-pci', '-chardev', f'socket,id=port,path={path},server=on,wait=off', '-device',
                  'virtserialport,chardev=port,name=ivpipe']


def find_port(vm):
    """As systemd's rule for it names it."""
    vm.sh('modprobe virtio_pci && modprobe virtio_console && udevadm settle --timeout=30')
    vm.sh('mkdir -p /dev/virtio-ports; for p in /sys/class/virtio-ports/*; do '
          f'[ "$(cat $p/name)" = ivpipe ] && ln -sf /dev/${{p##*/}} {PORT} && chgrp 104 {PORT} && chmod 660 {PORT}; done; '
          f'test -c {PORT}')


def over_the_port(t, vm, region, socket):
    options = {'options': f'--control serial:{PORT}', 'host_options': ['--control', f'serial:{socket}']}
    for first in ('host', 'guest'):
        ToHost(t, vm, region, first=first, **options).check(f'a virtio port, {first} first: guest to host')
        ToGuest(t, vm, region, first=first, **options).check(f'a virtio port, {first} first: host to guest')
    ToGuest(t, vm, region, options=f'--control serial:{PORT}', host_options=['--control', f'unix:{socket}']).check(
        'a virtio port, whose other end a client takes for a socket')
    return options


def lost_words(t, vm, region, socket):
    """A port keeps nothing for who comes later: who listens has it open all the time, and who calls says his hello again."""
    listener = vm.spawn(f'ivpipe recv -r {NODE} --control serial:{PORT} -o /tmp/got', KVM_USER)
    looks = vm.sh('n() { ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c "> /dev/vport"; }; until [ "$(n)" = 1 ]; do :; done; '
                  'for i in $(seq 50); do n; done | sort | uniq -c').split()
    t.equal(looks, ['50', '1'], 'a port is kept open by who listens, also when nobody has its other end')
    status, output = vm.run(f'ivpipe send -r {NODE} --control serial:{PORT} --wait 1s /etc/passwd', user=KVM_USER)
    t.equal(status, 5, 'by nobody else on this side')
    t.matches(output, 'another process', 'who is told so')
    t.equal((t.ivpipe('send', '-r', region.path, '--control', f'serial:{socket}', '/etc/passwd').wait(), listener.wait()),
            (0, 0), 'and then somebody comes')
    sender = t.ivpipe('send', '-r', region.path, '--control', f'serial:{socket}', '/etc/passwd')
    vm.sh(f'until [ "$(head -c {HELLO} {PORT} | wc -c)" = {HELLO} ]; do :; done', 60)
    listener = vm.spawn(f'ivpipe recv -r {NODE} --control serial:{PORT} -o /tmp/got', KVM_USER)
    t.check((sender.wait(), listener.wait()) == (0, 0), 'a hello that nobody answered is said again',
            f'{sender.errors} {listener.output}')


def kicked(t, vm, region, socket):
    """Who sleeps in the guest is woken by a byte, and does not look meanwhile."""
    fifo = f'{t.work}/slow'
    os.mkfifo(fifo)
    pipe = os.open(fifo, os.O_RDWR)
    receiver = InGuest(vm, f'recv -q -r {NODE} --control serial:{PORT}')
    sender = t.ivpipe('send', '-q', '-r', region.path, '--control', f'serial:{socket}', stdin=fifo)
    for number in range(5):
        os.write(pipe, f'word{number}\n'.encode())
        t.check(receiver.job.wait_for(f'word{number}'), f'word {number} arrives', receiver.job.output)
    receiver.check_quiet(t, 'a receiver with a control connection')
    os.close(pipe)
    t.equal((sender.wait(), receiver.job.wait()), (0, 0), 'and the end as well')


def deaths(t, vm, region, options):
    for direction in ('to host', 'to guest'):
        stream = Endless(t, vm, region, direction, **options)
        stream.host.kill()
        stream.check_guest(f'{direction}, the host\'s end is killed')
        stream = Endless(t, vm, region, direction, **options)
        stream.guest.kill(signal.SIGKILL)
        stream.check_host(f'{direction}, the guest\'s end is killed')
        stream.guest.wait()
    both_ways(t, vm, region, 'after all that')


def over_vsock(t, vm):
    """Two processes of the guest; the kernel connects CID 1 with itself."""
    if vm.run('modprobe vsock_loopback')[0]:
        t.skip('vsock', 'this kernel has no vsock_loopback')
        return
    vm.sh('dd if=/dev/urandom of=/tmp/big bs=1M count=8; chmod 644 /tmp/big')
    for who in ('local', 'any', '1'):
        recv = vm.spawn(f'ivpipe recv -r {NODE} --control vsock:{who}:4000 -o /tmp/got', KVM_USER)
        send = vm.spawn(f'ivpipe send -r {NODE} --control vsock:local:4000 /tmp/big', KVM_USER)
        t.equal((send.wait(), recv.wait()), (0, 0), f'vsock, a listener for {who}')
        t.equal(vm.run('cmp /tmp/big /tmp/got')[0], 0, 'and the file is whole')
    recv = vm.spawn(f'ivpipe recv -r {NODE} --control vsock:77:4001 --wait 3s -o /tmp/got', KVM_USER)
    status, output = vm.run(f'ivpipe send -r {NODE} --control vsock:local:4001 --wait 1s /tmp/big', user=KVM_USER)
    t.equal(status, 5, 'a listener for another machine takes nobody else')
    t.equal(recv.wait(), 5, 'and nobody came for it')
    t.matches(output, 'vsock:local:4001', 'the sender says where')


def pipes(t, vm, region, what, options='', host_options=()):
    """Both ways at once, of different lengths."""
    path, wanted = t.random_file(6 * M)
    there = vm.sh('dd if=/dev/urandom of=/tmp/words bs=1M count=4 2>/dev/null; chmod 644 /tmp/words; sha256sum < /tmp/words')
    host = t.ivpipe('pipe', '--listen', '-r', region.path, *host_options, stdin=path)
    guest = vm.spawn(f'set -o pipefail; ivpipe pipe -r {NODE} {options} < /tmp/words | sha256sum', KVM_USER)
    t.equal((guest.wait(), host.wait()), (0, 0), f'{what}: both ends are content')
    t.equal(guest.output.split()[0], wanted, f'{what}: what the host sent')
    t.equal(t.host('/usr/bin/sha256sum', host.out_path).wait(), 0, f'{what}: the host has it')
    with open(host.out_path, 'rb') as f:
        t.equal(len(f.read()), 4 * M, f'{what}: all of it')
    digest = t.host('/usr/bin/sha256sum', stdin=host.out_path)
    digest.wait()
    t.equal(digest.output.split()[0], there.split()[0], f'{what}: what the guest sent')


def many(t, vm, region):
    """At the same time, each way by turns."""
    streams = [(ToHost, ToGuest)[n % 2](t, vm, region, size=4 * M, options=f'-s s{n}', host_options=['-s', f's{n}'])
               for n in range(STREAMS)]
    for number, stream in enumerate(streams):
        stream.check(f'{STREAMS} at once: number {number}', 120)


def wrong_memory(t, vm, other, socket):
    """The connection leads to a guest, and the region on this side to another one's memory."""
    t.equal(t.ivpipe('format', other.path).wait(20), 0, 'another region')
    recv = vm.spawn(f'ivpipe recv -r {NODE} --control serial:{PORT} -o /tmp/got', KVM_USER)
    send = t.ivpipe('send', '-r', other.path, '--control', f'serial:{socket}', '/etc/passwd')
    t.equal((send.wait(), recv.wait()), (6, 6), 'the wrong machine\'s memory is refused on both sides')
    for output in (send.errors, recv.output):
        t.matches(output, 'another region', 'in words')


with Scenario('control connections', deadline=600) as t:
    shared, elsewhere = t.region(64 * M), t.region(16 * M)
    control, devices = virtio_port(t)
    guest = t.boot(devices=[*plain_device(shared), *devices], memory=768)
    start_udev(guest)
    find_port(guest)
    t.equal(t.ivpipe('format', shared.path).wait(20), 0, 'the region is laid out')
    port = over_the_port(t, guest, shared, control)
    lost_words(t, guest, shared, control)
    kicked(t, guest, shared, control)
    deaths(t, guest, shared, port)
    wrong_memory(t, guest, elsewhere, control)
    over_vsock(t, guest)
    pipes(t, guest, shared, 'a pipe')
    pipes(t, guest, shared, 'a pipe over the port', **port)
    many(t, guest, shared)
    guest.finish_and_stop()
