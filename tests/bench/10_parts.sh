#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# That each part of scripts/performance measures what it has to, and that a page and pictures come of it. How fast anything is does
# not matter here.
. "$(dirname "${BASH_SOURCE[0]}")/../cli/lib.sh"
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

cat >"$work/judge.py" <<'PYTHON'
import json, math, sys
d = json.load(open(sys.argv[1], encoding='utf-8'))
figures, goals = d['figures'], d['goals']
labels = 'near', 'far', '', 'qemu64', 'max'

def good(f):
    return 0 < f['least'] <= f['median'] <= f['most'] < math.inf and f['n'] > 0 and f['label'] in labels

def has(kind, ways, *sizes):
    return all(any((f['kind'], f['way'], f['size']) == (kind, way, size) for f in figures) for way in ways.split('|')
               for size in sizes or [f['size'] for f in figures if f['kind'] == kind][:1] or [None])

def missed(g):
    return g['reached'] is not None and (g['reached'] > g['goal'] if g['most'] else g['reached'] < g['goal'])

def seen(p):
    return p['ends'] and all(end['samples'] > 0 and end['functions'] and all(0 < percent <= 100 and name for percent, name, _ in end['functions'])
                             for end in p['ends'])

# Where perf cannot look, it says why; and nobody looks where there is nothing to explain.
def explained(g, wanted=True):
    found = g.get('profiles', [])
    return (len(found) == len(g['of']) and all(map(seen, found)) or bool(g.get('no_profile'))) if wanted else not found

def sound(g):
    return explained(g, missed(g)) and g['goal'] > 0 and g['limit'] and g['label'] in labels and (g['reached'] is None or 0 < g['reached'] < math.inf)

# In brackets it may go on in the next line.
sys.exit(not eval(f'({sys.argv[2]})'))
PYTHON
json() {
	python3 "$work/judge.py" "$work/$1.json" "$2"
}

# whole WHAT COMMAND...: where all is installed that it is about.
missing=$(make -s -C "$top/tests/bench" missing)
command -v gnuplot >/dev/null || missing+=' gnuplot'
command -v perf >/dev/null || missing+=' perf'
whole() {
	if [ -n "$missing" ]; then
		skip "$1" "not installed: ${missing# }; type: scripts/deps check"
	else
		check "$@"
	fi
}

# part NAME CONDITION: measured as quickly as can be.
part() {
	check "$1" gives 0 "$top/tests/bench/$1" --tiny --json
	cp "$work/last.out" "$work/$1.json"
	check "$1: every figure is positive, and every goal has what limits it" json "$1" 'all(map(good, figures)) and all(map(sound, goals))'
	whole "$1: all that is to be measured" json "$1" "$2"
}

part self "has('stream', 'ivpipe|dual|pipe|pipe-large|unix', 4096, 65536) and has('round_trip', 'ivpipe|line', 64) and
	has('messages', 'ivpipe-messages-held', 64) and has('wake', 'ivpipe|futex', 64) and has('idle client', 'ivpipe') and len(goals) >= 10"
part files "has('file', 'cp|cat|send|send --no-checksum') and has('first byte', 'ivpipe|socat', 64) and len(goals) >= 4"
part crowd "has('processors', 'one|two', 65536) and has('streams at once', 'ivpipe', 1, 2, 4, 8) and has('slow reader', 'ivpipe') and
	len(goals) >= 3"
part peers "d['left_out'] == [] and len(goals) >= 7 and
	has('stream', 'ivpipe|zmq|nanomsg|nng|boost_queue|boost_spsc|shm|socat', 65536, 1 << 20) and
	has('messages', 'ivpipe-messages-held|ivpipe-messages-many|framed|zmq|nanomsg|nng|boost_queue|boost_spsc|shm|socat', 64) and
	has('trip', 'ivpipe|line|framed|zmq|nanomsg|nng|boost_queue|boost_spsc|shm|socat', 64)"
part curves "len(d['curves']) == 5 and all(sum(f['kind'] == line['kind'] and f['way'] == line['way'] for f in figures) > 2
	for curve in d['curves'] for line in curve['lines'])"
if ! command -v qemu-system-x86_64 >/dev/null || ! "$top/scripts/kernel" >/dev/null 2>&1; then
	skip node 'no QEMU, or no kernel for a guest; type: scripts/deps vm'
else
	part node "has('read()', 'node|tmpfs (the kernel\'s copy)', 65536) and has('write()', 'node|tmpfs (the kernel\'s copy)', 65536) and
		has('map and read', 'entries of 2 MiB|faults of up to 512 pages|entries of 2 MiB, MAP_POPULATE', 64 << 20) and
		has('map and write', 'faults of one page|a file in tmpfs', 32 << 20) and has('wake-up within the guest', 'WAIT, woken|futex', 0) and
		has('wake-up by the host, a change each 10 ms', 'looks each 70 us to 50 ms|doorbell', 0) and
		has('processor, no change', 'nobody waits|looks|doorbell', 0) and len(d['notes']) == 3 and len(goals) == 12 and
		{g['label'] for g in goals} == {'qemu64', 'max', ''}"
