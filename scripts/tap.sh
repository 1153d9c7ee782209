# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# Sourced: adds up TAP. Lines that begin with spaces are subtests, and counted by the line that follows them.

TAP_PASSED=0
TAP_FAILED=0
TAP_SKIPPED=0
TAP_LAST=
TAP_WHY=

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
	if [ "$failed" != 0 ]; then TAP_WHY+=$(tap_failures "$1" "$2")$'\n'; fi
	TAP_PASSED=$((TAP_PASSED + passed))
	TAP_FAILED=$((TAP_FAILED + failed))
	TAP_SKIPPED=$((TAP_SKIPPED + skipped))
	TAP_LAST="$passed passed, $failed failed, $skipped skipped"
}

# tap_failures NAME FILE: each failure again, with what was said of it: before it by cmocka, behind it by a script.
tap_failures() {
	awk -v name="$1" '
		/^not ok/ {
			for (i = said > 4 ? said - 4 : 0; i < said; i++)
				print "#   " before[i]
			print "# failed: " name ": " $0
			left = 12
			said = 0
			next
		}
		/^(ok|1\.\.)/ { left = said = 0; next }
		left > 0 { print "#   " $0; left--; next }
		{ before[said++] = $0 }' "$2"
}

# tap_total: what failed, the last line, and success when nothing failed.
tap_total() {
	printf '%s' "$TAP_WHY"
	echo "$TAP_PASSED passed, $TAP_FAILED failed, $TAP_SKIPPED skipped"
	[ "$TAP_FAILED" = 0 ]
}
