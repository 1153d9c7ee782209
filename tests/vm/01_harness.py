# SPDX-License-Identifier: MIT
"""The net has no hole: a kernel that complains, a failed check and a panic are never a pass."""
from scenario import Scenario
from vm import GuestDied

with Scenario('what must fail, fails') as t:
    vm = t.boot()
    t.equal(vm.run('echo out; echo err >&2; exit 3'), (3, 'out\nerr\n'), 'a command\'s status and output')
    t.equal(vm.run('kill -9 $$')[0], 128 + 9, 'a command ended by a signal')
    status, output = vm.run('head -c 100000 /dev/zero | tr "\\0" x')
    t.check(status == 0 and output == 'x' * 100000, 'long output is whole')
    t.matches(vm.ask_verdict(0), '^PASS: ', 'a healthy kernel and no failed check: pass')
    t.matches(vm.ask_verdict(1), '^FAIL: failed checks 1', 'a failed check: fail')
    vm.sh('echo "<4>WARNING: made up" > /dev/kmsg')
    t.matches(vm.ask_verdict(0), '^FAIL: .* bad kernel messages 1, .*first: WARNING: made up', 'a warning: fail')
    vm.sh('echo 1 > /proc/sys/kernel/sysrq')
    try:
        vm.run('echo c > /proc/sysrq-trigger', 30)
        t.check(False, 'a panic ends QEMU')
    except GuestDied:
        t.check(True, 'a panic ends QEMU')
    vm.until_gone()

    vm = t.boot(name='tainted')
    t.check(vm.sh('echo 64 > /proc/sys/kernel/tainted; cat /proc/sys/kernel/tainted') == '64', 'a taint is set')
    t.matches(vm.ask_verdict(0), '^FAIL: .* taint 0x40', 'a taint: fail')
    vm.kill()
