#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# bench: that everything is measured and said, by one command and by two. How fast it is does not matter here.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# json NAME CONDITION: of the document that NAME wrote; `has` tells whether there are figures that are as they should be.
cat >"$work/judge.py" <<'PYTHON'
import json, math, sys
d = json.load(open(sys.argv[1], encoding='utf-8'))
figures, samples = d['figures'], d['samples']
VALUES = {'bytes/s': ['rate'], 'messages/s': ['rate'], 'ns': ['p50', 'p99'], 'percent': ['client', 'server']}

def good(figure):
    values = [figure[name] for name in VALUES[figure['unit']]]
    return figure['count'] > 0 and figure['label'] in ('near', 'far', 'mixed', 'unknown') and all(
        0 < v['least'] <= v['lower_quartile'] <= v['median'] <= v['upper_quartile'] <= v['most'] < math.inf for v in values)

def has(kind, unit, ways, size=None, directions=(None,)):
    return all(any(f['kind'] == kind and f['unit'] == unit and f['way'] == way and f.get('size') == size and
                   f.get('direction') == direction for f in figures) for way in ways.split() for direction in directions)

def cells():
    return [tuple(s.get(k) for k in ('round', 'kind', 'way', 'direction', 'size')) for s in samples]

def order(path):
    return [tuple(s.get(k) for k in ('round', 'kind', 'way', 'direction', 'size'))
            for s in json.load(open(path, encoding='utf-8'))['samples']]

sys.exit(not eval(sys.argv[2]))
PYTHON
json() {
	python3 "$work/judge.py" "$work/$1.out" "$2"
}

left_over() {
	compgen -G '/dev/shm/ivpipe-bench.*' | sort
}

# ---- one command ----

before=$(left_over)
start first "$IVPIPE" bench --self --quick --rounds 1 --sizes 4K,64K --seed 7 --json
check 'bench --self' ends first 0
check 'every figure is positive, with its spread' json first 'all(map(good, figures)) and len(samples) == len(set(cells()))'
for size in 4096 65536; do
	check "streams of $size bytes, and all they are held against" json first \
		"has('stream', 'bytes/s', 'ivpipe ivpipe-digest dual memcpy pipe pipe-large unix tcp vmsplice', $size)"
done
check 'round trips' json first "has('round_trip', 'ns', 'ivpipe line', 64)"
check 'messages' json first "has('messages', 'messages/s', 'ivpipe-messages ivpipe-messages-held ivpipe-messages-many pipe', 64)"
check 'the limit is held against itself' json first "all(f['ratio'] == 1 for f in figures if f['way'] in ('dual', 'line', 'futex'))"
check 'waking' json first "has('wake', 'ns', 'ivpipe futex', 64)"
check 'idling' json first "has('idle', 'percent', 'ivpipe')"
check 'the memory' json first "d['region']['cache'] == 'write-back' and d['region']['size'] >= d['region']['ring_size'] > 0"
check 'how it was measured' json first "(d['mode'], d['quick'], d['rounds'], d['seed']) == ('self', True, 1, 7)"
check 'each sample has its distances' json first \
	"all(s['label'] in ('near', 'far', 'mixed', 'unknown') and s['distance_before_ns'] >= 0 for s in samples)"
check 'nothing is left of its region' test "$(left_over)" = "$before"

format
small=(bench --self --quick --sizes 64 -r "$region")
start again "$IVPIPE" "${small[@]}" --rounds 2 --seed 5 --json
check 'in a region that there is' ends again 0
check 'the order is another in each round' json again \
	"[c[1:] for c in cells() if c[0] == 1] != [c[1:] for c in cells() if c[0] == 2]"
check 'the median of two lies between them' json again "all(map(good, figures)) and sum(f['count'] for f in figures) == len(samples)"
start same "$IVPIPE" "${small[@]}" --rounds 1 --seed 5 --json
check 'with the same seed' ends same 0
check 'it is the same' json same "cells() == [c for c in order('$work/again.out') if c[0] == 1]"
check 'and the region is still there' test -f "$region"

