#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2016,SC2154
# The memory itself: nothing of a stream is left in it, whoever ends it; what is too small, not a file, or cannot be shrunk; and a
# peer that stands still for longer than it may be silent elsewhere.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

format
# 64 bytes that are nowhere else, over and over; the first of them begin anywhere in the memory.
head -c 48 /dev/urandom | base64 -w 64 >"$work/canary"
canary=$(head -c 64 "$work/canary")
yes "$canary" | head -c 1M >"$work/birds"

# found REGION: pieces of 16 bytes, wherever they are.
found() {
	python3 - "$region" "$canary" <<'PYTHON'
import sys
memory = open(sys.argv[1], 'rb').read()
canary = sys.argv[2].encode()
print(sum(memory.count(canary[i:i + 16]) for i in range(0, 64, 16)))
PYTHON
}

mkfifo "$work/flow"
exec {flow}<>"$work/flow"

# full: a stream whose receiver's reader does not read, so that there is something to find; and that goes on, for what has come to its
# end is whole, whoever dies.
full() {
	mkfifo "$work/source"
	into recv "$work/flow" "$IVPIPE" recv -v -r "$region"
	start send "$IVPIPE" send -r "$region" --side 1 "$work/source"
	exec {source}>"$work/source"
	cat "$work/birds" >&"$source" &
	await recv stream
	until [ "$(found)" -gt 1000 ]; do :; done
}

at_its_end() {
	exec {source}>&-
	rm "$work/source"
}

drain() {
	cat <&"$flow" >/dev/null &
	reader=$!
}

check 'a stream that stands still lies in the memory' full
at_its_end
drain
check 'its sender ends well' ends send 0
check 'and its receiver' ends recv 0
kill "$reader"
check 'then nothing of it is left' test "$(found)" = 0
for victim in send recv; do
	full
	kill -9 "${pids[$victim]}"
	drain
	finish $victim 2>/dev/null
	other=$([ $victim = send ] && echo recv || echo send)
	check "$victim is killed: the other end is told" ends "$other" 8
	at_its_end
	kill "$reader"
	check 'and leaves nothing of either' test "$(found)" = 0
done
exec {flow}>&-

# Standing still: 2 s, where a peer elsewhere would be dead after 0.3.
STILL=2
random_file data $((8 << 20))

# ticks NAME: of all its processes, so far.
ticks() {
	local file stat sum=0
	for file in /proc/[0-9]*/stat; do
		read -ra stat 2>/dev/null <"$file" || continue
		[ "${stat[4]}" != "${pids[$1]}" ] || sum=$((sum + stat[13] + stat[14]))
	done
	echo $sum
}

# stands_still ONE OTHER: the time that the other needs for nothing is what is measured.
stands_still() {
	local before after
	mkfifo "$work/gate"
	into recv "$work/target" "$IVPIPE" recv -v -r "$region" --peer-timeout 300ms
	start send "$IVPIPE" send -r "$region" --side 1 --peer-timeout 300ms "$work/gate"
	exec {gate}>"$work/gate"
	await recv stream || return 1
	kill -STOP -- "-${pids[$1]}"
	cat "$work/data" >&"$gate" &
	exec {gate}>&-
	before=$(ticks "$2")
	timeout $STILL tail -f /dev/null --pid="${pids[$2]}" && return 1 # it must not end
	after=$(ticks "$2")
	echo "# $2: $((after - before)) ticks in $STILL s" >&2
	kill -CONT -- "-${pids[$1]}"
	ends send 0 && ends recv 0 && cmp "$work/data" "$work/target" || return 1
	rm "$work/gate"
	[ $((after - before)) -le $((STILL * 5 + ${TICKS:-40})) ]
}
check 'a receiver that stands still is waited for' stands_still recv send
check 'a sender that stands still is waited for' stands_still send recv

mkfifo "$work/region"
check 'a fifo is no region' complains 3 'region' "$IVPIPE" send -r "$work/region" --wait 0 "$work/data"
truncate -s 8M "$region"
check 'a region that has become smaller: both sizes are named' complains 3 '16777216.*8388608\|8388608.*16777216' \
	"$IVPIPE" recv -r "$region" --wait 0

# Memory that nobody can shrink.
start sealed python3 -c '
import fcntl, os, signal, sys
fd = os.memfd_create("region", os.MFD_ALLOW_SEALING)
os.ftruncate(fd, 1 << 20)
fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
print("sealed", fd, file=sys.stderr, flush=True)
signal.pause()'
await sealed sealed
memory=/proc/${pids[sealed]}/fd/$(sed -n 's/sealed //p' "$work/sealed.err")
start recv "$IVPIPE" recv -r "$memory" -o "$work/target"
start send "$IVPIPE" send -r "$memory" --side 1 "$work/data"
check 'a sealed file cannot be shrunk' eval '! truncate -s 0 "$memory" 2>/dev/null'
check 'and carries streams: the sender' ends send 0
check 'the receiver' ends recv 0
check 'the bytes' cmp "$work/data" "$work/target"
done_testing
