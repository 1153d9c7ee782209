# SPDX-License-Identifier: MIT
"""Two guests on one memory, and the host as well."""
from scenario import M, Scenario
from streams import NODE, both_ways, guest_digest, make_file, start_udev
from vm import KVM_USER


def guest_to_guest(t, sender, receiver, what, service):
    wanted = make_file(sender[0], '/tmp/out', 8 * M)
    recv = receiver[0].spawn(f'ivpipe recv -r {NODE} {receiver[1]} -s {service} -o /tmp/in', KVM_USER)
    send = sender[0].spawn(f'ivpipe send -r {NODE} {sender[1]} -s {service} /tmp/out', KVM_USER)
    codes = send.wait(90), recv.wait(90)
    good = codes == (0, 0) and guest_digest(receiver[0], '/tmp/in') == wanted
    t.check(good, what, f'{codes}\n{send.output}\n{recv.output}')


with Scenario('guest to guest over one file') as t:
    region = t.region(64 * M)
    t.equal(t.ivpipe('format', region.path, '--sides', '3').wait(20), 0, 'a region of three sides')
    one, two = t.boot([region], name='one'), t.boot([region], name='two')
    for vm in (one, two):
        start_udev(vm)
    guest_to_guest(t, (one, ''), (two, '--side 2'), 'from the first guest to the second', 'a')
    guest_to_guest(t, (two, '--side 2'), (one, ''), 'from the second guest to the first', 'b')
    both_ways(t, one, region, 'the first guest and the host')
    both_ways(t, two, region, 'the second guest and the host', options='--side 2')
    for vm in (one, two):
        vm.finish_and_stop()
