# SPDX-License-Identifier: MIT
"""The memory type of a process's mapping, read from its page-table entry by pte.ko: what `cache` says is what is."""
import re

from scenario import G, M, Scenario


def look(t, vm, size, high, cache, reason):
    """One device: where the firmware put it, what sysfs says, what the page table says."""
    label = f'{size // M} MiB {"above" if high else "below"} 4 GiB'
    name = vm.sh(f'cd /sys/class/ivshmem; grep -lx {size} */size | cut -d/ -f1')
    start = int(vm.sh(f'sed -n 3p /sys/class/ivshmem/{name}/device/resource').split()[0], 16)
    t.check((start >= 4 * G) == high, f'{label}: there it is', hex(start))
    got = vm.sh(f'cd /sys/class/ivshmem/{name}; cat cache cache_reason').split()
    t.equal(got, [cache, reason], f'{label}: cache and cache_reason')
    output = vm.run(f'/usr/lib/ivpipe/device/mmap /dev/{name}', 120)[1]
    entry = re.search(r'# entry: (\S+) (\S+)', output)
    t.equal(entry and entry.group(2), cache, f'{label}: the page-table entry')


def boot(t, name, sizes):
    vm = t.boot([t.region(size) for size in sizes], name)
    vm.sh('modprobe ivshmem && modprobe pte')
    return vm


with Scenario('the page table says what cache says') as t:
    vm = boot(t, 'low', (64 * M, M))
    look(t, vm, 64 * M, False, 'write-back', 'none')
    look(t, vm, M, False, 'write-combine', 'small')
    vm.sh('modprobe -r ivshmem && modprobe ivshmem pages=0')
    look(t, vm, 64 * M, False, 'write-combine', 'parameter')
    vm.finish_and_stop()

    vm = boot(t, 'high', (M, 4 * G))
    look(t, vm, M, True, 'write-back', 'small')
    vm.finish_and_stop()
