# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2153,SC2154
# Sourced by the tests here: TAP, the packages, and roots of a Debian to install them in. The caller sets $work and $debs.
export LC_ALL=C.UTF-8
number=0
failures=0

# report VERDICT WHAT: a line of TAP, with what is in $work/output when it failed.
report() {
	number=$((number + 1))
	echo "$1 $number - $2"
	[ "$1" = ok ] || { failures=$((failures + 1)) && sed -n 's/^/# /; 1,60p' "$work/output"; }
}

# check WHAT COMMAND...: what it says matters only when it fails.
check() {
	local what=$1 verdict=ok
	shift
	"$@" >"$work/output" 2>&1 </dev/null || verdict='not ok'
	report "$verdict" "$what"
}

skip() {
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}

finish() {
	echo "1..$number"
	[ "$failures" = 0 ]
}

equal() {
	[ "$1" = "$2" ] || { printf 'got "%s", wanted "%s"\n' "$1" "$2" && return 1; }
}

build() {
	DEB_BUILD_OPTIONS="nocheck noautodbgsym parallel=$(nproc)" "$ROOT/scripts/deb" "$debs"
}

# lay NAME BASE: $work/NAME, fresh, over what is in the cache; or where that cannot be, a copy.
lay() {
	mkdir "$work/$1.upper" "$work/$1.work" "$work/$1"
	mount -t overlay -o "lowerdir=$2,upperdir=$work/$1.upper,workdir=$work/$1.work" none "$work/$1" 2>/dev/null ||
		cp -a "$2/." "$work/$1"
}

# What programs need besides. In a container neither may be had that is not there.
mount_kernel() {
	local name
	mount -t proc proc "$1/proc" 2>/dev/null || mount --rbind /proc "$1/proc"
	mount -t tmpfs none "$1/dev"
	for name in null zero full random urandom; do
		: >"$1/dev/$name"
		mount --bind "/dev/$name" "$1/dev/$name"
	done
	ln -s /proc/self/fd "$1/dev/fd"
	mkdir -m 1777 "$1/dev/shm"
	mount -t tmpfs -o mode=1777 none "$1/dev/shm"
}

# in_root ROOT COMMAND...
in_root() {
	local root=$1
	shift
	chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/nonexistent \
		DEBIAN_FRONTEND=noninteractive "$@"
}