mkdir "$work/none" "$work/fake"
cat >"$work/fake/gnuplot" <<'FAKE'
#!/bin/sh
cat >"$0.script"
FAKE
chmod 755 "$work/fake/gnuplot"
check 'a table, and a picture' gives 0 env PATH="$work/fake:$PATH" "$IVPIPE" "${small[@]}" --rounds 1 --seed 6 --plot "$work/it's.png"
check 'names the units' grep -qE '^stream, 64 bytes at a time, GB/s, processors (near|far|mixed|unknown)$' "$work/last.out"
check 'and the memory' grep -q "^$region: 16 MiB, write-back" "$work/last.out"
check 'and says nothing else' test ! -s "$work/last.err"
check 'gnuplot is told where to draw' grep -qxF "set output '$work/it''s.png'" "$work/fake/gnuplot.script"
check 'and what' grep -qE '^64 [0-9.e+-]+ [0-9.e+-]+ [0-9.e+-]+$' "$work/fake/gnuplot.script"
check 'without gnuplot' complains 1 'gnuplot is not installed' \
	env PATH="$work/none" "$IVPIPE" "${small[@]}" --plot "$work/plot.svg"
check 'nothing is measured' test ! -s "$work/last.out"

start cut "$IVPIPE" bench --self --rounds 1000 --json
for ((deadline = $(now_ms) + PATIENCE * 1000; $(now_ms) < deadline; )); do
	[ "$(left_over)" = "$before" ] || break
done
kill -INT "${pids[cut]}"
check 'interrupted' ends cut 130
check 'it is silent, and has no half a document' test ! -s "$work/cut.out" -a ! -s "$work/cut.err"
check 'and nothing is left of its region' test "$(left_over)" = "$before"

# ---- two commands ----

start server "$IVPIPE" bench -v -r "$region" --listen
listens server
start client "$IVPIPE" bench -r "$region" --quick --rounds 1 --sizes 4K,64K --json
check 'a client' ends client 0
check 'and its server' ends server 0
check 'every figure' json client "all(map(good, figures)) and d['mode'] == 'client'"
both="directions=('out', 'in')"
for size in 4096 65536; do
	check "streams of $size bytes in both directions" json client "has('stream', 'bytes/s', 'ivpipe ivpipe-digest', $size, $both)"
	check 'copies' json client "has('copy', 'bytes/s', 'memcpy', $size, $both)"
done
check 'sleepers and idling' json client "has('wake', 'ns', 'ivpipe', 64) and has('idle', 'percent', 'ivpipe')"
check 'no more than that' json client "'left_out' not in d and not any('ours' in f for f in figures)"
check 'round trips and messages' json client "has('round_trip', 'ns', 'ivpipe', 64) and has('messages', 'messages/s', 'ivpipe', 64, $both)"

start server "$IVPIPE" bench -v -r "$region" --listen --keep -s other
listens server
client=(bench -r "$region" -s other --quick --rounds 1 --sizes 64)
printf '#!/bin/sh\ncat >/dev/null\nexit 1\n' >"$work/fake/gnuplot"
check 'a first client, and a gnuplot that fails' complains 1 'could not draw' \
	env PATH="$work/fake:$PATH" "$IVPIPE" "${client[@]}" --plot "$work/plot.svg"
if command -v gnuplot >/dev/null; then
	check 'a second one' gives 0 "$IVPIPE" "${client[@]}" --plot "$work/plot.svg"
	check 'draws a picture' grep -q '<svg' "$work/plot.svg"
	check 'without a warning' test ! -s "$work/last.err"
else
	skip 'a second one draws a picture' 'no gnuplot'
fi
: >"$work/server.err"
start client "$IVPIPE" bench -v -r "$region" -s other --rounds 1000
await server connected
kill -KILL "${pids[client]}"
finish client
check 'a client after one that was killed' gives 0 "$IVPIPE" "${client[@]}"
kill -TERM "${pids[server]}"
check 'it ends when it is told to' ends server 143

