#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# ivpipe xpra against both sides of each of Xpra's dialects, and against liars. Xpra itself comes in the next test.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

socket=$work/socket
truncate -s 64M "$region" "$region.back" "$region.other"

peer() {
	python3 "$here/xpra_peer.py" "$@"
}

# serve VERSION FILES [FAULT]: a made-up server.
serve() {
	rm -f "$socket"
	start server python3 "$here/xpra_peer.py" server "$socket" "$@"
	await server ready
}
stop() {
	kill -9 "${pids[server]}"
	finish server
}

says() {
	grep -q -e "$1" "$work/last.out"
}

json() {
	python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' "$work/last.out" "$1"
}

# ---- dialects: our client, and as strict as those of each version ----

declare -A agree=(
	[3.1.3]='3.1.3 4.4.6' [4.4.6]='3.1.3 4.4.6' [5.1]='5.1 6.0.3 6.5.3' [6.0.3]='5.1 6.0.3 6.5.3' [6.5.3]='6.5.3'
)
for version in 3.1.3 4.4.6 5.1 6.0.3 6.5.3; do
	serve $version "$region"
	check "check of a server of $version" gives 0 "$IVPIPE" xpra check "unix:$socket" -r "$region"
	check 'says its version' says "^server  *Xpra $version"
	check 'and what was agreed' says "^agreed  *server to client: $region, 64 MiB"
	for client in 3.1.3 4.4.6 5.1 6.0.3 6.5.3; do
		case " ${agree[$version]} " in
		*" $client "*) check "as $client" gives 0 "$IVPIPE" xpra check "unix:$socket" -r "$region" --as $client ;;
		*) check "not as $client" complains 6 'dialects differ' "$IVPIPE" xpra check "unix:$socket" -r "$region" --as $client ;;
		esac
	done
	stop
	check 'all that was sent was encoded as Xpra does it' eval '! grep -q otherwise "$work/server.err"'
done

serve 6.5.3 "$region,$region.back"
check 'by the name that xpra list has' gives 0 "$IVPIPE" xpra check "socket://$socket" -r "$region"
check 'an area for each way' gives 0 "$IVPIPE" xpra check "unix://$socket" -r "$region" --back "$region.back" --json
check 'both agreed' json '[a["agreed"] for a in d["areas"]] == [True, True] and d["agreed"]'
check 'the other one is other memory' complains 6 'or another: .*PATH,PATH' "$IVPIPE" xpra check "unix:$socket" -r "$region" \
	--back "$region.other"
check 'the same one twice' complains 2 'of its own' "$IVPIPE" xpra check "unix:$socket" -r "$region" --back "$region"
stop
serve 6.5.3 "$region"
check 'none for what comes back' complains 6 'PATH,PATH' "$IVPIPE" xpra check "unix:$socket" -r "$region" --back "$region.back"
stop

# ---- what keeps a server from using it ----

mends() {
	serve 3.1.3 "$2" "$1"
	check "server: ${1:-$3}" complains 6 "$3" "$IVPIPE" xpra check "unix:$socket" -r "$region"
	stop
}
mends none "$region" 'goes without mmap: start it with --mmap'
mends nameless "$region" 'names no file of its own: start it with --mmap'
serve 6.5.3 /sys/devices/pci0000
check 'server: a path that was cut' complains 6 'cut at the colon: start it with --mmap=/dev/ivshmem0' \
	"$IVPIPE" xpra check "unix:$socket" -r "$region"
stop
ln "$region" "$region.link:0"
serve 6.5.3 "$region"
check 'a path that some would cut is taken' gives 0 "$IVPIPE" xpra check "unix:$socket" -r "$region.link:0"
check 'and warned of' grep -q "$region.link:0: some versions from 6.3 on cut" "$work/last.err"
stop
rm "$region.link:0"
mends refuse "$region" 'may its user open it'
mends '' "$region.other" "is other memory than $region"
mends vacuous "$region" 'proves nothing'
mends token "$region" 'other memory than'
mends zero "$region" 'other memory than'
mends outside "$region" 'a token of 128 bytes at 67108848'
mends far "$region" 'a token of 128 bytes at'
for fault in bytes text negative wide; do
	mends $fault "$region" 'proves nothing'
done
serve 6.5.3 "$region" size
check 'server: size' complains 6 'has 134217728 bytes of memory, and' "$IVPIPE" xpra check "unix:$socket" -r "$region"
stop
truncate -s 64M "$region.gone"
serve 3.1.3 "$region.gone"
rm "$region.gone"
check 'its file is gone' complains 6 'No such file.*--mmap=' "$IVPIPE" xpra check "unix:$socket" -r "$region"
stop

# ---- liars ----

for fault in http escape empty huge cipher lz4 half deep loose pings list challenge leave silent; do
	serve 6.5.3 "$region" $fault
	check "a server that sends $fault" eval 'run last "$IVPIPE" xpra check "unix:$socket" -r "$region" --timeout 1s
		[ "$code" -ge 5 ] && [ "$code" -le 8 ] && one_line last "$socket"'
	check 'and nothing that a terminal would obey' test "$(tr -d '\n -~' <"$work/last.err" | wc -c)" = 0
	stop
done
rm -f "$socket"
check 'nobody there' complains 5 'does a server listen' "$IVPIPE" xpra check "unix:$socket" -r "$region"
check 'nor at that port' complains 5 'does a server listen' "$IVPIPE" xpra check tcp://127.0.0.1:9/ -r "$region"
for url in http://x/ unix: serial:/dev/null nowhere; do
	check "no such URL: '$url'" complains 2 'tcp:HOST:PORT' "$IVPIPE" xpra check "$url" -r "$region"
done

