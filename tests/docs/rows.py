# SPDX-License-Identifier: MIT
"""The table of commands (tests/docs/commands): which row is a command's, and what is left over."""
import fnmatch
from dataclasses import dataclass

HOW = 'run ends serves stdin words elsewhere not'.split()


@dataclass
class Row:
    document: str
    line: int
    how: str
    pattern: str
    detail: str = ''
    used: bool = False

    def __str__(self):
        return f'commands:{self.line}: {self.how} {self.pattern}'


def parse(text):
    """A document at the margin, below it its rows, and below a row what else there is to say of it, a tab more each."""
    rows, document = [], None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith('#'):
            continue
        if not line.startswith('\t'):
            document = line.strip()
        elif line.startswith('\t\t'):
            rows[-1].detail += ('\n' if rows[-1].detail else '') + line.strip()
        else:
            how, pattern = line.strip().split(' ', 1)
            if how not in HOW:
                raise SystemExit(f'tests/docs/commands:{number}: {how}: none of {" ".join(HOW)}')
            rows.append(Row(document, number, how, pattern.strip()))
    return rows


def row_of(rows, command):
    """The first that matches. Brackets stand for themselves."""
    for row in rows:
        if row.document == command.document and fnmatch.fnmatchcase(command.first(), row.pattern.replace('[', '[[]')):
            row.used = True
            return row
    return None


def match(rows, commands):
    """[(command, row)], and what is wrong. Rows of a document that is not there wait for it."""
    pairs = [(command, row_of(rows, command)) for command in commands]
    wrong = [f'{command}: no row of tests/docs/commands says how it is run' for command, row in pairs if not row]
    present = {command.document for command in commands}
    wrong += [f'{row}: no command of {row.document} is like that' for row in rows
              if not row.used and row.document in present]
    wrong += [f'{row}: a reason is missing' for row in rows if row.how in ('not', 'elsewhere', 'stdin', 'serves') and not row.detail]
    return [(command, row) for command, row in pairs if row], wrong
