# SPDX-License-Identifier: MIT
"""`ivpipe bench` with one command on each end, either end measuring; both ends in a guest; a guest that it makes itself; and
tests/bench/guest. How fast it is does not matter."""
import json
import os
import select
import shutil
import signal
import subprocess
import sys

from scenario import M, Scenario
from streams import NODE, start_udev
from vm import KVM_USER, ROOT, accelerator, guest_files

QUICK = '--quick --rounds 1 --sizes 4K,64K --json'
WANTED = {(kind, way, size, direction) for size in (4096, 65536) for direction in ('out', 'in')
          for kind, way in (('stream', 'ivpipe'), ('stream', 'ivpipe-digest'), ('copy', 'memcpy'))}
WANTED |= {('round_trip', 'ivpipe', 64, None), ('messages', 'ivpipe', 64, 'out'), ('messages', 'ivpipe', 64, 'in'),
           ('wake', 'ivpipe', 64, None), ('idle', 'ivpipe', None, None)}


def check_report(t, text, what, cache):
    """Every figure is there, and says more than nothing."""
    try:
        report = json.loads(text)
    except ValueError:
        t.check(False, what, text)
        return
    figures = report['figures']
    values = [f[name]['least'] for f in figures for name in ('rate', 'p50', 'p99', 'client', 'server') if name in f]
    found = {(f['kind'], f['way'], f.get('size'), f.get('direction')) for f in figures}
    t.check(WANTED <= found and all(value > 0 for value in values), what, text)
    t.equal(report['region']['cache'], cache, f'{what}: the memory type')
    for f in figures:
        name = next(name for name in ('rate', 'p50', 'client') if name in f)
        t.note(f"{what}: {f['kind']} {f['way']} {f.get('size', '')} {f.get('direction', '')} {f[name]['median']:.3g} {f['unit']}")


# By the modules that each needs, what a guest has besides: streams, and where there is another end, its answers.
BASES = {'': ('bar-copy', 'bar-memcpy'), 'ivshmem': ('node', 'node-memcpy'), 'virtio_console': ('virtio-serial',), 'virtio_blk': ('virtio-blk',),
         '9p': ('9p',), 'virtio_net': ('tcp',)}
LEFT = {'node': 'ivshmem', 'virtio-serial': 'virtio_console', 'virtio-blk': 'virtio_blk', '9p': '9pnet_virtio', 'tcp': 'virtio_net'}


def made(t, *options, kernel=None):
    return t.ivpipe('bench', '--vm', '--kernel', kernel or guest_files()[1], '--accel', accelerator(), *QUICK.split(), *options)


class Kernel:
    """The tests' kernel as if it were installed, with those of its modules that a place besides has; without it none."""

    def __init__(self, t):
        release, image, _ = guest_files()
        self.tree = f'{t.work}/kernel'
        self.image = f'{self.tree}/boot/vmlinuz-{release}'
        self.modules = f'{self.tree}/lib/modules/{release}'
        package = f'{os.path.dirname(os.path.dirname(image))}/lib/modules/{release}'
        os.makedirs(f'{self.tree}/boot')
        shutil.copy(image, self.image)
        shutil.copytree(package, self.modules, ignore=lambda place, names: [n for n in names if n in ('build', 'source')])
        built = subprocess.run([f'{ROOT}/scripts/vm-module', release, f'/usr/src/linux-headers-{release}'], check=True, stdout=subprocess.PIPE, text=True).stdout
        os.makedirs(f'{self.modules}/updates')
        shutil.copy(next(path for path in built.splitlines() if path.endswith('/ivshmem.ko')), f'{self.modules}/updates')
        self.release = release
        self.index()

    def index(self):
        subprocess.run(['/sbin/depmod', '-b', self.tree, self.release], check=True)

    def has(self, name):
        with open(f'{self.modules}/modules.dep', encoding='utf-8') as f:
            return any(f'/{name}.ko:' in line for line in f)

    def drop(self, name):
        """Without one that was there."""
        for place, _, files in os.walk(self.modules):
            if f'{name}.ko' in files:
                os.remove(f'{place}/{name}.ko')
        self.index()


