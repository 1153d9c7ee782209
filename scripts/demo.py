# SPDX-License-Identifier: MIT
"""The demo itself, once all is compiled; see scripts/demo."""
import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'vm'))
from vm import BUILD, KVM_USER, VM, accelerator, die_with_parent, guest_files, plain_device  # noqa: E402

M = 1 << 20
REGION_SIZE = 64 * M
BOLD, PLAIN = ('\033[1m', '\033[0m') if sys.stdout.isatty() and 'NO_COLOR' not in os.environ else ('', '')


class Region:
    size = REGION_SIZE

    def __init__(self, path):
        self.path = path


class Demo:
    """What a VM needs of whoever runs it, and the printing."""

    def __init__(self):
        self.work = tempfile.mkdtemp(prefix='ivpipe-demo-', dir='/var/tmp')
        self.logs, self.ends, self.failed, self.number = self.work, [], 0, 0
        self.region = Region(f'/dev/shm/ivpipe-demo-{os.getpid()}')
        self.began = time.monotonic()

    def at_end(self, call):
        self.ends.append(call)

    def check(self, good, what, otherwise=None):
        if not good:
            self.failed += 1
            print(f'   FAILED: {what}: {otherwise or ""}')

    def clean(self):
        for end in reversed(self.ends):
            end()
        shutil.rmtree(self.work, ignore_errors=True)
        if os.path.exists(self.region.path):
            os.unlink(self.region.path)

    def step(self, text):
        self.number += 1
        print(f'\n{BOLD}{self.number}. {text}{PLAIN}   [{time.monotonic() - self.began:.0f} s]', flush=True)


def show(where, command):
    print(f'   {where}{"#" if where == "guest" else "$"} {command}', flush=True)


def say(text):
    for line in text.splitlines():
        print(f'     {line}', flush=True)


def host_digest(path):
    with open(path, 'rb') as f:
        return hashlib.file_digest(f, 'sha256').hexdigest()


