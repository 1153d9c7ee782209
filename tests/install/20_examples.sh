#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# The examples in C: built as their own comments say, against what is installed, with either library; between two processes.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

verb install PREFIX="$prefix" || { echo 'Bail out! it cannot be installed'; exit 1; }
mapfile -t shared < <(pkg-config --cflags --libs libivpipe | tr ' ' '\n' | grep .)
mapfile -t archive < <({ pkg-config --cflags libivpipe && pkg-config --static --libs libivpipe; } |
	sed 's/-livpipe/-l:libivpipe.a/' | tr ' ' '\n' | grep .)
for source in "$top"/user/examples/*.c; do
	name=$(basename "$source" .c)
	check "$name with the shared library" compile "$name" "$source" "${shared[@]}"
	check "$name with the static one" compile "$name-static" "$source" "${archive[@]}"
	check "$name says how it is built" grep -qF "cc -o $name $name.c \$(pkg-config --cflags --libs libivpipe)" "$source"
done

ln -s "$top/user" "$work/user"
line=$(sed -n 's/^    \(cc .*libivpipe)\)$/\1/p' "$top/README.md")
check "the README's line" eval '(cd "$work" && eval "$line")'

format
random_file data 3000001
sum() {
	sha256sum <"$1" | cut -c 1-64
}

# stream SENDER RECEIVER: either may be the helper.
stream() {
	start receiver bash -c 'exec $1' _ "$2"
	start sender bash -c 'exec $1 <"$2"' _ "$1" "$work/data"
	ends sender 0 && ends receiver 0 && [ "$(sum "$work/data")" = "$(sum "$work/receiver.out")" ]
}
check 'send to recv' stream "$work/send $region" "$work/recv $region"
check 'the static ones' stream "$work/send-static $region" "$work/recv-static $region"
check 'send to the helper' stream "$work/send $region" "$prefix/bin/ivpipe recv -r $region"
check 'the helper to recv' stream "$prefix/bin/ivpipe send -r $region" "$work/recv $region"
check 'under another name' stream "$work/send $region other" "$work/recv $region other"

frames() {
	start watch "$work/frames$1" watch "$region"
	start make "$work/frames$1" make "$region" 500
	ends make 0 && ends watch 0 && grep -qxE '[0-9a-f]{16}' "$work/make.out" && cmp "$work/make.out" "$work/watch.out"
}
check '500 frames, without a copy' frames ''
check 'with the static library' frames -static

# Four clients at once, with a thousand lines each, and the last one not before all have had an answer.
one_loop() {
	local i line
	start server "$work/server$1" "$region" 5
	coproc held { exec timeout "$PATIENCE" "$work/client$1" "$region"; }
	held_pid=$!
	echo first >&"${held[1]}"
	IFS= read -r -t "$PATIENCE" line <&"${held[0]}" && [ "$line" = FIRST ] || return 1
	for i in 1 2 3 4; do
		start "client$i" bash -c 'seq -f "line %g of $3" 1000 | "$1" "$2"' _ "$work/client$1" "$region" "$i"
	done
	for i in 1 2 3 4; do
		ends "client$i" 0 && cmp <(seq -f "LINE %g OF $i" 1000) "$work/client$i.out" || return 1
	done
	echo last >&"${held[1]}"
	IFS= read -r -t "$PATIENCE" line <&"${held[0]}" && [ "$line" = LAST ] || return 1
	eval "exec ${held[1]}>&-"
	wait "$held_pid" && ends server 0
}
check 'one loop, five clients' one_loop ''
check 'with the static library' one_loop -static

# says CODE PATTERN COMMAND...: an example's way to fail.
says() {
	local pattern=$2
	gives "$1" "${@:3}" && grep -q "$pattern" "$work/last.err"
}
for name in send recv client server; do
	check "$name: no region" says 3 'No such file' bash -c 'exec "$1" "$2" </dev/null' _ "$work/$name" "$work/nothing"
done
start victim "$work/recv" "$region"
start sender bash -c 'exec "$1" "$2" < <(yes)' _ "$work/send" "$region"
check 'an endless stream' timeout "$PATIENCE" bash -c 'until [ -s "$1" ]; do :; done' _ "$work/victim.out"
kill -KILL "${pids[victim]}"
finish victim
check 'a receiver that dies' ends sender 8
done_testing
