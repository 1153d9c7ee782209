# SPDX-License-Identifier: MIT
"""Memories from 1 KiB to 8 GiB: what the driver grants, every corner of them, and streams where they fit."""
import os

from scenario import G, M, Region, Scenario
from streams import both_ways, start_udev

# Firmware puts small memories below 4 GiB, where nothing but struct pages gets write-back; a memory that does not fit
# there takes all of them along to above 4 GiB, where a mapping without struct pages can be write-back as well.
LOW = {'1 KiB': (1024, 'none', 'subpage'), '4 KiB': (4096, 'write-combine', 'small'),
       '1 MiB': (M, 'write-combine', 'small'), '2 MiB': (2 * M, 'write-back', 'none')}
HIGH = {'1 MiB, high': (M, 'write-back', 'small'), '1 GiB': (G, 'write-back', 'none'),
        '8 GiB': (8 * G, 'write-back', 'none')}


def big_region(t, size):
    """On disk, where blocks are given without being written: formatting asks for all of them."""
    region = Region(f'/var/tmp/ivpipe-test-{os.getpid()}-big', size)
    t.at_end(region.remove)
    return region


def check_corners(t, vm, region, node, label):
    places = sorted({0, region.size // 2, region.size - 16, *range(0, region.size, G)})
    for place in places:
        region.write(place, place.to_bytes(8, 'little') + b'from hst')
    for place in places:
        got = vm.sh(f'dd if={node} bs=8 count=2 skip={place // 8} 2>/dev/null | xxd -p')
        if got != (place.to_bytes(8, 'little') + b'from hst').hex():
            return t.check(False, f'{label}: the guest reads every corner', f'at {place}: {got}')
        vm.sh(f'echo -n "guest{place:>11}" | dd of={node} bs=8 seek={place // 8} conv=notrunc 2>/dev/null')
        if region.read(place, 16) != b'guest%11d' % place:
            return t.check(False, f'{label}: the host reads every corner', f'at {place}: {region.read(place, 16)}')
    return t.check(True, f'{label}: every corner, both ways')


def check_memory(t, vm, region, name, label, wanted):
    got = vm.sh(f'cd /sys/class/ivshmem/{name}; cat cache cache_reason').split()
    t.equal(tuple(got), wanted, f'{label}: cache and the reason why it is not better')
    check_corners(t, vm, region, f'/dev/{name}', label)
    # The corners are somebody else's bytes to the helper: zeros make it a fresh region again.
    region.write(0, bytes(min(region.size, 64 * 1024)))
    if region.size >= M:
        both_ways(t, vm, region, label, node=f'/dev/{name}', size=2 * M)
    else:
        status, output = vm.run(f'ivpipe send -r /dev/{name} --wait 2s /etc/passwd')
        t.check(0 < status < 126, f'{label}: the helper refuses so small a region', f'{status} {output}')


def check_guest(t, name, sizes):
    regions = {label: big_region(t, size) if size > G else t.region(size) for label, (size, *_) in sizes.items()}
    vm = t.boot(regions.values(), name, memory=1024)
    start_udev(vm)
    names = dict(line.split() for line in
                 vm.sh('cd /sys/class/ivshmem; for n in *; do echo $(cat $n/size) $n; done').splitlines())
    for label, region in regions.items():
        if t.check(str(region.size) in names, f'{label}: bound'):
            check_memory(t, vm, region, names[str(region.size)], label, sizes[label][1:])
    vm.finish_and_stop()


with Scenario('memories of 1 KiB to 8 GiB') as t:
    check_guest(t, 'low', LOW)
    check_guest(t, 'high', HIGH)
