#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# recv -o: a file appears under its name when all of it came, and not before.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

format
random_file data 500000
mkdir "$work/in" "$work/sub"

carry() {
	start recv "$IVPIPE" recv -v -r "$region" "$@"
	listens recv
	run send "$IVPIPE" send -r "$region" "$work/data"
	sent=$code
	finish recv
}
left_over() {
	find "$work" -name '.*ivpipe-*' | grep -q .
}

echo old >"$work/target"
mkfifo "$work/slow"
start recv "$IVPIPE" recv -v -r "$region" -o "$work/target"
start send "$IVPIPE" send -r "$region" "$work/slow"
exec {slow}>"$work/slow"
cat "$work/data" >&"$slow"
await recv 'stream slow'
check 'an existing target is not touched while a stream comes' test "$(cat "$work/target")" = old
kill -9 "${pids[send]}"
finish send
exec {slow}>&-
check 'the receiver notices that its sender was killed' ends recv 8
check 'and leaves the existing target as it was' test "$(cat "$work/target")" = old
check 'and no temporary file' eval '! left_over'

carry -o "$work/target"
check 'it is replaced by a whole stream' cmp "$work/data" "$work/target"
check 'with nothing beside it' eval '! left_over'

(umask 027; rm "$work/target"; carry -o "$work/target"; [ "$code" = 0 ])
check 'its mode follows the umask' test "$(stat -c %a "$work/target")" = 640

ln -s target "$work/link"
carry -o "$work/link"
check 'a link is followed' test -L "$work/link" -a "$(stat -c %s "$work/target")" = 500000

check 'a directory is refused' complains 2 'is a directory' "$IVPIPE" recv -r "$region" -o "$work/in"
check 'a missing directory is refused' complains 1 'No such file' "$IVPIPE" recv -r "$region" -o "$work/nowhere/target"
check 'before anybody is waited for' complains 1 'No such file' "$IVPIPE" recv -r "$region.no" -o "$work/nowhere/target"
check 'the region itself is refused' complains 2 'the region itself' "$IVPIPE" recv -r "$region" -o "$region"
check 'an unknown % is refused' complains 2 'after a %' "$IVPIPE" recv -r "$region" -o "$work/%s"

carry -o /dev/full
check 'a full disk: the receiver exits 1' test "$code" = 1
check 'and names it' grep -q 'No space left' "$work/recv.err"
check 'the sender exits 1' test "$sent" = 1
check 'and names it too' grep -q -i 'no space' "$work/send.err"
carry -o /dev/null
check 'a device is written to as it is' test "$code$sent" = 00 -a -c /dev/null

mkfifo "$work/fifo"
cat "$work/fifo" >"$work/from-fifo" &
carry -o "$work/fifo"
check 'so is a fifo' cmp "$work/data" "$work/from-fifo"

# Two bytes in a megabyte of nothing.
truncate -s 1M "$work/holes"
printf 'x' | dd of="$work/holes" bs=1 seek=500000 conv=notrunc 2>/dev/null
printf 'y' | dd of="$work/holes" bs=1 seek=900000 conv=notrunc 2>/dev/null
sparse() {
	start recv "$IVPIPE" recv -r "$region" "$@"
	run send "$IVPIPE" send -r "$region" "$work/holes"
	finish recv
}
sparse -o "$work/full"
check 'zeros are written' test "$(du -k "$work/full" | cut -f 1)" -ge 1024
sparse --sparse -o "$work/sparse"
check '--sparse: the same bytes' cmp "$work/holes" "$work/sparse"
check 'in less room' test "$(du -k "$work/sparse" | cut -f 1)" -le 64
sparse --sparse --no-checksum -o "$work/sparse"
check 'without a digest' cmp "$work/holes" "$work/sparse"
sparse --sparse
check 'standard output gets all of it' cmp "$work/holes" "$work/recv.out"
mkfifo "$work/sparse-fifo"
cat "$work/sparse-fifo" >"$work/from-fifo" &
sparse --sparse -o "$work/sparse-fifo"
wait $!
check 'so does what can have no holes' cmp "$work/holes" "$work/from-fifo"

carry -o "$work/in/%n"
check '%n is the sender'\''s name' cmp "$work/data" "$work/in/data"
carry -o "$work/in/%n"
check 'it replaces nothing' test "$code" = 1 -a "$sent" = 1
check 'and says so' grep -q 'exists' "$work/recv.err"
carry -o "$work/in/%n" --force
check 'but with --force' test "$code$sent" = 00
carry -o "$work/in/100%%-%n"
check '%% is a percent sign' cmp "$work/data" "$work/in/100%-data"

named() {
	start recv "$IVPIPE" recv -r "$region" -o "$work/sub/%n"
	run send "$IVPIPE" send -r "$region" --name "$1" "$work/data"
	finish recv
	[ "$code" = "$2" ] && [ "$(ls -A "$work/sub")" = "$3" ]
	local result=$?
	rm -f "$work/sub/"* "$work/sub/".[!.]*
	return $result
}
check 'a name with directories loses them' named '../../etc/passwd' 0 passwd
check 'a name with a dot in front does not hide' named .bashrc 0 _bashrc
check 'a name of dots is refused' named .. 1 ''
check 'an empty one is refused' named 'x/' 1 ''
check 'control characters are replaced' named $'a\nb\033c' 0 "$(printf 'a?b?c')"

check 'standard output that is closed fails' gives 1 sh -c \
	'"$0" send -r "$1" "$2" & "$0" recv -r "$1" >&-; code=$?; wait; exit $code' "$IVPIPE" "$region" "$work/data"
done_testing
