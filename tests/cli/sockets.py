#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sockets at both ends of what is forwarded.

  sockets.py free                        a port that nobody has
  sockets.py answer PORT|PATH            take all that is said, to its end; then answer it, and its length
  sockets.py call PORT|PATH [N [SIZE]]   N connections at once, each with other random bytes, which have to come back
  sockets.py hold PORT|PATH N            N connections that have been answered; until standard input ends
  sockets.py greet PORT|PATH             say "hello" first, then echo
  sockets.py reset PORT|PATH             begin an answer, and reset the connection

`answer` and the like say "listening for" on standard error when they do. An end in the middle is an error.
"""
import os
import selectors
import socket
import socketserver
import struct
import sys
import threading

DEADLINE = 30


def address(where):
    return (socket.AF_INET, ('127.0.0.1', int(where))) if where.isdigit() else (socket.AF_UNIX, where)


def connect(where):
    family, place = address(where)
    s = socket.socket(family)
    s.settimeout(DEADLINE)
    s.connect(place)
    return s


def read_all(s):
    pieces = []
    while piece := s.recv(1 << 20):
        pieces.append(piece)
    return b''.join(pieces)


def answer(s):
    said = read_all(s)
    s.sendall(said + str(len(said)).encode())


def greet(s):
    s.sendall(b'hello')
    while piece := s.recv(65536):
        s.sendall(piece)


def reset(s):
    s.sendall(bytes(100000))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


def serve(where, how):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            how(self.request)

    class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
        allow_reuse_address = daemon_threads = True
        request_queue_size = 128

        def shutdown_request(self, request):
            request.close()  # and nothing before, which would be an end without a reset

        def handle_error(self, request, client_address):
            pass

    Server.address_family, place = address(where)
    with Server(place, Handler) as server:
        print('listening for callers', file=sys.stderr, flush=True)
        server.serve_forever()


def call(where, count='1', size='300000'):
    wrong = []
    failed = set()

    # A reset is told once, to whoever asks first: then the other one sees an end.
    def say(s, data, number):
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        except OSError as error:
            failed.add(number)
            wrong.append(f'connection {number}: {error}')

    def one(number):
        data = os.urandom(int(size) + number)
        try:
            with connect(where) as s:
                writer = threading.Thread(target=say, args=(s, data, number), daemon=True)
                writer.start()
                same = read_all(s) == data + str(len(data)).encode()
                writer.join()
                if not same and number not in failed:
                    wrong.append(f'connection {number}: not what was said')
        except OSError as error:
            wrong.append(f'connection {number}: {error}')

    threads = [threading.Thread(target=one, args=(n,)) for n in range(int(count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.exit('\n'.join(wrong) or 0)


def hold(where, count):
    held = []
    for _ in range(int(count)):
        s = connect(where)
        if s.recv(5, socket.MSG_WAITALL) != b'hello':
            sys.exit('no hello')
        held.append(s)
    print('holding', file=sys.stderr, flush=True)
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        for s in held:
            selector.register(s, selectors.EVENT_READ)
        ready = selector.select()
    for key, _ in ready:
        if key.fileobj is not sys.stdin:
            try:
                sys.exit('an end' if not key.fileobj.recv(1) else 'bytes')
            except ConnectionResetError:
                sys.exit('a reset')


def free():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        print(s.getsockname()[1])


def main():
    what, *rest = sys.argv[1:]
    servers = {'answer': answer, 'greet': greet, 'reset': reset}
    if what in servers:
        serve(rest[0], servers[what])
    else:
        {'call': call, 'hold': hold, 'free': free}[what](*rest)


main()
