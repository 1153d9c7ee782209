# SPDX-License-Identifier: MIT
"""Programs that know nothing of this device: dd, xxd, cmp, stat and Python's mmap."""
import os

from scenario import M, Scenario, digest
from streams import start_udev
from vm import KVM_USER

PYTHON = '''
import mmap, os
fd = os.open("/dev/ivshmem0", os.O_RDWR)
size = os.fstat(fd).st_size
assert size == os.lseek(fd, 0, os.SEEK_END) == %d, size
m = mmap.mmap(fd, size)
assert m[4096:4096 + 16] == b"from the host   "
m[8192:8192 + 16] = b"from the guest  "
m[size - 4:] = b"last"
'''

with Scenario('dd, xxd, cmp, stat, python on the node') as t:
    region = t.region(16 * M)
    vm = t.boot([region])
    start_udev(vm)

    def user(command):
        return vm.sh(command, user=KVM_USER)
    data = os.urandom(M)
    region.write(0, data)
    user('dd if=/dev/ivshmem0 of=/tmp/all bs=1M')
    t.equal(user('sha256sum < /tmp/all').split()[0], digest(region.path), 'dd reads what the host wrote')
    t.check(vm.run('cmp /tmp/all /dev/ivshmem0')[0] == 0, 'cmp agrees')
    t.equal(user('stat -c %s /dev/ivshmem0'), str(16 * M), 'stat tells the size once the node was opened')
    t.equal(user('xxd -s 65536 -l 16 -p /dev/ivshmem0'), data[65536:65552].hex(), 'xxd shows the same bytes')

    user('head -c 1048576 /dev/urandom > /tmp/new && dd if=/tmp/new of=/dev/ivshmem0 bs=64k seek=32 conv=notrunc')
    new = user('sha256sum < /tmp/new').split()[0]
    with open(f'{t.work}/new', 'wb') as f:
        f.write(region.read(2 * M, M))
    t.equal(digest(f'{t.work}/new'), new, 'dd writes where it was told')
    status, output = vm.run('dd if=/dev/zero of=/dev/ivshmem0 bs=1M seek=15 count=2 conv=notrunc', user=KVM_USER)
    t.check(status and 'No space left' in output, 'a write past the end is ENOSPC', output)

    region.write(4096, b'from the host   ')
    vm.write_file('/tmp/map.py', PYTHON % (16 * M))
    status, output = vm.run('python3 /tmp/map.py', user=KVM_USER)
    t.check(status == 0, 'Python maps it', output)
    t.equal(region.read(8192, 16), b'from the guest  ', 'and its bytes arrive')
    t.equal(region.read(16 * M - 4, 4), b'last', 'the last word too')
    vm.finish_and_stop()
