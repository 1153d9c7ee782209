#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2034,SC2154
# Somebody writes hostile values into every word that two ends share, while thousands of streams run: each ends by itself and in
# time, and never with wrong bytes for right ones. Calls of the library first, then the helper.
#
#   STREAMS=10000   so many (1000)    PAIRS=300   so many of the helper's (32)    SEED=1   of streams and lies
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

liar=$(dirname "$IVPIPE")/cli/liar
fire=$(dirname "$IVPIPE")/cli/fire
[ -x "$fire" ] || { echo "Bail out! $fire is not there: make -C tests/cli"; exit 1; }
SEED=${SEED:-$RANDOM}
echo "# SEED=$SEED"
DEADLINE=30

format 2M
# The same memory as if it were a device: locks of its own, so that its user counts as one on another machine.
mkdir "$work/device"
ln -s "$region" "$work/device/resource2_wc"
: >"$work/device/resource2"
printf 1 >"$work/device/enable"
check 'many streams of the library' "$fire" "$region" "$work/device/resource2_wc" "$liar" "${STREAMS:-1000}" "$SEED"

# The helper, eight pairs at a time. A sender believes whoever says "received", so what counts is what the receiver says.
random_file data 200000
declare -A endings=()

pair() {
	rm -f "$work/target-$1"
	start "recv-$1" "$IVPIPE" recv -r "$region" -s "$1" --wait "${2:-2s}" --timeout 1s -o "$work/target-$1"
	start "send-$1" "$IVPIPE" send -r "$region" -s "$1" --side 1 --wait "${2:-2s}" --timeout 1s "$work/data"
}

# honest NUMBER: both ended by themselves, with codes that are ours, and a target is there exactly if it is whole.
honest() {
	local sent received
	finish "send-$1" $DEADLINE
	sent=$code
	finish "recv-$1" $DEADLINE
	received=$code
	endings["$sent $received"]=$((${endings["$sent $received"]:-0} + 1))
	if [ "$sent" -gt 8 ] || [ "$received" -gt 8 ]; then
		show
		return 1
	fi
	if [ "$received" = 0 ]; then
		cmp "$work/data" "$work/target-$1"
	else
		[ ! -e "$work/target-$1" ]
	fi
}

# under PART RATE: eight pairs meanwhile.
under() {
	local number bad=0
	"$IVPIPE" format -q --force --lanes 24 "$region"
	# Closing this ends the liar, so nobody else may have it.
	exec 7<>"$work/hold"
	# Not by start(), which gives it an input that has ended.
	: >"$work/liar.err"
	setsid "$liar" "$region" "$1" "$SEED" "$2" <"$work/hold" >"$work/liar.out" 2>"$work/liar.err" 7>&- &
	pids[liar]=$!
	await liar lying
	for number in {1..8}; do
		pair "$number" 7>&-
	done
	for number in {1..8}; do
		honest "$number" || bad=1
	done
	exec 7>&-
	ends liar 0 || bad=1
	lies=$((lies + $(cat "$work/liar.out")))
	return $bad
}

mkfifo "$work/hold"
lies=0
pairs_left=${PAIRS:-32}
while [ "$pairs_left" -gt 0 ]; do
	for about in all:20000 halves:20000 records:50000 messages:0; do
		[ "$pairs_left" -gt 0 ] || break
		pairs_left=$((pairs_left - 8))
		check "eight senders and receivers, and lies about ${about%:*}" under "${about%:*}" "${about#*:}"
	done
done
for codes in "${!endings[@]}"; do
	echo "# sender and receiver ended with $codes: ${endings[$codes]} times"
done

# works SECONDS: that long for the sender to find a lane.
works() {
	pair last 12s
	ends send-last 0 "$1" && ends recv-last 0 && cmp "$work/data" "$work/target-last"
}

# What was left behind, the superblock aside, is in nobody's way for long, also if nothing was laid out anew: after 10 s a lane is anybody's.
check 'eight more' under halves 0
check 'lies over, a stream works' works 15
"$IVPIPE" format -q --force "$region"
began=$(now_ms)
check 'laid out anew it works at once' works 5
echo "# within $(($(now_ms) - began)) ms"
done_testing
