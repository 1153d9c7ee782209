#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# list and info: for people and for programs, and without changing anything.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

format 64M
before=$(sha256sum <"$region")
random_file data 1000000

check 'list' gives 0 "$IVPIPE" list
check 'shows the region' grep -q "^$region  *file  *64 MiB .* formatted  *yes  *0/" "$work/last.out"
check 'list --json' gives 0 "$IVPIPE" list --json
check 'parses' python3 -m json.tool "$work/last.out" /dev/null
check 'has the size in bytes' json 'mine[0]["size"] == 64 << 20'
check 'and the rest' json 'mine[0]["formatted"] and mine[0]["automatic"] and mine[0]["busy"] == mine[0]["listeners"] == 0'
check 'info' gives 0 "$IVPIPE" info "$region"
check 'says that nobody listens' grep -q '^nobody listens' "$work/last.out"
check 'info --json' gives 0 "$IVPIPE" info --json -v "$region"
check 'has all lanes with -v' json 'len(d["lanes"]) == d["lane_count"] > 1'
check 'by -r' gives 0 "$IVPIPE" info --json -r "$region"
check 'and only the busy ones without' json 'd["lanes"] == [] == d["listeners"]'
check 'looking changed nothing' test "$(sha256sum <"$region")" = "$before"

# A region in which something goes on.
mkfifo "$work/slow"
start keep "$IVPIPE" recv -v -r "$region" -s other --keep
start recv "$IVPIPE" recv -v -r "$region" -o "$work/target"
start send "$IVPIPE" send -v -r "$region" "$work/slow"
exec {slow}>"$work/slow"
cat "$work/data" >&"$slow"
await recv 'stream slow'
listens keep
run last "$IVPIPE" info --json "$region"
check 'a lane is busy' json 'len(d["lanes"]) == 1 and d["lanes"][0]["client"]["state"] == "open"'
check 'by this machine' json 'd["lanes"][0]["client"]["alive"] == d["lanes"][0]["server"]["alive"] == "here"'
check 'the listeners' json 'sorted(l["service"] for l in d["listeners"]) == ["default", "other"]'
check 'are here' json 'all(l["alive"] == "here" for l in d["listeners"])'
check 'as a table' eval '"$IVPIPE" info "$region" >"$work/last.out" && grep -q "^other .* here" "$work/last.out"'
run last "$IVPIPE" list --json
check 'list counts them' json 'mine[0]["busy"] == 1 and mine[0]["listeners"] == 2'
kill -9 "${pids[send]}" "${pids[keep]}"
finish send 2>/dev/null
finish keep 2>/dev/null
finish recv
exec {slow}>&-
run last "$IVPIPE" info --json "$region"
check 'what was killed is dead' json '[l["alive"] for l in d["listeners"]] == ["dead"]'

# Names are not ours: a file name may hold anything but a slash.
# Emptied between the two looks of info, which is stopped meanwhile; again, if it was done before we were.
emptied() {
	local try gone=$region.gone
	for try in {1..10}; do
		rm -f "$gone"
		"$IVPIPE" format -q --create --size 1M "$gone"
		start last "$IVPIPE" info "$gone"
		until grep -q "$gone" "/proc/${pids[last]}/maps" 2>/dev/null || ! kill -0 "${pids[last]}" 2>/dev/null; do :; done
		kill -STOP "${pids[last]}" 2>/dev/null
		truncate -s 0 "$gone"
		kill -CONT "${pids[last]}" 2>/dev/null
		finish last
		[ "$code" = 0 ] || break
		echo "# once more after $try"
	done
	[ "$code" = 3 ] && one_line last 'went away' && [ ! -s "$work/last.out" ]
}
check 'info of a region that goes away meanwhile' emptied

odd=$region.$'a"\\b\n\033[31m\303\244\377\177'
"$IVPIPE" format -q --create --size 1M "$odd"
check 'list --json of an odd name' gives 0 "$IVPIPE" list --json
check 'is JSON, with U+FFFD for what is no UTF-8' json \
	'any(r["path"] == sys.argv[2] + ".a\"\\b\n\x1b[31m\u00e4\ufffd\x7f" for r in d["regions"])'
check 'list of an odd name' gives 0 "$IVPIPE" list
check 'sends nothing to the terminal that it would obey' test "$(tr -d '\n -~\200-\377' <"$work/last.out" | wc -c)" = 0
check 'info of an odd name' gives 0 "$IVPIPE" info "$odd"
check 'nor does info' test "$(tr -d '\n -~\200-\377' <"$work/last.out" | wc -c)" = 0
check 'list | head' eval '"$IVPIPE" list -v 2>"$work/last.err" | head -n 0; [ ! -s "$work/last.err" ]'

# A /dev/shm of our own has what we put there, so `auto` can be known. The words are run by sh, $0 is ivpipe, $1 our directory.
alone=(unshare -Urm)
[ "$(id -u)" != 0 ] || alone=(unshare -m)
cat >"$work/private" <<SCRIPT
#!/bin/sh
exec ${alone[*]} sh -c "mount -t tmpfs tmpfs /dev/shm && \$1" "$IVPIPE" "$work"
SCRIPT
chmod +x "$work/private"
if ! "$work/private" true 2>/dev/null; then
	skip 'auto' 'no mount namespaces here'
elif grep -qx 0x1110 /sys/bus/pci/devices/*/device 2>/dev/null; then
	skip 'auto' 'this machine has an ivshmem device'
else
	check 'list finds nothing' gives 3 "$work/private" '"$0" list'
	check 'and says what to do' grep -q 'format --create' "$work/last.err"
	check 'auto finds nothing' complains 3 'name one with -r' "$work/private" '"$0" info'
	check 'auto takes the only one' gives 0 "$work/private" '"$0" format -q --create --size 1M /dev/shm/a && "$0" info'
	check 'which is that' grep -q '^region  */dev/shm/a' "$work/last.out"
	check 'auto does not choose among several' complains 3 '/dev/shm/a, /dev/shm/b' "$work/private" \
		'for i in b a; do "$0" format -q --create --size 1M /dev/shm/$i; done; "$0" info'
	check 'auto takes none that everybody may write' complains 3 'name one with -r' "$work/private" \
		'"$0" format -q --create --size 1M /dev/shm/a && chmod 666 /dev/shm/a && "$0" info'
	check 'list shows that one' gives 0 "$work/private" \
		'"$0" format -q --create --size 1M /dev/shm/a && chmod 666 /dev/shm/a && "$0" list | grep " no "'
	check 'a link is not followed' gives 3 "$work/private" \
		'"$0" format -q --create --size 1M "$1/elsewhere" && ln -s "$1/elsewhere" /dev/shm/a && "$0" list'
	check 'other files are not shown' gives 3 "$work/private" 'mkfifo /dev/shm/f; echo x >/dev/shm/x; mkdir /dev/shm/d; "$0" list'
fi
done_testing
