# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# Sourced by the scripts that pack a guest's root; the caller sets $tree.

# add_program FILE DEST: the file with the libraries it needs, which go where the loader looks for them.
add_program() {
	local lib libs
	install -D -m 755 "$1" "$tree$2"
	libs=$(ldd "$1" 2>/dev/null) || return 0
	if grep -q 'not found' <<<"$libs"; then
		die "$1 needs libraries that are not installed: $(awk '/not found/ { print $1 }' <<<"$libs" | tr '\n' ' ')"
	fi
	while read -r lib; do
		[ -f "$tree$lib" ] || install -D -m 755 "$lib" "$tree$lib"
	done < <(grep -o '/[^ ]*' <<<"$libs")
}

# pack ARCHIVE: the tree as an archive that the kernel unpacks; owned by root whoever packs it.
pack() {
	(cd "$tree" && find . -print0 | LC_ALL=C sort -z | cpio --quiet -0 -o -H newc -R 0:0) >"$1"
}
