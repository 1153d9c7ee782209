# SPDX-License-Identifier: MIT
"""The helper in a guest as the guest's kernel sees it: asleep in the driver, how often it wakes up, what it asks the driver for."""
import re

from streams import NODE
from vm import KVM_USER

WAIT, WAKE = '0xc028e901', '0xc020e902'
# A process wakes up every 250 ms to look after its peer, as often as its beat's thread. One that looks for words itself
# does so 12 to 40 times as often.
BEATS = 12
A_BEAT = 4
HIST = '/sys/kernel/tracing/events/syscalls/sys_enter_ioctl'


class InGuest:
    """The helper in the guest; pid is the process that streams, a child of the one that was started."""

    def __init__(self, vm, arguments, redirect=''):
        self.vm, self.job = vm, vm.spawn(f'echo pid $$; exec ivpipe {arguments} {redirect}', KVM_USER)
        parent = self.job.wait_for(r'pid (\d+)')[1]
        self.pid = vm.sh(f'until p=$(grep -lx "PPid:.{parent}" /proc/[0-9]*/status 2>/dev/null) && [ -n "$p" ]; do '
                         f'test -d /proc/{parent} || exit 1; done; echo "$p" | cut -d / -f 3')

    def wake_ups(self):
        """Of its main thread, and of its beat's."""
        status = self.vm.sh(f'grep ^voluntary /proc/{self.pid}/task/*/status')
        threads = dict(re.findall(r'task/(\d+)/status:voluntary_ctxt_switches:\s+(\d+)', status))
        return int(threads.pop(self.pid)), sum(map(int, threads.values()))

    def asleep(self):
        """Until the kernel says that its main thread is in IVSHMEM_IOC_WAIT; what it says it is in."""
        return self.vm.sh(f'for i in $(seq 1000); do in=$(cat /proc/{self.pid}/syscall); '
                          f'case $in in "{self.vm.IOCTL} 0x"*" {WAIT} "*) break;; esac; done; echo "$in"')

    def check_asleep(self, t, what):
        t.matches(self.asleep(), f'^{self.vm.IOCTL} 0x[0-9a-f]+ {WAIT} ', f'{what}: sleeps in the driver')
        self.check_quiet(t, what)

    def check_quiet(self, t, what):
        began = now = self.wake_ups()
        while now[1] - began[1] < BEATS:
            now = self.wake_ups()
        times, beats = now[0] - began[0], now[1] - began[1]
        t.check(times <= A_BEAT * beats, f'{what}: hardly ever wakes up', f'{times} times in {beats} beats')


class Wakes:
    """How often IVSHMEM_IOC_WAKE was called in the guest, if its kernel can count the commands of ioctl."""

    def __init__(self, t, vm):
        self.t, self.vm, self.began = t, vm, 0
        vm.run('mount -t tracefs none /sys/kernel/tracing')
        self.counted = vm.run(f'echo hist:keys=cmd.hex > {HIST}/trigger')[0] == 0

    def count(self):
        found = re.search(rf'cmd:\s*{WAKE[2:]} .*hitcount:\s*(\d+)', self.vm.sh(f'cat {HIST}/hist'))
        return int(found[1]) if found else 0

    def begin(self):
        self.began = self.count() if self.counted else 0

    def check(self, least, most, what):
        if not self.counted:
            self.t.skip(what, 'this kernel does not count system calls')
            return
        times = self.count() - self.began
        self.t.check(least <= times <= most, what, f'{times} calls, wanted {least} to {most}')


def same_guest(t, vm, wakes):
    """A stream between two processes of the guest, who wake each other."""
    vm.sh('mkfifo -m 666 /tmp/words')
    receiver = InGuest(vm, f'recv -q -r {NODE}')
    receiver.asleep()
    writer = vm.spawn('exec 8<>/tmp/words; echo open; exec sleep 1000')
    writer.wait_for('open')
    sender = InGuest(vm, f'send -q -r {NODE}', '< /tmp/words')
    vm.sh('echo first > /tmp/words')
    receiver.job.wait_for('first')
    receiver.check_asleep(t, 'a receiver whose sender is in the same guest')
    wakes.begin()
    for number in range(10):
        receiver.asleep()
        vm.sh(f'echo word {number} > /tmp/words')
        receiver.job.wait_for(f'word {number}')
    t.check('word 9' in receiver.job.output, 'what it sends then comes through', receiver.job.output)
    # For each a word to the receiver, and perhaps its answer that there is room.
    wakes.check(10, 40, 'by IVSHMEM_IOC_WAKE')
    writer.kill()
    t.equal((sender.job.wait(), receiver.job.wait()), (0, 0), 'and the end as well')
