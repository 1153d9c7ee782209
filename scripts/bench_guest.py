# SPDX-License-Identifier: MIT
"""What waiting on words and mapping the memory costs in a guest: the tables of scripts/bench --guest."""
import mmap
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, 'tests', place) for place in ('vm', 'bench')]
import bench_idle  # noqa: E402
from guest_samples import cpu_ns  # noqa: E402
from vm import BUILD, VM, accelerator, plain_device  # noqa: E402

PROGRAM = '/usr/lib/ivpipe/device/guest_wait'
NODE = '/dev/ivshmem0'
SIZE = 1 << 30
SETTINGS = ((70, 50000), (100, 1000), (1000, 100000))  # poll_min_us, poll_max_us; the first are the defaults


class Bench:
    """What a VM needs of whoever runs it, and the memory as a file."""

    size = SIZE

    def __init__(self):
        self.work = tempfile.mkdtemp(prefix='ivpipe-bench-', dir='/var/tmp')
        self.path = f'/dev/shm/ivpipe-bench-{os.getpid()}'
        self.logs, self.ends, self.failed = self.work, [], 0
        with open(self.path, 'xb') as f:
            f.truncate(SIZE)

    def at_end(self, call):
        self.ends.append(call)

    def clean(self):
        for end in reversed(self.ends):
            end()
        shutil.rmtree(self.work, ignore_errors=True)
        os.unlink(self.path)


def build():
    subprocess.run(['make', '-s', '-C', ROOT, 'user'], check=True, stdout=sys.stderr)
    os.makedirs(f'{BUILD}/device', exist_ok=True)
    subprocess.run(['cc', '-std=gnu11', '-O2', '-Wall', '-Wextra', '-static', f'-I{ROOT}/kmod/uapi', '-o',
                    f'{BUILD}/device/guest_wait', f'{ROOT}/tests/bench/guest_wait.c'], check=True)
    os.environ.pop('IVPIPE_VM_FILES', None)


def show_latency(vm, rounds):
    """Interleaved in the guest, one by one."""
    rows = [[float(n) for n in line.split()]
            for line in vm.sh(f'{PROGRAM} {NODE} latency {rounds}', 600).splitlines()]
    never, looks, futex = (statistics.median(column) for column in zip(*rows))
    print(f'\none process of a guest wakes another that sleeps, us (median of {rounds})')
    for name, ns in (('futex', futex), ('WAKE and WAIT, IVSHMEM_POLL_NEVER', never), ('WAKE and WAIT, poll_us 0', looks)):
        print(f'  {name:<40} {ns / 1000:>9.1f} {ns / futex:>6.2f} x')


def echoes(vm, memory, how, start, count):
    """Microseconds from the host's store to the guest's answer; a change each few ms."""
    memory[0:4] = memory[128:132] = struct.pack('<I', start)
    job = vm.spawn(f'exec {PROGRAM} {NODE} echo {how} {start} {start + count}')
    job.wait_for('ready')
    times = []
    for value in range(start + 1, start + count + 1):
        wanted = struct.pack('<I', value)
        time.sleep(random.uniform(0.001, 0.005))  # the traffic that is measured
        began = time.perf_counter_ns()
        memory[0:4] = wanted
        while memory[128:132] != wanted:
            if time.perf_counter_ns() - began > 10e9:
                raise SystemExit(f'no answer from the guest: {job.status} {job.output}')
        times.append((time.perf_counter_ns() - began) / 1000)
    job.wait()
    return times[count // 4:]  # the first changes come out of a silence


def show_host(vm, memory, rounds):
    print('\nthe host changes a word each 1 to 5 ms, the guest answers by another: us, median and nine tenths')
    spins = []
    for low, high in SETTINGS:
        set_poll(vm, low, high)
        waits = []
        for number in range(rounds):
            spins += echoes(vm, memory, 'spin', number * 1000, 60)
            waits += echoes(vm, memory, 'wait', number * 1000, 60)
        print(f'  {f"WAIT, poll_min_us={low} poll_max_us={high}":<40} {statistics.median(waits):>9.1f} {tenths(waits):>9.1f}'
              f'   less the spinning one\'s: {statistics.median(waits) - statistics.median(spins):.1f}')
    print(f'  {"a guest that spins":<40} {statistics.median(spins):>9.1f} {tenths(spins):>9.1f}')


def tenths(values):
    return statistics.quantiles(values, n=10)[-1]


def set_poll(vm, low, high):
    where = '/sys/module/ivshmem/parameters'
    vm.sh(f'echo {low} > {where}/poll_min_us; echo {high} > {where}/poll_max_us')


def busy(vm, seconds):
    began, used = time.perf_counter(), cpu_ns(vm.qemu.pid)
    time.sleep(seconds)  # what is measured
    return (cpu_ns(vm.qemu.pid) - used) / 1e9 / (time.perf_counter() - began) * 100


def show_idle(vm):
    print('\nprocessor time of QEMU while a guest waits for a word that does not change, % of one, after 2 s')
    print(f'  {"nobody waits":<40} {busy(vm, 6):>9.2f}')
    for low, high in SETTINGS:
        set_poll(vm, low, high)
        job = vm.spawn(f'exec {PROGRAM} {NODE} idle 9')
        job.wait_for('ready')
        busy(vm, 2)
        print(f'  {f"poll_min_us={low} poll_max_us={high}":<40} {busy(vm, 6):>9.2f}')
        job.wait()
    set_poll(vm, *SETTINGS[0])


def show_touch(vm):
    rows = [[float(n) for n in line.split()] for line in vm.sh(f'{PROGRAM} {NODE} touch', 600).splitlines()]
    size, large, many, part, apart = (statistics.median(column) for column in zip(*rows))
    pages = size / 4096
    print(f'\nmap {int(size) >> 20} MiB and touch each page, median of {len(rows)}')
    for name, ns, times in (('where entries of 2 MiB fit', large, apart / large),
                            ('faults that take up to 512 pages', many, apart / part),
                            ('faults of one page each (from 64 MiB)', apart, 1)):
        print(f'  {name:<40} {ns * pages / 1e6:>9.1f} ms, {ns:.0f} ns a page, {times:.1f} x')


def main(rounds):
    build()
    bench = Bench()
    try:
        # Under TCG the kernel takes a clock that costs more than what is measured.
        vm = VM(bench, 'guest', plain_device(bench), append='tsc=reliable clocksource=tsc', parallel=True)
        vm.sh('modprobe ivshmem')
        print(f'a guest under {accelerator()}, two processors of {os.cpu_count()}')
        with open(bench.path, 'r+b') as f, mmap.mmap(f.fileno(), 4096) as memory:
            show_latency(vm, rounds * 50)
            show_host(vm, memory, rounds)
            show_idle(vm)
        show_touch(vm)
        bench_idle.show_guest(vm, NODE, bench.path)
    finally:
        bench.clean()
