# SPDX-License-Identifier: MIT
"""`ivpipe bench` with one command on each end, either end measuring; and both ends in a guest. How fast it is does not matter."""
import json

from scenario import M, Scenario
from streams import NODE, start_udev
from vm import KVM_USER

QUICK = '--quick --rounds 1 --sizes 4K,64K --json'
WANTED = {(kind, way, size, direction) for size in (4096, 65536) for direction in ('out', 'in')
          for kind, way in (('stream', 'ivpipe'), ('stream', 'ivpipe-digest'), ('copy', 'memcpy'))}
WANTED |= {('round_trip', 'ivpipe', 64, None), ('messages', 'ivpipe', 64, 'out'), ('messages', 'ivpipe', 64, 'in')}


def check_report(t, text, what, cache):
    """Every figure is there, and says more than nothing."""
    try:
        report = json.loads(text)
    except ValueError:
        t.check(False, what, text)
        return
    figures = report['figures']
    values = [f[name]['least'] for f in figures for name in ('rate', 'p50', 'p99') if name in f]
    found = {(f['kind'], f['way'], f.get('size'), f.get('direction')) for f in figures}
    t.check(WANTED <= found and all(value > 0 for value in values), what, text)
    t.equal(report['region']['cache'], cache, f'{what}: the memory type')
    for f in figures:
        name = 'p50' if 'p50' in f else 'rate'
        t.note(f"{what}: {f['kind']} {f['way']} {f.get('size', '')} {f.get('direction', '')} {f[name]['median']:.3g} {f['unit']}")


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
