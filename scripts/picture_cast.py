# SPDX-License-Identifier: MIT
"""Runs the commands of the demo on a terminal of its own, types them as a person would, and records it all: an asciicast, version 2.

    picture_cast.py HELPER >demo.cast

Whoever calls this gives it processes and a /dev/shm of its own (scripts/pictures), so that nothing of the machine is to be seen.
"""
import fcntl
import json
import os
import pty
import select
import struct
import sys
import tempfile
import termios
import time

COLUMNS, ROWS = 100, 26
PATIENCE = 60
TYPING = 0.03  # seconds a character, between them in the recording alone
FOUND = 1  # what doctor ends with when it has something to say
PAUSE = 2.5  # to read, in the recording alone
# An empty line clears the screen.
SCENES = '''
# a region, as QEMU makes one for a guest; both ends are here
ivpipe format --create --size 64M /dev/shm/vm0
ivpipe recv -q -r /dev/shm/vm0 -o copy.img &
ivpipe send -r /dev/shm/vm0 --progress --rate 150M disk.img
sha256sum disk.img copy.img

# who has it, and what goes on there
ivpipe recv -q -r /dev/shm/vm0 -s logs --keep -o 'inbox/%n' &
ivpipe list
ivpipe info /dev/shm/vm0

# what is wrong, and how to mend it
chmod 644 /dev/shm/vm0
ivpipe doctor

# how fast it is here, against what else there is
ivpipe bench --self --quick --sizes 64K | head -n 23
'''
events = []
clock = 0.0


def note(text, seconds=0.0):
    global clock
    clock += seconds
    events.append([round(clock, 3), 'o', text])


def type_line(line):
    note('$ ', 0.3)
    for letter in line:
        note(letter, TYPING)
    note('\r\n', 0.3)


def record(line, place):
    """What the line prints, with its own pauses. Returns its exit code."""
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(place)
        os.execvp('bash', ['bash', '--norc', '-c', line])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', ROWS, COLUMNS, 0, 0))
    last = time.monotonic()
    while select.select([terminal], [], [], PATIENCE)[0]:
        try:
            said = os.read(terminal, 65536)
        except OSError:  # a terminal that nobody has any more
            break
        if not said:
            break
        now = time.monotonic()
        note(said.decode(errors='replace'), now - last)
        last = now
    else:
        sys.exit(f'demo: nothing more comes of: {line}')
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    return code


def leave_behind(line, place):
    """Without a terminal, whose end would be its end; until it listens."""
    os.spawnvp(os.P_NOWAIT, 'bash', ['bash', '--norc', '-c', f'cd {place} && exec {line[:-1]} </dev/null >/dev/null 2>&1'])
    os.spawnvp(os.P_WAIT, 'timeout', ['timeout', str(PATIENCE), 'bash', '-c', 'until ivpipe info /dev/shm/vm0 | grep -q here; do :; done'])


def perform(place):
    for line in SCENES.strip('\n').split('\n'):
        if not line:
            note('', PAUSE)
            note('\033[2J\033[H')
            continue
        type_line(line)
        if line.endswith('&'):
            leave_behind(line, place)
        elif not line.startswith('#') and record(line, place) not in (0, FOUND):
            sys.exit(f'demo: it failed: {line}')
    note('', PAUSE)


def main():
    os.environ.update(PATH=f'{os.path.dirname(os.path.realpath(sys.argv[1]))}:{os.environ["PATH"]}', TERM='xterm', LC_ALL='C.UTF-8')
    with tempfile.TemporaryDirectory() as place:
        os.mkdir(f'{place}/inbox')
        with open(f'{place}/disk.img', 'wb') as file:
            file.write(os.urandom(1 << 20) * 256)
        perform(place)
    print(json.dumps({'version': 2, 'width': COLUMNS, 'height': ROWS, 'title': 'ivpipe'}))
    for event in events:
        print(json.dumps(event, ensure_ascii=False))


main()