# ---- memory that Xpra does not take ----

bad() {
	check "$1" complains "$2" "$3" "$IVPIPE" xpra check "unix:$socket" -r "$region.bad"
	rm -f "$region.bad"
}
bad 'no file' 3 'No such file'
truncate -s 0 "$region.bad"
bad 'an empty file' 3 '64 MiB at least'
truncate -s 32M "$region.bad"
bad 'too small' 3 'size=64M'
truncate -s 4G "$region.bad"
bad 'too large' 3 'less than 4 GiB'
"$IVPIPE" format -q --create --size 64M "$region.bad"
bad 'laid out for ivpipe' 3 '--force'
"$IVPIPE" format -q --create --size 64M "$region.bad"
check 'prepare leaves that alone' complains 3 '--force' "$IVPIPE" xpra prepare -r "$region.bad"
check 'unless told to' gives 0 "$IVPIPE" xpra prepare --force -r "$region.bad"
check 'then it is not ours any more' gives 0 "$IVPIPE" xpra status -r "$region.bad"
rm "$region.bad"

# pointers 'START END': in the file's first bytes.
pointers() {
	python3 -c 'import struct, sys; f = open(sys.argv[1], "r+b"); f.write(struct.pack("II", *map(int, sys.argv[2].split())))' \
		"$region" "$1"
}
status_is() {
	gives 0 "$IVPIPE" xpra status "$region" --json && json "d['state'] == '$1'"
}
check 'a new ring' status_is unused
for pair in '8 67108800:in use' '4000000000 9:nonsense' '8 67108865:nonsense' '100 99:full' '8 8:empty' '1000 1000:empty'; do
	pointers "${pair%:*}"
	check "the pointers ${pair%:*}" status_is "${pair#*:}"
	check 'as a table' eval 'gives 0 "$IVPIPE" xpra status -r "$region" && says "^ring .*${pair#*:}"'
	case $pair in
	*empty) continue ;;
	esac
	check 'are named, with what mends it' complains 3 'ivpipe xpra prepare' "$IVPIPE" xpra check "unix:$socket" -r "$region"
	check 'also when serving' complains 3 'ivpipe xpra prepare' "$IVPIPE" xpra serve "unix:$socket" -r "$region"
	check 'which does' eval 'gives 0 "$IVPIPE" xpra prepare -r "$region" && one_line last "both are zero" && status_is unused'
done
pointers '0 0'
if [ "$(id -u)" != 0 ]; then
	chmod 000 "$region.other"
	check 'may not be opened' complains 4 "$region.other" "$IVPIPE" xpra check "unix:$socket" -r "$region.other"
else
	chmod 600 "$region.other"
	check 'may not be opened' complains 4 "$region.other" setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$IVPIPE" xpra check "unix:$socket" -r "$region.other"
fi
ln -s "$region" "$work/a:b"
serve 3.1.3 "$region"
check 'a colon in the path is mentioned' eval 'gives 0 "$IVPIPE" xpra check "unix:$socket" -r "$work/a:b" && grep -q colon "$work/last.err"'
stop

# ---- our server ----

# meets VERSION FILES [FAULT]: the client's exit code is in $client.
meets() {
	rm -f "$socket"
	start serve "$IVPIPE" xpra serve "unix:$socket" -r "$region" "${back[@]}" --timeout 1s --json
	await serve 'waiting for a client'
	client=0
	peer client "$socket" "$@" 2>"$work/client.err" || client=$?
	finish serve
}
back=()
for version in 3.1.3 4.4.6 5.1 6.0.3 6.5.3; do
	meets $version "$region"
	check "serve: a client of $version" test "$client $code" = '0 0'
	check 'knows it' eval 'cp "$work/serve.out" "$work/last.out"; json "d[\"client\"][\"version\"] == \"$version\""'
done
back=(--back "$region.back")
meets 6.5.3 "$region,$region.back"
check 'serve: both ways' test "$client $code" = '0 0'
meets 6.5.3 "$region"
check 'serve: a client without the way back' test "$client $code" = '1 6'
meets 6.5.3 "$region,$region.other"
check 'serve: with other memory for it' test "$client $code" = '1 6'
back=()
for fault in off token zero outside far bytes text negative wide size; do
	meets 6.5.3 "$region" $fault
	check "serve: $fault" eval 'test "$client $code" = "1 6" && [ "$(grep -c "^ivpipe: .*mmap=PATH\|a token of" "$work/serve.err")" = 1 ]'
done
meets 3.1.3 "$region.other"
check 'serve: other memory' eval 'test "$client $code" = "1 6" && grep -q "other memory than" "$work/serve.err"'
for fault in http huge cipher lz4 half deep loose list silent empty; do
	meets 6.5.3 "$region" $fault
	check "serve: a client that sends $fault" test "$code" -ge 5 -a "$code" -le 8
done
check 'serve: nobody comes' complains 5 'no client came' "$IVPIPE" xpra serve -q "unix:$socket" -r "$region" --wait 100ms
start serve "$IVPIPE" xpra serve "unix:$socket" -r "$region"
await serve 'waiting for a client'
run check "$IVPIPE" xpra check "unix:$socket" -r "$region"
check 'check against serve' test "$code" = 0
check 'and serve' ends serve 0
check 'and its socket is gone' test ! -e "$socket"
start serve "$IVPIPE" xpra serve "unix:$socket" -r "$region"
await serve 'waiting for a client'
kill "${pids[serve]}"
check 'serve ends by a signal' ends serve 143
check 'help' eval 'gives 0 "$IVPIPE" help xpra check && says "as strict as"'
check 'no such sub-verb' complains 2 'check, serve, prepare or status' "$IVPIPE" xpra nothing
done_testing
