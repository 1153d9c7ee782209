# SPDX-License-Identifier: MIT
"""That the checks of the documents can fail: each is shown something wrong. Prints TAP; with --run in a machine of its own."""
import sys

from extract import commands, ends
from rows import match, parse
from runner import check_words, one

count = 0
failed = 0
MARKDOWN = '''Text, with `cp` and `ivpipe list`.

    guest$ one | two     host$ three
    what was said

| a | b |
|---|---|
| `make user \\| cat` | `-r PATH` |

1. A list:

       sudo words \\
         go on

   no block
'''
MANUAL = '''.Dl $ ivpipe list \\-\\-json
.Bd -literal -offset indent
$ first
said
# second
.Ed
.Bd -filled
no command
.Ed
'''


def check(what, good):
    global count, failed
    count += 1
    failed += not good
    print(f'{"" if good else "not "}ok {count} - {what}', flush=True)


def complains(document, table, words):
    pairs, wrong = match(parse(table), commands('README.md', document))
    return any(words in line for line in wrong)


def outcome(document, table):
    """What is said of a document's one command."""
    pairs, wrong = match(parse('README.md\n' + table), commands('README.md', document))
    return '\n'.join(wrong) or one(*pairs[0])


def check_reading():
    found = commands('x.md', MARKDOWN)
    check('blocks, spans and cells', [(c.line, c.block, c.first()) for c in found] == [
        (1, False, 'ivpipe list'), (3, True, 'guest$ one | two host$ three'), (8, False, 'make user | cat'),
        (12, True, 'sudo words \\')])
    check('two ends in one line, and not what they said', ends(found[1].text) == [('guest', 'one | two'), ('host', 'three')])
    check('a line that goes on', ends(found[3].text) == [('', 'sudo words \\\n  go on')])
    found = commands('x.1', MANUAL)
    check('displays of manuals', [c.text for c in found] == ['$ ivpipe list --json', '$ first\nsaid\n# second'])
    check('their prompts', ends(found[1].text) == [('', 'first'), ('', 'second')])


def check_table():
    table = 'README.md\n\twords ivpipe list\n'
    check('a command without a row', complains('`ivpipe list --json`', table, 'no row'))
    check('a row without a command', complains('`ivpipe list`', table + '\twords ivpipe info\n', 'no command'))
    check('both are there', not complains('`ivpipe list`', table, ''))
    check('a row without its reason', complains('`ivpipe list`', 'README.md\n\tnot ivpipe list\n', 'reason'))


def check_lookups():
    def words(text):
        return check_words(commands('x.md', f'`{text}`')[0])
    check('an unknown verb', 'no verb' in words('ivpipe lisp -r PATH'))
    check('an unknown option', 'no option' in words('tar c . | ivpipe send --keep'))
    check('of a second one in the line', 'no option' in words('ivpipe recv -o x && ivpipe info --keep'))
    check('where the helper is not named', 'no option' in words('send --keep'))
    check('a short one', 'no option' in words('ivpipe list -z'))
    check('short ones together', not words('ivpipe list -nr'))
    check('an unknown verb of make', 'no verb' in words('make check-nothing'))
    check('a program that is not there', 'not there' in words('scripts/nothing -x'))
    check('words that no test runs', 'does not run' in outcome('`make deb`', '\telsewhere make *\n\t\ttests/dkms/run\n'))


def check_runs():
    """An edited command is run as it now is."""
    pair = '    guest$ ivpipe send disk.img   host$ ivpipe recv -r /dev/shm/vm0 -o copy\n'
    table = '\tends guest$ *\n\t\tcmp /srv/guest/disk.img /srv/host/copy\n'
    check('both ends', outcome(pair, table) == '')
    check('an end that is wrong', 'ended with 2' in outcome(pair.replace('-o copy', '--o-copy'), table))
    check('an end that stores something else', 'ended with' in outcome(pair.replace('disk.img', 'original'), table))
    check('what has to hold afterwards', 'ended with 1' in outcome('`make help`', '\trun make *\n\t\tfalse\n'))
    check('one of two lines', 'ended with 1' in outcome('    false\n    true\n', '\trun false\n'))
    check('one of two words', 'ended with 2' in outcome('`ivpipe setup qemu|xen`', '\trun ivpipe *\n'))
    over = 'until grep -q "State:.Z" "/proc/$PID/status"; do :; done'
    check('what serves and ends', 'by itself' in outcome('    ivpipe list\n', f'\tserves ivpipe *\n\t\t{over}\n'))
    check('what is read', 'ended with 1' in outcome('    <shmem>\n', '\tstdin <*\n\t\txmllint --noout -\n'))


check_reading()
check_table()
check_lookups()
if '--run' in sys.argv:
    check_runs()
print(f'1..{count}')
sys.exit(failed != 0)
