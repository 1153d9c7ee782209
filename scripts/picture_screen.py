# SPDX-License-Identifier: MIT
"""Draws a recording (asciicast, version 2) as a picture that moves, to standard output. Where nothing moves it shows the end.

    picture_screen.py demo.cast [SECONDS]        SECONDS: that moment alone, which does not move
"""
import json
import re
import sys
from xml.sax.saxutils import escape

WIDE, HIGH, EDGE = 7.8, 18, 14  # of a character; around all
TICK = 0.12  # seconds between two looks at the screen: what is in between is not shown
CONTROL = re.compile(r'\033\[([0-9;?]*)([A-Za-z])|([\r\n\b])|([^\033\r\n\b]+)')


class Screen:
    """As much of a terminal as the helper and a shell make use of; anything else is an error, and not left out."""

    def __init__(self, columns, rows):
        self.columns, self.rows, self.lines, self.row, self.column = columns, rows, [''] * rows, 0, 0

    def put(self, words):
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[:self.column] + words + line[self.column + len(words):]
        self.column += len(words)
        if self.column > self.columns:
            raise SystemExit(f'the recording has a line of more than {self.columns} characters: {self.lines[self.row]}')

    def move(self, key):
        if key == '\r':
            self.column = 0
        elif key == '\b':
            self.column = max(0, self.column - 1)
        elif self.row + 1 < self.rows:
            self.row += 1
        else:
            self.lines = self.lines[1:] + ['']

    def control(self, number, letter):
        if letter == 'K':
            self.lines[self.row] = self.lines[self.row][:self.column]
        elif letter == 'J' and number == '2':
            self.lines = [''] * self.rows
        elif letter == 'H' and not number:
            self.row = self.column = 0
        elif letter not in 'm':
            raise SystemExit(f'the recording has a control sequence that is not known here: {number}{letter}')

    def write(self, text):
        for number, letter, key, words in CONTROL.findall(text):
            if letter:
                self.control(number, letter)
            elif key:
                self.move(key)
            else:
                self.put(words)


def read(path):
    with open(path, encoding='utf-8') as file:
        head, *events = map(json.loads, file)
    return head, events


def moments(head, events):
    """(seconds, lines) at each tick at which something changed."""
    screen, shown = Screen(head['width'], head['height']), None
    for (seconds, _, text), following in zip(events, [*events[1:], [1e9, '', '']]):
        screen.write(text)
        if int(seconds / TICK) != int(following[0] / TICK) and shown != screen.lines:
            shown = list(screen.lines)
            yield int(seconds / TICK) * TICK, shown


def stays(rows, shown, end):
    """(row, text, from, to): how long each line is to be seen as it is."""
    for row in range(rows):
        since, text = 0.0, ''
        for seconds, lines in [*shown, (end, None)]:
            line = lines[row].rstrip() if lines else None
            if line != text:
                if text:
                    yield row, text, since, seconds
                since, text = seconds, line


def kind(text):
    return 'remark' if text.startswith('$ #') else 'typed' if text.startswith('$ ') else 'said'


def draw(row, text, since, until, end):
    y = EDGE + (row + 1) * HIGH - 5
    opening = f'<text x="{EDGE}" y="{y}" class="{kind(text)}" textLength="{len(text) * WIDE:.1f}" xml:space="preserve"'
    if until < end:
        when = f'visibility="hidden"><set attributeName="visibility" to="visible" begin="all.begin+{since:.2f}s" dur="{until - since:.2f}s"/>'
    elif since:
        when = f'><set attributeName="visibility" to="hidden" begin="all.begin" dur="{since:.2f}s"/>'
    else:
        when = '>'
    return f'{opening} {when}{escape(text)}</text>'


def picture(head, lines, end):
    width, height = head['width'] * WIDE + 2 * EDGE, head['height'] * HIGH + 2 * EDGE
    loop = f'<animate id="all" attributeName="rx" from="8" to="8" dur="{end:.2f}s" begin="0s;all.end"/>' if end else ''
    body = '\n'.join(lines)
    return f'''<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}" role="img">
<title>a terminal in which ivpipe runs</title>
<style>
text {{ font: 13px monospace; white-space: pre }} .typed {{ fill: #7ee787 }} .remark {{ fill: #9198a1 }} .said {{ fill: #e6edf3 }}
</style>
<rect width="100%" height="100%" rx="8" fill="#0d1117">{loop}</rect>
{body}
</svg>'''


def main():
    head, events = read(sys.argv[1])
    end = events[-1][0]
    shown = list(moments(head, events))
    if len(sys.argv) > 2:
        lines = [lines for seconds, lines in shown if seconds <= float(sys.argv[2])][-1]
        print(picture(head, [draw(row, text.rstrip(), 0, 1, 1) for row, text in enumerate(lines) if text.strip()], 0))
    else:
        print(picture(head, [draw(*stay, end) for stay in stays(head['height'], shown, end)], end))


main()