def make_host_file(path, size):
    """Something real, the programs of this machine, as a tar of the size wanted."""
    tar = subprocess.Popen(['tar', '-cf', '-', '-C', '/', 'usr/bin', 'usr/lib', 'usr/share'], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
    with open(path, 'wb') as f:
        while f.tell() < size:
            piece = tar.stdout.read(min(M, size - f.tell()))
            f.write(piece or os.urandom(min(M, size - f.tell())))
    tar.kill()
    tar.wait()


def start_helper(demo, *args):
    """The host's end; its progress and complaints go where ours go."""
    show('host', 'ivpipe ' + ' '.join(args))
    process = subprocess.Popen([f'{BUILD}/ivpipe', *args, '--progress'], stdin=subprocess.DEVNULL,
                               preexec_fn=die_with_parent)
    demo.at_end(lambda: process.poll() is None and process.kill())
    return process


def boot(demo, size):
    release = guest_files()[0]
    accel = accelerator()
    demo.step(f'Boot a guest: Debian\'s kernel {release}, {accel.upper()}, no network')
    with open(demo.region.path, 'xb') as f:
        os.chmod(demo.region.path, 0o660)
        f.truncate(REGION_SIZE)
    show('host', 'qemu-system-x86_64 ... \\')
    device = plain_device(demo.region)
    say(f'{device[0]} {device[1]} \\\n{device[2]} {device[3]}')
    return VM(demo, 'guest', device, memory=512 + 4 * size // M)


def load_module(vm):
    show('guest', 'modprobe ivshmem')
    vm.sh('/lib/systemd/systemd-udevd --daemon; modprobe ivshmem; udevadm settle --timeout=30', 90)
    show('guest', 'ls -l /dev/ivshmem0; cd /sys/class/ivshmem/ivshmem0; grep . size model cache')
    say(vm.sh('ls -l /dev/ivshmem0; cd /sys/class/ivshmem/ivshmem0; grep . size model cache'))


def make_guest_file(vm, size):
    """What is in the guest already and random bytes, over and over; random ones alone take long without KVM."""
    vm.sh('cd /tmp && { tar -cf - /bin /usr /lib; dd if=/dev/urandom bs=1M count=32; } > part 2>/dev/null && '
          f'while [ $(stat -c %s guest-file 2>/dev/null || echo 0) -lt {size} ]; do cat part >> guest-file; done && '
          f'truncate -s {size} guest-file && rm part', 120, KVM_USER)


def compare(demo, what, guest, host, size, seconds):
    print(f'   {what}: {size / M:.0f} MiB in {seconds:.2f} s, {size / seconds / 1e6:.0f} MB/s')
    print(f'     sha256 in the guest  {guest}\n     sha256 on the host   {host}', flush=True)
    demo.check(guest == host, what, 'the digests differ')


def both_end(demo, process, job, timeout=120):
    codes = process.wait(timeout), job.wait(timeout)
    demo.check(codes == (0, 0), 'stream', f'exit codes: host {codes[0]}, guest {codes[1]}\n{job.output}')


def guest_to_host(demo, vm, size):
    demo.step('A file of the guest to the host, by an unprivileged user of group kvm')
    make_guest_file(vm, size)
    show('guest', f'ls -l /tmp/guest-file    ({size / M:.0f} MiB)')
    target = f'{demo.work}/from-guest'
    process = start_helper(demo, 'recv', '-r', demo.region.path, '-o', target)
    show('guest', 'su user -c "ivpipe send /tmp/guest-file"')
    began = time.monotonic()
    job = vm.spawn('ivpipe send /tmp/guest-file', KVM_USER)
    both_end(demo, process, job)
    seconds = time.monotonic() - began
    sent = vm.sh('sha256sum /tmp/guest-file', 120).split()[0]
    compare(demo, 'guest to host', sent, host_digest(target), size, seconds)
    vm.sh('rm /tmp/guest-file')


def host_to_guest(demo, vm, size):
    demo.step('A file of the host to the guest')
    source = f'{demo.work}/host-file'
    make_host_file(source, size)
    show('host', f'ls -l {source}    ({size / M:.0f} MiB, a tar of /usr)')
    show('guest', 'su user -c "ivpipe recv -o /tmp/from-host"')
    job = vm.spawn('ivpipe recv -o /tmp/from-host', KVM_USER)
    began = time.monotonic()
    process = start_helper(demo, 'send', '-r', demo.region.path, source)
    both_end(demo, process, job)
    seconds = time.monotonic() - began
    got = vm.sh('sha256sum /tmp/from-host', 120).split()[0]
    compare(demo, 'host to guest', got, host_digest(source), size, seconds)


def run(demo, size):
    vm = boot(demo, size)
    demo.step('Load the module')
    load_module(vm)
    guest_to_host(demo, vm, size)
    host_to_guest(demo, vm, size)
    demo.step('Unload the module, and ask the guest\'s kernel whether all is well')
    show('guest', 'modprobe -r ivshmem')
    vm.sh('modprobe -r ivshmem')
    vm.finish_and_stop()
    if not demo.failed:
        print(f'\n{BOLD}Both files arrived whole.{PLAIN}')


def main():
    parser = argparse.ArgumentParser(prog='demo')
    parser.add_argument('--size', type=int, default=128, metavar='MIB')
    size = parser.parse_args().size * M
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in jobs that a script puts in the background
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: sys.exit(128 + got))
    demo = Demo()
    try:
        run(demo, size)
    except KeyboardInterrupt:
        print('\nStopped.')
        demo.failed = 130
    except Exception as error:  # whatever it was: one line, and nothing left behind
        print(f'   FAILED: {error}')
        demo.failed += 1
    finally:
        demo.clean()
    sys.exit(130 if demo.failed == 130 else min(demo.failed, 1))


main()
