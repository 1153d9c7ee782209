#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# Bytes arrive as they were sent: whoever starts first, whatever they are read from and written to, however many.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# carried WHAT SOURCE TARGET: both ends ended well, and the bytes are the same.
carried() {
	ends send 0 && ends recv 0 && cmp "$2" "$3"
}

format 16M
ring=$("$IVPIPE" info --json "$region" | sed -n 's/.*"ring_size": \([0-9]*\).*/\1/p')
random_file data 300000

start recv "$IVPIPE" recv -v -r "$region" -o "$work/target"
listens recv
start send "$IVPIPE" send -r "$region" "$work/data"
check 'receiver first' carried file "$work/data" "$work/target"

start send "$IVPIPE" send -r "$region" "$work/data"
start recv "$IVPIPE" recv -r "$region" -o "$work/target"
check 'sender first' carried file "$work/data" "$work/target"

into recv "$work/piped" sh -c '"$0" recv -r "$1" | cat' "$IVPIPE" "$region"
start send sh -c 'cat "$2" | "$0" send -r "$1" -' "$IVPIPE" "$region" "$work/data"
check 'pipe to pipe' carried pipe "$work/data" "$work/piped"

start send "$IVPIPE" send -r "$region" --no-checksum "$work/data"
start recv "$IVPIPE" recv -r "$region" --no-checksum -o "$work/target"
check 'without a digest' carried plain "$work/data" "$work/target"

start send "$IVPIPE" send -r "$region" --no-checksum "$work/data"
start recv "$IVPIPE" recv -r "$region" -o "$work/target"
check 'without a digest at the sender alone' carried mixed "$work/data" "$work/target"

start send "$IVPIPE" send -r "$region" "$work/data"
start recv "$IVPIPE" recv -r "$region" --no-checksum -o "$work/target"
check 'without a digest at the receiver alone' carried mixed "$work/data" "$work/target"

start send "$IVPIPE" send -r "$region" --side 1 "$work/data"
start recv "$IVPIPE" recv -r "$region" --side 0 -o "$work/target"
check 'from one side to the other' carried sides "$work/data" "$work/target"

for size in 0 1 7 8 4096 $((ring - 1)) "$ring" $((ring + 1)) $((64 << 20)); do
	random_file sized "$size"
	start recv "$IVPIPE" recv -r "$region" -o "$work/target"
	start send "$IVPIPE" send -r "$region" "$work/sized"
	check "$size bytes" carried size "$work/sized" "$work/target"
done

into recv "$work/digest" sh -c '"$0" recv -r "$1" | sha256sum' "$IVPIPE" "$region"
start send sh -c 'yes | head -c 128M | "$0" send -r "$1"' "$IVPIPE" "$region"
check '128 MiB of yes end well' ends send 0
check 'and so does their receiver' ends recv 0
check 'with the same digest' test "$(cat "$work/digest")" = "$(yes | head -c 128M | sha256sum)"

# A log that grows while it is sent: what was read is what counts.
mkfifo "$work/slow"
start send "$IVPIPE" send -r "$region" "$work/slow"
start recv "$IVPIPE" recv -r "$region" -o "$work/target"
{ cat "$work/data"; cat "$work/data"; } >"$work/slow"
cat "$work/data" "$work/data" >"$work/twice"
check 'from a fifo' carried fifo "$work/twice" "$work/target"

# Of the first pieces, by which the way to read a file is chosen, some are mapped: here they take seconds.
began() {
	timeout "$PATIENCE" tail -f "$work/part" | head -c 1 >/dev/null
}
# cut SIZE OPTIONS...: a file that others cut to that while it is sent.
cut() {
	local size=$1
	shift
	random_file shrinking 500000
	cp "$work/shrinking" "$work/whole"
	: >"$work/part"
	into recv "$work/part" "$IVPIPE" recv -r "$region" "$@"
	start send "$IVPIPE" send -r "$region" --rate-limit 30K "$@" "$work/shrinking"
	began
	truncate -s "$size" "$work/shrinking"
	finish send
	local sender=$code
	finish recv
	[ "$sender$code" = 00 ] && [ -s "$work/part" ] && [ "$(stat -c %s "$work/part")" -lt 500000 ] &&
		cmp -n "$(stat -c %s "$work/part")" "$work/part" "$work/whole"
}
check 'a file that is cut ends where it was cut' cut 20000
check 'or where it was read to' cut 0
check 'without a digest, too' cut 10001 --no-checksum
done_testing
