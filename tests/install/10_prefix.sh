#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# What `make install` brings, where, and whether it is whole: files, libraries, symbols, header, pkg-config, manuals.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

wanted='./bin/ivpipe
./include/ivpipe-xpra.h
./include/ivpipe.h
./include/linux/ivshmem.h
./lib/libivpipe.a
./lib/libivpipe.so
./lib/libivpipe.so.0
./lib/pkgconfig/libivpipe.pc
./lib/systemd/system/ivpipe-forward@.service
./lib/systemd/system/ivpipe-recv@.service
./lib/udev/rules.d/70-ivshmem.rules
./share/bash-completion/completions/ivpipe
./share/doc/ivpipe/examples/ivpipe-forward-vm0
./share/doc/ivpipe/examples/ivpipe-recv-vm0
./share/doc/ivpipe/examples/ivpipe-vm0.conf
./share/fish/vendor_completions.d/ivpipe.fish
./share/man/man1/ivpipe-bench.1
./share/man/man1/ivpipe-doctor.1
./share/man/man1/ivpipe-format.1
./share/man/man1/ivpipe-forward.1
./share/man/man1/ivpipe-info.1
./share/man/man1/ivpipe-list.1
./share/man/man1/ivpipe-pipe.1
./share/man/man1/ivpipe-recv.1
./share/man/man1/ivpipe-send.1
./share/man/man1/ivpipe-setup.1
./share/man/man1/ivpipe-xpra.1
./share/man/man1/ivpipe.1
./share/man/man3/libivpipe-xpra.3
./share/man/man3/libivpipe.3
./share/man/man4/ivshmem.4
./share/man/man7/ivpipe.7
./share/zsh/site-functions/_ivpipe'

# A package's staging directory first, since nothing of it may be noticed in what is installed.
check 'install, staged' verb install DESTDIR="$work/stage" PREFIX=/usr
check 'these files and no others' test "$(files_below "$work/stage/usr")" = "$wanted"
check 'and none elsewhere' test "$(files_below "$work/stage" | grep -v '^./usr/')" = ''
check 'pkg-config has the final place' grep -qx 'prefix=/usr' "$work/stage/usr/lib/pkgconfig/libivpipe.pc"
check 'no file knows where it was staged' eval '! grep -rlI "$work" "$work/stage"'
check 'install, into a prefix' verb install PREFIX="$prefix"
check 'the same files' test "$(files_below "$prefix")" = "$wanted"
check 'pkg-config has this place, too' test "$(pkg-config --variable=prefix libivpipe)" = "$prefix"

# needs FILE: the libraries that it asks for.
needs() {
	objdump -p "$1" | sed -n 's/^ *NEEDED *//p' | sort | tr '\n' ' '
}
known='^((libudev\.so\.1|libc\.so\.6|libc\.musl-[a-z0-9_]*\.so\.1|ld-linux-[a-z0-9-]*\.so\.[0-9]) )*$'
needs_no_more() {
	needs "$1" | sed 's/libsmartcols\.so\.1 //; s/libz\.so\.1 //' | tee "$work/needs.err" | grep -qE "$known"
}
check 'the helper needs libc, libsmartcols, libudev and zlib at the most' needs_no_more "$prefix/bin/ivpipe"
check 'and the library neither libsmartcols nor zlib' eval \
	'needs_no_more "$prefix/lib/libivpipe.so.0" && ! needs "$prefix/lib/libivpipe.so.0" | grep -E "libz|libsmartcols"'
check 'all of them are there' eval '! ldd "$prefix/bin/ivpipe" "$prefix/lib/libivpipe.so.0" | grep "not found"'
check 'the helper runs' gives 0 "$prefix/bin/ivpipe" version

# Each name with its version, and that alone.
exported() {
	nm -D --defined-only "$prefix/lib/libivpipe.so.0" | awk '{ print $3 }' | sort
}
promised() {
	sed -n 's/^\t\(ivp_[a-z_]*\);$/\1@@LIBIVPIPE_0.1/p' "$top/user/libivpipe.map"
	echo LIBIVPIPE_0.1
}
check 'the library has the symbols of its list, versioned, and no others' diff <(exported) <(promised | sort)
# all_in BEFORE AFTER FILE...: each name stands so in one of them.
all_in() {
	local name
	for name in $(promised | sed -n 's/@@.*//p'); do
		cat "${@:3}" | grep -q "$1$name$2" || { echo "$name is not in ${*:3}" >&2; return 1; }
	done
}
check 'each of them is declared' all_in '\b' '(' "$prefix"/include/ivpipe{,-xpra}.h
check 'and has its place in the manual' all_in '^\.Fn ' ' ' "$prefix"/share/man/man3/libivpipe{,-xpra}.3
check 'its name is libivpipe.so.0' eval 'objdump -p "$prefix/lib/libivpipe.so.0" | grep -q "SONAME *libivpipe.so.0$"'

