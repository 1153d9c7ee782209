# SPDX-License-Identifier: MIT
"""One test guest under QEMU, run from the host: boot, commands, hot-plug, verdict.

Every wait has a deadline and names what it waits for. QEMU's ends of the sockets are the connecting ones, so nobody
polls for a socket to appear. See init.c for the protocol on the serial lines.
"""
import ctypes
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import threading
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
BUILD = os.path.join(ROOT, 'build')
ROOT_USER = (0, 0, 0)
KVM_USER = (1000, 1000, 104)  # `user`, in group kvm
NO_GROUP_USER = (1001, 1001, 1001)  # `other`, in no group of use
CONSOLE_BAD = re.compile(rb'Kernel panic|BUG:|WARNING:|KASAN|Oops|general protection|Call Trace')


class GuestDied(Exception):
    pass


class Late(Exception):
    pass


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def guest_files():
    """Release, kernel image and initramfs; built unless check-vm did so already."""
    files = os.environ.get('IVPIPE_VM_FILES')
    if not files:
        files = subprocess.run([f'{ROOT}/scripts/vm-initramfs'], check=True, stdout=subprocess.PIPE, text=True).stdout
        os.environ['IVPIPE_VM_FILES'] = files
    return files.splitlines()


def accelerator():
    if 'IVPIPE_ACCEL' not in os.environ:
        probe = subprocess.run([f'{ROOT}/scripts/vm-accel'], check=True, stdout=subprocess.PIPE, text=True)
        os.environ['IVPIPE_ACCEL'] = probe.stdout.strip()
    return os.environ['IVPIPE_ACCEL']


class Job:
    """A command in the guest. Its output grows while it runs; status is set when it has ended."""

    def __init__(self, vm, number, command):
        self.vm, self.number, self.command = vm, number, command
        self.started, self.status, self.data = False, None, bytearray()

    @property
    def output(self):
        return self.data.decode(errors='replace')

    def wait(self, timeout=60):
        self.vm.until(lambda: self.status is not None, timeout, f'end of: {self.command}')
        return self.status

    def wait_for(self, pattern, timeout=60):
        """Until the output matches, or the job has ended; returns the match or None."""
        found = []

        def look():
            found[:] = [re.search(pattern, self.output)]
            return found[0] or self.status is not None
        self.vm.until(look, timeout, f'{pattern!r} from: {self.command}')
        return found[0]

    def kill(self, number=signal.SIGTERM):
        self.vm.send(f'kill {self.number} {int(number)}\n'.encode())


class Qmp:
    def __init__(self, sock):
        self.sock, self.file, self.events = sock, sock.makefile('rb'), []

    def greet(self):
        self.read(time.monotonic() + 30)
        self.command('qmp_capabilities')

    def read(self, deadline):
        self.sock.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            line = self.file.readline()
        except TimeoutError:
            raise Late('QMP says nothing') from None
        if not line:
            raise GuestDied('QMP connection closed')
        return json.loads(line)

    def command(self, name, timeout=30, **arguments):
        deadline = time.monotonic() + timeout
        self.sock.sendall(json.dumps({'execute': name, 'arguments': arguments}).encode() + b'\n')
        while True:
            message = self.read(deadline)
            if 'event' in message:
                self.events.append(message)
            elif 'error' in message:
                raise RuntimeError(f'QMP {name}: {message["error"]["desc"]}')
            else:
                return message['return']

    def wait_event(self, name, timeout=30, **data):
        """An event of that name with that data, which may have come already."""
        deadline = time.monotonic() + timeout
        while True:
            for event in self.events:
                if event['event'] == name and all(event.get('data', {}).get(k) == v for k, v in data.items()):
                    self.events.remove(event)
                    return event
            message = self.read(deadline)
            if 'event' in message:
                self.events.append(message)


# rep movsb is executed byte by byte under TCG; max has RDRAND, so getrandom() never waits.
QUICK_CPU = 'max,-erms'


