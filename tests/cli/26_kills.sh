#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154
# kill -9 at random instants: the other end says so within 3 s, what it had is an exact prefix, and the next two meet at once.
#
#   ROUNDS=1000   so many (30), and a third of them with the helper    SEED=1   of the instants
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

kills=$(dirname "$IVPIPE")/cli/kills
many=$(dirname "$IVPIPE")/cli/many
[ -x "$kills" ] || { echo "Bail out! $kills is not there: make -C tests/cli"; exit 1; }
SEED=${SEED:-$RANDOM}
ROUNDS=${ROUNDS:-30}
RANDOM=$SEED
LIMIT=$((3000 + ${MARGIN:-2000}))
echo "# SEED=$SEED"

format
check 'two ends of the library' "$kills" "$region" "$ROUNDS" "$SEED"

SIZE=$((64 << 20))
"$many" make 1 $SIZE >"$work/data"
mkfifo "$work/silence"
exec {silence}<>"$work/silence"

# Up to 64 ms.
instant() {
	local _
	read -r -t "0.$(printf %05d $((RANDOM % 6400)))" -u "$silence" _
}

# round VICTIM OTHER: from the first byte on. 0 from the other only if all was over before.
round() {
	local began other_code
	into recv "$work/out" "$IVPIPE" recv -v -r "$region"
	start send "$IVPIPE" send -r "$region" --side 1 "$work/data"
	await recv stream || return 1
	instant
	kill -9 "${pids[$1]}" 2>/dev/null
	began=$(now_ms)
	finish "$2"
	other_code=$code
	[ $(($(now_ms) - began)) -lt $LIMIT ] || return 1
	finish "$1" 2>/dev/null
	endings+="$other_code "
	case "$other_code $code" in '8 137' | '0 0' | '0 137' | '8 0') ;; *) return 1 ;; esac
	cmp -n "$(stat -c %s "$work/out")" "$work/data" "$work/out" || return 1
	[ "$other_code" != 0 ] || cmp "$work/data" "$work/out"
}

endings=
for ((turn = 1; turn <= (ROUNDS + 2) / 3; turn++)); do
	if ((turn % 2)); then
		check "round $turn: the sender is killed" round send recv
	else
		check "round $turn: the receiver is killed" round recv send
	fi
done
echo "# the others ended with: $endings"
start recv "$IVPIPE" recv -r "$region" -o "$work/target"
check 'the next stream works' gives 0 "$IVPIPE" send -r "$region" --side 1 "$work/data"
check 'at both ends' ends recv 0
check 'and is whole' cmp "$work/data" "$work/target"
done_testing
