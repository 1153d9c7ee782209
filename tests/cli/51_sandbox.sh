#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# What a stream's process may still do: each verb inside and outside of the sandbox, the two processes, their ends.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

format
random_file data 300000

# both OPTION...: a stream whose ends are told so.
both() {
	rm -f "$work/target"
	start recv "$IVPIPE" recv -r "$region" -o "$work/target" "$@"
	start send "$IVPIPE" send -r "$region" "$@" "$work/data"
	ends send 0 && ends recv 0 && cmp "$work/data" "$work/target"
}
check 'send and recv inside' both
check 'and outside' both --no-sandbox
check 'pipe outside' eval 'start listen "$IVPIPE" pipe --no-sandbox --listen -r "$region"
	gives 0 "$IVPIPE" pipe --no-sandbox -r "$region" && ends listen 0'
check 'info inside' gives 0 "$IVPIPE" info "$region"
check 'and outside' gives 0 "$IVPIPE" info --no-sandbox "$region"

# of PID FIELD: what the kernel says of it.
of() {
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}
start recv "$IVPIPE" recv -v -r "$region" --control "unix:$work/control" -o "$work/target"
check 'a receiver waits' listens recv
monitor=${pids[recv]}
worker=$(pgrep -P "$monitor")
if "$IVPIPE" info -v "$region" 2>&1 | grep -q 'no sandbox for system calls'; then
	echo '# this build has no filter of system calls'
else
	check 'its worker may make few system calls' test "$(of "$worker" Seccomp)" = 2
	check 'so may its threads' eval '! grep -L "^Seccomp:.*2" /proc/'"$worker"'/task/*/status | grep .'
	check 'and gains no rights' test "$(of "$worker" NoNewPrivs)" = 1
fi
check 'the parent has the region neither open nor mapped' eval '! { ls -l "/proc/$monitor/fd"; cat "/proc/$monitor/maps"; } | grep "$region"'
check 'the worker has' grep -q "$region" "/proc/$worker/maps"
run send "$IVPIPE" send -r "$region" --control "unix:$work/control" "$work/data"
check 'it works nevertheless' test "$code" = 0
check 'to its end' ends recv 0

# Signals reach the worker by way of its parent, or of the terminal; its end is the parent's.
for signal in INT TERM HUP; do
	start recv "$IVPIPE" recv -v -r "$region" -o "$work/target"
	listens recv
	kill "-$signal" "${pids[recv]}"
	finish recv
	check "SIG$signal to the parent ends both" test "$code" = $((128 + $(kill -l "$signal")))
done
start recv "$IVPIPE" recv -v -r "$region" -o "$work/target"
listens recv
kill -TERM -- "-${pids[recv]}"
check 'and to both at once' ends recv 143

flowing() {
	mkfifo "$work/flow"
	start recv "$IVPIPE" recv -v -r "$region" -o "$work/target"
	start send "$IVPIPE" send -v -r "$region" "$work/flow"
	exec 7>"$work/flow"
	cat "$work/data" >&7
	await recv 'stream flow'
	until ls "$work"/.target.ivpipe-* >/dev/null 2>&1; do :; done
}
over() {
	exec 7>&-
	rm "$work/flow"
}
no_rest() {
	! ls "$work"/.target.ivpipe-* >/dev/null 2>&1
}
rm -f "$work/target"
flowing
kill -KILL "$(pgrep -P "${pids[recv]}")"
check 'a worker that is killed ends its parent the same way' ends recv 137
check 'and the sender with 8' ends send 8
check 'and leaves nothing behind' no_rest
over
flowing
worker=$(pgrep -P "${pids[recv]}")
kill -KILL "${pids[recv]}"
check 'a parent that is killed ends its worker' eval 'tail -s 0.02 -f /dev/null --pid="$worker"'
check 'and the sender with 8' ends send 8
finish recv
rm -f "$work"/.target.ivpipe-*
over
flowing
kill -ABRT "$(pgrep -P "${pids[recv]}")"
check 'a worker that crashes is an error' ends recv 1
check 'of one line' eval 'grep -c "it died of signal 6" "$work/recv.err" | grep -qx 1'
check 'and nothing is left behind' no_rest
finish send
over

# The region goes away while nobody is there: a new worker opens the new one.
"$IVPIPE" format -q --create --size 1M "$region.again"
start recv "$IVPIPE" recv -v -r "$region.again" -o "$work/target"
listens recv
rm "$region.again"
check 'the region goes away' await recv 'opening it again'
"$IVPIPE" format -q --create --size 1M "$region.again"
run send "$IVPIPE" send -r "$region.again" "$work/data"
check 'and a stream goes through the new one' test "$code" = 0
check 'to its end' ends recv 0
check 'whole' cmp "$work/data" "$work/target"
done_testing
