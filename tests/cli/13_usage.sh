#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# What is asked for in the wrong words, or is not there: one line, and the exit code that the manual promises.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

format
random_file data 1000

check 'no verb' complains 2 'no verb' "$IVPIPE"
check 'an unknown verb' complains 2 'frobnicate' "$IVPIPE" frobnicate
for verb in format list info send recv doctor bench setup; do
	check "$verb: an unknown option" complains 2 '--frobnicate' "$IVPIPE" $verb --frobnicate
	check "$verb: an unknown letter" complains 2 '-Z' "$IVPIPE" $verb -qZ
	check "$verb: --help" gives 0 "$IVPIPE" $verb --help
	check "$verb: help lists --verbose" grep -q -e --verbose "$work/last.out"
done
check 'an option of another verb' complains 2 '--keep' "$IVPIPE" send --keep
check 'a missing argument' complains 2 'send: -r: needs an argument' "$IVPIPE" send -r
check 'after a file' complains 2 'send: -r: needs an argument' "$IVPIPE" send file -r
check 'written out' complains 2 'send: --region: needs an argument' "$IVPIPE" send --region
check 'a superfluous argument' complains 2 'takes no argument' "$IVPIPE" recv --keep=yes
check 'one operand too many' complains 2 'too many' "$IVPIPE" send -r "$region" a b
check 'an operand for recv' complains 2 'too many' "$IVPIPE" recv -r "$region" file
for time in -1 1x 1.2.3 '' . 1e3 0x10 99999999999999999999h nan; do
	check "--wait '$time'" complains 2 '--wait' "$IVPIPE" send --wait "$time"
done
check '--timeout 0' complains 2 '--timeout' "$IVPIPE" send --timeout 0
for size in 0 -1 1.5G 1Q 64KIB 16777216T '' 99999999999999999999 M; do
	check "--size '$size'" complains 2 '--size' "$IVPIPE" format --create --size "$size" "$region.new"
done
check '--lanes many' complains 2 '--lanes' "$IVPIPE" format --lanes 257 "$region"
check '--side 16' complains 2 '--side' "$IVPIPE" recv --side 16
check 'a side that the region has not' complains 2 'side 2' "$IVPIPE" send -r "$region" --side 2 "$work/data"
check 'a service with a slash' complains 2 'a/b' "$IVPIPE" send -r "$region" -s a/b "$work/data"
check 'format without a region' complains 2 'name the region' "$IVPIPE" format
check 'format auto' complains 2 'name the region' "$IVPIPE" format auto
check 'help' gives 0 "$IVPIPE" help
check 'help for a verb' gives 0 "$IVPIPE" help send
check 'help for nothing' complains 2 frobnicate "$IVPIPE" help frobnicate
check '--version' gives 0 "$IVPIPE" --version
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$here/../../dkms.conf")
check 'which is that of dkms.conf' test "$(cat "$work/last.out")" = "ivpipe $version"

check 'a region that is not there' complains 3 "$region.no" "$IVPIPE" send -r "$region.no" --wait 0 "$work/data"
check 'from the environment' complains 3 "$region.no" env IVPIPE_REGION="$region.no" "$IVPIPE" send --wait 0 "$work/data"
check 'a region that does not come in time' gives 3 "$IVPIPE" recv -r "$region.no" --wait 300ms
check 'info of a region that is not there' complains 3 "$region.no" "$IVPIPE" info "$region.no"
check 'a directory is no region' complains 3 'not a region' "$IVPIPE" send -r /dev/shm --wait 0 "$work/data"
check 'another device is no region' complains 3 'not a device' "$IVPIPE" send -r /dev/null --wait 0 "$work/data"
check 'a file that is not there is said before anybody is waited for' \
	complains 1 "$work/nothing" "$IVPIPE" send -r "$region" "$work/nothing"
check 'a directory is no file' complains 2 "tar c $work | ivpipe send" "$IVPIPE" send -r "$region" "$work"
check 'standard input that is closed fails' gives 1 sh -c \
	'"$0" recv -r "$1" >/dev/null & "$0" send -r "$1" <&-; code=$?; wait; exit $code' "$IVPIPE" "$region"
check 'nobody listens' complains 5 'nobody listens' "$IVPIPE" send -r "$region" --wait 200ms "$work/data"
check 'nobody sends' gives 5 "$IVPIPE" recv -r "$region" --wait 200ms
# script(1) gives its command a terminal.
if command -v script >/dev/null; then
	check 'data do not go to a terminal' gives 2 script -qec "$IVPIPE recv -r $region" /dev/null </dev/null
	check 'and the line says what to do' grep -q -e '-o FILE' "$work/last.out"
else
	skip 'data do not go to a terminal' 'no script(1)'
fi
check 'a full disk below help' gives 1 sh -c '"$0" help >/dev/full' "$IVPIPE"
done_testing