def check_bases(t, whole, kernel, what):
    """All that the kernel has is measured, and the rest is named."""
    report = json.loads(whole.output)
    left = {row['way']: row['why'] for row in report['left_out']}
    found = {(f['kind'], f['way'], f.get('size'), f.get('direction')) for f in report['figures']
             if f.get('rate', f.get('p50', {})).get('least', 0) > 0 and f.get('ours', 0) > 0}
    wanted, gone = set(), {}
    for module, ways in BASES.items():
        there = not module or kernel.has(module)
        for way in ways if there else ():
            wanted |= {('stream', way, size, direction) for size in (4096, 65536) for direction in ('out', 'in')}
            if way in ('virtio-serial', 'tcp'):
                wanted |= {(kind, way, 64, None) for kind in ('round_trip', 'wake')}
                wanted |= {('messages', way, 64, direction) for direction in ('out', 'in')}
        if not there:
            gone[ways[0]] = f'has no module {LEFT[ways[0]]}'
    t.check(wanted <= found, f'{what}: all that it can be held against', wanted - found)
    t.check({f['way'] for f in report['figures'] if f['way'] in sum(BASES.values(), ())} == {way for _, way, _, _ in wanted},
            f'{what}: and nothing else')
    t.check(left.keys() == gone.keys() and all(left[way].endswith(why) for way, why in gone.items()), f'{what}: what it has not is named',
            (left, gone))
    idle = [f for f in report['figures'] if f['kind'] == 'idle' and f['way'] == 'ivpipe']
    t.check(idle and all(idle[0][end]['least'] > 0 for end in ('client', 'server')), f'{what}: a lane that carries nothing', idle)


def check_others(t):
    """A guest that the helper makes, by what its kernel has."""
    kernel = Kernel(t)
    for without in None, 'virtio_blk':
        if without:
            kernel.drop(without)
        what = f'a guest without {without}' if without else 'a guest with all there is'
        whole = made(t, kernel=kernel.image)
        t.check(whole.wait(240) == 0 and not whole.errors, what, whole.errors)
        check_report(t, whole.output, what, 'write-combine')
        check_bases(t, whole, kernel, what)
    with open(f'{kernel.modules}/kernel/drivers/net/virtio_net.ko', 'wb') as broken:
        broken.write(b'no module')
    table = t.ivpipe('bench', '--vm', '--kernel', kernel.image, '--accel', accelerator(), *QUICK.replace('--json', '').split())
    t.check(table.wait(240) == 0 and '\nleft out: tcp: virtio_net.ko cannot be loaded: ' in table.output, 'one that cannot be loaded is named',
            (table.output, table.errors))
    t.check('virtio-serial, out ' in table.output and ' ours' in table.output, 'the others are in the table', table.output)
    os.remove(f'{kernel.modules}/modules.dep')
    whole = made(t, kernel=kernel.image)
    t.check(whole.wait(240) == 0, 'a kernel without modules', whole.errors)
    left = {row['way']: row['why'] for row in json.loads(whole.output)['left_out']}
    t.check(left.keys() == LEFT.keys() and all(left.values()), 'each way that needs one is named', left)


def check_made(t):
    """A guest that the helper makes, of any kernel; and what is left of it when the helper ends before its time."""
    whole = made(t)
    t.check(whole.wait(240) == 0 and not whole.errors, 'a guest of its own', whole.errors)
    check_report(t, whole.output, 'by a guest of its own', 'write-combine')
    for number, code in (signal.SIGTERM, 143), (signal.SIGKILL, 137):
        cut = made(t, '-v')
        while not (machines := machines_of(cut.process.pid)):
            if cut.process.poll() is not None:
                break
        child, memory = machines[0]
        where = os.path.dirname(memory)
        # Who is killed cannot clean up.
        t.at_end(lambda where=where: shutil.rmtree(where, ignore_errors=True))
        qemu = os.pidfd_open(child)
        cut.kill(number)
        t.equal(cut.wait(), code, f'ended by signal {int(number)}')
        t.check(select.select([qemu], [], [], 30)[0], 'and QEMU, too')
        os.close(qemu)
        if number == signal.SIGTERM:
            t.check(not os.path.exists(where), 'nothing is left', where)


