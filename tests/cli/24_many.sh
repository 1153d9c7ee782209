#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2016,SC2154
# Sixty-four streams at the same time through one region: none is read before all are connected, and each has more bytes than its ring.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

many=$(dirname "$IVPIPE")/cli/many
[ -x "$many" ] || { echo "Bail out! $many is not there: make -C tests/cli"; exit 1; }
STREAMS=64
SIZE=$((2 << 20))

format 256M
check 'the region has lanes enough, as it is laid out without a wish' \
	test "$("$IVPIPE" info --json "$region" | sed -n 's/.*"lane_count": *\([0-9]*\),.*/\1/p')" -ge $((2 * STREAMS))

serving() {
	start serve "$many" serve "$region" $STREAMS $SIZE
	await serve serving
}

serving
check 'one process sends them all' gives 0 "$many" send "$region" $STREAMS $SIZE
check 'and one receives them' ends serve 0
check 'each with its own bytes' test "$(cat "$work/serve.out")" = $STREAMS

all_sent() {
	local stream bad=0
	for ((stream = 0; stream < STREAMS; stream++)); do
		ends "send-$stream" 0 || bad=1
	done
	return $bad
}

serving
for ((stream = 0; stream < STREAMS; stream++)); do
	start "send-$stream" bash -c '"$0" make "$3" "$4" | "$1" send -r "$2" --side 1 --name "$3"' \
		"$many" "$IVPIPE" "$region" $stream $SIZE
done
check 'sixty-four senders' all_sent
check 'and one process that receives' ends serve 0
check 'each with its own bytes' test "$(cat "$work/serve.out")" = $STREAMS
done_testing
