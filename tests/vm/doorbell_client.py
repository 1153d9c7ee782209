# SPDX-License-Identifier: MIT
"""The host as an ordinary peer of a doorbell server: gets what QEMU gets, rings guests, and is rung by them."""
import os
import select
import socket
import struct
import threading
import time


class DoorbellClient:
    """`peers`: for each other's id its eventfds, one a vector. `events`: our own."""

    def __init__(self, path):
        self.sock, self.peers, self.events, self.number = socket.socket(socket.AF_UNIX), {}, [], None
        self.change = threading.Condition()
        self.sock.connect(path)
        version, self.number = self.message()[0], self.message()[0]
        if version != 0:
            raise RuntimeError(f'version {version}')
        self.memory = self.message()[1]
        threading.Thread(target=self.listen, daemon=True).start()

    def message(self):
        data, fds, _, _ = socket.recv_fds(self.sock, 8, 1)
        if len(data) != 8:
            raise EOFError
        return struct.unpack('<q', data)[0], fds[0] if fds else None

    def listen(self):
        try:
            while True:
                self.note(*self.message())
        except (EOFError, OSError):
            pass

    def note(self, number, fd):
        with self.change:
            if number == self.number:
                self.events.append(fd)
            elif fd is None:
                for old in self.peers.pop(number, []):
                    os.close(old)
            else:
                self.peers.setdefault(number, []).append(fd)
            self.change.notify_all()

    def wait_vectors(self, number, count, timeout=30):
        """Until that many vectors of a peer, or of our own, are known."""
        def known():
            return len(self.events if number == self.number else self.peers.get(number, [])) >= count
        with self.change:
            if not self.change.wait_for(known, timeout):
                raise RuntimeError(f'peer {number} has no {count} vectors')

    def ring(self, number, vector=0):
        os.eventfd_write(self.peers[number][vector], 1)

    def rung(self, vector=0, wanted=1, timeout=30):
        """How often we were, once it is as often as wanted or the time is over."""
        got, deadline = 0, time.monotonic() + timeout
        while got < wanted and select.select([self.events[vector]], [], [], max(0, deadline - time.monotonic()))[0]:
            got += os.eventfd_read(self.events[vector])
        return got

    def close(self):
        self.sock.close()
