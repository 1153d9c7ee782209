# SPDX-License-Identifier: MIT
"""Memory without a copy, and that nobody has it for longer than it is there."""
import errno
import os

import numpy

import ivpipe
from harness import case, other, pair, raises


def mapped(path, address):
    """Does the address lie in a mapping of that file?"""
    with open('/proc/self/maps') as maps:
        for line in maps:
            words = line.split()
            first, last = (int(n, 16) for n in words[0].split('-'))
            if first <= address < last:
                return words[-1] == os.path.realpath(path)
    return False


@case
def numpy_sees_frames_without_a_copy(path):
    def client(path):
        with ivpipe.Region(path) as region, region.connect() as lane:
            for i in range(50):
                with lane.reserve(64 * 48 * 2) as view:
                    frame = numpy.frombuffer(view, '<u2').reshape(48, 64)
                    assert mapped(path, frame.ctypes.data)
                    frame[:] = numpy.arange(48 * 64).reshape(48, 64) + i
                    del frame
            lane.finish()

    with other(client, path), ivpipe.Region(path) as region, region.listen() as listener, listener.accept() as lane:
        for i in range(50):
            with lane.peek() as view:
                assert isinstance(view, memoryview) and view.readonly
                frame = numpy.frombuffer(view, '<u2').reshape(48, 64)
                assert mapped(path, frame.ctypes.data) and not frame.flags.writeable and not frame.flags.owndata
                assert (frame == numpy.arange(48 * 64).reshape(48, 64) + i).all()
                del frame
        with lane.peek() as view:
            assert len(view) == 0
        lane.verdict()


@case
def a_view_does_not_outlive_its_memory(path):
    with pair(path) as (client, server):
        client.write(b'first')
        client.write(b'second')
        with raises(BufferError, text='copy'):
            with server.peek() as view:
                array = numpy.frombuffer(view, 'u1')
        with raises(ValueError):
            view[0]
        with raises(BufferError):
            server.close()
        with raises(BufferError):
            server.read(1)
        assert bytes(array) == b'first'
        del array
        with server.peek() as view:
            part = view[1:]
            with raises(BufferError):
                server.read(1)
            assert bytes(part) == b'irst'
            del part
        assert server.read() == b'second'
        room = client.reserve(10)
        copy = room.view[2:5]
        with raises(BufferError):
            room.commit()
        with raises(BufferError):
            client.close()
        del copy
        client.close()
        with raises(ValueError):
            room.view[0]
        with raises(ValueError):
            room.commit()


@case
def after_close_everything_raises(path):
    with pair(path) as (client, server):
        client.write(b'x')
        peek = server.peek()
        room = client.reserve(8)
        server.close()
        client.close()
        client.close()
        for call in (client.read, client.peek, client.fileno, client.arm, client.end, client.confirm, client.abort,
                     client.verdict, client.no_digest, client.receive_message, room.commit, peek.consume,
                     lambda: client.write(b'x'), lambda: client.reserve(1), lambda: client.send_message(b'x'),
                     lambda: client.readinto(bytearray(1)), lambda: client.peer_local, lambda: peek.view[0]):
            with raises(ValueError):
                call()
        assert client.closed
    region = ivpipe.Region(path)
    listener = region.listen()
    region.close()
    for call in (listener.accept, listener.fileno, listener.arm, region.connect, region.listen, lambda: region.info):
        with raises(ValueError):
            call()


@case
def a_part_of_it(path):
    with pair(path) as (client, server):
        room = client.reserve(100)
        with room as view:
            view[:3] = b'abc'
            room.commit(3)
        peek = server.peek()
        assert bytes(peek.view) == b'abc' and not peek.more
        peek.consume(1)
        assert bytes(server.peek().view) == b'bc'
        with raises(ZeroDivisionError):
            with server.peek() as view:
                view[1 // 0]
        assert server.read() == b'bc'
        client.reserve(10).commit(4, more=True)
        client.reserve(10).commit(1)
        assert server.peek().more and server.receive_message() == bytes(5)


@case
def what_is_raised_is_not_masked(path):
    def client(path):
        with ivpipe.Region(path) as region, region.connect() as lane:
            with raises(ivpipe.PeerGoneError, code=8):
                while True:
                    lane.write(bytes(100000))

    with other(client, path), raises(KeyError):
        with ivpipe.Region(path) as region, region.listen() as listener, listener.accept() as lane:
            with lane.peek() as view:
                array = numpy.frombuffer(view, 'u1')
                raise KeyError(array)


@case
def what_is_dropped_is_closed(path):
    def client(path):
        lane = ivpipe.Region(path).connect()
        lane.read()
        del lane
        lane = ivpipe.Region(path).connect()
        array = numpy.frombuffer(lane.peek().view, 'u1')
        del lane
        assert array[0] == 7

    with other(client, path), ivpipe.Region(path) as region, region.listen() as listener:
        for _ in range(2):
            with listener.accept() as lane:
                lane.write(b'\x07')
                with raises(ivpipe.PeerGoneError):
                    lane.read()


@case
def memory_that_goes_away_is_an_error(path):
    with raises(ivpipe.PeerGoneError, errno.ESTALE, 'went away', code=8), pair(path) as (client, server):
        client.write(b'x' * 100)
        with server.peek() as view:
            os.truncate(path, 0)
            assert bytes(view) == bytes(100)
