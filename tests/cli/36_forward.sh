#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# Ports of one side that lead to targets of the other: every byte, every end, what is not allowed, and what fails.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sockets=$here/sockets.py
free() {
	python3 "$sockets" free
}
# forward NAME OPTION...: until it is ready. The port that is asked for there is the last thing to be so.
forward() {
	local name=$1
	shift
	start "$name" "$IVPIPE" forward -v -r "$region" "$@"
	case " $* " in
	*' --listen '*) listens "$name" ;;
	*' -R '*) await "$name" 'the other side listens on' ;;
	*) await "$name" 'at most' ;;
	esac
}
server() {
	start "$1" python3 "$sockets" "${@:2}"
	listens "$1"
}
calls() {
	gives 0 python3 "$sockets" call "$@"
}
stop() {
	local name
	for name; do
		kill "-${signal:-TERM}" "${pids[$name]}"
		finish "$name"
	done
}

format
target=$(free) port=$(free) back=$(free)
server answer answer "$target"
server local answer "$work/target"
forward there --listen "localhost:$target" "$work/target" -R "$back" -R "$work/back"
forward here "$port:localhost:$target" "$work/port:$work/target" -R "$back:localhost:$target" -R "$work/back:$work/target"
await here "the other side listens on unix:$work/back"
check 'a port that leads to a port' calls "$port"
check 'a socket that leads to a socket' calls "$work/port"
check 'a port of the other side' calls "$back"
check 'a socket of the other side' calls "$work/back"
check 'nothing at all, and its end' calls "$port" 1 0
check '10 MB' calls "$port" 1 10000000
check '30 at once, and every byte of them' calls "$port" 30
check 'and from the other side' calls "$back" 30
both_ways() {
	start one python3 "$sockets" call "$port" 8 2000000
	start two python3 "$sockets" call "$back" 8 2000000
	ends one 0 && ends two 0
}
check 'both at once' both_ways
check 'its end is told' eval 'kill -TERM "${pids[here]}" && ends here 143'
check 'no socket is left' eval '[ ! -e "$work/port" ]'
check 'the other side closes what it opened for it' await there "unix:$work/back: listens no more"
check 'nobody is there any more' eval '! calls "$back"'
forward here "$port:localhost:$target" -R "$back:localhost:$target"
check 'another one takes its place' calls "$port"
check 'there, too' calls "$back"
kill -KILL "${pids[here]}"
finish here
forward here "$port:localhost:$target" -R "$back:localhost:$target"
check 'and after SIGKILL' calls "$port"
check 'there, too' calls "$back"
stop there
check 'the other side may go' await here 'listens no more'
forward there --listen "localhost:$target" -R "$back"
until [ "$(grep -c 'the other side listens on' "$work/here.err")" = 2 ]; do :; done
check 'and come again' calls "$back"
stop here there

# What real programs say.
random_file www 300000
mkdir "$work/dir"
mv "$work/www" "$work/dir"
start http python3 -u -m http.server --bind 127.0.0.1 --directory "$work/dir" 0
until http=$(grep -oE 'port [0-9]+' "$work/http.out"); do :; done
http=${http#port }
forward there --listen "localhost:$http"
forward here "$port:localhost:$http"
fetch() {
	python3 -c 'import sys, urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[1], timeout=30).read())' \
		"http://127.0.0.1:$port/$1" >"$work/got" && cmp "$work/got" "$work/dir/$1"
}
check 'a page of a web server' fetch www
check 'a page that is not there is its error' eval '! fetch nothing 2>"$work/fetch.err" && grep -q "HTTP Error 404" "$work/fetch.err"'
stop here there http

# The one target, and a service, by name of nothing: pipe is the other end.
forward there --listen -s ssh "localhost:$target"
check 'pipe reaches the only target' eval \
	'printf hello | "$IVPIPE" pipe -r "$region" -s ssh >"$work/got" && [ "$(cat "$work/got")" = hello5 ]'
forward here -s ssh "$port"
check 'and so does a port without a target' calls "$port"
stop here there

# What was not named, and what is not there.
nobody=$(free)
forward there --listen "localhost:$target" "localhost:$nobody"
forward here "$port:localhost:$target" "$back:localhost:$nobody" "$work/port:/etc/passwd"
check 'a target that was not named is refused' eval '! calls "$work/port"'
check 'so it is said there' await there 'unix:/etc/passwd: it was not named here'
check 'and here' await here 'unix:/etc/passwd: the other side does not allow it'
check 'a target where nobody listens is one, too' eval '! calls "$back"'
check 'and said' await here "tcp:localhost:$nobody: nobody listens there"
check 'others are served nevertheless' calls "$port"
stop here
check 'a port that was not named is refused' gives 6 timeout -k 1 "$PATIENCE" "$IVPIPE" forward -r "$region" -R "$back:localhost:$target"
check 'with one line' one_line last 'does not allow it'
check 'pipe that names nothing gets none of several' eval '! "$IVPIPE" pipe -r "$region" -s forward </dev/null 2>/dev/null'
stop there

# An end that is none of the data's is a reset.
server resets reset "$work/resets"
server greets greet "$work/greets"
forward there --listen "$work/resets" "$work/greets"
forward here "$port:$work/resets" "$back:$work/greets"
is_reset() {
	python3 - "$1" <<'PYTHON'
import socket, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=30)
try:
    while s.recv(65536):
        pass
except ConnectionResetError:
    sys.exit(0)
sys.exit('an end')
PYTHON
}
hold() {
	mkfifo "$work/$1.in"
	start "$1" bash -c 'exec python3 "$1" hold "$2" "$3" <"$4"' _ "$sockets" "$2" "$3" "$work/$1.in"
	exec {held}>"$work/$1.in"
	await "$1" holding
}
release() {
	exec {held}>&-
	rm "$work/$1.in"
	ends "$1" 0
}
hold held "$back" 1
for victim in there here; do
	signal=KILL stop "$victim"
	check "$victim is killed: the other end is reset" eval 'ends held 1 && grep -qx "a reset" "$work/held.err"'
	exec {held}>&-
	rm "$work/held.in"
	if [ "$victim" = there ]; then
		forward there --listen "$work/resets" "$work/greets"
		hold held "$back" 1
	fi
