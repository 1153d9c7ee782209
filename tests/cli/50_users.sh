#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# Two users of one machine, and what one may not do.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

format
random_file data 500000
chmod 644 "$work/data"

if [ "$(id -u)" != 0 ]; then
	chmod 000 "$region"
	check 'a region that may not be opened' complains 4 "$region" "$IVPIPE" send -r "$region" "$work/data"
	skip 'two users' 'not root'
	done_testing
fi

# The helper may lie where others cannot go.
cp "$IVPIPE" "$work/ivpipe"
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups "$work/ivpipe")

chmod 600 "$region"
check 'a region that may not be opened' complains 4 "$region" "${nobody[@]}" send -r "$region" "$work/data"
check 'for recv' complains 4 "$region" "${nobody[@]}" recv -r "$region"
check 'for info' complains 4 "$region" "${nobody[@]}" info "$region"
check 'for format' complains 4 "$region" "${nobody[@]}" format "$region"
chmod 644 "$region"
check 'one that may only be read, for send' complains 4 "$region" "${nobody[@]}" send -r "$region" "$work/data"
check 'can be shown' gives 0 "${nobody[@]}" info "$region"

chmod 666 "$region"
start send "${nobody[@]}" send -r "$region" "$work/data"
start recv "$work/ivpipe" recv -r "$region" -o "$work/target"
check 'from nobody' ends send 0
check 'to root' ends recv 0
check 'the bytes' cmp "$work/data" "$work/target"
start recv "${nobody[@]}" recv -r "$region"
start send "$work/ivpipe" send -r "$region" "$work/data"
check 'from root' ends send 0
check 'to nobody' ends recv 0
check 'the bytes' cmp "$work/data" "$work/recv.out"
check 'a place that may not be written to' complains 4 "$work" "${nobody[@]}" recv -r "$region" -o "$work/other"
echo old >"$work/target"
chmod 600 "$work/data"
check 'a file that may not be read' complains 4 "$work/data" "${nobody[@]}" send -r "$region" "$work/data"
done_testing
