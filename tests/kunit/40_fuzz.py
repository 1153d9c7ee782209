# SPDX-License-Identifier: MIT
"""Random programs on the node, guided by coverage, on four kinds of device that come and go."""
import os
import random
import re

from guest import KUNIT, M, Scenario, check_health, doorbell_device, forget_leaks
from vm import GuestDied, plain_device

SECONDS = int(os.environ.get('IVPIPE_FUZZ_SECONDS') or 60)
SEED = int(os.environ.get('IVPIPE_FUZZ_SEED') or random.randrange(1, 1 << 32))
VECTORS = 3
BOX_SLOT = '0000:00:1e.0'


def boot(t, name, box):
    """Memories of 4 MiB, 1 MiB and 1 KiB, and a doorbell device; the box is a device that the driver is kept from."""
    vm = t.boot([t.region(size) for size in (4 * M, M, 1024)], name, memory=768, parallel=True,
                devices=[*doorbell_device(t, 16 * M, VECTORS), *plain_device(box, 'box', addr='1e.0')])
    forget_leaks(vm)
    vm.sh(f'echo nobody > /sys/bus/pci/devices/{BOX_SLOT}/driver_override')
    return vm


def last_programs(box, count):
    """What each worker ran at last, of 32 that the box keeps: a bug may show only later."""
    by_worker = {}
    for at in range(0, box.size, 4096):
        text = box.read(at, 4096).partition(b'\0')[0].decode(errors='replace')
        found = re.match(r'worker (\d+) program (\d+)\n', text)
        if found:
            by_worker.setdefault(int(found.group(1)), []).append((int(found.group(2)), text))
    return ''.join(text for programs in by_worker.values() for _, text in sorted(programs)[-count:])


def fuzz(vm, module, seconds):
    vm.sh(f'insmod {KUNIT}/{module}/ivshmem.ko')
    return vm.run(f'{KUNIT}/fuzz {seconds} {SEED} /sys/bus/pci/devices/{BOX_SLOT}/resource2', seconds + 300)


def fuzz_driver(t):
    box = t.region(M)
    vm = boot(t, 'guest', box)
    try:
        status, output = fuzz(vm, 'kcov', SECONDS)
    except Exception:
        t.note(last_programs(box, 4))
        raise
    t.note(output)
    t.subtests(output, status, 'fuzz')
    places = re.search(r'(\d+) places$', output, re.M)
    reached, there = int(places.group(1)) if places else 0, int(vm.sh(f'cat {KUNIT}/kcov/places'))
    t.check(reached > there // 2, f'{reached} of {there} places of the module were reached, which is most of them')
    vm.sh('rmmod ivshmem')
    check_health(t, vm, f'after {SECONDS} s of fuzzing')
    vm.kill()


def find_bug(t):
    """The driver with a bug on purpose: the guest is to die of it, and the programs that did it are to be told."""
    box = t.region(M)
    vm = boot(t, 'seeded', box)
    try:
        _, output = fuzz(vm, 'seeded', 180)
    except GuestDied:
        output = ''
    with open(f'{t.logs}/seeded.console', encoding='utf-8', errors='replace') as f:
        t.matches(f.read(), 'KASAN: use-after-free', 'a bug on purpose is found')
    programs = last_programs(box, 32)
    t.check('watch(' in programs, 'and the programs that did it are known', output + programs)
    vm.kill()


with Scenario('fuzzing the node', deadline=SECONDS + 900) as t:
    t.note(f'seed {SEED}, {SECONDS} s')
    fuzz_driver(t)
    find_bug(t)
