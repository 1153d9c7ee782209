# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# Sourced: adds up TAP. Lines that begin with spaces are subtests, and counted by the line that follows them.

TAP_PASSED=0
TAP_FAILED=0
TAP_SKIPPED=0
TAP_LAST=

# tap_add NAME FILE STATUS: what a part printed, and how it ended. One that ended badly without a line that says what
# failed counts as one failure, and so does one that checked nothing.
tap_add() {
	local passed failed skipped
	[ -f "$2" ] || die "nothing kept what $1 printed: $2"
	skipped=$(grep -ciE '^ok .*# skip' "$2" || true)
	passed=$(($(grep -cE '^ok\b' "$2" || true) - skipped))
	failed=$(grep -cE '^not ok\b' "$2" || true)
	if [ "$3" != 0 ] && [ "$failed" = 0 ]; then
		failed=1
		echo "not ok - $1 ended with status $3"
	elif [ $((passed + failed + skipped)) = 0 ]; then
		failed=1
		echo "not ok - $1 checked nothing"
	fi
	TAP_PASSED=$((TAP_PASSED + passed))
	TAP_FAILED=$((TAP_FAILED + failed))
	TAP_SKIPPED=$((TAP_SKIPPED + skipped))
	TAP_LAST="$passed passed, $failed failed, $skipped skipped"
}

# tap_total: the last line, and success when nothing failed.
tap_total() {
	echo "$TAP_PASSED passed, $TAP_FAILED failed, $TAP_SKIPPED skipped"
	[ "$TAP_FAILED" = 0 ]
}
