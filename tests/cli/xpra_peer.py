#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One side of Xpra's handshake, as each version has it.

    xpra_peer.py server SOCKET VERSION FILE[,FILE] [FAULT]     answers clients until it is killed
    xpra_peer.py client SOCKET VERSION FILE[,FILE] [FAULT]     exit code 0: mmap is on, 1: off, 3: a server that broke a rule

A server has a file for pictures and one for the other way. What a peer sends has to be encoded as these encoders do it, byte for byte.
FAULT makes it lie; see below.
"""
import mmap
import os
import random
import socket
import struct
import sys

BENCODE, RENCODE, RENCODEPLUS = 0, 1, 0x10


def bencode(v):
    if isinstance(v, int):
        return b'i%de' % v
    if isinstance(v, (str, bytes)):
        v = v.encode() if isinstance(v, str) else v
        return b'%d:%s' % (len(v), v)
    if isinstance(v, dict):
        return b'd' + b''.join(bencode(k) + bencode(x) for k, x in v.items()) + b'e'
    return b'l' + b''.join(map(bencode, v)) + b'e'


def bdecode(b, i=0):
    kind = b[i:i + 1]
    if kind == b'i':
        end = b.index(b'e', i)
        return int(b[i + 1:end]), end + 1
    if kind in b'ld':
        items, i = [], i + 1
        while b[i:i + 1] != b'e':
            item, i = bdecode(b, i)
            items.append(item)
        return (items if kind == b'l' else dict(zip(items[::2], items[1::2]))), i + 1
    colon = b.index(b':', i)
    end = colon + 1 + int(b[i:colon])
    return b[colon + 1:end].decode(), end


def rencode(v):
    if v is None or isinstance(v, bool):
        return {True: b'C', False: b'D', None: b'E'}[v]
    if isinstance(v, int):
        if 0 <= v <= 43:
            return bytes([v])
        if -32 <= v < 0:
            return bytes([69 - v])
        for code, form, bits in (62, 'b', 7), (63, '>h', 15), (64, '>i', 31), (65, '>q', 63):
            if -1 << bits <= v < 1 << bits:
                return bytes([code]) + struct.pack(form, v)
        return b'=%d\x7f' % v
    if isinstance(v, str):
        v = v.encode()
        return (bytes([128 + len(v)]) if len(v) < 64 else b'%d:' % len(v)) + v
    if isinstance(v, dict):
        items = b''.join(rencode(k) + rencode(x) for k, x in v.items())
        return bytes([102 + len(v)]) + items if len(v) < 25 else b'<' + items + b'\x7f'
    items = b''.join(map(rencode, v))
    return bytes([192 + len(v)]) + items if len(v) < 64 else b';' + items + b'\x7f'


def rdecode(b, i=0):
    t, i = b[i], i + 1
    if t < 44:
        return t, i
    if 70 <= t < 102:
        return 69 - t, i
    if 62 <= t <= 65:
        form = {62: 'b', 63: '>h', 64: '>i', 65: '>q'}[t]
        return struct.unpack_from(form, b, i)[0], i + struct.calcsize(form)
    if t == 61:
        end = b.index(b'\x7f', i)
        return int(b[i:end]), end + 1
    if 67 <= t <= 69:
        return {67: True, 68: False, 69: None}[t], i
    if 48 <= t < 58:
        colon = b.index(b':', i)
        end = colon + 1 + int(b[i - 1:colon])
        return b[colon + 1:end].decode(), end
    if 128 <= t < 192:
        return b[i:i + t - 128].decode(), i + t - 128
    items = []
    for _ in range(t - 192 if t >= 192 else 2 * (t - 102)):
        item, i = rdecode(b, i)
        items.append(item)
    return (items if t >= 192 else dict(zip(items[::2], items[1::2]))), i


class Broken(Exception):
    pass


def read_exactly(s, count):
    data = b''
    while len(data) < count:
        more = s.recv(count - len(data))
        if not more:
            raise Broken('closed')
        data += more
    return data


def receive(s):
    """Flags and the packet, which has to be what our own encoder makes of it."""
    magic, flags, level, index, size = struct.unpack('>BBBBI', read_exactly(s, 8))
    if magic != 0x50:
        raise Broken('no packet')
    data = read_exactly(s, size)
    encode, decode = (rencode, rdecode) if flags & (RENCODE | RENCODEPLUS) else (bencode, bdecode)
    packet, end = decode(data)
    if level or index or end != size or encode(packet) != data:
        raise Broken('encoded otherwise')
    return flags, packet


def send(s, flags, packet):
    data = (rencode if flags & (RENCODE | RENCODEPLUS) else bencode)(packet)
    s.sendall(struct.pack('>BBBBI', 0x50, flags, 0, 0, len(data)) + data)


class Area:
    def __init__(self, path):
        self.path = path
        with open(path, 'r+b') as f:
            self.map = mmap.mmap(f.fileno(), 0)
        self.size = len(self.map)

    def place(self, fault=None):
        """A claim, and its token where it says."""
        value, count = random.getrandbits(128) | 1, 128
        index = random.randrange(8, self.size - count)
        self.map[index:index + count] = value.to_bytes(count, 'little')
        claim = {'file': self.path, 'size': self.size, 'token': value, 'token_index': index, 'token_bytes': count}
        claim.update({'token': {'token': value ^ 2}, 'outside': {'token_index': self.size - 16}, 'size': {'size': self.size * 2},
                      'bytes': {'token_bytes': 1 << 20}, 'far': {'token_index': 1 << 62}, 'text': {'token': 'x'},
                      'zero': {'token': 0, 'token_index': 4096}, 'negative': {'token': -1},
                      'wide': {'token': 1 << 2000}}.get(fault, {}))
        return claim

    def finds(self, claim):
        index, count = claim.get('token_index', 0), claim.get('token_bytes', 128)
        found = int.from_bytes(self.map[index:index + count], 'little')
        return claim['size'] == self.size and 1 <= count <= 512 and found == claim['token']


def flat(claim, sep='_'):
    return {'mmap' + sep + key: value for key, value in claim.items()}


def unflat(caps, sep='_'):
    prefix = 'mmap' + sep
    return {k[len(prefix):]: v for k, v in caps.items() if k.startswith(prefix)}


def age(version):
    major, minor = (int(x) for x in version.split('.')[:2])
    return 3 if major < 5 else 5 if major == 5 else 60 if minor < 3 else 63


def claims_of_client(version, caps):
    """Those for pictures, and for the other way, where a server of that version looks for them."""
    nested = caps.get('mmap') or {}
    if age(version) == 3:
        return unflat(caps, '.' if caps.get('mmap.namespace') else '_'), {}
    if age(version) == 5:
        return nested or unflat(caps), {}
    if age(version) == 60:
        return nested, {}
    return nested.get('read') or nested, nested.get('write', {})


def short(claim):
    return {k: v for k, v in claim.items() if k.startswith('token')}


def answer(version, down, up):
    """A server's capabilities, from its own view."""
    caps = {'version': version, 'rencodeplus': True}
    if age(version) == 3:
        return {**caps, 'mmap_enabled': bool(down), **flat(short(down))}
    if age(version) == 5:
        return {**caps, 'mmap': {'enabled': bool(down), **short(down)}, **flat(short(down))}
    if age(version) == 60:
        return {**caps, 'mmap': {'enabled': bool(down), **short(down)}}
    areas = {**({'write': down} if down else {}), **({'read': up} if up else {})}
    return {**caps, 'mmap': {**areas, **down}}


