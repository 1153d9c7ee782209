# SPDX-License-Identifier: MIT
"""The guest of tests/bench/node: two nodes, of a plain device and of one with a doorbell, and the host as the doorbell's other peer."""
import mmap
import os
import time

from stage import M, Memory, Stage, build_program, build_user
from guest_samples import cpu_ns
from doorbell_client import DoorbellClient
from doorbell_server import DoorbellServer
from vm import VM, plain_device

# For the guest's own pages, for a file that its memory is held against, and for what the kernel needs for a memory of 4 GiB.
GUEST_MIB = 2560


def build():
    build_user()
    build_program('node_alone', '-static')
    build_program('guest_wait', '-static')


class Words:
    """The first page of a node's memory, as the host has it: word 0 is ours, word 32 the guest's."""

    def __init__(self, memory):
        with open(memory.path, 'r+b') as f:
            self.map = mmap.mmap(f.fileno(), mmap.PAGESIZE)
        self.words = memoryview(self.map).cast('I')

    def reset(self, value):
        self.words[0] = self.words[32] = value

    def trip(self, value, ring):
        """Nanoseconds until the guest has answered. QEMU, whom a ring wakes, may be given our own processor."""
        began = time.perf_counter_ns()
        self.words[0] = value
        ring()
        while self.words[32] != value:
            if time.perf_counter_ns() - began > 10e9:
                raise SystemExit('no answer from the guest')
            os.sched_yield()
        return time.perf_counter_ns() - began


class Machine(Stage):
    """Two processors: one process of the guest wakes another."""

    def __init__(self, cpu, size):
        self.size = size
        super().__init__('node', cpu)

    def start(self, cpu):
        self.memory = {'plain': Memory(f'{self.work}/plain', self.size), 'door': Memory(f'{self.work}/door', 2 * M)}
        server = DoorbellServer(f'{self.work}/doorbell', self.memory['door'], 1)
        self.at_end(server.close)
        devices = [*plain_device(self.memory['plain'], 'plain', addr='0x10'), '-chardev', f'socket,id=door,path={server.path}',
                   '-device', 'ivshmem-doorbell,chardev=door,vectors=1,id=door,addr=0x11']
        self.vm = VM(self, 'guest', devices, append='tsc=reliable clocksource=tsc', memory=GUEST_MIB, cpu=cpu, parallel=True)
        self.vm.sh('modprobe ivshmem && mkdir /tmp/files && mount -t tmpfs -o size=80% files /tmp/files')
        self.node = {}
        for line in self.vm.sh('cd /sys/class/ivshmem; for n in *; do echo $(cat $n/model) /dev/$n; done').splitlines():
            model, path = line.split()
            self.node['door' if model == 'doorbell' else model] = path
        self.words = {name: Words(memory) for name, memory in self.memory.items()}
        self.peer = DoorbellClient(server.path)
        self.at_end(self.peer.close)
        self.peer.wait_vectors(0, 1)

    def file(self, size):
        """In the guest's memory, every page of it there."""
        path = f'/tmp/files/{size}'
        self.vm.sh(f'[ -e {path} ] || dd if=/dev/zero of={path} bs=1M count={size // M}', 120)
        return path

    def ring(self):
        self.peer.ring(0)

    def parameter(self, name, value):
        self.vm.sh(f'echo {value} >/sys/module/ivshmem/parameters/{name}')

    def cpu_ns(self):
        return cpu_ns(self.vm.qemu.pid)
