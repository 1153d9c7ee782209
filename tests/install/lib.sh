# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# Sourced by the tests here: what a user has after `make install`, in a prefix that goes away with the test.
#
#   IVPIPE=PATH   the helper that was built (build/ivpipe); what was built beside it is installed
#   CC, CXX       compilers, cc and c++ by default
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/../cli/lib.sh"
top=$(cd "$here/../.." && pwd)
prefix=$work/prefix
BUILD=$(dirname "$IVPIPE")
CC=${CC:-cc}
CXX=${CXX:-c++}
# Nothing is to be found but through the prefix.
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR PREFIX LIBDIR PYTHONPATH

verb() {
	make -s -C "$top/user" BUILD="$(cd "$BUILD" && pwd)" "$@"
}

files_below() {
	(cd "$1" && find . ! -type d | sort)
}

# compile NAME SOURCE OPTION...: into $work/NAME.
compile() {
	local name=$1 source=$2
	shift 2
	"$CC" -std=gnu11 -O1 -Wall -Wextra -Werror -o "$work/$name" "$source" "$@"
}
