# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# Sourced by the scripts here: where things are, and how to say something.

# The tree, whatever directory the caller is in.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$ROOT/build
# HOME may be unset (containers, CI).
CACHE=${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/ivpipe

say() {
	printf '%s\n' "$*" >&2
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 2
}
