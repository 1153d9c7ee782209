# SPDX-License-Identifier: MIT
"""Bytes and messages, both ways, and in loops."""
import asyncio
import contextlib
import errno
import hashlib
import selectors
import threading

import numpy

import ivpipe
from harness import case, other, raises


def pieces(seed, count):
    for i in range(count):
        yield hashlib.shake_128(b'%d %d' % (seed, i)).digest(1 + i * 7919 % 100000)


def send(lane, seed):
    for piece in pieces(seed, 40):
        lane.write(piece)
    lane.finish()


def receive(lane, seed):
    got, wanted = hashlib.sha256(), hashlib.sha256()
    for data in iter(lane.read, b''):
        got.update(data)
    for piece in pieces(seed, 40):
        wanted.update(piece)
    assert got.digest() == wanted.digest()
    lane.verdict()


def both_ways(lane, seeds):
    thread = threading.Thread(target=send, args=(lane, seeds[0]))
    thread.start()
    receive(lane, seeds[1])
    thread.join()


@case
def streams_both_ways_at_once(path):
    def client(path):
        with ivpipe.Region(path) as region, region.connect('duplex', file='a name', size=5) as lane:
            both_ways(lane, (1, 2))

    with other(client, path), ivpipe.Region(path) as region, region.listen('duplex') as listener:
        with listener.accept() as lane:
            assert (lane.file, lane.size, lane.peer_local) == ('a name', 5, True)
            both_ways(lane, (2, 1))


@case
def over_a_control_connection(path):
    control = f'unix:{path}.control'

    def client(path):
        with ivpipe.Region(path) as region, region.connect(control=control) as lane:
            send(lane, 1)

    with other(client, path), ivpipe.Region(path) as region, region.listen(control=control) as listener:
        with listener.accept() as lane:
            receive(lane, 1)


@case
def messages_are_whole(path):
    sizes = [1, 2, 7, 8, 65000, 65528, 65529, 1000000, 3]

    def client(path):
        with ivpipe.Region(path) as region, region.connect() as lane:
            for size in sizes:
                lane.send_message(numpy.full(size, size % 251, 'u1'))
            lane.send_message(b'x' * 100)
            with raises(ivpipe.UsageError, errno.EINVAL, 'no bytes', code=2):
                lane.send_message(b'')
            lane.finish()

    with other(client, path), ivpipe.Region(path) as region, region.listen() as listener, listener.accept() as lane:
        for size in sizes:
            assert lane.receive_message() == bytes([size % 251]) * size
        with raises(ivpipe.Error, errno.EMSGSIZE, code=1):
            lane.receive_message(99)
        assert lane.receive_message() == b''
        lane.verdict()


@case
def many_messages_with_a_call(path):
    messages = [bytes([i % 251]) * (i % 300 + 1) for i in range(5000)] + [b'large' * 40000, b'last']

    def client(path):
        with ivpipe.Region(path) as region, region.connect() as lane:
            assert lane.send_messages(messages) == len(messages)
            assert lane.send_messages([]) == 0
            with raises(ivpipe.UsageError, errno.EINVAL, 'no bytes', code=2):
                lane.send_messages([b'one', b''])
            lane.finish()

    with other(client, path), ivpipe.Region(path) as region, region.listen() as listener, listener.accept() as lane:
        got = []
        while len(got) < 5000:
            some = lane.receive_messages(count=100, limit=300)
            assert 1 <= len(some) <= 100
            got += some
        got += lane.receive_messages(limit=200000)
        got += lane.receive_messages(count=1)
        assert got == messages, len(got)
        assert lane.receive_messages() == [b'one']
        assert lane.receive_messages() == []
        lane.verdict()


@case
def messages_beyond_the_limit(path):
    def client(path):
        with ivpipe.Region(path) as region, region.connect() as lane:
            with raises(TimeoutError):
                lane.receive_messages(timeout=0)
            lane.send_messages([b'fits', b'does not', b'does'])
            lane.finish()

    with other(client, path), ivpipe.Region(path) as region, region.listen() as listener, listener.accept() as lane:
        assert lane.receive_messages(limit=4) == [b'fits']
        with raises(ivpipe.Error, errno.EMSGSIZE, code=1):
            lane.receive_messages(limit=4)
        assert lane.receive_messages(limit=4, count=1) == [b'does']
        assert lane.receive_messages() == []
        lane.verdict()


@case
def messages_without_room(path):
    """Nobody reads before all was tried."""
    def client(path):
        with ivpipe.Region(path) as region, region.connect() as lane, region.connect() as word:
            sent, got = int(word.receive_message()), 0
            while got < sent:
                got += len(lane.receive_messages(limit=1000))
            assert got == sent
            word.finish()

    with other(client, path), ivpipe.Region(path) as region, region.listen() as listener:
        with listener.accept() as lane, listener.accept() as word:
            sent = lane.send_messages([bytes(1000)] * 10000, timeout=0.05)
            assert 0 < sent < 10000
            with raises(TimeoutError):
                lane.send_messages([bytes(1000)], timeout=0)
            word.send_message(b'%d' % sent)
            assert word.receive_message() == b''
            word.verdict()


@case
def selectors_serve_many(path):
    def client(path):
        with ivpipe.Region(path) as region:
            lanes = [region.connect() for _ in range(4)]
            for i in range(100):
                for lane in lanes:
                    lane.send_message(b'%d' % i)
                for lane in lanes:
                    assert lane.receive_message() == b'<%d>' % i
            for lane in lanes:
                lane.finish()

    with other(client, path), ivpipe.Region(path) as region, region.listen() as listener:
        with selectors.DefaultSelector() as loop:
            loop.register(listener, selectors.EVENT_READ)
            left = 4
            while left:
                # Arm everything, until nothing is left to do.
                for lane in [key.fileobj for key in list(loop.get_map().values())]:
                    while lane.arm():
                        if lane is listener:
                            with contextlib.suppress(TimeoutError):
                                loop.register(listener.accept(0), selectors.EVENT_READ)
                            continue
                        message = lane.receive_message(timeout=0)
                        if message:
                            lane.send_message(b'<' + message + b'>')
                            continue
                        lane.verdict()
                        loop.unregister(lane)
                        lane.close()
                        left -= 1
                        break
                if left and not any(key.fileobj.arm() for key in list(loop.get_map().values())):
                    assert loop.select(20)


@case
def asyncio_serves_many(path):
    from ivpipe import aio

    def client(path):
        async def talk(region):
            with await asyncio.to_thread(region.connect) as lane:
                for i in range(100):
                    lane.send_message(b'%d' % i)
                    await aio.ready(lane)
                    assert lane.receive_message(timeout=0) == b'<%d>' % i
                lane.end()
                await aio.ready(lane, ivpipe.Wait.RESULT)
                lane.confirm(0)

        async def main():
            with ivpipe.Region(path) as region:
                await asyncio.gather(*(talk(region) for _ in range(4)))

        asyncio.run(main())

    async def serve(lane):
        with lane:
            while True:
                await aio.ready(lane)
                message = lane.receive_message(timeout=0)
                if not message:
                    return lane.verdict()
                lane.send_message(b'<' + message + b'>')

    async def main():
        with ivpipe.Region(path) as region, region.listen() as listener:
            await asyncio.gather(*[asyncio.create_task(serve(await aio.accept(listener))) for _ in range(4)])

    with other(client, path):
        asyncio.run(main())
