#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""README's ratios are those of docs/PERFORMANCE.md: writes them there, or with --check says which are not.

    tests/bench/readme.py [--check] [README PAGE]
"""
import argparse
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GOAL = re.compile(r'^\| (?P<figure>[^|]+) \| [^|]* \| [^|]* \| (?P<first>[^|]+) \| (?P<second>[^|]+) \|$', re.M)
# What a row of README begins with, by what the figures are called that it sums up.
ROWS = {
    'virtio-serial': 'virtio-serial', 'slirp TCP': 'TCP (nc, socat)', '9p': '9p, virtiofs', 'virtio-blk': 'virtio-blk',
    'memcpy into resource2_wc': '`mmap`',
}
# And the words around the numbers of its last sentence.
WORDS = [('stream against ZeroMQ', r'it is ', r' times as fast as ZeroMQ'), ('stream against nanomsg', r'ZeroMQ, ', r' as nanomsg'),
         ('against a unix socket', r'as nanomsg, ', r' as a\s+unix\s+socket'), ('against a pipe', r'and ', r' as a pipe\.')]


def numbers(page):
    """By figure: the ratios of its row, near or qemu64 first, as far as they were measured."""
    return {row['figure']: [float(cell.split()[0]) for cell in (row['first'], row['second']) if re.match(r'[\d.]+ ', cell)]
            for row in GOAL.finditer(page)}


def share(ratios):
    """Least and most of it, where the stream is one."""
    least, most = 1 / max(ratios), 1 / min(ratios)
    return f'{least:.2f} to {most:.2f}'


def renewed(readme, page):
    """README as it has to be; what the page has not measured stays as it is."""
    found = numbers(page)
    for name, begin in ROWS.items():
        ratios = [n for figure, row in found.items() for n in row if re.match(rf'stream (guest to host|host to guest) against {name}', figure)]
        if ratios:
            readme, count = re.subn(rf'^(\| {re.escape(begin)}.*\| )[\d.]+ to [\d.]+', lambda m, r=ratios: m[1] + share(r), readme,
                                    flags=re.M)
            if count != 1:
                raise SystemExit(f'readme.py: README.md has {count} rows that begin with {begin} and have a ratio')
    for name, before, after in WORDS:
        ratios = next((row for figure, row in found.items() if figure.startswith(name)), [])
        if ratios:
            readme, count = re.subn(f'({before})[0-9]+(?={after})', lambda m, r=ratios: m[1] + f'{r[0]:.0f}', readme)
            if count != 1:
                raise SystemExit(f'readme.py: README.md says {count} times how fast it is: {name}')
    return readme


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--check', action='store_true', help='write nothing')
    parser.add_argument('readme', nargs='?', default=os.path.join(ROOT, 'README.md'))
    parser.add_argument('page', nargs='?', default=os.path.join(ROOT, 'docs', 'PERFORMANCE.md'))
    options = parser.parse_args()
    with open(options.readme, encoding='utf-8') as file:
        readme = file.read()
    with open(options.page, encoding='utf-8') as file:
        wanted = renewed(readme, file.read())
    if options.check:
        wrong = [line for line, other in zip(wanted.split('\n'), readme.split('\n')) if line != other]
        for line in wrong:
            print(f'README.md: by the page this is: {line}')
        sys.exit(bool(wrong))
    with open(options.readme, 'w', encoding='utf-8') as file:
        file.write(wanted)


if __name__ == '__main__':
    main()