# Somebody who speaks otherwise.
start server "$IVPIPE" bench -v -r "$region" --listen
listens server
head -c 1000 /dev/urandom | "$IVPIPE" send -q -r "$region" -s bench 2>/dev/null
check 'a peer that is none' ends server 7
check 'is told by one line' grep -q 'ivpipe: bench: .*no ivpipe bench' "$work/server.err"
# order OP SIZE BYTES: as bench_peer.c has it, to a server that refuses it.
order() {
	python3 -c 'import struct, sys
sys.stdout.buffer.write(struct.pack("<4Q", 0x32687362706976, *map(int, sys.argv[1:])))' "$@" >"$work/order"
	start server "$IVPIPE" bench -v -r "$region" --listen
	listens server
	"$IVPIPE" send -q -r "$region" -s bench "$work/order" 2>/dev/null
	ends server 7 && grep -q 'ordered what cannot be' "$work/server.err"
}
check 'an order of a write that is too large' order 2 16777217 1
check 'of too many bytes' order 1 1 18446744073709551615
check 'of half a message' order 3 64 65
check 'of a long rest' order 6 1 5001
check 'an answer' order 5 1 1
check 'nobody serves' complains 5 'nobody listens' "$IVPIPE" bench -r "$region" --wait 200ms
check 'nobody comes' complains 5 '' "$IVPIPE" bench -r "$region" --listen --wait 200ms

# ---- a guest ----

vms() {
	compgen -G '/dev/shm/ivpipe-vm.*' | sort
}

# fake_qemu SCRIPT: what stands in for QEMU, and for its guest.
fake_qemu() {
	printf '#!/bin/sh\n%s\n' "$1" >"$work/fake/qemu-system-x86_64"
	chmod 755 "$work/fake/qemu-system-x86_64"
}

