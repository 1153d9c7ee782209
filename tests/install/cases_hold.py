# SPDX-License-Identifier: MIT
"""What is written and told later."""
import contextlib

import ivpipe
from harness import case, other, pair, raises


def nothing_yet(server):
    with raises(TimeoutError):
        server.receive_message(timeout=0)


@case
def what_is_held_comes_with_the_end_of_the_block(path):
    with pair(path) as (client, server):
        with client.hold() as lane:
            assert lane is client
            client.send_message(b'one')
            nothing_yet(server)
            client.flush()
            assert server.receive_message(timeout=0) == b'one'
            client.send_message(b'two')
            with client.reserve(5) as view:
                view[:] = b'three'
            nothing_yet(server)
        assert [server.receive_message(timeout=0) for _ in range(2)] == [b'two', b'three']
        client.send_message(b'four')
        assert server.receive_message(timeout=0) == b'four'


@case
def the_outermost_block_counts(path):
    with pair(path) as (client, server):
        with client.hold():
            with client.hold():
                client.write(b'inner')
            nothing_yet(server)
            with contextlib.suppress(KeyError), client.hold():
                raise KeyError
            nothing_yet(server)
        assert server.receive_message(timeout=0) == b'inner'


@case
def held_or_not_a_failure_ends_the_block(path):
    with pair(path) as (client, server):
        with raises(ZeroDivisionError), client.hold():
            client.write(b'before')
            1 / 0
        assert server.receive_message(timeout=0) == b'before'
        with client.hold():
            client.close()
        with raises(ValueError, text='closed'), client.hold():
            pass
        with raises(ValueError, text='closed'):
            client.flush()


@case
def more_than_fits_is_told_without_an_end(path):
    """With nobody to make room, it would be waited for in vain."""
    def client(path):
        with ivpipe.Region(path) as region, region.connect() as lane, lane.hold():
            for number in range(100000):
                lane.send_message(b'%d' % number)
            lane.finish()

    with other(client, path), ivpipe.Region(path) as region, region.listen() as listener, listener.accept() as lane:
        assert [int(message) for message in iter(lane.receive_message, b'')] == list(range(100000))
        lane.verdict()
