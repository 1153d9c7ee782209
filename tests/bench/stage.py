# SPDX-License-Identifier: MIT
"""What the guests of tests/bench have in common: programs compiled for them, files on a tmpfs, and what a VM needs of whoever runs it."""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'vm'))
from vm import BUILD  # noqa: E402

M = 1 << 20
PROGRAMS = '/usr/lib/ivpipe/device'
SHARED = '/dev/shm'


def build_user():
    """The helper, and a place for programs; what an earlier guest was made of is not for ours, which has these as well."""
    subprocess.run(['make', '-s', '-C', ROOT, 'user'], check=True, stdout=sys.stderr)
    os.makedirs(f'{BUILD}/device', exist_ok=True)
    os.environ.pop('IVPIPE_VM_FILES', None)


def build_program(name, *more):
    """Into the guest's PROGRAMS: tests/bench/NAME.c, and what else the compiler is told."""
    include = [f'-I{ROOT}/{place}' for place in ('user', 'kmod/core', 'kmod/uapi')]
    subprocess.run(['cc', '-std=gnu11', '-O2', '-Wall', '-Wextra', '-pthread', *include, '-o', f'{BUILD}/device/{name}',
                    f'{ROOT}/tests/bench/{name}.c', *more], check=True)


class Memory:
    """A file for a device."""

    def __init__(self, path, size):
        self.path, self.size = path, size
        with open(path, 'xb') as f:
            f.truncate(size)


class Stage:
    """`start` boots a guest; what it has begun when it fails is ended."""

    def __init__(self, name, cpu):
        self.work = tempfile.mkdtemp(prefix=f'ivpipe-bench-{name}-', dir=SHARED)
        self.logs, self.ends, self.failed = self.work, [], 0
        try:
            self.start(cpu)
        except BaseException:
            self.clean()
            raise

    def start(self, cpu):
        raise NotImplementedError

    def at_end(self, call):
        self.ends.append(call)

    def note(self, text):
        print(text, file=sys.stderr)

    def clean(self):
        for end in reversed(self.ends):
            end()
        shutil.rmtree(self.work, ignore_errors=True)
