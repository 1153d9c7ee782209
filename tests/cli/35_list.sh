#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016,SC2034
# list: columns, who has a region, virtual machines, and the live view, with a real stream; and a region that lies.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

format 16M

# of COLUMN...: the cells of this test's region, after its path.
of() {
	"$IVPIPE" list -nr -o "path,$1" 2>/dev/null | sed -n "s|^$region ||p"
}

# is COLUMNS CELLS
is() {
	local got
	got=$(of "$1")
	[ "$got" = "$2" ] || { echo "# $1: $got" >&2; return 1; }
}

check 'chosen columns, in their order' is lanes,size,KIND '0/24 16777216 file'
check 'their names' test "$("$IVPIPE" list -r -o path,mode,Owner | head -n 1)" = 'PATH MODE OWNER'
check 'no names' eval '! "$IVPIPE" list -n | grep -q PATH'
check 'an unknown one' complains 2 'list: --output siz: no such column: .*PATH,' "$IVPIPE" list -o path,siz
check 'an empty one' complains 2 'no such column' "$IVPIPE" list -o path,,size
check 'too many' complains 2 'more than' "$IVPIPE" list -o "path$(printf ',path%.0s' {1..40})"
check 'one of two formats' complains 2 'one of them' "$IVPIPE" list -r --json
check 'a time that is too short' complains 2 'from 500ms' "$IVPIPE" list --watch=0.1
check 'one that never comes' complains 2 'from 500ms' "$IVPIPE" list --watch=forever
check 'list --json -o' gives 0 "$IVPIPE" list --json -o vm,share,path,lanes
check 'has the members of these columns' json 'sorted(mine[0]) == ["busy", "lanes", "machines", "path"]'

# Who has it: with a descriptor, or mapped alone. And a process that calls itself a virtual machine.
cat >"$work/hold.py" <<'PYTHON'
import mmap, os, sys
f = os.open(sys.argv[1], os.O_RDWR)
m = mmap.mmap(f, 0)
os.close(f)
print('mapped', file=sys.stderr, flush=True)
sys.stdin.read()
PYTHON
mkfifo "$work/hold"
exec {hold}<>"$work/hold"
start holder sh -c 'exec python3 "$0" "$1" -name guest=vm7 -object "memory-backend-file,id=m,mem-path=$1,size=16M,share=on" \
	-device ivshmem-plain,memdev=m <"$2"' "$work/hold.py" "$region" "$work/hold"
await holder mapped
check 'the machine that has it' is vm,share,mapped "vm7(${pids[holder]}) on yes"
exec {mine}<"$region"
check 'list --json' gives 0 "$IVPIPE" list --json
check 'has the processes' json "{u['pid'] for u in mine[0]['users']} >= {$$, ${pids[holder]}}"
check 'and the machine' json "mine[0]['machines'] == [{'pid': ${pids[holder]}, 'name': 'vm7', 'size': 16 << 20, 'share': True, 'mapped': 'yes'}]"
check 'only the others are users in the table' eval 'of users | grep "($$)" | grep -qv "(${pids[holder]})"'
exec {mine}<&-
kill "${pids[holder]}"
finish holder
check 'nobody any more' is vm -

# A stream that does not end by itself.
start recv "$IVPIPE" recv -v -r "$region" -o /dev/null
start send "$IVPIPE" send -v -r "$region" --no-checksum --rate-limit 20M /dev/zero
await recv stream
check 'a lane is in use, by who lives here' is lanes,alive '1/24 here'

# until_line PATTERN FD: such a line comes, in time.
until_line() {
	local line
	while IFS= read -r -t "$PATIENCE" line <&"$2"; do
		[[ ! $line =~ $1 ]] || return 0
	done
	return 1
}
# viewed NAME OPTION...: list writes to a fifo, whose one reader is descriptor 9 of ours.
viewed() {
	into "$1" "$work/view" "$IVPIPE" list -nr "${@:2}"
	exec 9<"$work/view"
}
mkfifo "$work/view"
moves="^$region [0-9]+ open/here open/here [1-9][0-9]* 0\$"
viewed watch --watch=0.5
check 'the live view shows a rate above zero' until_line "$moves" 9
check 'and again' until_line "$moves" 9
exec 9<&-
check 'it ends when nobody reads any more' ends watch 141
viewed watch --watch=1h
until_line "$moves" 9
kill -INT "${pids[watch]}"
check 'or by a signal, in the middle of an hour' ends watch 130
exec 9<&-

