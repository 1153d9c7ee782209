# SPDX-License-Identifier: MIT
"""Every KUnit suite, in a kernel that watches itself; then the module loaded and unloaded over and over."""
from guest import M, RESERVE, TAINT_TEST, Scenario, check_health, complaints, forget_leaks, load_suites

SUITES = {
    'core_kunit': ['ivp_handshake', 'ivp_ring', 'ivp_span', 'ivp_superblock'],
    'driver_kunit': ['ivshmem_chardev', 'ivshmem_device', 'ivshmem_doorbell', 'ivshmem_ioctl', 'ivshmem_mmap',
                     'ivshmem_notify', 'ivshmem_pages', 'ivshmem_pci', 'ivshmem_region', 'ivshmem_sysfs',
                     'ivshmem_wait'],
}


def run_suites(t, vm, module):
    suites, log = load_suites(vm, module)
    t.note(log)
    t.equal(sorted(suite.name for suite in suites), SUITES[module], f'{module}: all its suites ran')
    for suite in suites:
        for word, name, skip in suite.cases:
            if skip:
                t.skip(f'{suite.name}: {name}', skip)
            else:
                t.check(word == 'ok', f'{suite.name}: {name}')
        t.check(suite.whole and suite.good, f'{suite.name}: ran to its end, and is content')
    t.equal(complaints(vm), [], f'{module}: the kernel has no complaint')
    t.equal(vm.run(f'rmmod {module}')[0], 0, f'{module} is unloaded')


with Scenario('KUnit suites', deadline=900) as t:
    vm = t.boot([t.region(16 * M), t.region(1024)], memory=768, append=RESERVE, parallel=True)
    forget_leaks(vm)
    run_suites(t, vm, 'core_kunit')
    run_suites(t, vm, 'driver_kunit')
    check_health(t, vm, 'after the suites')

    status, output = vm.run('for i in $(seq 10); do modprobe ivshmem && cat /dev/ivshmem0 > /dev/null && '
                            'rmmod ivshmem || exit; done', 120)
    t.check(status == 0, 'the module is loaded and unloaded ten times', output)
    check_health(t, vm, 'after ten loads')
    t.matches(vm.ask_verdict(0), f'^FAIL: failed checks 0, bad kernel messages 0, taint {TAINT_TEST:#x}, leaks 0$',
              'verdict: nothing but the taint that KUnit leaves')
    vm.kill()
