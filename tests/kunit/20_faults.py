# SPDX-License-Identifier: MIT
"""Every allocation and every copy of user memory fails once: in each call, in bind and unbind, in load and unload."""
from guest import KUNIT, M, Scenario, check_health, doorbell_device, forget_leaks
from vm import root_port

# What the kernel itself does when an allocation deep within it fails: warnings where memory is added, and where files of
# an interrupt in /proc are removed that could not be made; and the name that class_register() of 6.1 forgets.
FORGIVEN = r'WARNING: .* at (?:add_pages|remove_proc_entry)\+'
FORGIVEN_LEAK = r'kobject_set_name\+.*\n.*__class_register\+'

with Scenario('faults', deadline=1800) as t:
    # irq_insert_desc() of 6.1 does not notice that it got no memory for a node of its tree: the port's interrupt is in it.
    vm = t.boot(devices=[*root_port(), *doorbell_device(t, 4 * M, 2)], memory=768, append='panic_on_warn=0')
    forget_leaks(vm)
    vm.sh('modprobe ivshmem')
    status, output = vm.run(f'{KUNIT}/faults /lib/modules/$(uname -r)/updates/ivshmem.ko', 1500)
    t.note(output)
    t.subtests(output, status, 'fault injection')
    t.equal(vm.run('dd if=/dev/ivshmem0 of=/dev/null bs=1M count=4')[0], 0, 'afterwards the device works')
    vm.sh('rmmod ivshmem')
    check_health(t, vm, 'after all faults', FORGIVEN, FORGIVEN_LEAK)
    vm.kill()