cat >"$work/documents.py" <<'PYTHON'
import json, subprocess, sys
with subprocess.Popen([sys.argv[1], 'list', '--json', '--watch=0.5'], stdout=subprocess.PIPE, text=True) as p:
    seen, text = 0, ''
    for line in p.stdout:
        text += line
        if line != '}\n':
            continue
        mine, text = [r for r in json.loads(text)['regions'] if r['path'] == sys.argv[2]], ''
        seen += mine[0]['streams'][0]['to_server'] > 0 and mine[0]['streams'][0]['client_alive'] == 'here'
        if seen == 2:
            p.terminate()
            break
sys.exit(seen != 2)
PYTHON
check 'a document each time, with rates' timeout "$PATIENCE" python3 "$work/documents.py" "$IVPIPE" "$region"

# On a terminal: drawn in place, and q.
cat >"$work/terminal.py" <<'PYTHON'
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if not pid:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('4H', 40, 80, 0, 0))
    before = termios.tcgetattr(0)
    child = os.spawnv(os.P_WAIT, sys.argv[1], ['ivpipe', 'list', '--watch=0.5'])
    os._exit(child if termios.tcgetattr(0) == before else 77)
seen = b''
while seen.count(b'TO-SERVER') < 2:
    seen += os.read(fd, 65536)
os.write(fd, b'q')
try:
    while os.read(fd, 4096):
        pass
except OSError:
    pass
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
lines = seen.split(b'\033[J')[0].replace(b'\033[K', b'').replace(b'\r', b'').split(b'\n')
print(status, lines, file=sys.stderr)
sys.exit(status != 0 or b'A\rPATH' not in seen or max(map(len, lines)) > 80)
PYTHON
check 'in place on a terminal, until q' timeout "$PATIENCE" python3 "$work/terminal.py" "$IVPIPE"

# While the peer writes nonsense. What it writes over may be no region at a moment, and there is always another.
"$IVPIPE" format -q --create --size 1M "$region.good"
for part in slots halves superblock all; do
	start scribble python3 "$here/scribble.py" "$region" $part
	await scribble scribbling
	liar() {
		local i
		for i in {1..5}; do
			gives 0 "$IVPIPE" list --json -o path,lanes,alive,users && python3 -m json.tool "$work/last.out" /dev/null || return 1
		done
	}
	check "$part: list" liar
	: >"$work/watched"
	into watch "$work/watched" "$IVPIPE" list --watch=0.5
	sees() {
		await_blocks 3 && kill -TERM "${pids[watch]}" && ends watch 143
	}
	# The third block has come: its heading.
	await_blocks() {
		local fd line blocks=0
		exec {fd}< <(exec tail -n +1 -s 0.02 -f "$work/watched" --pid="${pids[watch]}")
		while [ $blocks -lt "$1" ] && IFS= read -r -t "$PATIENCE" line <&"$fd"; do
			case $line in PATH*USERS*) blocks=$((blocks + 1)) ;; esac
		done
		exec {fd}<&-
		[ $blocks = "$1" ]
	}
	check "$part: the live view" sees
	kill -9 "${pids[scribble]}"
	finish scribble 2>/dev/null
	[ $part != superblock ] || { rm -f "$region" && format 16M; }
done
head -c 16M /dev/urandom >"$region"
check 'a file of random bytes is none' eval 'gives 0 "$IVPIPE" list -n && ! grep -q "^$region " "$work/last.out"'

# The table by hand, and that of libsmartcols, of a machine that has nothing else; where both were built, and it can be had.
static=${IVPIPE%/*}/ivpipe-static
alone=(unshare -Urmpf --mount-proc)
[ "$(id -u)" != 0 ] || alone=(unshare -mpf --mount-proc)
agree() {
	"${alone[@]}" sh -c 'mount -t tmpfs tmpfs /dev/shm && helper=$1 static=$2 work=$3 && shift 3 || exit
		for size in 64K 1M 16M; do
			"$helper" format -q --create --size $size /dev/shm/of-$size || exit
		done
		"$helper" list "$@" >"$work/one" && "$static" list "$@" >"$work/two" && cmp "$work/one" "$work/two" &&
			[ "$(grep -c /dev/shm/of- "$work/one")" = 3 ]' _ "$IVPIPE" "$static" "$work" "$@"
}
if [ -x "$static" ] && [ "$static" != "$IVPIPE" ]; then
	if "${alone[@]}" true 2>/dev/null; then
		check 'all helpers print the same table' agree -o path,size,lanes,mode,vm
		check 'and the same cells' agree -r -o size,path,mode,auto,state
	else
		skip 'all helpers print the same table' 'no namespaces here'
	fi
fi
done_testing
