# SPDX-License-Identifier: MIT
"""For the cases: another end, and what is to be raised."""
import contextlib
import os
import signal
import threading
import traceback
import warnings

import ivpipe

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


@contextlib.contextmanager
def other(function, path, *, ends=0):
    """function(path) in another process, which has to end so."""
    with warnings.catch_warnings():
        # Of threads: none of ours goes on in the child.
        warnings.simplefilter('ignore', DeprecationWarning)
        pid = os.fork()
    if not pid:
        code = 1
        try:
            function(path)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    try:
        yield pid
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == ends, f'the other end: {code}'


@contextlib.contextmanager
def pair(path, **options):
    """A lane to oneself: client, server."""
    with ivpipe.Region(path) as region, region.listen('self') as listener:
        clients = []
        thread = threading.Thread(target=lambda: clients.append(region.connect('self', **options)))
        thread.start()
        with listener.accept() as server:
            thread.join()
            with clients[0] as client:
                yield client, server


@contextlib.contextmanager
def raises(kind, number=None, text='', code=None):
    try:
        yield
    except kind as error:
        assert number is None or error.errno == number, f'{error.errno} instead of {number}'
        assert code is None or error.exit_code == code, f'{error.exit_code} instead of {code}'
        assert text in str(error) and '\n' not in str(error), str(error)
        return
    raise AssertionError(f'no {kind.__name__}')
