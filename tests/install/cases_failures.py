# SPDX-License-Identifier: MIT
"""What fails, who is told, and what ends a wait."""
import contextlib
import errno
import os
import signal
import threading

import ivpipe
from harness import case, other, pair, raises


@case
def errors_say_what_and_carry_numbers(path):
    with raises(ivpipe.NoRegionError, errno.ENOENT, '/nowhere', code=3):
        ivpipe.Region('/nowhere')
    with ivpipe.Region(path) as region:
        with raises(ivpipe.UsageError, errno.EINVAL, 'service', code=2):
            region.listen('no spaces')
        with raises(ValueError):
            region.connect('.dot')
        with raises(ivpipe.NoPeerError, errno.ETIMEDOUT, code=5):
            region.connect('nobody', wait=0.05)
        with region.listen() as listener, raises(TimeoutError):
            listener.accept(0.05)
    with raises(ivpipe.UsageError, text='side'):
        ivpipe.Region(path, side=7)


@case
def a_copy_of_the_region_is_refused(path):
    copy = path + '.copy'
    control = f'unix:{path}.control'
    with open(path, 'rb') as source, open(copy, 'wb') as target:
        target.write(source.read())

    def client(path):
        with ivpipe.Region(copy) as region, raises(ivpipe.RefusedError, errno.ECONNREFUSED, code=6):
            region.connect(control=control)

    with other(client, path), ivpipe.Region(path) as region, region.listen(control=control) as listener:
        with raises(ConnectionRefusedError):
            listener.accept()


@case
def a_peer_that_dies(path):
    def client(path):
        with ivpipe.Region(path) as region, region.connect() as lane:
            lane.write(b'x')
            os.kill(os.getpid(), signal.SIGKILL)

    with other(client, path, ends=-signal.SIGKILL):
        with ivpipe.Region(path) as region, region.listen() as listener, listener.accept() as lane:
            assert lane.read() == b'x'
            with raises(ivpipe.PeerGoneError, errno.EPIPE, code=8):
                lane.read()


@case
def times_are_kept(path):
    with pair(path) as (client, server):
        for call in (server.read, server.peek, server.receive_message, server.confirm):
            with raises(ivpipe.NoPeerError, errno.ETIMEDOUT):
                call(timeout=0.01)
        put = client.write(bytes(10000000), timeout=0.3)
        assert 0 < put < 10000000
        for call in (lambda: client.write(b'x' * 70000, 0), lambda: client.reserve(70000, 0),
                     lambda: client.send_message(b'x' * 70000, 0)):
            with raises(TimeoutError):
                call()
        while put:
            put -= len(server.read())
        client.end()
        assert server.read(timeout=1) == b''
        server.verdict(ivpipe.Verdict.NO_SPACE)
        with raises(ivpipe.Error, errno.ENOSPC, code=1):
            client.confirm(1)


class Stop(Exception):
    pass


@contextlib.contextmanager
def interrupted():
    """By what a signal's handler raises."""
    def handler(*_):
        raise Stop

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with raises(Stop):
        yield
    signal.setitimer(signal.ITIMER_REAL, 0)


@case
def signals_end_what_waits(path):
    with interrupted():
        ivpipe.Region('/nowhere', wait=None)
    ours, theirs = os.pipe()
    with ivpipe.Region(path) as region:
        with interrupted():
            region.connect('nobody', wait=None)
        with region.listen('nobody') as listener, interrupted():
            listener.accept()
        with region.listen('nobody', control=f'fd:{ours},{theirs}') as listener, interrupted():
            listener.accept()
    with pair(path) as (client, server):
        for call in (server.read, server.peek, server.confirm, server.receive_message):
            with interrupted():
                call()


@case
def another_thread_is_told(path):
    def client(path):
        with ivpipe.Region(path) as region, region.connect() as lane, raises(ivpipe.PeerGoneError):
            while True:
                lane.read()

    errors, begun = [], threading.Event()
    with other(client, path), ivpipe.Region(path) as region, region.listen() as listener:
        with listener.accept() as lane:
            def wait():
                begun.set()
                try:
                    lane.read()
                except ivpipe.CancelledError as error:
                    errors.append(error)

            thread = threading.Thread(target=wait)
            thread.start()
            begun.wait()
            # Until it is in its call; then nobody can take its memory away, or its turn.
            while not lane._receiving._lock.locked():
                pass
            for call in (lane.close, region.close, lane.read):
                with raises(RuntimeError):
                    call()
            lane.write(b'the other direction is free')
            region.cancel()
            thread.join()
            assert errors[0].errno == errno.EINTR


@case
def a_child_leaves_its_parents_alone(path):
    with pair(path) as (client, server):
        def child(_):
            with raises(ValueError, text='fork'):
                client.write(b'x')
            client.close()
            server._handle.close()

        with other(child, path):
            pass
        client.write(b'still there')
        assert server.read() == b'still there'


@case
def regions_are_found_and_described(path):
    with ivpipe.Region(path) as region, region.listen('here'):
        info = region.info
        assert (info.path, info.size, info.backing, info.sides) == (path, 16 << 20, 'file', 2)
    assert [found.size for found in ivpipe.find() if found.path == path] == [16 << 20]
    made = ivpipe.Region.format(path + '.other', size=1 << 20, sides=3, create=True)
    assert (made.size, made.sides) == (1 << 20, 3)
    with raises(ivpipe.Error, errno.EEXIST):
        ivpipe.Region.format(path + '.other', size=1 << 20, create=True)