def offer(version, down, up):
    """A client's capabilities."""
    caps = {'version': version, 'rencodeplus': True, 'windows': False}
    if age(version) == 3:
        return {**caps, 'mmap': {**down, 'namespace': True}, **flat(down)}
    if age(version) == 5:
        return {**caps, 'mmap': down, **flat(down), 'mmap.namespace': True}
    if age(version) == 60:
        return {**caps, 'mmap': down}
    return {**caps, 'mmap': {'read': down, **({'write': up} if up else {}), **down}}


def accepted(version, caps):
    """The claims of an answer that a client of that version takes for a yes."""
    nested = caps.get('mmap') or {}
    if age(version) == 3:
        return (unflat(caps) if caps.get('mmap_enabled') else {}), {}
    if age(version) in (5, 60):
        return (nested if nested.get('enabled') else {}), {}
    return nested.get('write') or nested, nested.get('read', {})


RAW = {
    'http': b'HTTP/1.1 400 Bad Request\r\n\r\n', 'escape': b'\x1b[31mred', 'empty': b'',
    'huge': struct.pack('>BBBBI', 0x50, 0x10, 0, 0, 0xffffffff), 'cipher': struct.pack('>BBBBI', 0x50, 0x12, 0, 0, 9),
    'lz4': struct.pack('>BBBBI', 0x50, 0x10, 0x11, 0, 9), 'half': struct.pack('>BBBBI', 0x50, 0x10, 0, 0, 90) + b'\xc2',
    'deep': struct.pack('>BBBBI', 0x50, 0x10, 0, 0, 5000) + b'\xc1' * 5000,
    'loose': struct.pack('>BBBBI', 0x50, 0x10, 0, 1, 1) * 10 + b'x' * 10,
    'pings': (struct.pack('>BBBBI', 0x50, 0x10, 0, 0, 6) + rencode(['ping'])) * 200,
    'list': struct.pack('>BBBBI', 0x50, 0x10, 0, 0, 8) + rencode(['hello', 7]),
    'challenge': struct.pack('>BBBBI', 0x50, 0x10, 0, 0, 11) + rencode(['challenge']),
    'leave': struct.pack('>BBBBI', 0x50, 0x10, 0, 0, 21) + rencode(['disconnect', 'go \x1b[1m']),
}


