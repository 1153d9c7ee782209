# SPDX-License-Identifier: MIT
"""For asyncio: wait in a loop until a lane or a listener can go on.

    await ready(lane)                    # or ready(lane, Wait.ROOM), or ready(listener)
    message = lane.receive_message(timeout=0)
"""
import asyncio


async def ready(thing, *what):
    """Until thing.arm(*what) says so. One task at a time for each lane or listener."""
    loop = asyncio.get_running_loop()
    while not thing.arm(*what):
        future = loop.create_future()
        fd = thing.fileno()
        loop.add_reader(fd, _wake, future)
        try:
            await future
        finally:
            loop.remove_reader(fd)


def _wake(future):
    if not future.done():
        future.set_result(None)


async def accept(listener):
    """A lane to the next client. The handshake, milliseconds with a client that means it, holds the loop up."""
    while True:
        await ready(listener)
        try:
            return listener.accept(timeout=0)
        except TimeoutError:
            pass
