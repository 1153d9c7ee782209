#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# Frames of which the newest is wanted: none is torn, none is older than the one before, the last one comes, nobody who makes them waits.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

frames=$here/frames.py
format 4M
mkfifo "$work/go"

# slow SIZE COUNT: the reader takes one, and the rest only when all have been made; far fewer than that are left then.
slow() {
	start recv bash -c '"$1" recv -v --latest -r "$2" | python3 "$3" check "$4" "$5" "$6" "$7"; echo "${PIPESTATUS[*]}"' _ \
		"$IVPIPE" "$region" "$frames" "$1" "$2" "$work/go" "$3"
	start send bash -c '{ python3 "$3" make "$4" "$5" && echo made >&2; } | "$1" send --latest "$4" -r "$2"' _ \
		"$IVPIPE" "$region" "$frames" "$1" "$2"
	await recv one && await send made || return 1
	: >"$work/go"
	ends send 0 && ends recv 0 && [ "$(cat "$work/recv.out")" = '0 0' ] && [ ! -s "$work/check" ]
}
# One is read, others wait: at each end, in the ring of 32 KiB, in the pipes.
check 'a slow reader of frames that are smaller than the ring' slow 4096 20000 60
check 'and larger' slow 100000 500 10
check 'and much larger' slow 3000000 40 8

fast() {
	start recv bash -c '"$1" recv --latest -r "$2" "${@:6}" | python3 "$3" check "$4" "$5"' _ "$IVPIPE" "$region" "$frames" "$@"
	start send bash -c 'python3 "$3" make "$4" "$5" | "$1" send --latest "$4" -r "$2" "${@:6}"' _ "$IVPIPE" "$region" "$frames" "$@"
	ends send 0 && ends recv 0
}
check 'a fast one' fast 65536 2000
check 'without a digest' fast 65536 2000 --no-checksum
check 'one frame' fast 8 1
check 'none' fast 8 0
check 'over a control connection' fast 65536 500 --control "unix:$work/control"

whole() {
	start recv "$IVPIPE" recv -r "$region" -o "$work/file"
	python3 "$frames" make 1000 1 | gives 0 "$IVPIPE" send --latest 1000 -r "$region" && ends recv 0 &&
		python3 "$frames" check 1000 1 <"$work/file"
}
check 'a receiver that wants all takes it, too' whole

part() {
	start recv bash -c '"$1" recv --latest -r "$2" | python3 "$3" check 800 3; echo "${PIPESTATUS[*]}"' _ "$IVPIPE" "$region" "$frames"
	python3 "$frames" make 800 3 17 >"$work/made"
	complains 1 'ended after 17 bytes of a frame of 800' "$IVPIPE" send --latest 800 -r "$region" "$work/made" || return 1
	finish recv
	grep -qE '^[1-8] ' "$work/recv.out"
}
check 'an input that ends in the middle of a frame is an error on both sides' part

closed() {
	start recv bash -c '"$1" recv --latest -r "$2" | head -c 1000 >/dev/null; echo "${PIPESTATUS[*]}"' _ "$IVPIPE" "$region"
	start send bash -c 'yes | "$1" send --latest 1M -r "$2"; echo "${PIPESTATUS[*]}"' _ "$IVPIPE" "$region"
	finish send
	finish recv
	[ "$(cat "$work/recv.out" "$work/send.out")" = $'141 0\n141 8' ] || { head "$work"/*.out; return 1; }
}
check 'a reader that goes ends it on both sides' closed

for victim in recv send; do
	for signal in KILL TERM; do
		start recv bash -c 'exec "$1" recv -v --latest -r "$2" >/dev/null' _ "$IVPIPE" "$region"
		start send bash -c 'exec "$1" send -v --latest 100000 -r "$2" < <(yes)' _ "$IVPIPE" "$region"
		await recv stream
		await send connected
		kill "-$signal" "${pids[$victim]}"
		finish "$victim"
		check "$victim ends by SIG$signal" [ "$code" = $((128 + $(kill -l $signal))) ]
		other=$([ $victim = recv ] && echo send || echo recv)
		check "and the other with 8" ends "$other" 8
	done
done
# A reader that takes nothing is no reason to stay.
start recv bash -c '"$1" recv -v --latest -r "$2" | { read -r _ <"$3"; }; exit "${PIPESTATUS[0]}"' _ "$IVPIPE" "$region" "$work/go"
start send bash -c 'exec "$1" send -v --latest 1000000 -r "$2" < <(yes)' _ "$IVPIPE" "$region"
await recv stream
await send connected
kill -TERM "$(pgrep -P "${pids[recv]}" ivpipe)"
check 'SIGTERM ends a receiver whose output stands still' await recv interrupted
: >"$work/go"
finish recv
check 'and its sender with 8' ends send 8

check 'no size' complains 2 'needs an argument' "$IVPIPE" send --latest
for size in 0 x 1G -1; do
	check "no size: $size" complains 2 'the size of a frame' "$IVPIPE" send "--latest=$size"
done
check 'not slower at will' complains 2 'neither --rate-limit' "$IVPIPE" send --latest 8 --rate-limit 1M
check 'nor with holes' complains 2 'nor --sparse' "$IVPIPE" recv --latest --sparse
done_testing
