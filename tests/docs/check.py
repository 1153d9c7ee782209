# SPDX-License-Identifier: MIT
"""Every command of README.md, docs/ and the manuals: run as its row of tests/docs/commands says. Prints TAP.

    check.py [--words] [PATTERN]      --words: only what needs neither root nor a machine of its own
"""
import glob
import os
import re
import sys

from extract import commands
from rows import match, parse
from runner import TREE, check_words, one, raise_loopback

DOCUMENTS = ('README.md', 'docs/*.md', 'user/man/*.[1-9]')
PATH = re.compile(r'`((?:scripts|tests|docs|user|kmod|debian)/[\w./-]*\w)`')
LINK = re.compile(r'\]\(([^)#:]+)\)')
count = 0
failed = 0


def report(what, problem):
    global count, failed
    count += 1
    failed += bool(problem)
    print(f'{"not " if problem else ""}ok {count} - {what}', flush=True)
    for line in problem.splitlines()[-40:]:
        print(f'#   {line}')


def read(name):
    with open(f'{TREE}/{name}', encoding='utf-8') as file:
        return file.read()


def documents():
    for pattern in DOCUMENTS:
        for path in sorted(glob.glob(f'{TREE}/{pattern}')):
            yield os.path.relpath(path, TREE)


def lost(name):
    """Files that a document names and that are not there."""
    text = read(name)
    paths = set(PATH.findall(text)) | {os.path.join(os.path.dirname(name), link) for link in LINK.findall(text)}
    if name == 'docs/HOSTILE.md':  # says so of its paths
        paths |= {f'tests/{path}' for path in re.findall(r'`((?:cli|unit|vm|kunit|device|fuzz|model)/[\w.]+)`', text)}
    return '\n'.join(f'{path} is not there' for path in sorted(paths) if not os.path.exists(f'{TREE}/{path}'))


def main():
    words = '--words' in sys.argv
    chosen = re.compile(next((word for word in sys.argv[1:] if word != '--words'), ''))
    names = list(documents())
    found = [command for name in names for command in commands(name, read(name))]
    pairs, wrong = match(parse(read('tests/docs/commands')), found)
    report(f'{len(found)} commands in {len(names)} documents, and each has its row', '\n'.join(wrong))
    for name in names:
        if name.endswith('.md'):
            report(f'{name}: the files that it names are there', lost(name))
    if not words:
        raise_loopback()
    for command, row in pairs:
        if not chosen.search(str(command)):
            continue
        if row.how == 'not':
            print(f'# not run: {row.detail}')
        if words and row.how not in ('elsewhere', 'not', 'words'):
            report(f'{command} (its words)', check_words(command))
        else:
            report(f'{command} ({row.how})', one(command, row))
    print(f'1..{count}')
    sys.exit(failed != 0)


main()