# The one for Xpra includes the other.
header() {
	"$@" -Wall -Wextra -Werror -pedantic-errors -fsyntax-only "$prefix/include/ivpipe.h" &&
		"$@" -Wall -Wextra -Werror -pedantic-errors -fsyntax-only "$prefix/include/ivpipe-xpra.h"
}
check 'the headers are C11 by themselves' header "$CC" -std=c11 -x c
check 'and C++17' header "$CXX" -std=c++17 -x c++

printf '#include <ivpipe.h>\n#include <stdio.h>\nint main(void)\n{\n\treturn puts(ivp_version()) < 0;\n}\n' >"$work/version.c"
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$top/dkms.conf")
mapfile -t shared < <(pkg-config --cflags --libs libivpipe | tr ' ' '\n' | grep .)
mapfile -t archive < <({ pkg-config --cflags libivpipe && pkg-config --static --libs libivpipe; } |
	sed 's/-livpipe/-l:libivpipe.a/' | tr ' ' '\n' | grep .)
check 'a program with the shared library' compile shared "$work/version.c" "${shared[@]}"
check 'it is that library' eval 'ldd "$work/shared" | grep -q "$prefix/lib/libivpipe.so.0"'
check 'a program with the static library' compile archive "$work/version.c" "${archive[@]}"
check 'it needs no other' eval '! ldd "$work/archive" | grep libivpipe'
for name in shared archive; do
	check "$name: of the one version" test "$("$work/$name")" = "$version"
done
check 'so says pkg-config' test "$(pkg-config --modversion libivpipe)" = "$version"

for page in 1:ivpipe 1:ivpipe-forward 1:ivpipe-send 1:ivpipe-xpra 3:libivpipe 3:libivpipe-xpra 4:ivshmem 7:ivpipe; do
	file=$prefix/share/man/man${page%:*}/${page#*:}.${page%:*}
	check "man finds ${page#*:}(${page%:*})" test "$(man -M "$prefix/share/man" -w "${page%:*}" "${page#*:}")" = "$file"
	check 'and it holds' eval 'mandoc -Tlint -Wwarning "$file" >&2'
done
# manual_of VERB: as text, without its synopsis, which explains nothing. Verbs of two words share one.
manual_of() {
	mandoc -Tascii "$prefix/share/man/man1/ivpipe-${1%% *}.1" | col -b | awk '/^[A-Z]/ { shown = $0 != "SYNOPSIS" } shown'
}
# The letter alone will do.
options_hold() {
	local line option count=0
	manual_of "$1" >"$work/manual" || return 1
	# shellcheck disable=SC2086 # words
	while IFS= read -r line; do
		option=$(grep -oE -- '-(-[a-z-]+|[a-z])\b' <<<"${line:0:25}" | paste -sd '|')
		count=$((count + 1))
		grep -qE -- "(^|[^-a-z])($option)([^-a-z]|\$)" "$work/manual" || { echo "ivpipe-${1%% *}(1) has no $option" >&2; return 1; }
	done < <("$prefix/bin/ivpipe" $1 --help | grep -E '^  (-.,|   ) -' | grep -v -e '--help ')
	[ "$count" -gt 1 ]
}
while read -r name; do
	check "ivpipe-${name%% *}(1) has the options of ivpipe $name --help" options_hold "$name"
	check "and ivpipe(1) the verb" grep -qx "\.Cm ${name%% *}\( .*\)\?" "$prefix/share/man/man1/ivpipe.1"
done < <("$prefix/bin/ivpipe" help | sed -nE 's/^  ([a-z]+( [a-z]+)?) +[a-z].*/\1/p' | grep -vxE 'help|version')
awk '/^#include <ivpipe.h>/ { on = 1 } /^\.Ed/ { on = 0 } on' "$prefix/share/man/man3/libivpipe.3" | sed 's/\\-/-/g' >"$work/page.c"
check 'the example in the manual compiles' compile page.o "$work/page.c" -c "${shared[@]}"

check 'uninstall' verb uninstall PREFIX="$prefix"
check 'leaves nothing' test "$(files_below "$prefix")" = ''
check 'uninstall, staged' verb uninstall DESTDIR="$work/stage" PREFIX=/usr
check 'leaves nothing' test "$(files_below "$work/stage")" = ''
done_testing
