#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# Whatever is in the region, and whoever writes into it meanwhile: no crash, no hang, no wrong file that passes for right.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What all the waits that follow each other may take: for a peer, the handshake, a silent peer, and a slow machine.
DEADLINE=30
random_file data $((2 << 20))

both() {
	start send "$IVPIPE" send -v -r "$region" --wait 3s --timeout 1s "$work/data"
	start recv "$IVPIPE" recv -v -r "$region" --wait 3s --timeout 1s -o "$work/target"
}

# honest: both ended by themselves, with codes that are ours, and 0 means what it says.
honest() {
	local send recv
	finish send $DEADLINE
	send=$code
	finish recv $DEADLINE
	recv=$code
	echo "# sender $send, receiver $recv"
	[ "$send" -le 8 ] && [ "$recv" -le 8 ] || return 1
	[ "$recv" != 0 ] || cmp "$work/data" "$work/target" || return 1
	[ "$recv" = 0 ] || [ ! -e "$work/target" ] || return 1
	[ "$send" != 0 ] || [ "$recv" = 0 ] || return 1
	[ "$send" = 0 ] || grep -q '^ivpipe: send: ' "$work/send.err" || return 1
	[ "$recv" = 0 ] || grep -q '^ivpipe: recv: ' "$work/recv.err"
}

again() {
	rm -f "$work/target"
	"$IVPIPE" format -q --force "$region" || return 1
	both
	ends send 0 && ends recv 0 && cmp "$work/data" "$work/target"
}

stop_scribbling() {
	kill -9 "${pids[scribble]}"
	finish scribble
}

"$IVPIPE" format -q --create --size 256K --lanes 4 "$region"
for part in superblock slots halves rings all; do
	rm -f "$work/target"
	start scribble python3 "$here/scribble.py" "$region" $part
	await scribble scribbling
	both
	check "from the start, random words in: $part" honest
	stop_scribbling
	check 'laid out anew it is as good as new' again

	rm -f "$work/target"
	mkfifo "$work/gate"
	start recv "$IVPIPE" recv -v -r "$region" -o "$work/target"
	start send "$IVPIPE" send -v -r "$region" --wait 3s --timeout 1s "$work/gate"
	exec 9>"$work/gate"
	await recv 'stream gate'
	start scribble python3 "$here/scribble.py" "$region" $part 9>&-
	await scribble scribbling
	cat "$work/data" >&9 2>/dev/null
	exec 9>&-
	check "in mid-stream, random words in: $part" honest
	stop_scribbling
	rm "$work/gate"
	check 'laid out anew it is as good as new' again
done

# Contents alone, with every record's header as it was: only the digest can tell. The ring is full, and stands still, for the
# receiver's output is not read.
stand_still() {
	local before=-1 now=-2
	until [ "$before" = "$now" ] && [ "$now" -gt 65536 ]; do
		before=$now
		now=$("$IVPIPE" info --json "$region" | sed -n 's/.*"sent": \([0-9]*\).*/\1/p' | sort -n | tail -n 1)
	done
}
change_contents() {
	python3 - "$region" <<'PYTHON'
import mmap, sys
with open(sys.argv[1], 'r+b') as f, mmap.mmap(f.fileno(), 0) as m:
    at = m.find(b'A' * 256)
    assert at >= 0
    while at >= 0:
        m[at + 100] ^= 1
        at = m.find(b'A' * 256, at + 256)
PYTHON
}
head -c 1M /dev/zero | tr '\0' A >"$work/letters"
mkfifo "$work/unread"
exec 8<>"$work/unread"
into recv "$work/unread" "$IVPIPE" recv -r "$region" 8>&-
start send "$IVPIPE" send -r "$region" "$work/letters" 8>&-
stand_still
check 'contents of a full ring are changed' change_contents
cat <&8 >/dev/null 8>&- &
reader=$!
check 'the receiver knows' ends recv 7
check 'and says so' one_line recv digest
check 'the sender is told' ends send 7
kill "$reader"
exec 8>&-

# Left behind by who knows whom: a believable superblock, and random bytes in all that follows.
rm -f "$work/target" "$region"
"$IVPIPE" format -q --create --size 1M "$region"
dd if=/dev/urandom of="$region" bs=4096 seek=1 count=255 conv=notrunc 2>/dev/null
start send "$IVPIPE" send -r "$region" "$work/data"
start recv "$IVPIPE" recv -r "$region" -o "$work/target"
check 'random bytes behind the superblock' honest
check 'laid out anew it is as good as new' again

# Some of it, in every place that is only ours.
for count in 1 16 256; do
	rm -f "$work/target" "$region"
	# A zero would be nobody's: once in 256 times that is the byte.
	{ head -c $((count - 1)) /dev/urandom && printf 'x'; } >"$region"
	truncate -s 1M "$region"
	check "$count random bytes at the beginning are somebody's" complains 3 'format --force' \
		"$IVPIPE" recv -r "$region" --wait 0 -o "$work/target"
done
# Ours, but damaged, and used by nobody: laid out anew without a word.
"$IVPIPE" format -q --force "$region"
printf 'x' | dd of="$region" bs=1 seek=40 conv=notrunc 2>/dev/null
check 'a damaged superblock is mended by the next user' gives 5 "$IVPIPE" send -r "$region" --wait 100ms "$work/data"
done_testing
