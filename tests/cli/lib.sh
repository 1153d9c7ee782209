# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# Sourced by the tests here: regions and processes that go away with the test, and TAP.
#
#   IVPIPE=PATH   the helper under test (build/ivpipe)
#
# Nothing here waits for time to pass: tests wait for a line on standard error, for bytes, or for the end of a process,
# each with a deadline that only a hang reaches.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
IVPIPE=${IVPIPE:-$here/../../build/ivpipe}
PATIENCE=${PATIENCE:-30}
# A finding of a sanitizer must not look like one of our own exit codes.
export ASAN_OPTIONS=exitcode=99:${ASAN_OPTIONS-} UBSAN_OPTIONS=halt_on_error=1:exitcode=99:${UBSAN_OPTIONS-}
export LC_ALL=C
unset IVPIPE_REGION

[ -x "$IVPIPE" ] || { echo "Bail out! $IVPIPE is not there: make user"; exit 1; }
# Where sockets can be made, too, whose paths have less than 108 bytes.
work=${TMPDIR:-/tmp}
[ ${#work} -lt 60 ] || work=/tmp
work=$(realpath "$(mktemp -d "$work/ivpipe-cli.XXXXXX")")
chmod 755 "$work"
region=/dev/shm/${work##*/}
declare -A pids=()
number=0
failures=0

cleanup() {
	local pid
	for pid in "${pids[@]}"; do
		kill -9 -- "-$pid" 2>/dev/null
	done
	wait 2>/dev/null
	rm -rf "$work" "$region" "$region".*
}
trap cleanup EXIT

# check WHAT COMMAND...: one line of TAP; on failure all that is known.
check() {
	local what=$1
	shift
	number=$((number + 1))
	if "$@" 2>"$work/check"; then
		echo "ok $number - $what"
	else
		failures=$((failures + 1))
		echo "not ok $number - $what"
		echo "# failed: $*"
		show
	fi
}

show() {
	local file
	for file in "$work/check" "$work"/*.err; do
		[ ! -s "$file" ] || sed "s|^|# ${file##*/}: |" "$file" | tail -n 20
	done
}

skip() {
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}

done_testing() {
	echo "1..$number"
	[ "$failures" = 0 ]
	exit
}

# start NAME COMMAND...: in the background, as NAME; its output is in $work/NAME.out and .err. A signal that the shell made
# background jobs ignore is as in a terminal. A session of its own, so that what it started can be ended with it.
start() {
	local name=$1
	shift
	: >"$work/$name.err"
	setsid env --default-signal=INT,QUIT "$@" >"$work/$name.out" 2>"$work/$name.err" &
	pids[$name]=$!
}

# into NAME FILE COMMAND...: the same, with standard output to FILE (a fifo, for one).
into() {
	local name=$1 file=$2
	shift 2
	: >"$work/$name.err"
	setsid env --default-signal=INT,QUIT "$@" >"$file" 2>"$work/$name.err" &
	pids[$name]=$!
}

# finish NAME [SECONDS]: wait for its end; the exit code is in $code, and 124 if it had to be killed.
finish() {
	local pid=${pids[$1]}
	if timeout "${2:-$PATIENCE}" tail -s 0.02 -f /dev/null --pid="$pid"; then
		wait "$pid"
		code=$?
	else
		kill -9 -- "-$pid"
		wait "$pid"
		code=124
	fi
	unset "pids[$1]"
} 2>/dev/null # where the shell says who was killed

# ends NAME CODE [SECONDS]: did it end so?
ends() {
	finish "$1" "${3:-$PATIENCE}"
	[ "$code" = "$2" ] || { echo "# $1 ended with $code instead of $2"; return 1; }
}

# run NAME COMMAND...: to its end; the exit code is in $code.
run() {
	local name=$1
	shift
	start "$name" "$@"
	finish "$name"
}

# gives CODE COMMAND...: run it, compare its exit code.
gives() {
	local wanted=$1
	shift
	run last "$@"
	[ "$code" = "$wanted" ] || { echo "# ended with $code instead of $wanted"; return 1; }
}

# complains CODE PATTERN COMMAND...: that code, and exactly one line of ours that has PATTERN in it.
complains() {
	local pattern=$2
	gives "$1" "${@:3}" && one_line last "$pattern"
}

one_line() {
	[ "$(wc -l <"$work/$1.err")" = 1 ] && grep -q '^ivpipe: ' "$work/$1.err" && grep -q -e "$2" "$work/$1.err"
}

# await NAME PATTERN: until its standard error has such a line.
await() {
	local line fd tail_pid found=1
	exec {fd}< <(exec tail -n +1 -s 0.02 -f "$work/$1.err" 2>/dev/null)
	tail_pid=$!
	while IFS= read -r -t "$PATIENCE" line <&"$fd"; do
		case $line in *"$2"*) found=0; break ;; esac
	done
	kill "$tail_pid"
	exec {fd}<&-
	return "$found"
}

listens() {
	await "$1" 'listening for' || echo "# $1 does not listen"
}

format() {
	"$IVPIPE" format -q --create --size "${1:-16M}" "$region"
}

# Random bytes, SIZE of them, in $work/NAME.
random_file() {
	head -c "$2" /dev/urandom >"$work/$1"
}

# json EXPRESSION: is it true of the JSON that the last command printed? `mine` is this test's region in a list.
json() {
	python3 - "$work/last.out" "$region" "$1" <<'PYTHON'
import json, sys
d = json.load(open(sys.argv[1], encoding='utf-8'))
mine = [r for r in d.get('regions', []) if r['path'] == sys.argv[2]]
sys.exit(not eval(sys.argv[3]))
PYTHON
}

now_ms() {
	local now=$EPOCHREALTIME
	echo $((${now/./} / 1000))
}
