# SPDX-License-Identifier: MIT
"""The program tests/device/hold in the guest: has the node open, mapped, polled or pinned while it is taken away."""
import itertools

from vm import KVM_USER

NODE = '/dev/ivshmem0'
numbers = itertools.count()
FIRST = {'touch': 'mapped', 'fork': 'child mapped', 'refault': 'mapped', 'copy': 'copying', 'poll': 'polling',
         'pin': 'pinned', 'open': 'open'}
# What each says, and nothing else, when the device goes.
LAST = {'touch': ['sigbus', 'enodev', 'hup'], 'refault': ['sigbus', 'enodev', 'hup'], 'poll': ['hup'],
        'copy': ['enodev', 'hup'],
        'fork': ['sigbus', 'enodev', 'hup', 'child sigbus', 'child enodev', 'child hup'], 'open': ['enodev', 'hup']}


class Holder:
    def __init__(self, vm, mode, node=NODE, user=KVM_USER):
        self.vm, self.mode, self.fifo = vm, mode, f'/tmp/go{next(numbers)}'
        vm.sh(f'mkfifo -m 666 {self.fifo}')
        # Open for both, so that neither end waits for the other to open it.
        self.job = vm.spawn(f'exec /usr/lib/ivpipe/device/hold {node} {mode} 0<>{self.fifo}', user)
        if not self.job.wait_for(FIRST[mode]):
            raise RuntimeError(f'hold {mode}: {self.job.status} {self.job.output}')

    def go_on(self):
        """For the modes that wait for a line; exit code and output."""
        self.vm.sh(f'echo > {self.fifo}')
        return self.job.wait(), self.job.output

    def check_gone(self, t, what):
        """The device went: every word of it is said, and it ends by itself."""
        if self.mode == 'open':
            self.go_on()
        status, words = self.job.wait(), self.job.output.splitlines()
        good = status == 0 and all(word in words for word in LAST[self.mode])
        t.check(good, f'{what}: hold {self.mode} sees it', f'status {status}: {words}')


def hold_all(vm):
    return [Holder(vm, mode) for mode in ('touch', 'fork', 'refault', 'copy', 'poll', 'open')]
