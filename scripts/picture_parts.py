# SPDX-License-Identifier: MIT
"""docs/pictures/parts.svg: guest, host, and what the memory between them is made of. Writes it to standard output."""

WIDTH, HEIGHT = 880, 476
LIGHT = {'ink': '#1f2328', 'soft': '#59636e', 'line': '#818b98', 'plain': '#ffffff', 'machine': '#f6f8fa', 'memory': '#fff1cf',
         'there': '#cfe8ff', 'back': '#d9f5dc'}
DARK = {'ink': '#f0f6fc', 'soft': '#9da7b3', 'line': '#6e7681', 'plain': '#0d1117', 'machine': '#161b22', 'memory': '#3d2e0a',
        'there': '#0c3256', 'back': '#0f3a1c'}
parts = []


def style(colours):
    """A viewer without such variables would show nothing: so each is written out."""
    fills = ' '.join(f'.{name} {{ fill: {colours[name]}; stroke: {colours["line"]} }}'
                     for name in ('plain', 'machine', 'memory', 'there', 'back'))
    return (f'{fills} text {{ fill: {colours["ink"]} }} .soft {{ fill: {colours["soft"]} }} '
            f'.line {{ stroke: {colours["line"]}; fill: none }} .tip {{ fill: {colours["line"]} }}')


def text(x, y, words, kind='', anchor='middle'):
    words = words.replace('&', '&amp;').replace('<', '&lt;')
    parts.append(f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{words}</text>')


def box(x, y, width, height, kind, words='', below=''):
    parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="5" class="{kind}"/>')
    middle = y + height / 2 + (5 if not below else -4)
    if words:
        text(x + width / 2, middle, words, 'code' if kind == 'plain' else '')
    if below:
        text(x + width / 2, middle + 18, below, 'soft small')


def arrow(*points):
    """Along the points; the tip is a triangle of its own, since markers do not follow a dark screen's colours everywhere."""
    (x1, y1), (x2, y2) = points[-2:]
    parts.append(f'<path d="M{" L".join(f"{x} {y}" for x, y in points)}" class="line"/>')
    if x1 == x2:
        step = 8 if y2 > y1 else -8
        tip = (x2, y2), (x2 - 4, y2 - step), (x2 + 4, y2 - step)
    else:
        step = 8 if x2 > x1 else -8
        tip = (x2, y2), (x2 - step, y2 - 4), (x2 - step, y2 + 4)
    parts.append(f'<path d="M{" L".join(f"{x} {y}" for x, y in tip)} Z" class="tip"/>')


def machines():
    box(10, 10, 400, 180, 'machine')
    text(26, 32, 'guest', 'name', 'start')
    box(30, 48, 110, 44, 'plain', 'tar c /data')
    box(180, 48, 200, 44, 'plain', 'ivpipe send', 'libivpipe')
    box(180, 128, 200, 44, 'plain', '/dev/ivshmem0', 'ivshmem.ko maps PCI BAR2')
    arrow((140, 70), (180, 70))
    arrow((280, 92), (280, 128))
    box(470, 10, 400, 180, 'machine')
    text(854, 32, 'host', 'name', 'end')
    box(740, 48, 110, 44, 'plain', 'tar x')
    box(500, 48, 200, 44, 'plain', 'ivpipe recv', 'libivpipe')
    box(500, 128, 200, 44, 'plain', '/dev/shm/vm0', 'a file, which QEMU maps, too')
    arrow((700, 70), (740, 70))
    arrow((600, 128), (600, 92))


def memory():
    arrow((280, 172), (280, 236))
    arrow((600, 236), (600, 172))
    text(440, 218, 'one and the same memory', 'soft')
    box(30, 236, 820, 58, 'memory')
    box(40, 244, 130, 42, 'plain', '', '')
    text(105, 262, 'superblock')
    text(105, 279, 'sizes, places', 'soft small')
    box(180, 244, 170, 42, 'plain')
    text(265, 262, 'announcements')
    text(265, 279, 'who listens, for what', 'soft small')
    for x, words in ((360, 'lane 0'), (490, 'lane 1'), (620, 'lane 2')):
        box(x, 244, 120, 42, 'plain')
        text(x + 60, 262, words)
        text(x + 60, 279, 'one connection', 'soft small')
    text(795, 270, '… 56 in 64 MiB', 'soft small')


def lane():
    parts.append('<path d="M490 286 L30 336 M610 286 L850 336" class="line dashed"/>')
    box(30, 336, 820, 130, 'machine')
    text(46, 358, 'a lane', 'name', 'start')
    box(50, 372, 170, 78, 'plain')
    text(135, 396, "client's page")
    text(135, 415, 'state, token, positions,', 'soft small')
    text(135, 431, 'written by it alone', 'soft small')
    box(660, 372, 170, 78, 'plain')
    text(745, 396, "server's page")
    text(745, 415, 'state, token, positions,', 'soft small')
    text(745, 431, 'written by it alone', 'soft small')
    box(270, 372, 340, 34, 'there', 'ring, client to server')
    box(270, 416, 340, 34, 'back', 'ring, server to client')
    arrow((530, 389), (596, 389))
    arrow((350, 433), (284, 433))


def picture():
    machines()
    memory()
    lane()
    body = '\n'.join(parts)
    return f'''<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">
<title>ivpipe: a guest and its host see one memory, and lanes in it carry connections</title>
<style>
text {{ font: 14px sans-serif }} .small {{ font-size: 12px }} .name {{ font-weight: bold }} .code {{ font-family: monospace }}
.line, rect {{ stroke-width: 1.2 }} .dashed {{ stroke-dasharray: 4 4 }}
{style(LIGHT)}
@media (prefers-color-scheme: dark) {{ {style(DARK)} }}
</style>
{body}
</svg>'''


print(picture())
