# SPDX-License-Identifier: MIT
"""The commands of the documents: indented blocks and `spans` of Markdown, literal displays of manuals."""
import re
from dataclasses import dataclass

# A span is a command when it begins so and does not stop there: `cp` is a noun.
PROGRAMS = set('''adduser apt apt-get asciinema cc chown echo find gcc grep incus insmod ivpipe make man modinfo modprobe mokutil pip pkg-config qm
    qemu-system-x86_64 semanage sudo systemctl systemd-tmpfiles tar truncate usermod virsh xpra'''.split())
# What the helper's verbs are called where "ivpipe" goes without saying.
VERBS = set('bench doctor exec format info list pipe recv send setup'.split())
PROMPT = re.compile(r'(\w*)[$#] +')
ROFF = {r'\-': '-', r'\e': '\\', r'\&': '', r'\(dq': '"', r'\(aq': "'", r'\(ga': '`', r'\(ha': '^', r'\(ti': '~'}


@dataclass
class Command:
    document: str
    line: int
    text: str
    block: bool

    def first(self):
        return ' '.join(self.text.split('\n')[0].split())

    def __str__(self):
        return f'{self.document}:{self.line}: {self.first()}'


def is_command(span):
    words = re.sub(r'^(sudo|\w+=\S*) +', '', span).split()
    if not words:
        return False
    if len(words) < 2:
        return False
    return words[0] in PROGRAMS or 'ivpipe' in words[1:-1] or words[0] in VERBS and words[1][0] in '-F' or bool(re.match(r'(scripts|tests|build)/', words[0]))


def spans(document, number, line):
    for span in re.findall(r'`([^`]+)`', line):
        if line.lstrip().startswith('|'):
            span = span.replace(r'\|', '|')
        if is_command(span):
            yield Command(document, number, span, False)


def markdown(document, lines):
    """A block is what is indented by four or more behind an empty line, until something is not."""
    block, start, empty = [], 0, True
    for number, line in enumerate([*lines, 'end'], 1):
        if line.startswith('    ') and (block or empty):
            start = start or number
            block.append(line)
        elif block and not line.strip():
            block.append('')
        else:
            if block:
                yield Command(document, start, dedent(block), True)
            block, start = [], 0
            yield from spans(document, number, line)
        empty = not line.strip()


def dedent(block):
    while not block[-1]:
        block.pop()
    least = min(len(line) - len(line.lstrip()) for line in block if line)
    return '\n'.join(line[least:] for line in block)


def plain(line):
    return re.sub(r'\\(?:[-e&]|\(\w\w)', lambda found: ROFF[found[0]], line)


def manual(document, lines):
    block, start = None, 0
    for number, line in enumerate(lines, 1):
        if line.startswith('.Dl '):
            yield Command(document, number, plain(line[4:]), True)
        elif line.startswith('.Bd -literal'):
            block, start = [], number + 1
        elif line.startswith('.Ed') and block is not None:
            yield Command(document, start, '\n'.join(block), True)
            block = None
        elif block is not None:
            block.append(plain(line))


def commands(document, text):
    read = markdown if document.endswith('.md') else manual
    return list(read(document, text.splitlines()))


def ends(text):
    """[(end, command)], in order; the end is '' where a prompt has no name, or there is none. What a program said is left out."""
    prompted, found, goes_on = PROMPT.match(text), [], False
    for line in re.sub(r' {2,}(?=\w+\$ )', '\n', text).split('\n'):
        prompt = PROMPT.match(line)
        if goes_on:
            found[-1][1] += '\n' + line
        elif prompt:
            found.append([prompt[1], line[prompt.end():]])
        elif not prompted:
            found.append(['', line])
        else:
            continue
        goes_on = line.endswith('\\')
    return [tuple(pair) for pair in found]
