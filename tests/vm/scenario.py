# SPDX-License-Identifier: MIT
"""A scenario: TAP, files and processes that vanish with it, and the host's helper.

    with Scenario('what it shows') as t:
        vm = t.boot([t.region(64 << 20)])
        t.check(vm.run('true')[0] == 0, 'commands run')
        vm.finish_and_stop()
"""
import hashlib
import mmap
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from vm import BUILD, ROOT, VM, GuestDied, Late, die_with_parent, plain_device

M = 1 << 20
G = 1 << 30


def shared_directory():
    """Where regions lie: a container's /dev/shm of 64 MiB is too small for them."""
    room = os.statvfs('/dev/shm') if os.path.isdir('/dev/shm') else None
    return '/dev/shm' if room and room.f_bavail * room.f_frsize >= G else '/var/tmp'


class Region:
    """The memory as the host sees it: a sparse file."""

    def __init__(self, path, size):
        self.path, self.size = path, size
        self.create()

    def create(self):
        with open(self.path, 'xb') as f:
            os.chmod(self.path, 0o600)
            f.truncate(max(self.size, mmap.PAGESIZE))  # QEMU maps whole pages, whatever the device shows

    def remove(self):
        if os.path.exists(self.path):
            os.unlink(self.path)

    def read(self, offset, size):
        with open(self.path, 'rb') as f:
            f.seek(offset)
            return f.read(size)

    def write(self, offset, data):
        with open(self.path, 'r+b') as f:
            f.seek(offset)
            f.write(data)


