#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# Who meets whom: services, several receivers, several senders, one after the other.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

format
random_file a 200000
random_file b 300000
random_file c 400000

start recv-x "$IVPIPE" recv -v -r "$region" -s x -o "$work/got-x"
start recv-y "$IVPIPE" recv -v -r "$region" -s y.1 -o "$work/got-y"
listens recv-x
listens recv-y
check 'nobody for service z: who listens is named' complains 5 'x (side 0)' \
	"$IVPIPE" send -r "$region" -s z --wait 300ms "$work/a"
check 'both of them' grep -q 'y.1 (side 0)' "$work/last.err"
start send-y "$IVPIPE" send -r "$region" -s y.1 "$work/b"
start send-x "$IVPIPE" send -r "$region" -s x "$work/a"
for end in send-x send-y recv-x recv-y; do
	check "services: $end ends well" ends $end 0
done
check 'x got what x was sent' cmp "$work/a" "$work/got-x"
check 'y got what y was sent' cmp "$work/b" "$work/got-y"

# Two receivers of one service: one of them gets it, the other goes on waiting.
start recv-1 "$IVPIPE" recv -v -r "$region" -o "$work/got-1"
start recv-2 "$IVPIPE" recv -v -r "$region" -o "$work/got-2"
listens recv-1
listens recv-2
check 'two receivers: the first stream' gives 0 "$IVPIPE" send -r "$region" "$work/a"
check 'came once' test "$(find "$work/got-1" "$work/got-2" 2>/dev/null | wc -l)" = 1
check 'the second stream' gives 0 "$IVPIPE" send -r "$region" "$work/a"
check 'the one receiver' ends recv-1 0
check 'the other receiver' ends recv-2 0
check 'both have it' eval 'cmp "$work/a" "$work/got-1" && cmp "$work/a" "$work/got-2"'

# Two senders and a receiver that takes one stream: one gets through, the other is told that nobody listens.
start send-a "$IVPIPE" send -r "$region" --wait 3s "$work/a"
start send-b "$IVPIPE" send -r "$region" --wait 3s "$work/b"
start recv "$IVPIPE" recv -r "$region" -o "$work/got"
check 'two senders: the receiver takes one' ends recv 0
finish send-a
codes=$code
finish send-b
codes+=" $code"
check 'one sender ends well and the other finds nobody' eval '[ "$codes" = "0 5" ] || [ "$codes" = "5 0" ]'
winner=$([ "$codes" = '0 5' ] && echo a || echo b)
check 'and what came is the winner'\''s' cmp "$work/$winner" "$work/got"

# --keep: one after the other, whoever comes.
mkdir "$work/in"
start keep "$IVPIPE" recv -v -r "$region" --keep -o "$work/in/%n"
for name in a b c; do
	start "send-$name" "$IVPIPE" send -r "$region" "$work/$name"
done
for name in a b c; do
	check "keep: sender $name" ends "send-$name" 0
	check "keep: file $name" cmp "$work/$name" "$work/in/$name"
done
check 'keep: a stream that fails' gives 1 "$IVPIPE" send -r "$region" "$work/a"
check 'is a line' await keep 'exists'
check 'and the next one comes' gives 0 "$IVPIPE" send -r "$region" --name d "$work/a"
kill -INT "${pids[keep]}"
check 'keep: ends by SIGINT' ends keep 130
check 'keep: with nothing left over' test "$(find "$work/in" -type f | wc -l)" = 4

start keep "$IVPIPE" recv -r "$region" --keep
for name in a b c; do
	check "keep: $name to standard output" gives 0 "$IVPIPE" send -r "$region" "$work/$name"
done
kill -TERM "${pids[keep]}"
check 'keep: ends by SIGTERM' ends keep 143
cat "$work/a" "$work/b" "$work/c" >"$work/abc"
check 'keep: they follow each other' cmp "$work/abc" "$work/keep.out"

# The region is deleted and made anew under a receiver that waits.
start recv "$IVPIPE" recv -v -r "$region" -o "$work/got"
listens recv
rm "$region"
format
check 'a region made anew is opened again' gives 0 "$IVPIPE" send -r "$region" "$work/c"
check 'by the receiver too' ends recv 0
check 'and all came' cmp "$work/c" "$work/got"

rm "$region"
start send "$IVPIPE" send -r "$region" "$work/b"
await send 'waiting'
start recv "$IVPIPE" recv -r "$region" -o "$work/got"
await recv 'waiting'
format
check 'a region that comes later: the sender' ends send 0
check 'the receiver' ends recv 0
check 'the bytes' cmp "$work/b" "$work/got"

rm "$region"
truncate -s 16M "$region"
start send "$IVPIPE" send -r "$region" "$work/b"
start recv "$IVPIPE" recv -r "$region" -o "$work/got"
check 'a file of zeros is laid out by who comes first: the sender' ends send 0
check 'zeros: the receiver' ends recv 0
done_testing
