# SPDX-License-Identifier: MIT
"""Runs a command as its row says; each function returns what went wrong, or nothing."""
import fcntl
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile

from extract import VERBS, ends

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), '..', '..'))
PATIENCE = 60
OTHERS = '/srv'  # each end has a directory there
FILES = ('disk.img', 'original')
XPRA = ('check', 'prepare', 'serve', 'status')
MAKES = re.compile(r'--create|--apply|truncate|tee ')


def raise_loopback():
    """A new network has one, and it is down."""
    name_and_flags = struct.pack('16sH14x', b'lo', 1)  # IFF_UP
    with socket.socket() as one:
        fcntl.ioctl(one, 0x8914, name_and_flags)  # SIOCSIFFLAGS


class Shell:
    """A script of bash's in the background. Its output is kept for when it fails."""

    def __init__(self, script, place=TREE, region=None, stdin=subprocess.DEVNULL, **more):
        self.said = tempfile.NamedTemporaryFile()
        environment = dict(os.environ, **({'IVPIPE_REGION': region} if region else {}), **more)
        # Whoever started us may ignore signals that are sent to it.
        self.process = subprocess.Popen(['env', '--default-signal', 'bash', '-e', '-o', 'pipefail', '-c', script], cwd=place,
                                        env=environment, stdin=stdin, stdout=self.said, stderr=subprocess.STDOUT, text=True,
                                        start_new_session=True)

    def end(self, text=None):
        """What it said, if it failed."""
        try:
            self.process.communicate(text, PATIENCE)
        except subprocess.TimeoutExpired:
            self.stop(signal.SIGKILL)
        if self.process.returncode == 0:
            return ''
        return f'ended with {self.process.returncode}\n{self.output()}'

    def output(self):
        with open(self.said.name, encoding='utf-8', errors='replace') as file:
            return file.read()

    def stop(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass
        self.process.wait(PATIENCE)


def make_memory(text):
    """As a hypervisor would have, unless the command itself is about that; laid out where none is named."""
    named = set(re.findall(r'/dev/shm/\w+', text))
    if not named:
        subprocess.run(['ivpipe', 'format', '-q', '--create', '--size', '64M', '/dev/shm/vm0'], check=True)
    for path in named if not MAKES.search(text) else ():
        with open(path, 'wb') as file:
            file.truncate(64 << 20)


def prepare(text=None):
    """A host without memory, or with what the command names; files to send."""
    for name in os.listdir('/dev/shm'):
        os.unlink(f'/dev/shm/{name}')
    if text:
        make_memory(text)
    os.makedirs('/data', exist_ok=True)
    with open('/data/file', 'w', encoding='utf-8') as file:
        file.write('something\n')
    for place in (TREE, *(f'{OTHERS}/{end}' for end in ('host', 'guest', 'one', 'two'))):
        os.makedirs(f'{place}/inbox', exist_ok=True)
        for name in FILES:
            with open(f'{place}/{name}', 'wb') as file:
                file.write(os.urandom(300000))


def region_of(end, text):
    """A guest's device, for those who name none: the file that the host's end names."""
    named = re.findall(r'/dev/shm/\w+', text)
    return None if end in ('', 'host') else named[0] if named else '/dev/shm/vm0'


def place_of(end):
    return f'{OTHERS}/{end}' if end else TREE


def alternatives(text):
    """'setup qemu|libvirt' is two commands."""
    found = re.search(r'\b\w+(\|\w+)+\b', text)
    return [text.replace(found[0], word) for word in found[0].split('|')] if found else [text]


def confirm(row, problem):
    return problem or (Shell(row.detail).end() if row.detail else '')


def run(command, row):
    """One line after the other, as by a user of this machine."""
    prepare()
    for text in [command.text] if command.block else alternatives(command.text):
        script = '\n'.join(line for _, line in ends(text))
        problem = Shell(script + '\nwait').end()
        if problem:
            return problem
    return confirm(row, '')


def run_ends(command, row):
    """Each end's lines by its own shell, all at once, but what lays the memory out before the others; all have to end well."""
    prepare(command.text)
    found = ends(command.text)
    if len(found) > 1 and found[0][1].startswith('ivpipe format '):
        problem = Shell(found.pop(0)[1]).end()
        if problem:
            return problem
    named = dict.fromkeys(end for end, _ in found)
    shells = {end: Shell('\n'.join(line for name, line in found if name == end), place_of(end), region_of(end, command.text))
              for end in named}
    problems = [f'{end}: {problem}' for end, shell in shells.items() if (problem := shell.end())]
    return confirm(row, '\n'.join(problems))


def run_serves(command, row):
    """It does not end by itself, nor does any of several ends: the row's command is run meanwhile, and finds in $SAID what the first
    one said, by $PID."""
    prepare(command.text)
    found = ends(command.text)
    named = list(dict.fromkeys(end for end, _ in found))
    if len(named) > 1:
        shells = [Shell('\n'.join(line for name, line in found if name == end), place_of(end), region_of(end, command.text))
                  for end in named]
    else:
        shells = [Shell('\n'.join(line for _, line in found))]
    problem = Shell(row.detail, SAID=shells[0].said.name, PID=str(shells[0].process.pid)).end()
    for shell in shells:
        if shell.process.poll() is not None:
            problem = problem or 'ended by itself'
        shell.stop(signal.SIGINT)
    return problem and '\n'.join([problem, *(shell.output() for shell in shells)])


def run_stdin(command, row):
    """No command, but what one reads."""
    prepare()
    text = '\n'.join(line for _, line in ends(command.text)) if re.match(r'\w*[$#] ', command.text) else command.text
    return Shell(row.detail, stdin=subprocess.PIPE).end(text + '\n')


def options_of(verb):
    """None when there is no such verb."""
    if verb[0] in ('help', 'version', 'xpra') and len(verb) == 1:
        return set()
    done = subprocess.run(['ivpipe', 'help', *verb], capture_output=True, text=True, check=False)
    return None if done.returncode else set(re.findall(r'(?:^| )(--?[a-z][a-z-]*)', done.stdout))


def ivpipe_words(text):
    """Every verb and option that is given to ivpipe, wherever in a line; its quotes may be the line's end."""
    for part in re.split(r'\|\s|&&|;|\$\(|\n|^\w*[$#] |(?<= )(?=ivpipe )', text.replace('\\\n', ' ')):
        words = part.replace("'", ' ').replace('"', ' ').split()
        while words and ('=' in words[0] or words[0] == 'sudo'):
            words.pop(0)
        if words and (words[0] in VERBS or words[:1] == ['xpra'] and words[1:2] and words[1] in XPRA):
            words.insert(0, 'ivpipe')
        if len(words) > 1 and words[0] == 'ivpipe' and words[1].isalpha():
            yield words[1:3] if words[1] == 'xpra' and len(words) > 2 else words[1:2], words[2:]


def check_words(command, _row=None):
    """Not run, and still nothing in it that is not there: verbs, options, programs of the tree, make's verbs."""
    for verb, rest in ivpipe_words(command.text):
        known = options_of(verb)
        if known is None:
            return f'ivpipe has no verb "{" ".join(verb)}"'
        for word in rest:
            if re.match(r'--?[a-z]', word) and word.split('=')[0].rstrip('),.') not in known and not is_short(word, known):
                return f'ivpipe {" ".join(verb)} has no option {word}'
    for path in re.findall(r'(?:^|[ /])((?:scripts|tests)/[\w./-]+)', command.text):
        if not os.path.exists(f'{TREE}/{path}'):
            return f'{path} is not there'
    for verb in re.findall(r'\bmake ((?:[A-Z_]+=\S+ )*)([a-z_-]+)', command.text):
        done = subprocess.run(['make', '-C', TREE, '-qn', verb[1]], capture_output=True, text=True, check=False)
        if 'No rule to make target' in done.stderr:
            return f'make has no verb {verb[1]}'
    return ''


def is_short(word, known):
    return re.fullmatch(r'-[a-z]+', word) and all(f'-{letter}' in known for letter in word[1:])


def elsewhere(command, row):
    """Another test runs these very words, or reads this document."""
    path = row.detail.split('\n')[0]
    try:
        with open(f'{TREE}/{path}', encoding='utf-8') as file:
            text = ' '.join(file.read().split())
    except OSError as error:
        return str(error)
    if command.document.split('/')[-1] in text:
        return check_words(command)
    for _, line in ends(command.text):
        words = ' '.join(re.sub(r'\bsudo ', '', line).split())
        if words not in text:
            return f'{path} does not run "{words}"'
    return check_words(command)


RUN = {'run': run, 'ends': run_ends, 'serves': run_serves, 'stdin': run_stdin, 'words': check_words, 'elsewhere': elsewhere,
       'not': check_words}


def one(command, row):
    return RUN[row.how](command, row)