def serve_one(s, version, files, fault):
    areas = [Area(f) for f in files if os.path.exists(f)]
    if fault in RAW:
        s.sendall(RAW[fault])
        return
    flags, packet = receive(s)
    readable = {3: (BENCODE, RENCODE), 5: (BENCODE, RENCODE, RENCODEPLUS)}.get(age(version), (RENCODEPLUS,))
    if flags not in readable and not (version.startswith('4.') and flags == RENCODEPLUS):
        s.sendall(b"disconnect: the decoder is not available\n")
        return
    caps = packet[1]
    if caps.get('request') == 'info':
        send(s, flags, ['hello', {'mmap.supported': fault != 'none', 'mmap.filename': '' if fault == 'nameless' else files[0]}])
        return
    if fault == 'silent':
        s.recv(1)
        return
    wanted = list(claims_of_client(version, caps)) + [{}]
    ours = []
    for area, claim in zip(areas, wanted):
        good = claim.get('token') and area.finds(claim) and fault not in ('none', 'nameless', 'refuse')
        ours.append(area.place(fault) if good else {})
    down, up = (ours + [{}, {}])[:2]
    if fault == 'vacuous':
        down = {'file': 'x'}
    reply = answer(version, down, up)
    if fault == 'vacuous':
        reply['mmap_enabled'] = True
        reply['mmap'] = {'enabled': True}
    print('server:', 'on' if down else 'off', 'back' if up else '', file=sys.stderr, flush=True)
    send(s, flags, ['hello', reply])
    # What it still has to say, and its end.
    while s.recv(4096):
        pass


def server(path, version, files, fault):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    print('ready', file=sys.stderr, flush=True)
    while True:
        s, _ = listener.accept()
        s.settimeout(20)
        try:
            serve_one(s, version, files, fault)
        except (Broken, OSError) as e:
            print('server:', e, file=sys.stderr, flush=True)
        s.close()


def client(path, version, files, fault):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(path)
    if fault in RAW:
        s.sendall(RAW[fault])
        s.recv(1)
        return 1
    areas = [Area(f) for f in files]
    claims = [a.place(fault) for a in areas] + [{}]
    if fault == 'silent':
        s.recv(1)
        return 1
    caps = offer(version, claims[0], claims[1])
    if fault == 'off':
        caps = {k: v for k, v in caps.items() if not k.startswith('mmap')}
    flags = BENCODE if age(version) == 3 else RENCODEPLUS
    send(s, flags, ['hello', caps])
    try:
        got, packet = receive(s)
    except Broken as e:
        print('client:', e, file=sys.stderr)
        return 3
    if got != flags or packet[0] != 'hello':
        return 3
    for area, theirs in zip(areas, accepted(version, packet[1])):
        if not theirs.get('token'):
            return 1
        if not area.finds({'size': area.size, **theirs}):
            return 3
    return 0


def main():
    role, path, version, files = sys.argv[1:5]
    fault = sys.argv[5] if len(sys.argv) > 5 else None
    sys.exit({'server': server, 'client': client}[role](path, version, files.split(','), fault))


main()