done
forward here "$port:$work/resets" "$back:$work/greets"
hold held "$back" 3
check 'SIGTERM ends it in the middle of some' eval 'kill -TERM "${pids[there]}" && ends there 143'
check 'which are reset' eval 'ends held 1 && grep -qx "a reset" "$work/held.err"'
exec {held}>&-
rm "$work/held.in"
stop here

# A region of few lanes.
rm "$region"
"$IVPIPE" format -q --create --size 1M --lanes 4 "$region"
forward there --listen "$work/greets" "$work/target"
forward here --wait 300ms "$port:$work/target" "$back:$work/greets"
hold held "$back" 2
check 'one more than there are lanes is refused' eval '! calls "$port"'
check 'and said why' await here 'all lanes of side 0 are taken'
release held
check 'when one is free it is taken' calls "$port"
stop here there
rm "$region"
format

# No words, wrong words.
check 'nothing to forward' complains 2 'nothing to forward' "$IVPIPE" forward -r "$region"
for words in 80:localhost 80:localhost: x 0:localhost:80 80:localhost:80:1 '[::1]80:localhost:80' 80:vsock:3; do
	check "no port: $words" complains 2 ': give \[HOST:]PORT' "$IVPIPE" forward -r "$region" "$words"
done
check 'no target: 80:localhost:80' complains 2 'give HOST:PORT' "$IVPIPE" forward --listen -r "$region" 80:localhost:80
check 'a port without a target to ask for' complains 2 'give' "$IVPIPE" forward -r "$region" -R 80
check 'and with one to allow' complains 2 'may listen on' "$IVPIPE" forward -r "$region" --listen -R 80:localhost:80
check 'a port that is taken' complains 1 'cannot listen: Address.* in use' "$IVPIPE" forward -r "$region" "$target:localhost:80"
check 'a region that is none' complains 3 "$region.none" "$IVPIPE" forward -q --wait 0 -r "$region.none" "$port:localhost:80"
check 'without a peer a connection fails' eval 'forward here --wait 200ms "$port:localhost:$target"
	! calls "$port" && await here "nobody listens for service"'
stop here

# What its processes may do.
forward there --listen "localhost:$target"
worker=$(pgrep -P "$(pgrep -P "${pids[there]}")")
check 'the process with the sockets has the region neither open nor mapped' eval \
	'! { ls -l "/proc/${pids[there]}/fd"; cat "/proc/${pids[there]}/maps"; } | grep "$region"'
check 'the worker has' grep -q "$region" "/proc/$worker/maps"
if ! "$IVPIPE" info -v "$region" 2>&1 | grep -q 'no sandbox for system calls'; then
	check 'and may make few system calls' grep -q '^Seccomp:.*2' "/proc/$worker/status"
fi
stop there
check 'it works outside of a sandbox, too' eval 'forward there --no-sandbox --listen "localhost:$target"
	forward here --no-sandbox --no-checksum "$port:localhost:$target" && calls "$port" 4'
stop here there

# Whatever else writes into the region is an error, and neither a crash nor wrong bytes that look right.
for part in rings halves slots superblock; do
	forward there --listen "localhost:$target"
	forward here --wait 2s "$port:localhost:$target"
	start scribble python3 "$here/scribble.py" "$region" $part
	await scribble scribbling
	python3 "$sockets" call "$port" 6 2>"$work/wrong.err"
	check "$part are scribbled on: no wrong bytes" eval '! grep "not what was said" "$work/wrong.err"'
	signal=KILL stop scribble
	for name in here there; do
		kill -TERM "${pids[$name]}" 2>/dev/null
		finish "$name"
		# Their own end, or an error of theirs; never a signal that a fault would send.
		check "$name ends as it should" eval 'case $code in 143 | [1-8]) ;; *) echo "# $code"; false ;; esac'
	done
	check 'and said nothing of a fault' eval '! grep -E "died of signal|Sanitizer|runtime error|sandbox stopped" "$work/here.err" "$work/there.err"'
	rm "$region"
	format
done
done_testing
