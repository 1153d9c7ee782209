# SPDX-License-Identifier: MIT
"""Streams at the same time: both directions, and two services in one direction."""
from scenario import M, Scenario
from streams import ToGuest, ToHost, start_udev

with Scenario('two streams at once') as t:
    region = t.region(64 * M)
    vm = t.boot([region], memory=768)
    start_udev(vm)

    up = ToHost(t, vm, region, size=24 * M, options='-s up', host_options=['-s', 'up'])
    down = ToGuest(t, vm, region, size=24 * M, options='-s down', host_options=['-s', 'down'])
    up.check('both directions at once: guest to host', 120)
    down.check('both directions at once: host to guest', 120)

    one = ToHost(t, vm, region, size=16 * M, options='-s one', host_options=['-s', 'one'])
    two = ToHost(t, vm, region, size=16 * M, options='-s two', host_options=['-s', 'two'])
    one.check('two services: the first', 120)
    two.check('two services: the second', 120)
    vm.finish_and_stop()
