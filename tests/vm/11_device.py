# SPDX-License-Identifier: MIT
"""Every call on the node, in C, on memories of 64 MiB, 1 MiB, 4 KiB and 1 KiB, in one guest."""
from scenario import M, Scenario

SIZES = {'64 MiB': 64 * M, '1 MiB': M, '4 KiB': 4096, '1 KiB': 1024}

with Scenario('the node\'s calls, on four sizes of memory') as t:
    vm = t.boot([t.region(size) for size in SIZES.values()])
    vm.sh('modprobe ivshmem && modprobe pte')  # with pte.ko the page table itself tells the type of a mapping
    nodes = {}
    for line in vm.sh('cd /sys/class/ivshmem; for n in *; do echo $n $(cat $n/size); done').splitlines():
        name, size = line.split()
        nodes[int(size)] = f'/dev/{name}'
    t.equal(sorted(nodes), sorted(SIZES.values()), 'a node for each device, of its size')
    for label, size in SIZES.items():
        status, output = vm.run(f'/usr/lib/ivpipe/device/mmap {nodes[size]}', 120)
        t.subtests(output, status, label, not_meant=('too small a memory',))
    vm.finish_and_stop()
