# SPDX-License-Identifier: MIT
"""Every allocation and every copy of user memory fails once: in each call, in bind and unbind, in load and unload."""
from guest import KUNIT, M, Scenario, check_health, forget_leaks

# What the kernel itself does when an allocation deep within it fails: a warning where memory is added, and the name that
# class_register() of 6.1 forgets.
FORGIVEN = r'WARNING: .* at add_pages\+'
FORGIVEN_LEAK = r'kobject_set_name\+.*\n.*__class_register\+'

with Scenario('faults', deadline=900) as t:
    vm = t.boot([t.region(4 * M)], memory=768, append='panic_on_warn=0')
    forget_leaks(vm)
    vm.sh('modprobe ivshmem')
    status, output = vm.run(f'{KUNIT}/faults /lib/modules/$(uname -r)/updates/ivshmem.ko', 600)
    t.note(output)
    t.subtests(output, status, 'fault injection')
    t.equal(vm.run('dd if=/dev/ivshmem0 of=/dev/null bs=1M count=4')[0], 0, 'afterwards the device works')
    vm.sh('rmmod ivshmem')
    check_health(t, vm, 'after all faults', FORGIVEN, FORGIVEN_LEAK)
    vm.kill()
