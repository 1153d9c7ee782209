#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# doctor: what it says and returns, and what --fix does, with files and processes of this machine. doctor_test has the rest.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

json() {
	python3 -c 'import json, sys; d = json.load(open(sys.argv[1], encoding="utf-8"))
numbers = [f["number"] for f in d["findings"]]
sys.exit(not eval(sys.argv[2]))' "$work/last.out" "$1"
}

one_line_out() {
	[ "$(wc -l <"$work/last.out")" = 1 ] && [ ! -s "$work/last.err" ] && grep -q -e "$1" "$work/last.out"
}

format 16M
chmod 660 "$region"
before=$(sha256sum <"$region")
check 'a region that is well' gives 0 "$IVPIPE" doctor -r "$region"
check 'is one line' one_line_out "^healthy: $region"
check 'with -v' gives 0 "$IVPIPE" doctor -v "$region"
check 'it says how fast' grep -qE "^$region: 16 MiB, write-back, reads [0-9]+ MB/s, writes [0-9]+ MB/s \(private" "$work/last.out"
check 'with -q' gives 0 "$IVPIPE" doctor -q -r "$region"
check 'it says nothing' test ! -s "$work/last.out"
check '--json' gives 0 "$IVPIPE" doctor --json -r "$region"
check 'has the speeds' json 'd["exit_code"] == 0 == len(numbers) and d["regions"][0]["read"] > 0 < d["regions"][0]["write"]'
check 'looking and measuring changed nothing' test "$(sha256sum <"$region")" = "$before"

# A region of which every lane is taken can be measured by reading.
tiny=$region.tiny
"$IVPIPE" format -q --create --size 64K --lanes 2 "$tiny"
chmod 660 "$tiny"
mkfifo "$work/slow"
start recv "$IVPIPE" recv -v -r "$tiny" -o "$work/target"
start send "$IVPIPE" send -v -r "$tiny" "$work/slow"
exec {slow}>"$work/slow"
echo data >&"$slow"
await recv 'stream slow'
check 'while a stream runs' gives 0 "$IVPIPE" doctor --json -r "$tiny"
check 'it keeps off its lane' json '"write" not in d["regions"][0] and d["regions"][0]["read"] > 0'
exec {slow}>&-
check 'which ends well' ends send 0
check 'at both ends' ends recv 0

chmod 664 "$region"
check 'a file for everybody' gives 1 "$IVPIPE" doctor -r "$region"
check 'is finding 11' grep -q '^\[11\]' "$work/last.out"
check 'with its evidence' grep -q "seen:  $region: mode 0664" "$work/last.out"
check 'and the command' grep -q "to do: chmod o= $region" "$work/last.out"
check '--json has it' gives 1 "$IVPIPE" doctor --json -r "$region"
check 'to be mended' json 'numbers == [11] and d["findings"][0]["fixable"] and d["exit_code"] == 1'
check '--fix asks' complains 2 'add --yes' sh -c '"$0" doctor --fix -r "$1" </dev/null' "$IVPIPE" "$region"
if command -v script >/dev/null; then
	check '--fix on a terminal, and no' gives 1 sh -c 'echo n | script -qec "$0 doctor --fix -r $1" /dev/null' "$IVPIPE" "$region"
	check 'leaves it' test "$(stat -c %a "$region")" = 664
else
	skip '--fix on a terminal' 'no script(1)'
fi
check '--fix --yes' gives 0 "$IVPIPE" doctor --fix --yes -r "$region"
check 'mends it' test "$(stat -c %a "$region")" = 660
check 'nothing is left' grep -q '^healthy' "$work/last.out"

check 'a region that is not there' gives 3 "$IVPIPE" doctor -r "$region.no"
check 'is finding 2' grep -q '^\[2\]' "$work/last.out"
check 'a directory' gives 3 "$IVPIPE" doctor /dev/shm
odd=$region.$'a\n\033[31m\''
cp "$region" "$odd"
chmod 666 "$odd"
check 'an odd name' gives 1 "$IVPIPE" doctor -r "$odd"
check 'sends nothing to the terminal that it would obey' test "$(tr -d '\n -~\200-\377' <"$work/last.out" | wc -c)" = 0
head -c 1M /dev/urandom >"$odd"
check "somebody else's data" gives 3 "$IVPIPE" doctor -r "$odd"
check 'are finding 61' grep -q '^\[61\]' "$work/last.out"
rm -f "$odd"

# A process with QEMU's words, and its file mapped.
cat >"$work/qemu" <<'PYTHON'
import mmap, sys
with open(sys.argv[1], 'r+b') as f:
    m = mmap.mmap(f.fileno(), 0)
print('mapped', file=sys.stderr, flush=True)
sys.stdin.read()
PYTHON
mkfifo "$work/stay"
start qemu sh -c 'exec python3 "$@" <"$0"' "$work/stay" "$work/qemu" "$region" -object \
	"memory-backend-file,id=m,mem-path=$region,size=16M,share=off" -device ivshmem-plain,memdev=m
exec {stay}>"$work/stay"
await qemu mapped
check 'share=off in a process' gives 1 "$IVPIPE" doctor --json -r "$region"
check 'is finding 20' json 'numbers == [20]'
rm "$region"
format 16M
chmod 660 "$region"
check 'another file' gives 1 "$IVPIPE" doctor --json -r "$region"
rm "$region"
check 'is finding 21' json 'numbers == [20, 21]'
check 'a deleted one' gives 3 "$IVPIPE" doctor --json -r "$region"
check 'is finding 22' json 'numbers == [2, 20, 22]'
exec {stay}>&-
finish qemu

# A /dev/shm of our own.
alone=(unshare -Urm)
[ "$(id -u)" != 0 ] || alone=(unshare -m)
private() {
	"${alone[@]}" sh -c "mount -t tmpfs -o size=8m tmpfs /dev/shm && $1" "$IVPIPE"
}
if ! private true 2>/dev/null; then
	skip 'doctor of a whole machine' 'no mount namespaces here'
elif grep -qx 0x1110 /sys/bus/pci/devices/*/device 2>/dev/null; then
	skip 'doctor of a whole machine' 'this machine has an ivshmem device'
else
	private 'exec "$0" doctor -r auto' >"$work/last.out"
	check 'no region' test $? = 3
	check 'is finding 1' grep -q '^\[1\]' "$work/last.out"
	private '"$0" format -q --create --size 1M /dev/shm/a && chmod 660 /dev/shm/a && truncate -s 64M /dev/shm/a &&
		exec "$0" doctor --json -r /dev/shm/a' >"$work/last.out"
	check 'holes that have no room are finding 13' json '13 in numbers and d["exit_code"]'
fi
done_testing
