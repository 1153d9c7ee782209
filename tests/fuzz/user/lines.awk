# SPDX-License-Identifier: MIT
#
# Which lines of a file, or of some of its functions, were reached in any of several programs.
#
#   awk -f lines.awk -v want='FILE [FUNCTION...]' REPORT...       REPORT: as of llvm-cov export -format=lcov
#
# Prints `REACHED ALL [LINE...]`: how many, of how many, and those that were not.

BEGIN {
	words = split(want, word, " ")
	for (i = 2; i <= words; i++)
		wanted[word[i]] = 1
}

/^SF:/ {
	tail = substr($0, length($0) - length(word[1]))
	inside = tail == "/" word[1]
}

# Statics carry the name of their file.
inside && /^FN:/ {
	split(substr($0, 4), part, ",")
	sub(/.*:/, "", part[2])
	name[part[1]] = part[2]
}

inside && /^DA:/ {
	split(substr($0, 4), part, ",")
	if (part[2] + 0 > count[part[1]] + 0 || !(part[1] in count))
		count[part[1]] = part[2]
	if (part[1] + 0 > last)
		last = part[1] + 0
}

END {
	for (line = 1; line <= last; line++) {
		if (line in name)
			current = name[line]
		if (!(line in count) || (words > 1 && !(current in wanted)))
			continue
		all++
		if (count[line] + 0)
			reached++
		else
			missed = missed " " line
	}
	print reached + 0, all + 0 missed
}
