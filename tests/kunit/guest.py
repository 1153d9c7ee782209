# SPDX-License-Identifier: MIT
"""Guests that run the kernel of scripts/kernel-kasan, and what can be asked of it: KTAP, complaints, leaks."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'vm'))
from doorbell_server import DoorbellServer  # noqa: E402
from scenario import M, Scenario  # noqa: E402, F401

KUNIT = '/usr/lib/ivpipe/kunit'
# Memory that the kernel is told to leave alone, in the place of a BAR.
RESERVE = 'memmap=128M$512M'
# kmemleak's own report is not among them: leaks() has the list, and may forgive.
COMPLAINT = re.compile(r'BUG:|WARNING:|KASAN|UBSAN:|possible circular|possible recursive|inconsistent lock state|'
                       r'sleeping function|data-race|INFO: task .* blocked|Oops|ODEBUG|'
                       r'list_(?:add|del) corruption|suspicious RCU|general protection|refcount_t:|Bad page')
TAINT_TEST = 1 << 18  # KUnit ran


def doorbell_device(t, size, vectors):
    """QEMU arguments for an ivshmem-doorbell device, with a server that knows this peer alone."""
    server = DoorbellServer(f'{t.work}/doorbell{t.next_number()}', t.region(size), vectors)
    t.at_end(server.close)
    return ['-chardev', f'socket,id=door,path={server.path}', '-device',
            f'ivshmem-doorbell,chardev=door,vectors={vectors},id=door0']


def complaints(vm, forgive=None):
    """Lines of the kernel's log that say it is unwell."""
    lines = vm.sh('dmesg').splitlines()
    return [line for line in lines if COMPLAINT.search(line) and not (forgive and re.search(forgive, line))]


def leaks(vm, forgive=None):
    """What kmemleak suspects. It passes over what is younger than 5 s, hence the wait."""
    vm.sh('sleep 6; for i in 1 2; do echo scan > /sys/kernel/debug/kmemleak; done', 300)
    found = re.split('^(?=unreferenced object)', vm.sh('cat /sys/kernel/debug/kmemleak'), flags=re.M)
    return ''.join(leak for leak in found if not (forgive and re.search(forgive, leak)))


def forget_leaks(vm):
    """What the boot left is not ours."""
    vm.sh('echo clear > /sys/kernel/debug/kmemleak', 300)


def check_health(t, vm, what, forgive=None, forgive_leak=None):
    found = complaints(vm, forgive)
    t.check(not found, f'{what}: the kernel has no complaint', '\n'.join(found[:20]))
    found = leaks(vm, forgive_leak)
    t.check(not found, f'{what}: kmemleak has nothing', found[:4000])


RESULT = re.compile(r'^( *)(not ok|ok) (\d+)(?: -)? ([^#]*?)\s*(?:# (SKIP.*))?$')


class Ktap:
    """One suite's KTAP: its cases, the innermost ones, each with what became of it."""

    def __init__(self, text):
        self.name = re.search('# Subtest: (.*)', text).group(1)
        self.cases, self.good, pending, numbers = [], False, [], []
        for line in text.splitlines():
            found = RESULT.match(line)
            if not found:
                continue
            indent, word, number, name, skip = found.groups()
            if len(indent) > 4:
                pending.append((word, name, skip))
            elif len(indent) == 4:
                self.add(word, name, skip, pending)
                numbers.append(int(number))
                pending = []
            else:
                self.good = word == 'ok'
        planned = re.search(r'^ {4}1\.\.(\d+)', text, re.M)
        self.whole = bool(planned) and numbers == list(range(1, int(planned.group(1)) + 1))

    def add(self, word, name, skip, parameters):
        """A case, or what it was asked with each of its parameters."""
        self.cases += [(one, f'{name}: {what}', why) for one, what, why in parameters] or [(word, name, skip)]
        if parameters and word != 'ok' and all(one == 'ok' for one, _, _ in parameters):
            self.cases.append((word, f'{name}, as a whole', skip))


def load_suites(vm, module):
    """Load a module of suites and return the KTAP of each, as the kernel's log has it: debugfs keeps the ends only."""
    vm.sh(f'dmesg -c > /dev/null; insmod {KUNIT}/{module}.ko', 300)
    log = re.sub(r'^\[ *[\d.]+\] ?', '', vm.sh('dmesg'), flags=re.M)
    return [Ktap('    # Subtest:' + text) for text in re.split('^ {4}# Subtest:', log, flags=re.M)[1:]], log
