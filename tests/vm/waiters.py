# SPDX-License-Identifier: MIT
"""The program tests/device/late in the guest: waits in one of its ways while the word changes, or the device goes."""
import os
import time

from scenario import BUILD, M
from vm import KVM_USER

NODE = '/dev/ivshmem0'
NEVER = 0xffffffff  # IVSHMEM_POLL_NEVER
WAYS = ('wait', 'poll', 'epoll', 'edge', 'fork')
PROGRAM = '/usr/lib/ivpipe/device/late'


class Waiter:
    """One that is known to sleep, on a word at `offset`."""

    def __init__(self, vm, way, offset=M, poll_us=0, node=NODE, user=KVM_USER):
        self.vm, self.way, self.offset = vm, way, offset
        where = f' {offset} {poll_us}' if way not in ('eventfd', 'storm') else ''
        self.job = vm.spawn(f'exec {PROGRAM} {node} {way}{where}', user)
        self.ends = ('', 'child ') if way == 'fork' else ('',)
        for end in self.ends:
            if not self.job.wait_for(f'(?m)^{end}waiting$'):
                raise RuntimeError(f'late {way}: {self.job.status} {self.job.output}')

    def says(self, *words):
        """It ended by itself, having said that, in that order."""
        status, lines = self.job.wait(), self.job.output.splitlines()
        told = [[line[len(end):] for line in lines if line.startswith(end) and line[len(end):] in words] for end in self.ends]
        return status == 0 and all(list(words) == mine for mine in told)

    def check_changed(self, t, what, value):
        t.check(self.says(f'changed {value}'), f'{what}: {self.way} goes on', f'{self.job.status} {self.job.output}')

    def check_gone(self, t, what):
        words = ('gone',) if self.way in ('storm', 'fired') else ('gone', 'enodev')
        t.check(self.says(*words), f'{what}: {self.way} sees it', f'{self.job.status} {self.job.output}')

    def check_waits(self, t, what):
        """Nothing but its first word so far."""
        said = set(self.job.output.split()) - {'child', 'waiting'}
        t.check(self.job.status is None and not said, f'{what}: {self.way} waits on', f'{self.job.status} {self.job.output}')

    def end(self):
        self.job.kill()
        self.job.wait()


def store(region, offset, value):
    region.write(offset, value.to_bytes(4, 'little'))


def timers(vm):
    """The driver's timers that are running, by their function; 5.10 does not name its module."""
    return vm.sh('cat /proc/timer_list').count(', on_timer')


def until_timers(vm, there, timeout=20):
    """Whether there are some, or none, before long. A timer that is about to look is not on the list: hence again and again."""
    deadline = time.monotonic() + timeout
    while bool(timers(vm)) != there:
        if time.monotonic() > deadline:
            return False
    return True


def let_it_look(t, vm, what, offset=2 * M, ms=200, node=NODE):
    """The driver's timer looks many times, at a word that does not change."""
    output = vm.sh(f'{PROGRAM} {node} look {offset} {ms}', user=KVM_USER)
    t.equal(output, 'unchanged', f'{what}: a word that nobody changes is waited for in vain')


def no_32_bits(vm, program):
    """Why a 32-bit program cannot run there; None: it can. Its threads need calls that a kernel may be built without."""
    if not os.path.exists(f'{BUILD}/device/{program}32'):
        return 'no 32-bit C library to build it with'
    config = '/proc/config.gz'
    if vm.run(f'test ! -e {config} || zcat {config} | grep -q COMPAT_32BIT_TIME=y')[0]:
        return 'this kernel has no CONFIG_COMPAT_32BIT_TIME'
    return None


def outstanding(vm):
    """Waiters that nobody ends, after the verdict: a kernel that looks for leaks does it slowly in a storm."""
    for way in (*WAYS, 'fired', 'storm'):
        Waiter(vm, way)
    Waiter(vm, 'wait', poll_us=NEVER)
