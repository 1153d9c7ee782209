#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# Both ways at once: every byte of each way arrives, and so does the end of each; what becomes of the other way when one ends.
#
#   ROUNDS=N   how many pairs of random sizes, 100 by default
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

format

# both INPUT INPUT [OPTION...]: one end's input, the other's, and what both are told besides.
both() {
	local one=$1 other=$2
	shift 2
	start listen bash -c '"$1" pipe --listen -r "$2" "${@:4}" <"$3"' _ "$IVPIPE" "$region" "$one" "$@"
	start call bash -c '"$1" pipe -r "$2" "${@:4}" <"$3"' _ "$IVPIPE" "$region" "$other" "$@"
	ends listen 0 && ends call 0 && cmp "$one" "$work/call.out" && cmp "$other" "$work/listen.out"
}

printf hello >"$work/hello"
: >"$work/nothing"
random_file large 5000000
random_file other 3000001
check 'hello, both ways' both "$work/hello" "$work/hello"
check 'nothing, both ways' both "$work/nothing" "$work/nothing"
check 'much one way, and nothing the other' both "$work/large" "$work/nothing"
check 'nothing one way, and much the other' both "$work/nothing" "$work/large"
check 'much, both ways' both "$work/large" "$work/other"
check 'without a digest' both "$work/large" "$work/other" --no-checksum
check 'over a control connection' both "$work/large" "$work/other" --control "unix:$work/control"
check 'under another name' both "$work/large" "$work/other" -s talk

rounds() {
	local round one two
	for round in $(seq "${ROUNDS:-100}"); do
		# From one byte to a few rings; every size is as likely as its double.
		one=$((RANDOM % (1 << RANDOM % 15) * (RANDOM % 100) + 1))
		two=$((RANDOM % (1 << RANDOM % 15) * (RANDOM % 100) + 1))
		head -c "$one" "$work/large" >"$work/one"
		head -c "$two" "$work/other" >"$work/two"
		both "$work/one" "$work/two" || { echo "# round $round: $one and $two bytes"; return 1; }
	done
}
check "${ROUNDS:-100} pairs of random sizes" rounds

# A half-close: one end has said all, and hears the answer.
start server bash -c '"$1" pipe --listen -r "$2" < <(sha256sum </dev/null | cut -c 1-64; cat "$3")' _ "$IVPIPE" "$region" \
	"$work/large"
check 'the answer to a question that has ended' eval \
	'"$IVPIPE" pipe -r "$region" </dev/null | tail -n +2 | cmp - "$work/large"'
check 'and who answered is content' ends server 0

# A conversation: each line waits for the other's.
mkfifo "$work/back"
start echoes bash -c '"$1" pipe --listen -r "$2" <"$3" | stdbuf -oL sed "s/^/you said /" >"$3"' _ "$IVPIPE" "$region" "$work/back"
coproc talk { "$IVPIPE" pipe -r "$region"; }
talk_pid=$!
conversation() {
	local line
	for word in one two three; do
		echo "$word" >&"${talk[1]}"
		IFS= read -r -t "$PATIENCE" line <&"${talk[0]}" && [ "$line" = "you said $word" ] || return 1
	done
}
check 'line by line, each the answer to the one before' conversation
eval "exec ${talk[1]}>&-"
check 'it ends when the one that asks does' wait "$talk_pid"
check 'on both sides' ends echoes 0

# Whoever writes to an end whose output nobody reads gets SIGPIPE, as from a pipe; the other way goes on.
start closed bash -c '"$1" pipe --listen -r "$2" <"$3" | head -c 10; exit "${PIPESTATUS[0]}"' _ "$IVPIPE" "$region" "$work/large"
check 'a closed output reaches the writer' eval \
	'yes | "$IVPIPE" pipe -r "$region" >"$work/rest"; codes="${PIPESTATUS[*]}"; echo "# $codes" >&2; [ "$codes" = "141 141" ]'
check 'and the other way goes on to its end' cmp "$work/large" "$work/rest"
check 'who closed it ends as by SIGPIPE' ends closed 141

# An end that dies, or is told to stop.
for victim in listen call; do
	for signal in KILL TERM; do
		start listen bash -c 'exec "$1" pipe --listen -v -r "$2" < <(yes)' _ "$IVPIPE" "$region"
		start call bash -c 'exec "$1" pipe -v -r "$2" < <(yes)' _ "$IVPIPE" "$region"
		await listen connected
		await call connected
		kill "-$signal" "${pids[$victim]}"
		other=$([ $victim = listen ] && echo call || echo listen)
		check "$victim gets SIG$signal: the other ends with 8" ends "$other" 8
		check 'with one line' eval '[ "$(grep -c "^ivpipe: pipe: lane" "$work/$other.err")" = 1 ]'
		check 'and itself by the signal' ends "$victim" "$([ $signal = KILL ] && echo 137 || echo 143)"
	done
done

# An output that cannot take it, while the input has no end.
start full bash -c '"$1" pipe --listen -r "$2" >/dev/full < <(yes)' _ "$IVPIPE" "$region"
check 'a full disk there ends it here' gives 1 bash -c '"$1" pipe -r "$2" >/dev/null < <(yes)' _ "$IVPIPE" "$region"
check 'with the reason' grep -q 'no space left where the receiver writes' "$work/last.err"
check 'and there' ends full 1
check 'nobody listens' complains 5 'nobody listens' "$IVPIPE" pipe -r "$region" --wait 100ms
check 'nobody comes' complains 5 'no client came' "$IVPIPE" pipe -r "$region" --listen --wait 100ms
check 'no argument' complains 2 'one argument too many' "$IVPIPE" pipe -r "$region" file
done_testing
