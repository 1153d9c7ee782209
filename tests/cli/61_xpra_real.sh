#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# ivpipe xpra against Xpra 3.1.3 itself, server and client, each with an X server of its own.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

xpra=$here/../../scripts/xpra
if ! "$xpra" root >/dev/null 2>"$work/why"; then
	skip 'Xpra itself' "$(tail -n 1 "$work/why")"
	done_testing
fi
if ! "$xpra" run true 2>"$work/why"; then
	skip 'Xpra itself' "it cannot be put into its places: $(tail -n 1 "$work/why")"
	done_testing
fi
socket=$work/xpra/socket
mkdir "$work/xpra"
truncate -s 64M "$region" "$region.other"
# Another user's, where that is possible: what it may not open, it may not.
as=()
if [ "$(id -u)" = 0 ]; then
	chown 65534:65534 "$work/xpra" "$region" "$region.other"
	as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
fi
quiet=(--dbus-proxy=no --notifications=no --speaker=no --microphone=no --webcam=no --file-transfer=no --printing=no -d mmap)

# screen NAME: an X server; its number is in $display.
screen() {
	mkfifo "$work/$1.number"
	start "$1" "$xpra" run sh -c 'exec Xvfb -displayfd 3 -screen 0 640x480x24 -nolisten tcp -ac 3>"$0"' "$work/$1.number"
	read -r -t "$PATIENCE" display <"$work/$1.number"
}

# serve MMAP: until it is ready.
serve() {
	start server "$xpra" run "${as[@]}" env HOME="$work/xpra" XDG_RUNTIME_DIR="$work/xpra" xpra start ":$server_display" \
		--use-display --daemon=no --mmap="$1" --bind="$socket" --socket-dir="$work/xpra" --mdns=no --pulseaudio=no \
		--dbus-launch= --dbus-control=no --systemd-run=no --html=no --start-via-proxy=no "${quiet[@]}"
	await server 'xpra is ready'
}
stop() {
	kill -TERM -- "-${pids[server]}"
	finish server
	rm -f "$socket"
}

says() {
	grep -q -e "$1" "$work/last.out"
}

check 'an X server' screen screen
server_display=$display
check 'Xpra starts' serve "$region"
check 'check' gives 0 "$IVPIPE" xpra check "unix:$socket" -r "$region"
check 'knows its version' says '^server  *Xpra 3.1.3, by bencode'
check 'and agreed' says "^agreed  *server to client: $region, 64 MiB"
check 'so says its log' await server "mmap is enabled using 64MB area in $region"
check 'as a client of 4.4.6' gives 0 "$IVPIPE" xpra check "unix:$socket" -r "$region" --as 4.4.6
check 'not as one of 6.5.3' complains 6 'dialects differ' "$IVPIPE" xpra check "unix:$socket" -r "$region" --as 6.5.3

check 'other memory' complains 6 "$region, of 67108864 bytes, is other memory than $region.other" \
	"$IVPIPE" xpra check "unix:$socket" -r "$region.other"
check 'so says its log' await server 'mmap token verification failed'
mv "$region" "$region.old"
check 'a file that is gone' complains 6 "$region: No such file" "$IVPIPE" xpra check "unix:$socket" -r "$region.old"
truncate -s 64M "$region"
check 'or was made anew' complains 6 "$region, of 67108864 bytes, is other memory than $region.old" \
	"$IVPIPE" xpra check "unix:$socket" -r "$region.old"
truncate -s 1M "$region"
check 'or was cut short' complains 6 "$region, of 1048576 bytes, is other memory" "$IVPIPE" xpra check "unix:$socket" -r "$region.old"
check 'too small' complains 3 '64 MiB at least' "$IVPIPE" xpra check "unix:$socket" -r "$region"
truncate -s 4G "$region"
check 'too large' complains 3 'less than 4 GiB' "$IVPIPE" xpra check "unix:$socket" -r "$region"
rm "$region"
mv "$region.old" "$region"
check 'the file is back' gives 0 "$IVPIPE" xpra check "unix:$socket" -r "$region"
if [ "$(id -u)" = 0 ]; then
	chown 0:0 "$region"
	chmod 600 "$region"
	check 'one that the server may not open' complains 6 'owner 0, group 0, mode 600): may its user open it' \
		"$IVPIPE" xpra check "unix:$socket" -r "$region"
	chown 65534:65534 "$region"
fi
printf '\10\0\0\0\300\377\377\3' | dd of="$region" conv=notrunc status=none
check 'a ring that a crash left' complains 3 'were never read: .*ivpipe xpra prepare' "$IVPIPE" xpra check "unix:$socket" -r "$region"
check 'is zeroed' gives 0 "$IVPIPE" xpra prepare -r "$region"
check 'and taken' gives 0 "$IVPIPE" xpra check "unix:$socket" -r "$region"
stop
check 'Xpra without mmap' serve no
check 'is named' complains 6 'goes without mmap' "$IVPIPE" xpra check "unix:$socket" -r "$region"
stop

# ---- its client ----

check 'another X server' screen screen2
# attach MEMORY OPTION...: to our server, whose exit code is in $served.
attach() {
	start serve "$IVPIPE" xpra serve "unix:$socket" -r "$region" --wait 20s
	await serve 'waiting for a client' || return
	[ "$(id -u)" != 0 ] || chown 65534 "$socket"
	start client "$xpra" run "${as[@]}" env HOME="$work/xpra" XDG_RUNTIME_DIR="$work/xpra" DISPLAY=":$display" \
		xpra attach "socket:$socket" --mmap="$1" --mmap-group=no --opengl=no --tray=no "${quiet[@]}" "${@:2}"
	finish serve
	served=$code
	finish client
}
shows_a_picture() {
	test "$served" = 0 && grep -q '^client  *Xpra 3.1.3' "$work/serve.out" && grep -q 'showed a picture' "$work/serve.out" &&
		cat "$work"/client.{out,err} | grep -q 'enabled fast mmap transfers using 64MB'
}
attach "$region"
if grep -q 'built without' "$work/serve.err"; then
	check 'a client that compresses is told how not to' grep -q -e '--compression_level=0' "$work/serve.err"
else
	check 'a client, as it is, shows a picture' shows_a_picture
fi
attach "$region" --compression_level=0 --packet-encoders=bencode
check 'one in bencode shows a picture' shows_a_picture
check 'and has read it' eval '"$IVPIPE" xpra status --json -r "$region" | grep -q "\"used\": 0,"'
attach "$region.other" --compression_level=0
check 'one with other memory' eval 'test "$served" = 6 && grep -q "other memory than" "$work/serve.err"'
attach no --compression_level=0
check 'one without' eval 'test "$served" = 6 && grep -q "offers no memory" "$work/serve.err"'
done_testing
