# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# Sourced, after lib.sh, by the scripts that take packages from a suite of Debian which this system does not use.

MIRROR=${IVPIPE_MIRROR:-http://deb.debian.org}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# What is wanted is not on the mirror, or the mirror is not there.
cannot_be_had() {
	say "${0##*/}: $*"
	exit 3
}

# An expired Release file is no reason to refuse: a mirror may lag, and nothing of this is installed.
suite_write_conf() {
	mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
	cat >"$1/conf" <<-END
		Dir::Etc::sourcelist "$1/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::State::lists "$1/lists";
		Dir::State::status "/dev/null";
		Dir::Cache "$1/cache";
		APT::Architecture "amd64";
		APT::Architectures { "amd64"; "arm64"; };
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		Acquire::Check-Valid-Until "false";
		Acquire::Retries "2";
		Acquire::http::Timeout "30";
	END
}

# suite_open SUITE [ARCHS]: from here on apt knows that suite and nothing else, neither the system's sources nor what is installed.
# Package lists are at most a day old. Holds a lock until the caller ends; false when there are no fresh lists.
suite_open() {
	local apt=$CACHE/apt/$1 part=debian archs=${2:-amd64,arm64}
	[ -e "$KEYRING" ] || die 'no keys to check packages with; type: apt-get install debian-archive-keyring'
	case $1 in *-security) part=debian-security ;; esac
	mkdir -p "$apt"
	exec 9>"$apt/lock"
	flock -w 900 9 || die "another download from $1 does not end"
	suite_write_conf "$apt"
	echo "deb [arch=$archs signed-by=$KEYRING] $MIRROR/$part $1 main" >"$apt/sources.list"
	export APT_CONFIG=$apt/conf
	[ -z "$(find "$apt/updated" -mmin -1440 2>/dev/null)" ] || return 0
	timeout 180 apt-get -qq -o APT::Update::Error-Mode=any update </dev/null >&2 || return 1
	touch "$apt/updated"
}

# suite_knows PACKAGE[:ARCH]
suite_knows() {
	apt-cache show "$1" >/dev/null 2>&1
}

# suite_version PACKAGE[:ARCH]: as a part of a file name.
suite_version() {
	apt-cache show "$1" | awk '/^Version:/ && !n++ { gsub(":", "-", $2); print $2 }'
}

# suite_unpack DIR PACKAGE[:ARCH]...: into an empty directory, but for a kernel's many modules, which nobody here needs.
suite_unpack() {
	local dir=$1 deb
	shift
	mkdir -p "$dir.debs"
	(cd "$dir.debs" && timeout 600 apt-get -qq download "$@" </dev/null >&2) || return 1
	mkdir -p "$dir"
	for deb in "$dir.debs"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir" --exclude='./lib/modules/*/kernel' \
			--exclude='./usr/lib/modules/*/kernel' --exclude='*/System.map*' --exclude='./usr/share/*'
	done
	rm -r "$dir.debs"
}