class VM:
    """A booted guest. `devices` are QEMU's own words; see plain_device() and root_port().

    parallel: emulated processors run each in a thread of the host's, so at the same time, and not by turns. For races within the
    guest; but not where devices come and go, or the machine sleeps: then QEMU changes its map of the memory under the feet of
    the other processor (7.2 and 10.0 do), whose access in that moment reaches another device. The guest loses a timer
    interrupt and waits for ever, or QEMU dies (iotlb_to_section), some once in a thousand unplugs.
    """

    IOCTL = 16  # the number of that call on the guest's architecture

    def __init__(self, scenario, name, devices=(), machine='q35', memory=512, append='', parallel=False, cpu=QUICK_CPU):
        self.scenario, self.name, self.machine, self.memory = scenario, name, machine, memory
        self.devices, self.append, self.parallel, self.cpu = list(devices), append, parallel, cpu
        self.change, self.jobs, self.numbers = threading.Condition(), {}, 0
        self.alive, self.hellos, self.byes, self.plugs = False, 0, 0, 0
        self.log = os.path.join(scenario.logs, name)
        self.qemu = None
        self.start()

    # --- QEMU ---

    def start(self):
        """Start QEMU and wait for the guest's first word.

        Once in a hundred parallel boots a stock kernel under TCG dies of a breakpoint that it had set, and removed, while it changed
        its own code. Nothing of ours has run by then: it gets another try, one.
        """
        try:
            self.launch()
        except GuestDied:
            if not re.search(rb'\bint3: 0000 ', self.console()):
                raise
            self.qemu.wait(30)
            self.scenario.note(f'{self.name}: the kernel met its own breakpoint before the first process; again')
            self.launch()

    def launch(self):
        release, image, initramfs = guest_files()
        self.release, self.verdict_read, expected = release, 0, self.hellos + 1
        for suffix in ('.console', '.verdict', '.qemu'):
            open(self.log + suffix, 'wb').close()
        listeners = [self.listen(what) for what in ('control', 'qmp')]
        with open(self.log + '.qemu', 'wb') as err:
            self.qemu = subprocess.Popen(self.command_line(image, initramfs), stdin=subprocess.DEVNULL, stdout=err,
                                         stderr=err, preexec_fn=die_with_parent)
        self.scenario.at_end(self.kill)
        self.alive = True
        self.control, qmp = [self.accept(listener) for listener in listeners]
        threading.Thread(target=self.reader, args=(self.control,), daemon=True).start()
        self.qmp = Qmp(qmp)
        self.qmp.greet()
        self.until(lambda: self.hellos >= expected, 120, 'boot')

    def command_line(self, image, initramfs):
        accel, log, work = accelerator(), self.log, self.scenario.work
        return ['qemu-system-x86_64', '-name', self.name, '-M', self.machine,
                '-accel', f'tcg,thread={"multi" if self.parallel else "single"}' if accel == 'tcg' else accel,
                '-cpu', self.cpu, '-m', str(self.memory), '-smp', '2',
                '-display', 'none', '-nodefaults', '-no-user-config', '-no-reboot',
                '-kernel', image, '-initrd', initramfs,
                '-append', f'console=ttyS0 panic=-1 panic_on_warn=1 oops=panic {self.append}',
                '-chardev', f'file,id=console,path={log}.console', '-serial', 'chardev:console',
                '-chardev', f'socket,id=control,path={work}/{self.name}.control', '-serial', 'chardev:control',
                '-chardev', f'file,id=verdict,path={log}.verdict', '-serial', 'chardev:verdict',
                '-chardev', f'socket,id=qmp,path={work}/{self.name}.qmp', '-mon', 'chardev=qmp,mode=control',
                *self.devices]

    def listen(self, what):
        path = f'{self.scenario.work}/{self.name}.{what}'
        if os.path.exists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        return listener

    def accept(self, listener):
        listener.settimeout(1)
        deadline = time.monotonic() + 30
        while True:
            try:
                return listener.accept()[0]
            except TimeoutError:
                if self.qemu.poll() is not None or time.monotonic() > deadline:
                    raise GuestDied('QEMU did not start: ' + open(self.log + '.qemu').read()) from None
            finally:
                if self.qemu.poll() is not None:
                    listener.close()

    def kill(self):
        """The host loses the guest without a word."""
        if self.qemu.poll() is None:
            self.qemu.kill()
        self.qemu.wait(30)
        self.until_gone()

    def until_gone(self):
        with self.change:
            if not self.change.wait_for(lambda: not self.alive, 30):
                raise Late('end of the control line')

    # --- the control line ---

    def reader(self, sock):
        file = sock.makefile('rb')
        try:
            for line in file:
                word, *numbers = line.split()
                data = file.read(int(numbers[1])) if word == b'out' else b''
                with self.change:
                    self.note(word, [int(n) for n in numbers], data)
                    self.change.notify_all()
        except (OSError, ValueError):
            pass
        with self.change:
            self.alive = False
            self.change.notify_all()

    def note(self, word, numbers, data):
        job = self.jobs.get(numbers[0]) if numbers else None
        if word == b'hello':
            self.hellos += 1
        elif word == b'bye':
            self.byes += 1
        elif job and word == b'go':
            job.started = True
        elif job and word == b'out':
            job.data += data
        elif job and word == b'end':
            job.status = numbers[1]

    def until(self, condition, timeout, what):
        with self.change:
            if not self.change.wait_for(lambda: condition() or not self.alive, timeout):
                raise Late(f'{self.name}: no {what} within {timeout} s')
            if not condition():
                raise GuestDied(f'{self.name}: QEMU ended while waiting for {what}\n' + self.console_tail())

    def console(self):
        with open(self.log + '.console', 'rb') as f:
            return f.read()

    def console_tail(self):
        return self.console()[-3000:].decode(errors='replace')

    def how_it_ended(self):
        """For a scenario that came to nothing: QEMU's exit code and last words, and the kernel's; '' while it runs."""
        try:
            status = self.qemu.wait(5)
        except subprocess.TimeoutExpired:
            return ''
        with open(self.log + '.qemu', encoding='utf-8', errors='replace') as f:
            return f'{self.name}: QEMU ended with {status}: {f.read().strip()}\n{self.console_tail()}'

    def send(self, data):
        self.control.sendall(data)

    # --- commands in the guest ---

    def spawn(self, command, user=ROOT_USER):
        self.numbers += 1
        job = self.jobs[self.numbers] = Job(self, self.numbers, command)
        data = command.encode()
        self.send(f'start {job.number} {user[0]} {user[1]} {user[2]} {len(data)}\n'.encode() + data)
        self.until(lambda: job.started, 60, f'start of: {command}')
        return job

    def run(self, command, timeout=60, user=ROOT_USER):
        """Exit code and output of a shell command."""
        job = self.spawn(command, user)
        return job.wait(timeout), job.output

    def sh(self, command, timeout=60, user=ROOT_USER):
        """Output, stripped, of a command that must succeed."""
        status, output = self.run(command, timeout, user)
        if status:
            raise RuntimeError(f'{self.name}: status {status} from: {command}\n{output}')
        return output.strip()

    def write_file(self, path, text):
        self.sh(f'printf %s {shlex.quote(text)} > {path}')

    # --- devices ---

    def plug(self, region, name, bus=None):
        """Hot-add. A memory backend is never used twice: QEMU 7.2 aborts on that."""
        self.plugs += 1
        memory = f'{name}-memory{self.plugs}'
        props = {'qom-type': 'memory-backend-file', 'id': memory, 'share': True, 'mem-path': region.path,
                 'size': region.size}
        self.qmp.command('object-add', **props)
        self.qmp.command('device_add', driver='ivshmem-plain', memdev=memory, id=name, **({'bus': bus} if bus else {}))
        return memory

    def unplug(self, name, memory, timeout=60):
        """Ask the guest to let go of the device, and wait until it did."""
        self.qmp.command('device_del', id=name)
        self.qmp.wait_event('DEVICE_DELETED', timeout, device=name)
        self.qmp.command('object-del', id=memory)

    # --- the end of a boot ---

    def ask_verdict(self, failed):
        """What the guest writes about its kernel and our failed checks; empty if it writes nothing."""
        byes = self.byes
        self.send(f'finish {failed}\n'.encode())
        self.until(lambda: self.byes > byes, 60, 'verdict')
        with open(self.log + '.verdict', encoding='utf-8') as f:
            f.seek(self.verdict_read)
            verdict = f.read().strip()
            self.verdict_read = f.tell()
        return verdict

    def finish(self):
        """The check fails unless the guest wrote that all was well."""
        verdict = self.ask_verdict(self.scenario.failed)
        self.scenario.check(verdict.startswith('PASS: '), f'{self.name}: verdict', verdict or 'none written')

    def finish_and_stop(self, power_off=True):
        """The verdict, then off: by the guest, whose driver sees that too, or by QEMU alone."""
        self.finish()
        if power_off:
            self.send(b'poweroff\n')
        else:
            self.qmp.command('quit')
        try:
            self.qemu.wait(60)
        except subprocess.TimeoutExpired:
            raise Late(f'{self.name}: no power off') from None
        self.until_gone()
        self.check_console()

    def check_console(self):
        """For what happened after, or without, a verdict."""
        bad = CONSOLE_BAD.search(self.console())
        self.scenario.check(not bad, f'{self.name}: console is clean', bad and bad.group().decode())

    def reset(self):
        """Press the reset button, and wait until the guest is back."""
        hellos = self.hellos
        self.qmp.command('set-action', reboot='reset')
        self.qmp.command('system_reset')
        self.until(lambda: self.hellos > hellos, 120, 'boot after a reset')
        self.qmp.command('set-action', reboot='shutdown')


def plain_device(region, name='shm0', **props):
    """QEMU arguments for an ivshmem-plain device on a region."""
    extra = ''.join(f',{k}={v}' for k, v in props.items())
    return ['-object', f'memory-backend-file,id={name}-memory0,share=on,mem-path={region.path},size={region.size}',
            '-device', f'ivshmem-plain,memdev={name}-memory0,id={name}{extra}']


def root_port(number=1, reserve='256M'):
    """A port of q35 that devices can be hot-plugged into; without the reserve a BAR2 of 16 MiB finds no room."""
    return ['-device', f'pcie-root-port,id=rp{number},chassis={number},slot={number},pref64-reserve={reserve}']
