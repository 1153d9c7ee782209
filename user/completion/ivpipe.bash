# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# bash's completion for ivpipe. Verbs, options and what they want are read from `ivpipe help` at that moment, so nothing here
# can fall behind the helper.

# Takes the lines that go on from what was typed. Paths and names in regions are other people's words: they are compared, and
# never expanded, as compgen -W would.
_ivpipe_offer() {
	local word
	while IFS= read -r word; do
		if [[ $word == "$typed"* ]]; then COMPREPLY+=("$word"); fi
	done
}

# The verbs that go on from these words, one word further; some are two words, as the only ones with one space between them.
_ivpipe_verbs() {
	local verb
	"$helper" help 2>/dev/null | sed -nE 's/^  ([a-z]+( [a-z]+)?) +[a-z].*/\1/p' | while IFS= read -r verb; do
		case $verb in "$1"*) verb=${verb#"$1"} && echo "${verb%% *}" ;; esac
	done | sort -u
}

# Values of one key in a JSON document. Whatever needs quotes is left to be typed.
_ivpipe_json() {
	sed -nE 's/^ *"'"$1"'": "([A-Za-z0-9_.,:@%+\/-]+)",?$/\1/p' | sort -u
}

_ivpipe_files() {
	compgen -f -- "$typed"
}

_ivpipe_regions() {
	"$helper" list --json 2>/dev/null | _ivpipe_json path
	_ivpipe_files
}

_ivpipe_services() {
	local i region=()
	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-r | --region)
			[[ ${COMP_WORDS[i + 1]} != = ]] || ((i++))
			region=(-r "${COMP_WORDS[i + 1]}")
			;;
		esac
	done
	"$helper" info --json "${region[@]}" 2>/dev/null | _ivpipe_json service
}

# The schemes that the help names, as in unix:PATH; of those that are files, these.
_ivpipe_addresses() {
	local scheme=${typed%%:*}
	case $typed in
	unix:* | serial:*)
		typed=${typed#*:} _ivpipe_files | sed "s|^|$scheme:|"
		;;
	*:*) ;;
	*) grep -oE '[a-z]+:[A-Z]' <<<"${about[--control]}" | sed 's/.$//' ;;
	esac
}

# _ivpipe_value WHAT: candidates for what the help calls so.
_ivpipe_value() {
	case $1 in
	REGION) _ivpipe_regions ;;
	FILE) _ivpipe_files ;;
	ADDRESS) _ivpipe_addresses ;;
	D) echo forever ;;
	*[a-z]) tr '|' '\n' <<<"$1" ;;
	NAME) case $option in -s | --service) _ivpipe_services ;; esac ;;
	esac
}

# Of `ivpipe help VERB`: the operands, and for each option what it wants and what it is about. What may follow an equals sign, and
# need not, is wanted by none.
_ivpipe_read_help() {
	local line option='^  (-(.),|   ) --([a-z-]+)(\[=[A-Z]+]| ([A-Z][A-Z,.]*))? +(.*)$'
	while IFS= read -r line; do
		case $line in "usage: ivpipe "*) operands=$line ;; esac
		[[ $line =~ $option ]] || continue
		names+=("--${BASH_REMATCH[3]}")
		wants[--${BASH_REMATCH[3]}]=${BASH_REMATCH[5]}
		about[--${BASH_REMATCH[3]}]=${BASH_REMATCH[6]}
		if [[ ${BASH_REMATCH[2]} ]]; then wants[-${BASH_REMATCH[2]}]=${BASH_REMATCH[5]}; fi
	done < <("$helper" help "$@" 2>/dev/null)
}

# The shell breaks words at colons and equals signs. Sets option and typed to ours, and begun to what of the latter the shell
# does not take for the word.
_ivpipe_join() {
	local i=$COMP_CWORD
	typed=${COMP_WORDS[i]}
	while ((i > 2)) && [[ ${COMP_WORDS[i]} == [:=]* || ${COMP_WORDS[i - 1]} == [:=]* ]]; do
		((i--))
		typed=${COMP_WORDS[i]}$typed
	done
	option=${COMP_WORDS[i - 1]}
	case $typed in --*=*) option=${typed%%=*} typed=${typed#*=} ;; esac
	case $typed in *:*) begun=${typed%:*}: ;; esac
}

_ivpipe() {
	local helper=${1/#\~/$HOME} typed=$2 option='' begun='' operands='' names=() verb at=1
	local -A wants=() about=()
	COMPREPLY=()
	[[ ${COMP_WORDS[1]} != help ]] || ((COMP_CWORD == 1)) || at=2
	verb=("${COMP_WORDS[at]}")
	if ((COMP_CWORD == at)); then
		_ivpipe_offer < <(_ivpipe_verbs '')
		return
	elif [[ $(_ivpipe_verbs "${verb[0]} ") ]]; then
		if ((COMP_CWORD == at + 1)); then
			_ivpipe_offer < <(_ivpipe_verbs "${verb[0]} ")
			return
		fi
		verb+=("${COMP_WORDS[at + 1]}")
	fi
	((at == 1)) || return 0
	_ivpipe_read_help "${verb[@]}"
	_ivpipe_join
	if [[ $option == -* && ${wants[$option]-} ]]; then
		operands=${wants[$option]}
	elif [[ $typed == -* ]]; then
		_ivpipe_offer < <(printf '%s\n' "${names[@]}")
		return
	else
		option=''
	fi
	case $operands in
	*REGION*) _ivpipe_offer < <(_ivpipe_value REGION) ;;
	*FILE*) _ivpipe_offer < <(_ivpipe_value FILE) ;;
	*) _ivpipe_offer < <(_ivpipe_value "${operands##* }") ;;
	esac
	# Said here, since it is said to the shell that completes.
	case $operands in
	*REGION* | *FILE*) compopt -o filenames ;;
	ADDRESS) compopt -o nospace ;;
	esac 2>/dev/null
	if [[ $begun && $COMP_WORDBREAKS == *:* ]]; then COMPREPLY=("${COMPREPLY[@]#"$begun"}"); fi
}
complete -F _ivpipe ivpipe
