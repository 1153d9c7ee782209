# SPDX-License-Identifier: MIT
"""The guest of tests/bench/guest, with everything that bytes could go through, and the host's ends of it."""
import os
import select
import subprocess

from stage import BUILD, ROOT, M, Memory, Stage, build_program, build_user
from vm import VM, die_with_parent, plain_device

END = f'{BUILD}/device/guest_end'
# A region; memory that belongs to nobody; and the same without our driver, whose mappings keep sysfs from other ones.
SIZES = {'lanes': 64 * M, 'plain': 256 * M, 'bare': 16 * M}
PATIENCE = 120
BARE = '0000:00:12.0'


def build():
    build_user()
    shared = [*(f'{ROOT}/user/bench_{part}.c' for part in ('way', 'fd', 'pair', 'stats', 'probe')), f'{BUILD}/libivpipe.a', '-ludev']
    build_program('guest_end', *shared)
    build_program('guest_alone', f'{ROOT}/user/source.c', *shared)
    build_program('guest_wait', '-static')


class Machine(Stage):
    """`size`: of files; `sent`: of those that commands send."""

    def __init__(self, cpu, size, sent):
        self.size, self.sent, self.host = size, sent, []
        super().__init__('guest', cpu)

    def start(self, cpu):
        self.at_end(self.end_host)
        self.memory = {name: Memory(f'{self.work}/{name}', size) for name, size in SIZES.items()}
        os.mkdir(f'{self.work}/p9')
        for name, bytes_ in ('p9/file', self.size), ('disk', self.size), ('file', self.sent):
            self.fill(name, bytes_)
        self.serve('unix', f'{self.work}/serial')
        self.port = self.serve('tcp').split()[1]
        devices = [word for i, name in enumerate(SIZES) for word in plain_device(self.memory[name], name, addr=hex(16 + i))]
        devices += self.others()
        # Under TCG the kernel takes a clock that costs more than what is measured. One processor: the host has the other.
        self.vm = VM(self, 'guest', [*devices, '-smp', '1'], append='tsc=reliable clocksource=tsc', memory=2560, cpu=cpu)
        self.prepare()
        self.serve('lane', self.memory['lanes'].path)

    def others(self):
        return ['-device', 'virtio-serial-pci', '-chardev', f'socket,id=serial,path={self.work}/serial',
                '-device', 'virtserialport,chardev=serial,name=bench',
                '-netdev', 'user,id=net', '-device', 'virtio-net-pci,netdev=net',
                '-fsdev', f'local,id=p9,path={self.work}/p9,security_model=none',
                '-device', 'virtio-9p-pci,fsdev=p9,mount_tag=p9',
                '-drive', f'if=none,id=disk,file={self.work}/disk,format=raw', '-device', 'virtio-blk-pci,drive=disk']

    def prepare(self):
        """Modules, a network, files with something in them; 9p where the kernel has it."""
        sh = self.vm.sh
        sh('for m in ivshmem virtio_pci virtio_console virtio_net virtio_blk; do modprobe $m || exit 1; done')
        sh(f'echo {BARE} >/sys/bus/pci/drivers/ivshmem/unbind')
        sh('ip address add 10.0.2.15/24 dev eth0 && ip link set eth0 up')
        self.has_9p = not self.vm.run('modprobe 9pnet_virtio && modprobe 9p && mkdir /tmp/p9 && mount -t 9p -o '
                                      'trans=virtio,version=9p2000.L,msize=512000,cache=none p9 /tmp/p9')[0]
        sh(f'dd if=/dev/urandom of=/tmp/piece bs=1M count=8 && for i in $(seq {self.sent // 8 // M}); do cat /tmp/piece; done '
           '>/tmp/file && rm /tmp/piece', PATIENCE)

    def fill(self, name, size):
        block = os.urandom(M)
        with open(f'{self.work}/{name}', 'xb') as f:
            for _ in range(size // M):
                f.write(block)

    def serve(self, *what):
        return self.on_host(f'{END} serve {" ".join(what)}'.split())

    def start_host(self, argv):
        """A process that ends with us."""
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        self.host.append(process)
        return process

    def on_host(self, argv):
        """The same; its first line, which it writes when it is ready."""
        process = self.start_host(argv)
        if not select.select([process.stdout], [], [], PATIENCE)[0]:
            raise SystemExit(f'not ready within {PATIENCE} s: {" ".join(argv)}')
        return process.stdout.readline()

    def end_host(self):
        for process in self.host:
            process.kill()
            process.wait()
