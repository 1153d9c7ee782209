# SPDX-License-Identifier: MIT
"""The guest of tests/bench/guest, with everything that bytes could go through, and the host's ends of it."""
import os
import select
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'vm'))
from vm import BUILD, VM, die_with_parent, plain_device  # noqa: E402

M = 1 << 20
END = f'{BUILD}/device/guest_end'
PROGRAMS = '/usr/lib/ivpipe/device'
# A region; memory that belongs to nobody; and the same without our driver, whose mappings keep sysfs from other ones.
SIZES = {'lanes': 64 * M, 'plain': 256 * M, 'bare': 16 * M}
PATIENCE = 120
BARE = '0000:00:12.0'


def build():
    subprocess.run(['make', '-s', '-C', ROOT, 'user'], check=True, stdout=sys.stderr)
    os.makedirs(f'{BUILD}/device', exist_ok=True)
    include = [f'-I{ROOT}/{place}' for place in ('user', 'kmod/core', 'kmod/uapi')]
    shared = [f'{ROOT}/user/bench_{part}.c' for part in ('way', 'fd', 'pair', 'stats', 'probe')]
    for name in 'guest_end', 'guest_alone', 'guest_wait':
        own = [f'{ROOT}/user/source.c'] if name == 'guest_alone' else []
        more = ['-static'] if name == 'guest_wait' else [*shared, f'{BUILD}/libivpipe.a', '-ludev']
        subprocess.run(['cc', '-std=gnu11', '-O2', '-Wall', '-Wextra', '-pthread', *include, '-o', f'{BUILD}/device/{name}',
                        f'{ROOT}/tests/bench/{name}.c', *own, *more], check=True)
    os.environ.pop('IVPIPE_VM_FILES', None)


class Memory:
    """A file for a device."""

    def __init__(self, path, size):
        self.path, self.size = path, size
        with open(path, 'xb') as f:
            f.truncate(size)


class Machine:
    """What a VM needs of whoever runs it, the files on a tmpfs, and the guest. `size`: of files; `sent`: of those that commands send."""

    def __init__(self, cpu, size, sent):
        self.work = tempfile.mkdtemp(prefix='ivpipe-bench-guest-', dir='/dev/shm')
        self.logs, self.ends, self.failed, self.size, self.sent = self.work, [], 0, size, sent
        self.host = []
        try:
            self.start(cpu)
        except BaseException:
            self.clean()
            raise

    def start(self, cpu):
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

    def at_end(self, call):
        self.ends.append(call)

    def note(self, text):
        print(text, file=sys.stderr)

    def clean(self):
        for end in reversed(self.ends):
            end()
        for process in self.host:
            process.kill()
            process.wait()
        shutil.rmtree(self.work, ignore_errors=True)
