#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# An end that dies, at any moment, ends the other with code 8 within 3 seconds, and is in nobody's way afterwards.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# On top of the 3 s: a loaded machine, and a helper full of sanitizers.
LIMIT=$((3000 + ${MARGIN:-2000}))

format
random_file data 100000
mkfifo "$work/flow"

# stream_until BYTES: an endless stream, of which that much has come.
stream_until() {
	start send "$IVPIPE" send -r "$region" /dev/zero
	into recv "$work/flow" "$IVPIPE" recv -r "$region"
	exec {flow}<"$work/flow"
	head -c "$1" <&"$flow" >/dev/null
}

# What still comes goes nowhere, so that a receiver is never stopped by us.
drain() {
	cat <&"$flow" >/dev/null &
	exec {flow}<&-
}

# signalled SIGNAL VICTIM CODE OTHER CODE BYTES: how both end, and how soon.
signalled() {
	local began took victim_code
	stream_until "$6"
	began=$(now_ms)
	kill "-$1" "${pids[$2]}"
	drain
	finish "$4"
	took=$(($(now_ms) - began))
	local other_code=$code
	finish "$2" 2>/dev/null
	victim_code=$code
	echo "# $2 $victim_code, $4 $other_code after $took ms"
	[ "$victim_code" = "$3" ] && [ "$other_code" = "$5" ] && [ $took -lt $LIMIT ]
}

next_stream() {
	local began sent
	began=$(now_ms)
	start after "$IVPIPE" recv -r "$region" -o "$work/target"
	run last "$IVPIPE" send -r "$region" "$work/data"
	sent=$code
	finish after
	[ "$sent$code" = 00 ] && cmp "$work/data" "$work/target" && [ $(($(now_ms) - began)) -lt $LIMIT ]
}

# Somewhere between the first byte and 16 MiB.
somewhere() {
	echo $(((RANDOM << 9 | RANDOM & 511) + 1))
}

for round in {1..10}; do
	bytes=$(somewhere)
	check "sender killed after $bytes bytes" signalled KILL send 137 recv 8 "$bytes"
	check "round $round: the next stream works at once" next_stream
	bytes=$(somewhere)
	check "receiver killed after $bytes bytes" signalled KILL recv 137 send 8 "$bytes"
	check "round $round: the next stream works at once" next_stream
done

check 'the sender is interrupted' signalled INT send 130 recv 8 100000
check 'one line says so' one_line recv 'signal\|interrupt'
check 'the receiver is interrupted' signalled INT recv 130 send 8 100000
check 'one line says so' one_line send 'signal\|interrupt'
check 'the sender is terminated' signalled TERM send 143 recv 8 100000
check 'the receiver is terminated' signalled TERM recv 143 send 8 100000
check 'the terminal of the sender is closed' signalled HUP send 129 recv 8 100000
check 'the next stream works at once' next_stream

# The reader of the output has seen enough.
start send "$IVPIPE" send -r "$region" /dev/zero
"$IVPIPE" recv -r "$region" 2>"$work/recv.err" | head -c 10 >/dev/null
recv_code=${PIPESTATUS[0]}
check 'recv | head ends with 141' test "$recv_code" = 141
check 'and quietly' test ! -s "$work/recv.err"
finish send
check 'its sender ends with an error' test "$code" != 0 -a "$code" -lt 126
check 'in one line' one_line send 'ivpipe: send: '

start recv "$IVPIPE" recv -v -r "$region"
listens recv
kill -9 "${pids[recv]}"
finish recv 2>/dev/null
check 'a listener that was killed takes no sender in' gives 5 "$IVPIPE" send -r "$region" --wait 1s "$work/data"
check 'nor stands in the way' next_stream

# The process that opens files stands still, and so the other one waits for it.
for latest in '' --latest; do
	start recv "$IVPIPE" recv -v $latest -r "$region"
	listens recv
	kill -STOP "${pids[recv]}"
	start send bash -c 'exec "$1" send -v ${2:+"$2=1000"} -r "$3" </dev/zero' _ "$IVPIPE" "$latest" "$region"
	await recv 'stream of'
	await send connected
	{
		kill -KILL "${pids[recv]}"
		finish recv
	} 2>/dev/null
	check "a receiver that is killed before it has its output${latest:+, $latest}" ends send 8
done

rm "$region"
format
stream_until 100000
rm "$region"
drain
check 'the region is deleted under a stream: the sender' ends send 8
check 'the receiver' ends recv 8
format
stream_until 100000
truncate -s 0 "$region"
drain
check 'the region is truncated under a stream: the sender' ends send 8
check 'in one line' one_line send 'ivpipe: send: '
check 'the receiver' ends recv 8
check 'in one line' one_line recv 'ivpipe: recv: '
done_testing
