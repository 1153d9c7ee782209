# SPDX-License-Identifier: MIT
"""Bugs on purpose: each detector sees its own, and a suite that fails is seen to fail."""
from guest import KUNIT, Ktap, Scenario, complaints, leaks, load_suites

# Lockdep first: any report switches it off.
BUGS = {
    'lock_order': 'possible circular locking dependency',
    'sleep_in_atomic': 'BUG: sleeping function called from invalid context',
    'warning': 'WARNING: ',
    'shift': 'UBSAN: shift-out-of-bounds',
    'array_index': 'UBSAN: array-index-out-of-bounds',
    'not_a_bool': 'UBSAN: invalid-load',
    'list_corruption': 'list_del corruption',
    'work_freed_while_queued': 'ODEBUG: free active',
    'out_of_bounds': 'KASAN: slab-out-of-bounds',
    'out_of_bounds_vmalloc': 'KASAN: vmalloc-out-of-bounds',
    'out_of_bounds_stack': 'KASAN: stack-out-of-bounds',
    'use_after_free': 'KASAN: use-after-free',
    'double_free': 'KASAN: double-free',
}


def make(vm, bug):
    """What the kernel says of that bug."""
    vm.sh('dmesg -c > /dev/null')
    vm.sh(f'insmod {KUNIT}/seeded.ko bug={bug} && rmmod seeded')
    return vm.sh('dmesg')


with Scenario('seeded bugs', deadline=600) as t:
    vm = t.boot(memory=768, append='panic_on_warn=0 kasan_multi_shot')
    t.equal(complaints(vm), [], 'before the first the kernel has no complaint')
    for bug, words in BUGS.items():
        said = make(vm, bug)
        t.check(words in said and complaints(vm), f'{bug}: {words}', said)
    t.equal(leaks(vm), '', 'before the leak kmemleak has nothing')
    make(vm, 'leak')
    found = leaks(vm)
    t.check('unreferenced object' in found and 'do_init_module' in found, 'leak: kmemleak sees it', found)
    t.matches(vm.ask_verdict(0), r'^FAIL: failed checks 0, bad kernel messages \d\d', 'verdict: a failure for each')

    (suite,), log = load_suites(vm, 'seeded_kunit')
    t.note(log)
    t.equal([word for word, _, _ in suite.cases], ['ok', 'not ok', 'ok', 'not ok', 'ok'],
            'a suite that fails: its cases, and those of its parameters')
    t.check(suite.whole and not suite.good, 'a suite that fails is seen to fail')
    t.check(suite.cases[-1][2], 'a case that is skipped is seen to be skipped')
    t.check(not Ktap('    # Subtest: x\n    1..2\n    ok 1 a\n').whole, 'a suite cut short is not whole')
    vm.kill()

    vm = t.boot(name='warned', memory=768)
    vm.spawn(f'insmod {KUNIT}/seeded.ko bug=use_after_free')
    vm.until_gone()
    with open(f'{t.logs}/warned.console', encoding='utf-8', errors='replace') as f:
        t.check('Kernel panic' in f.read(), 'where scenarios run, the first report ends the guest')