fi

# The page, of what was measured; whatever else there is would take its time.
for other in "$top"/tests/bench/*; do
	name=$(basename "$other")
	if [ -x "$other" ] && [ -f "$other" ] && [ ! -e "$work/$name.json" ] && [[ $name != *.* ]]; then
		echo '{"command": "it", "figures": [], "goals": []}' >"$work/$name.json"
	fi
done
check 'a page' gives 0 "$top/scripts/performance" --quick --keep "$work" --out "$work/docs"
whole 'has goals' grep -qE '^\| stream against ZeroMQ.* (reached|\*\*missed\*\*|not measured) \|$' "$work/docs/PERFORMANCE.md"
whole 'and every figure' grep -qE '^\| first byte, us \| 64 \| socat \| .* \| 1 \|$' "$work/docs/PERFORMANCE.md"
for name in regions rings writes messages lanes; do
	whole "and a picture of $name" grep -q '<svg' "$work/docs/performance-$name.svg"
	whole 'which it shows' grep -qF "](performance-$name.svg)" "$work/docs/PERFORMANCE.md"
done
python3 - "$work/peers.json" <<'PYTHON'
import json, sys
d = json.load(open(sys.argv[1], encoding='utf-8'))
one = {'kind': 'stream', 'way': 'it', 'size': 64, 'label': 'near',
       'ends': [{'end': 'sender', 'samples': 10, 'share': 100, 'functions': [[90, 'copy', 'kernel'], [10, 'look', 'cell']]}]}
d['goals'] = [dict(d['goals'][0], figure=name, goal=2, most=most, label=label, reached=1, limit='So it is.', profiles=found, no_profile=why)
              for name, label, most, found, why in (('it', 'near', False, [one], ''), ('it', 'far', True, [], ''),
                                                    ('this', 'near', False, [one], ''), ('that', 'far', False, [], 'no perf'))]
json.dump(d, open(sys.argv[1], 'w', encoding='utf-8'))
PYTHON
check 'a page of a goal missed near, and reached far' gives 0 "$top/scripts/performance" --quick --keep "$work" --out "$work/docs"
check 'says so' grep -qxE '\| it \| 2 / at most 2 \|.*\| 1.00 \*\*missed\*\* \| 1.00 reached \|' "$work/docs/PERFORMANCE.md"
check 'and what limits it' grep -qxF -- '- it (near): So it is.' "$work/docs/PERFORMANCE.md"
check 'and where time went' grep -qxF -- '  - stream, 64, it, near: `sender`, 100 %: 90 % `copy` (kernel), 10 % `look` (cell)' "$work/docs/PERFORMANCE.md"
check 'once' grep -qxF -- '  - stream, 64, it, near: as above' "$work/docs/PERFORMANCE.md"
check 'and why nobody looked' grep -qxF 'Where time went was not looked at: no perf.' "$work/docs/PERFORMANCE.md"

# All goals, for nobody knows which are missed here.
whole 'profiles of every goal' gives 0 "$top/tests/bench/crowd" --tiny --profile --json
cp "$work/last.out" "$work/all.json"
whole 'show what takes the time' json all "all(explained(g) for g in goals) and any(name == 'by_movsb' or 'mem' in name for g in goals
	for p in g.get('profiles', []) for end in p['ends'] for _, name, _ in end['functions']) or all(g.get('no_profile') for g in goals)"
# Without perf all else is the same.
mkdir "$work/bin"
for each in /usr/bin/* /bin/*; do
	[ "${each##*/}" = perf ] || ln -sf "$each" "$work/bin/"
done
check 'without perf' gives 0 env PATH="$work/bin" "$top/tests/bench/crowd" --tiny --profile --json
cp "$work/last.out" "$work/none.json"
check 'it says so' json none "goals and all(g.get('no_profile') == 'perf is not installed' and g['profiles'] == [] for g in goals)"

check "README's ratios are those of the page" "$top/tests/bench/readme.py" --check
sed -E 's/^(\| stream against ZeroMQ([^|]*\|){3})[^|]*/\1 99.00 reached /' "$top/docs/PERFORMANCE.md" >"$work/page.md"
check 'and who changes one of them' gives 1 "$top/tests/bench/readme.py" --check "$top/README.md" "$work/page.md"
check 'hears of it' grep -q 'it is 99 times as fast as ZeroMQ' "$work/last.out"
cp "$top/README.md" "$work/README.md"
check 'or has it written' "$top/tests/bench/readme.py" "$work/README.md" "$work/page.md"
check 'as it is then' "$top/tests/bench/readme.py" --check "$work/README.md" "$work/page.md"
done_testing
