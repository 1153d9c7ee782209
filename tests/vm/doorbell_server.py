# SPDX-License-Identifier: MIT
"""The server that ivshmem-doorbell devices connect to: it deals out ids, the memory and eventfds.

Messages are 64-bit little-endian integers, some with a descriptor: version 0; the client's id; -1 with the memory; for
each other peer its id with an eventfd, once a vector; the client's own id with an eventfd, once a vector. Later: the id
of a peer that came, with each of its eventfds, or of one that left, without. Clients say nothing.
"""
import os
import socket
import struct
import threading


class DoorbellServer:
    def __init__(self, path, region, vectors):
        self.path, self.vectors = path, vectors
        self.memory = os.open(region.path, os.O_RDWR | os.O_CLOEXEC)
        self.lock, self.peers = threading.Lock(), {}
        self.next_id = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.attend, args=(client,), daemon=True).start()

    def attend(self, client):
        with self.lock:
            number = self.next_id
            self.next_id += 1
            events = [os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for _ in range(self.vectors)]
            tell(client, 0)
            tell(client, number)
            tell(client, -1, self.memory)
            for other, (sock, theirs) in self.peers.items():
                for fd in theirs:
                    tell(client, other, fd)
                for fd in events:
                    tell(sock, number, fd)
            for fd in events:
                tell(client, number, fd)
            self.peers[number] = (client, events)
        try:
            client.recv(1)  # nothing comes; the end of the connection does
        except OSError:
            pass
        self.leave(number)

    def leave(self, number):
        with self.lock:
            client, events = self.peers.pop(number)
            client.close()
            for fd in events:
                os.close(fd)
            for sock, _ in self.peers.values():
                tell(sock, number)

    def close(self):
        self.listener.close()
        os.close(self.memory)


def tell(sock, value, fd=None):
    try:
        socket.send_fds(sock, [struct.pack('<q', value)], [] if fd is None else [fd])
    except OSError:
        pass  # it left; its own thread notes that
