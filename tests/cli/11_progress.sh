#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# What the ends say on standard error, and that data alone is on standard output.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

format
random_file data 1000000

start recv "$IVPIPE" recv -r "$region"
run send "$IVPIPE" send -r "$region" "$work/data"
finish recv
check 'nothing on standard error that was not asked for' test ! -s "$work/send.err" -a ! -s "$work/recv.err"
check 'nothing but the data on standard output' cmp "$work/data" "$work/recv.out"

start recv "$IVPIPE" recv -v -r "$region" -o "$work/target"
run send "$IVPIPE" send -v -r "$region" "$work/data"
finish recv
check 'verbose: the sender names lane and receiver' grep -q 'lane [0-9]*, receiver on this machine' "$work/send.err"
check 'verbose: the receiver names the file' grep -q 'stream data, .*, sender on this machine' "$work/recv.err"
check 'verbose: the total' grep -Eq '^1000000 bytes \([0-9]+ KiB\) in [0-9.]+ s, .*/s$' "$work/send.err"

start recv "$IVPIPE" recv -q -r "$region" -o "$work/target"
run send "$IVPIPE" send -q -v -r "$region" "$work/data"
finish recv
check 'quiet' test ! -s "$work/send.err" -a ! -s "$work/recv.err"

mkfifo "$work/slow"
start recv "$IVPIPE" recv -r "$region" -o "$work/target"
start send "$IVPIPE" send -r "$region" "$work/slow"
exec {slow}>"$work/slow"
cat "$work/data" >&"$slow"
kill -USR1 "${pids[send]}"
check 'SIGUSR1 asks for the count' await send ' bytes ('
kill -USR1 "${pids[recv]}"
check 'and at the receiver' await recv ' bytes ('
exec {slow}>&-
check 'and harms nothing' ends send 0
check 'nor there' ends recv 0

start recv "$IVPIPE" recv -r "$region"
await_nothing() {
	kill -USR1 "${pids[recv]}" && await recv 'waiting for a sender'
}
run other "$IVPIPE" info "$region"
while ! grep -q default "$work/other.out"; do run other "$IVPIPE" info "$region"; done
check 'SIGUSR1 to a waiting receiver' await_nothing
kill -TERM "${pids[recv]}"
check 'which SIGTERM ends' ends recv 143

start recv "$IVPIPE" recv -r "$region"
run send sh -c '"$0" send --name "$(printf "a\033[31m\nb")" -v -r "$1" "$2"' "$IVPIPE" "$region" "$work/data"
finish recv
start recv "$IVPIPE" recv -v -r "$region" -o "$work/target"
run send sh -c '"$0" send --name "$(printf "a\033[31m\nb\377")" -r "$1" "$2"' "$IVPIPE" "$region" "$work/data"
finish recv
check 'control characters of a peer do not reach the terminal' \
	test "$(tr -d '\n' <"$work/recv.err" | tr -d ' -~' | wc -c)" = 0
check 'and make no line of their own' test "$(grep -c '^ivpipe: recv: stream a' "$work/recv.err")" = 1

# Never faster than it is told to be; how much slower is the machine's business.
limited() {
	local began options
	began=$(now_ms)
	read -ra options <<<"$1"
	start recv "$IVPIPE" recv -r "$region" -o "$work/target" "${options[@]}"
	read -ra options <<<"$2"
	run send "$IVPIPE" send -r "$region" "${options[@]}" "$work/data"
	finish recv
	[ "$code" = 0 ] && cmp "$work/data" "$work/target" && [ $(($(now_ms) - began)) -ge 800 ]
}
check 'a sender of 1 MB/s takes a second' limited '' '--rate-limit 1MB'
check 'so does a receiver' limited '--rate-limit 1MB' ''
check 'without a digest, too' limited '--no-checksum --rate-limit 1MB' '--no-checksum'
check 'no rate' complains 2 'bytes a second' "$IVPIPE" send -r "$region" --rate-limit 0 "$work/data"
start recv "$IVPIPE" recv -v -r "$region" -o "$work/target"
start send "$IVPIPE" send -r "$region" --rate-limit 1 -v "$work/data"
await recv 'stream data'
kill -TERM "${pids[send]}"
check 'a slow one can be told to stop' ends send 143
check 'and the other end hears of it' ends recv 8
done_testing
