# SPDX-License-Identifier: MIT
"""A program in the guest that has the node open, or mapped, until it is told to go on."""
import itertools

from vm import KVM_USER

numbers = itertools.count()
PROGRAM = '''
import mmap, os
fd = os.open("%(node)s", os.O_RDWR)
size = os.fstat(fd).st_size
memory = mmap.mmap(fd, size) if %(mapped)s else None
if memory:
    memory[0], memory[size - 1]
print("holding", flush=True)
open("%(fifo)s").read()
if memory:
    print(memory[size // 2])
try:
    os.pread(fd, 16, 0)
except OSError as error:
    print(os.strerror(error.errno))
'''


class Holder:
    def __init__(self, vm, mapped, node='/dev/ivshmem0', user=KVM_USER):
        self.vm, self.fifo = vm, f'/tmp/go{next(numbers)}'
        program = PROGRAM % {'node': node, 'mapped': mapped, 'fifo': self.fifo}
        vm.sh(f'mkfifo -m 666 {self.fifo}')
        vm.write_file(self.fifo + '.py', program)
        self.job = vm.spawn(f'python3 {self.fifo}.py', user)
        if not self.job.wait_for('holding'):
            raise RuntimeError(self.job.output)

    def go_on(self):
        """Let it touch the memory and read; returns exit code and output."""
        self.vm.sh(f'echo > {self.fifo}')
        return self.job.wait(), self.job.output
