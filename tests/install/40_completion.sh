#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# What bash, zsh and fish complete, each by itself and as installed: every verb and option that the helper's own help has, regions,
# services, and nothing that a name in a region could have run.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
verb install PREFIX="$prefix" || { echo 'Bail out! it cannot be installed'; exit 1; }
export PATH=$prefix/bin:$PATH HOME=$work XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data XDG_DATA_DIRS=$prefix/share
cd "$work" || exit 1

# bash_words WORD...: as readline breaks them; the last is the one to complete.
bash_words() {
	bash --norc --noprofile -c '
		. "$1" && shift || exit
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		function=$(complete -p ivpipe) && function=${function#*-F } && ${function% *} "$1" "${*: -1}" "${*: -2:1}"
		printf "%s\n" "${COMPREPLY[@]}"' _ "$prefix/share/bash-completion/completions/ivpipe" "$@"
}

# The shells' own ways to break a line come in with the last word: --region=x is three of bash's.
bash_completes() {
	local words
	mapfile -t words < <(sed -E 's/[:=]/\n&\n/g' <<<"${1// /$'\n'}" | sed '/^$/d')
	case $1 in *[\ =:]) words+=('') ;; esac
	bash_words "${words[@]}"
}

zsh_completes() {
	zsh -f "$top/tests/install/complete.zsh" "$prefix/share/zsh/site-functions" "$1"
}

fish_completes() {
	fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$prefix/share/fish/vendor_completions.d/ivpipe.fish" "$1" | cut -f 1
}

# offers SHELL LINE PATTERN: one of the candidates is just that.
offers() {
	"$1_completes" "$2" >"$work/offered.err" 2>&1
	grep -qxE -- "$3" "$work/offered.err"
}

# same SHELL LINE: these and no others, from standard input.
same() {
	diff <("$1_completes" "$2" | sed 's/ $//' | sort -u) <(sort -u) >&2
}

# Of one word or of two.
options_of() {
	# shellcheck disable=SC2086 # words
	ivpipe help $1 | grep -oE '^  (-.,|   ) --[a-z-]+' | sed 's/.* //'
}

verbs() {
	ivpipe help | sed -nE 's/^  ([a-z]+( [a-z]+)?) +[a-z].*/\1/p'
}

complete_all() {
	local shell=$1 name
	check "$shell: the verbs" same "$shell" 'ivpipe ' < <(verbs | sed 's/ .*//')
	check "$shell: and again for help" same "$shell" 'ivpipe help ' < <(verbs | sed 's/ .*//')
	check "$shell: the second word of some" same "$shell" 'ivpipe xpra ' < <(verbs | sed -n 's/^xpra //p')
	check "$shell: and for help" same "$shell" 'ivpipe help xpra ' < <(verbs | sed -n 's/^xpra //p')
	verbs | grep -vE '^(help|version)$' >"$work/verbs"
	while read -r name; do
		check "$shell: $name has the options of its help" same "$shell" "ivpipe $name --" < <(options_of "$name")
	done <"$work/verbs"
	check "$shell: what begins so" same "$shell" 'ivpipe recv --pe' <<<'--peer-timeout'
	check "$shell: regions that are there" offers "$shell" 'ivpipe send -r ' "$region"
	check "$shell: behind an equals sign" offers "$shell" "ivpipe recv -s x --region=${region%?}" "(--region=)?$region"
	check "$shell: as an operand" offers "$shell" 'ivpipe info ' "$region"
	check "$shell: who listens in one" same "$shell" "ivpipe send -r $region -s " <<<'records'
	check "$shell: words that are an operand" same "$shell" 'ivpipe setup ' < <(ivpipe help setup | sed -n '1s/.* //p' | tr '|' '\n')
	check "$shell: a file to send" offers "$shell" 'ivpipe send some' 'some-file'
	check "$shell: and to write" offers "$shell" 'ivpipe recv -o some' 'some-file'
	check "$shell: forms of an address" offers "$shell" 'ivpipe send --control v' 'vsock:'
	check "$shell: nothing was run for a name" test ! -e "$work/ran"
}

format
start listener ivpipe recv -v -r "$region" -s records --keep
listens listener
touch some-file
# Found like any other region: a name that does things where it is expanded.
evil="${region##*/}.\$(touch ran)"
ivpipe format -q --create --size 64K "/dev/shm/$evil"
for shell in bash zsh fish; do
	if command -v "$shell" >/dev/null; then
		complete_all "$shell"
	else
		skip "$shell completes" "$shell is not installed"
	fi
done
check 'uninstall' verb uninstall PREFIX="$prefix"
check 'leaves nothing' test "$(files_below "$prefix")" = ''
done_testing