if [[ ${IVPIPE##*/} == *-static ]]; then
	check '--vm is not for every helper' complains 2 'goes without' "$IVPIPE" bench --vm
else
	faked=(env "PATH=$work/fake:$PATH" "$IVPIPE" bench --vm --quick --sizes '4K,64K' --accel tcg --kernel /proc/self/exe)
	check 'no QEMU' complains 1 'qemu-system-x86_64 is not installed' env PATH="$work/none" "$IVPIPE" bench --vm
	fake_qemu 'echo no such machine >&2; exit 1'
	check 'no kernel' complains 1 "--kernel $work/no" env PATH="$work/fake:$PATH" "$IVPIPE" bench --vm --kernel "$work/no"
	before=$(vms)
	check 'a QEMU that fails' complains 1 'ended before it was up.*no such machine' "${faked[@]}"
	fake_qemu 'echo up; echo "ivpipe: bench: nobody is there"; echo code 5'
	check 'a guest that fails' complains 1 'in the guest: bench: nobody is there' "${faked[@]}"
	fake_qemu 'echo up; exit 0'
	check 'a guest that is gone' complains 8 'QEMU ended before' "${faked[@]}"
	# reports LINE...: one that writes these into its report, and what it was started with into a file; it has virtio-9p alone.
	reports() {
		printf '%s\n' "$@" >"$work/report"
		fake_qemu "case \$* in *help) echo 'name \"virtio-9p-pci\", bus PCI'; exit ;; esac; echo \"\$@\" >'$work/words'
			for word; do case \$word in file,id=out,*) cp '$work/report' \"\${word##*path=}\" ;; esac; done
			for word; do case \$word in /*/root) cp \"\$word\" '$work/root' ;; esac; done; echo up; echo code 0"
	}
	short=('region 65536 4096 write-combine /a/path' 'processors 1' 'left tcp nobody has it' 'cell 0 1 4096 out bar-copy the limit'
		'cell 0 0 4096 out ivpipe ours' 'cell 0 0 4096 out 9p theirs' 'cell 2 0 64 - ivpipe ours' 'cell 2 0 64 - tcp theirs'
		'sample 0 1 0 0 3 8e9 0' 'sample 1 1 0 0 3 4e9 0' 'sample 2 1 0 0 3 1e9 0' 'sample 3 1 0 0 3 100 200'
		'sample 4 1 0 0 3 300 400')
	reports "${short[@]}" end
	start told "${faked[@]}" --json
	check 'a guest that reports' ends told 0
	check 'it was told what to measure' grep -q -- '--rounds 3 --seed 0 --quick --sizes 4096,65536' "$work/words"
	check 'its memory' json told "d['region']['cache'] == 'write-combine' and d['mode'] == 'vm' and d['processors'] == 1"
	check 'what was left out' json told "d['left_out'] == [{'way': 'tcp', 'why': 'nobody has it'}]"
	check 'how many times as good ours is, both ways' json told \
		"[f['ours'] for f in figures] == [0.5, 1, 4, 1, 3] and [f.get('ratio') for f in figures] == [1, 0.5, 0.125, None, None]"
	check 'a device that QEMU lacks is named to it' grep -aq 'left virtio-blk QEMU has no device virtio-blk-pci' "$work/root"
	check 'the one that it has is asked for' grep -q 'virtio-9p-pci,fsdev' "$work/words"
	check 'and no other' test "$(grep -c 'virtio-blk-pci' "$work/words")" = 0
	# shellcheck disable=SC2016
	printf '#!/bin/sh\ncat >"$0.script"\n' >"$work/fake/gnuplot"
	check 'a picture of it' gives 0 env PATH="$work/fake:$PATH" "$IVPIPE" bench --vm --quick --accel tcg --kernel /proc/self/exe \
		--plot "$work/vm.png"
	check 'has its lines' grep -q 'theirs out' "$work/fake/gnuplot.script"
	check 'a table' gives 0 "${faked[@]}"
	check 'tells of what was left out' grep -qx 'left out: tcp: nobody has it' "$work/last.out"
	check 'and has a column of ours' grep -qE '^  theirs, out +1\.000 +1\.000 +1\.000 +1 +0\.12 +4\.00$' "$work/last.out"
	check 'nothing is said of it' test ! -s "$work/last.err"
	for line in 'cell 9 0 64 - x x' 'sample 5 1 0 0 3 1 1' 'sample 0 1 0 0 7 1 1' 'sample 0 1 0 0 3 inf 1' $'left tcp \e[2J' 'left tcp' \
		'processors 0' 'cell 0 0 64 out late late' 'what is this'; do
		reports "${short[@]}" "$line" end
		check "a report with '${line//[^ -~]/?}'" complains 7 'report is damaged' "${faked[@]}"
	done
	reports "${short[@]}"
	check 'half a report' complains 7 'report is damaged' "${faked[@]}"
	reports end
	check 'none' complains 7 'report is damaged' "${faked[@]}"
	check 'nothing is left of them' test "$(vms)" = "$before"
fi

# ---- words ----

for sizes in '' 0 '4K,' ',4K' '4K,,8K' 32M x 4K,x 1,2,3,4,5,6,7,8,9; do
	check "--sizes '$sizes'" complains 2 '--sizes' "$IVPIPE" bench --self --sizes "$sizes"
done
for rounds in 0 1001 -1 x 1K; do
	check "--rounds $rounds" complains 2 '--rounds' "$IVPIPE" bench --self --rounds "$rounds"
done
check '--seed' complains 2 '--seed' "$IVPIPE" bench --self --seed 4294967296
check '--plot' complains 2 '.svg or .png' "$IVPIPE" bench --self --plot "$work/plot.gif"
check '--vm --self' complains 2 '--vm has both' "$IVPIPE" bench --vm --self
check '--accel' complains 2 'kvm or tcg' "$IVPIPE" bench --vm --accel hvf
check '--kernel' complains 2 'are for --vm' "$IVPIPE" bench --self --kernel file
check '--self --listen' complains 2 'both ends' "$IVPIPE" bench --self --listen
check '--listen --json' complains 2 'the other end' "$IVPIPE" bench --listen --json
check '--keep' complains 2 '--keep' "$IVPIPE" bench --keep
check 'an operand' complains 2 'too many' "$IVPIPE" bench --self file
check 'a region that is not there' complains 3 "$region.no" "$IVPIPE" bench --wait 0 -r "$region.no"
check 'the same, with --self' complains 3 "$region.no" "$IVPIPE" bench --self --wait 0 -r "$region.no"
done_testing
