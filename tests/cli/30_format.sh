#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# format makes what was asked for, and never overwrites what is somebody's.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# field NAME: a number of the region.
field() {
	"$IVPIPE" info --json "$region" | sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p"
}
fingerprint() {
	sha256sum <"$region"
}

check 'a file that is not there' complains 3 'format --create' "$IVPIPE" format "$region"
check '--create without a size' complains 2 '--size' "$IVPIPE" format --create "$region"
check '--create' gives 0 "$IVPIPE" format --create --size 64M "$region"
check 'says what it made' grep -q "^$region: 64 MiB, 2 sides, [0-9]* lanes" "$work/last.out"
check 'of that size' test "$(stat -c %s "$region")" = $((64 << 20))
check 'with all its blocks' test "$(($(stat -c '%b * %B' "$region")))" -ge $(($(field lane_count) * 2 * $(field ring_size)))
before=$(fingerprint)
check '--create of one that exists' complains 1 'exists' "$IVPIPE" format --create --size 64M "$region"
check 'leaves it alone' test "$(fingerprint)" = "$before"
check 'again, without --create' gives 0 "$IVPIPE" format "$region"
check 'with another id' test "$(fingerprint)" != "$before"
check 'another size is refused' complains 2 'size' "$IVPIPE" format --size 32M "$region"
check 'with lanes' gives 0 "$IVPIPE" format --lanes 8 "$region"
check 'as many' test "$(field lane_count)" = 8
check 'with sides' gives 0 "$IVPIPE" format --sides 4 "$region"
check 'as many' test "$(field sides)" = 4
rm "$region"

check 'too small' complains 2 'too few' "$IVPIPE" format --create --size 8K "$region"
check 'leaves no file' test ! -e "$region"
check 'too small for that many lanes' complains 2 'it takes' "$IVPIPE" format --create --size 1M --lanes 256 "$region"
check 'in a directory that is not there' complains 3 'No such file' "$IVPIPE" format --create --size 1M "$region.no/x"
check 'small, in powers of ten' gives 0 "$IVPIPE" format --create --size 100kB "$region"
check 'as large' test "$(stat -c %s "$region")" = 100000
rm -f "$region"

random_file data 100000
head -c 16M /dev/urandom >"$region"
before=$(fingerprint)
check 'somebody else'\''s data' complains 3 'format --force' "$IVPIPE" format "$region"
check 'are refused by send' complains 3 'format --force' "$IVPIPE" send -r "$region" --wait 0 "$work/data"
check 'by recv' complains 3 'format --force' "$IVPIPE" recv -r "$region" --wait 0
check 'by info' complains 3 'format --force' "$IVPIPE" info "$region"
check 'and are as they were' test "$(fingerprint)" = "$before"
check 'but --force takes them' gives 0 "$IVPIPE" format --force "$region"
start recv "$IVPIPE" recv -v -r "$region" -o "$work/target"
listens recv
before=$(field lane_count)
check 'in use' complains 1 'in use' "$IVPIPE" format "$region"
check 'by a sender it still works' gives 0 "$IVPIPE" send -r "$region" "$work/data"
check 'and so its receiver' ends recv 0
start recv "$IVPIPE" recv -v -r "$region" -o "$work/target"
listens recv
check 'under the feet of users with --force' gives 0 "$IVPIPE" format --force "$region"
check 'a receiver that waited goes on' gives 0 "$IVPIPE" send -r "$region" "$work/data"
check 'and has it' ends recv 0

# Four sides in one region: each machine has its own, and any two can meet.
"$IVPIPE" format -q --sides 4 "$region"
start recv "$IVPIPE" recv -r "$region" --side 3 -o "$work/target"
check 'from side 2' gives 0 "$IVPIPE" send -r "$region" --side 2 "$work/data"
check 'to side 3' ends recv 0
check 'no fifth' complains 2 'side 4' "$IVPIPE" send -r "$region" --side 4 "$work/data"

# An older ivpipe's, or a newer one's.
printf '\x63' | dd of="$region" bs=1 seek=8 conv=notrunc 2>/dev/null
check 'another layout version is refused' complains 3 'version' "$IVPIPE" send -r "$region" --wait 0 "$work/data"
done_testing
