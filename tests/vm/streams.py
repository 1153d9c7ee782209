# SPDX-License-Identifier: MIT
"""What the scenarios have in common: the driver and udev in the guest, and streams with a digest at both ends."""
import time

from scenario import M, digest
from vm import KVM_USER

NODE = '/dev/ivshmem0'


def start_udev(vm):
    """Debian's udevd with our rule: loads the module by its alias, gives the node to group kvm."""
    vm.sh('/lib/systemd/systemd-udevd --daemon && udevadm trigger --type=subsystems --action=add && '
          'udevadm trigger --type=devices --action=add && udevadm settle --timeout=60', 90)


def make_file(vm, path, size=8 * M):
    """Random bytes in a guest's file; returns their digest."""
    vm.sh(f'dd if=/dev/urandom of={path} bs=1M count={size} iflag=count_bytes,fullblock && chmod 644 {path}', 120)
    return guest_digest(vm, path)


def guest_digest(vm, path):
    return vm.sh(f'sha256sum < {path}', 120).split()[0]


class ToHost:
    """A stream from a guest to the host: started in either order, ended with both exit codes and digests."""

    def __init__(self, t, vm, region, size=8 * M, first='host', node=NODE, user=KVM_USER, options='', host_options=()):
        self.t, self.vm, self.number = t, vm, t.next_number()
        self.source, self.target = f'/tmp/out{self.number}', f'{t.work}/got{self.number}'
        self.wanted = make_file(vm, self.source, size)
        host_args = ['recv', '-r', region if isinstance(region, str) else region.path, '-o', self.target, *host_options]
        if first == 'host':
            self.host = t.ivpipe(*host_args)
        self.guest = vm.spawn(f'ivpipe send -r {node} {options} {self.source}', user)
        if first != 'host':
            self.host = t.ivpipe(*host_args)

    def check(self, what, timeout=60):
        codes = self.guest.wait(timeout), self.host.wait(timeout)
        self.vm.sh(f'rm -f {self.source}')
        good = codes == (0, 0) and digest(self.target) == self.wanted
        return self.t.check(good, what, f'guest {codes[0]}: {self.guest.output}\nhost {codes[1]}: {self.host.errors}')


class ToGuest:
    """The other way."""

    def __init__(self, t, vm, region, size=8 * M, first='host', node=NODE, user=KVM_USER, options='', host_options=()):
        self.t, self.vm, self.number = t, vm, t.next_number()
        self.source, self.wanted = t.random_file(size)
        self.target = f'/tmp/in{self.number}'
        host_args = ['send', '-r', region if isinstance(region, str) else region.path, *host_options, self.source]
        if first == 'host':
            self.host = t.ivpipe(*host_args)
        self.guest = vm.spawn(f'ivpipe recv -r {node} {options} -o {self.target}', user)
        if first != 'host':
            self.host = t.ivpipe(*host_args)

    def check(self, what, timeout=60):
        codes = self.guest.wait(timeout), self.host.wait(timeout)
        good = codes == (0, 0) and guest_digest(self.vm, self.target) == self.wanted
        self.vm.sh(f'rm -f {self.target}')
        return self.t.check(good, what, f'guest {codes[0]}: {self.guest.output}\nhost {codes[1]}: {self.host.errors}')


def both_ways(t, vm, region, what, **options):
    ToHost(t, vm, region, **options).check(f'{what}: guest to host')
    ToGuest(t, vm, region, **options).check(f'{what}: host to guest')


class Endless:
    """A stream that does not end by itself, known to flow. One end in the guest, the other on the host."""

    def __init__(self, t, vm, region, direction, node=NODE, user=KVM_USER, options='', host_options=()):
        self.t, self.vm = t, vm
        if direction == 'to guest':
            self.host = t.ivpipe('send', '-r', region.path, *host_options, stdin='/dev/zero')
            self.guest = vm.spawn(f'set -o pipefail; ivpipe recv -r {node} {options} | '
                                  '{ head -c 1048576 > /dev/null; echo flows; cat > /dev/null; }', user)
            flows = self.guest.wait_for('flows')
        else:
            self.host = t.ivpipe('recv', '-r', region.path, *host_options, drain=True)
            self.guest = vm.spawn(f'ivpipe send -r {node} {options} /dev/zero', user)
            flows = self.host.wait_drained(M)
        if not flows:
            raise RuntimeError(f'no stream {direction}: {self.guest.output} {self.host.errors}')

    def check_host(self, what, codes=(8,), within=15):
        """`within`: seconds since the call; the default is the peer timeout, 3 s, on a machine with other guests to run."""
        began = time.monotonic()
        code = self.host.wait(30)
        took = time.monotonic() - began
        self.t.check(code in codes, f'{what}: the host\'s end exits {" or ".join(map(str, codes))}',
                     f'exit {code}: {self.host.errors}')
        self.t.check(took < within, f'{what}: within {within} s', f'took {took:.1f} s')

    def check_guest(self, what, timeout=30):
        """An error, by itself: no success, no signal, no hang."""
        code = self.guest.wait(timeout)
        self.t.check(0 < code < 126, f'{what}: the guest\'s end exits with an error', f'exit {code}: {self.guest.output}')
