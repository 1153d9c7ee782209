# SPDX-License-Identifier: MIT
"""A processor that recommends what its emulator is slowest at: QEMU's `max` has ERMS, and TCG plays rep movsb byte by byte."""
import re

from scenario import M, Scenario
from streams import ToGuest, ToHost, start_udev
from vm import accelerator


def copier(output):
    """What -v says of how bytes are copied."""
    found = re.search(r'bytes (?:go in|come out) by ([a-z ]+)', output)
    return found[1] if found else None


with Scenario('copying where rep movsb is slow') as t:
    region = t.region(64 * M)
    vm = t.boot([region], cpu='max')
    start_udev(vm)
    out = ToHost(t, vm, region, options='-v')
    out.check('guest to host')
    into = ToGuest(t, vm, region, options='-v')
    into.check('host to guest')
    for name, stream in ('sending', out), ('receiving', into):
        chosen = copier(stream.guest.output)
        if accelerator() == 'tcg':
            t.check(chosen in ('words', 'rep movsq'), f'{name}: neither rep movsb, nor memcpy, which would take it', chosen)
        else:
            t.check(chosen is not None, f'{name}: it says what it took', chosen)
    vm.finish_and_stop()