class Host:
    """A process on the host, with its outputs in files; or, with `drain`, its output counted and thrown away."""

    def __init__(self, scenario, argv, stdin=None, drain=False):
        self.argv, self.drained, self.change = argv, 0, threading.Condition()
        base = f'{scenario.work}/host{scenario.next_number()}'
        self.out_path, self.err_path = base + '.out', base + '.err'
        with open(self.out_path, 'wb') as out, open(self.err_path, 'wb') as err, open(stdin or os.devnull, 'rb') as inp:
            self.process = subprocess.Popen(argv, stdin=inp, stdout=subprocess.PIPE if drain else out, stderr=err,
                                            preexec_fn=die_with_parent)
        if drain:
            threading.Thread(target=self.throw_away, daemon=True).start()
        scenario.at_end(self.kill)

    def throw_away(self):
        while data := self.process.stdout.read1(M):
            with self.change:
                self.drained += len(data)
                self.change.notify_all()
        with self.change:
            self.change.notify_all()

    def wait_drained(self, count, timeout=60):
        """Until so many bytes came out; False when it ended before."""
        with self.change:
            self.change.wait_for(lambda: self.drained >= count or self.process.poll() is not None, timeout)
            return self.drained >= count

    def kill(self, number=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self, timeout=60):
        """Exit code as a shell tells it."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Late(f'not ended within {timeout} s: {" ".join(self.argv)}') from None
        return 128 - status if status < 0 else status

    def wait_for_error(self, text, timeout=60):
        """Until that was said on stderr; False when it ended without. A file has no event, so this looks."""
        deadline = time.monotonic() + timeout
        while text not in self.errors:
            if time.monotonic() > deadline:
                raise Late(f'{text!r} from {" ".join(self.argv)}')
            try:
                self.process.wait(0.02)
                return text in self.errors
            except subprocess.TimeoutExpired:
                pass
        return True

    @property
    def output(self):
        with open(self.out_path, encoding='utf-8', errors='replace') as f:
            return f.read()

    @property
    def errors(self):
        with open(self.err_path, encoding='utf-8', errors='replace') as f:
            return f.read().strip()


class Scenario:
    def __init__(self, title, deadline=300):
        self.title, self.deadline = title, deadline
        self.passed = self.failed = self.skipped = self.number = 0
        self.ends, self.guests, self.root = [], [], ROOT
        self.name = os.path.splitext(os.path.basename(sys.argv[0]))[0]
        self.began = time.monotonic()

    # --- TAP ---

    def check(self, good, what, otherwise=None):
        if good:
            self.passed += 1
        else:
            self.failed += 1
        print(f'{"ok" if good else "not ok"} {self.passed + self.failed + self.skipped} - {what}', flush=True)
        if not good and otherwise is not None:
            self.note(str(otherwise))
        return bool(good)

    def equal(self, got, wanted, what):
        return self.check(got == wanted, what, f'got {got!r}, wanted {wanted!r}')

    def matches(self, text, pattern, what):
        return self.check(re.search(pattern, text), what, text)

    def skip(self, what, why):
        self.skipped += 1
        print(f'ok {self.passed + self.failed + self.skipped} - {what} # SKIP {why}', flush=True)

    def note(self, text):
        for line in text.splitlines():
            print(f'# {line}', flush=True)

    def subtests(self, output, status, what, not_meant=()):
        """Count the TAP lines of a test program as ours, but for those skipped for a reason in not_meant."""
        lines = [line.strip() for line in output.splitlines()]
        results = [line for line in lines if line.startswith(('ok ', 'not ok '))]
        for line in results:
            text = line.split(' ', 2 if line.startswith('ok') else 3)[-1].lstrip('- ')
            name, _, why = text.partition('# SKIP')
            if why.strip() in not_meant:
                continue
            if why:
                self.skip(f'{what}: {name.strip()}', why.strip())
            else:
                self.check(line.startswith('ok'), f'{what}: {text}')
        plan = [line for line in lines if line.startswith('1..')]
        planned = int(plan[0].split()[0][3:]) if plan else -1
        bad = status or planned != len(results)
        self.check(not bad, f'{what}: ran to its end', f'status {status}, plan {planned}\n{output}')

    # --- life ---

    def __enter__(self):
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in jobs that a script puts in the background
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
        signal.signal(signal.SIGALRM, self.too_late)
        signal.alarm(self.deadline)
        self.work = tempfile.mkdtemp(prefix='ivpipe-vm-')
        self.logs = os.path.join(BUILD, 'vm', 'log', self.name)
        shutil.rmtree(self.logs, ignore_errors=True)
        os.makedirs(self.logs)
        print(f'# {self.title}', flush=True)
        return self

    def too_late(self, *_):
        raise Late(f'the scenario has not ended within {self.deadline} s')

    def __exit__(self, kind, error, trace):
        signal.alarm(0)
        if kind and issubclass(kind, Exception):
            self.check(False, 'the scenario runs to its end', ''.join(traceback.format_exception(kind, error, trace)))
            if issubclass(kind, GuestDied):
                for guest in self.guests:
                    self.note(guest.how_it_ended())
        try:
            for end in reversed(self.ends):
                end()
        finally:
            shutil.rmtree(self.work, ignore_errors=True)
        print(f'1..{self.passed + self.failed + self.skipped}')
        print(f'# {self.name}: {time.monotonic() - self.began:.1f} s; logs in {os.path.relpath(self.logs)}', flush=True)
        if kind and not issubclass(kind, Exception):
            return False
        sys.exit(1 if self.failed else 0)

    def at_end(self, call):
        self.ends.append(call)

    def next_number(self):
        self.number += 1
        return self.number

    # --- what a scenario uses ---

    def region(self, size):
        region = Region(f'{shared_directory()}/ivpipe-test-{os.getpid()}-{self.next_number()}', size)
        self.at_end(region.remove)
        return region

    def boot(self, regions=(), name='guest', devices=(), **options):
        """A guest with a plain device for each region, and further QEMU arguments."""
        args = [a for i, r in enumerate(regions) for a in plain_device(r, f'shm{i}')]
        self.guests.append(VM(self, name, [*args, *devices], **options))
        return self.guests[-1]

    def host(self, *argv, **files):
        return Host(self, [str(a) for a in argv], **files)

    def ivpipe(self, *args, **files):
        return self.host(f'{BUILD}/ivpipe', *args, **files)

    def random_file(self, size):
        """A file of random bytes on the host, and its digest."""
        path = f'{self.work}/random{self.next_number()}'
        with open(path, 'wb') as f:
            for start in range(0, size, M):
                f.write(os.urandom(min(M, size - start)))
        return path, digest(path)


def digest(path):
    sha = hashlib.sha256()
    with open(path, 'rb') as f:
        for piece in iter(lambda: f.read(M), b''):
            sha.update(piece)
    return sha.hexdigest()