def machines_of(pid):
    """Children that are QEMU by now, and the file of their memory. Who has just become it has no words for a moment."""
    with open(f'/proc/{pid}/task/{pid}/children', encoding='utf-8') as f:
        children = [int(word) for word in f.read().split()]
    machines = []
    for child in children:
        # Those that are asked what QEMU has are soon gone.
        try:
            with open(f'/proc/{child}/cmdline', encoding='utf-8') as f:
                words = f.read().split('\0')
        except (FileNotFoundError, ProcessLookupError):
            continue
        machines += [(child, word.split('mem-path=')[1].split(',')[0]) for word in words if 'mem-path=' in word]
    return machines


def check_figures(t):
    """Every figure of tests/bench/guest, for both of its guests; 9p where the kernel has it."""
    with_9p = os.environ.setdefault('IVPIPE_FLAVOUR', 'cloud-amd64') == 'amd64'
    run = t.host(sys.executable, f'{ROOT}/tests/bench/guest', '--quick', '--json')
    t.check(run.wait(300) == 0, 'tests/bench/guest', run.errors)
    report = json.loads(run.output)
    found = {(f['label'], f['kind'], f['way']) for f in report['figures'] if 0 < f['least'] <= f['median'] <= f['most'] and f['n']}
    ways = ['ivpipe', 'ivpipe-digest', 'virtio-serial', 'slirp TCP', 'virtio-blk, O_DIRECT', 'send and recv'] + ['9p'] * with_9p
    wanted = {(kind, way) for kind in ('to host', 'to guest') for way in ways}
    wanted |= {(kind, way) for kind in ('copy into the BAR', 'copy out of the BAR') for way in ('memcpy', 'words', 'rep movsq')}
    wanted |= {(kind, way) for kind in ('read()', 'write()') for way in ('node', "tmpfs (the kernel's copy)")}
    wanted |= {('digest', 'XXH3-128'), ('round trip', 'ivpipe'), ('round trip', 'a polled line'), ('first touch', 'entries of 2 MiB')}
    missing = {(label, *figure) for label in ('qemu64', 'max') for figure in wanted} - found
    t.check(not missing, 'every figure, and more than nothing', missing)
    t.check(len(found) == len({(f['label'], f['kind'], f['way']) for f in report['figures']}), 'and no other is nothing')
    goals = report['goals']
    t.check(all(g['limit'] or g['reached'] >= g['goal'] for g in goals), 'what was missed has its reason', goals)
    t.check(all((g['reached'] is None) == (not with_9p and '9p' in g['figure']) for g in goals), 'each goal is measured', goals)


with Scenario('bench between a guest and its host', deadline=600) as t:
    region = t.region(64 * M)
    vm = t.boot([region])
    start_udev(vm)
    host = t.ivpipe('bench', '-r', region.path, '--listen')
    status, output = vm.run(f'ivpipe bench -r {NODE} {QUICK} 2>/tmp/bench.err; code=$?; cat /tmp/bench.err >&2; exit $code', 240, user=KVM_USER)
    t.equal((status, host.wait(60)), (0, 0), 'the guest measures')
    check_report(t, output, 'by the guest', 'write-back')
    guest = vm.spawn(f'ivpipe-static bench -r {NODE} --listen', KVM_USER)
    client = t.ivpipe('bench', '-r', region.path, *QUICK.split())
    codes = client.wait(240), guest.wait(60)
    t.check(codes == (0, 0), 'the host measures', f'host {codes[0]}: {client.errors}\nguest {codes[1]}: {guest.output}')
    check_report(t, client.output, 'by the host', 'write-back')
    status, output = vm.run(f'ivpipe bench --self -r {NODE} --quick --rounds 1 --sizes 64K', 240, user=KVM_USER)
    t.check(status == 0 and 'write-back' in output, 'both ends in the guest', output)
    vm.finish_and_stop()
    check_made(t)
    # A kernel with checkers has no modules for the other ways.
    if os.environ.get('IVPIPE_FLAVOUR', 'cloud-amd64') in ('cloud-amd64', 'amd64'):
        check_others(t)
        check_figures(t)
