#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2034,SC2154,SC2016
# What is installed for systemd, and whether the driver's manual has everything that the driver has.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
verb install PREFIX="$prefix" || { echo 'Bail out! it cannot be installed'; exit 1; }
unit=$prefix/lib/systemd/system/ivpipe-recv@.service
forwards=$prefix/lib/systemd/system/ivpipe-forward@.service
examples=$prefix/share/doc/ivpipe/examples

# all_in FILE: each line of standard input is a word of it.
all_in() {
	local word count=0
	while read -r word; do
		count=$((count + 1))
		grep -qw -e "$word" "$1" || { echo "$word is not in $1" >&2; return 1; }
	done
	[ "$count" -gt 3 ]
}
manual=$prefix/share/man/man4/ivshmem.4
check 'ivshmem(4) has every command and its flags' all_in "$manual" < <(
	grep -oE '\bIVSHMEM_(IOC|WAIT|WAKE|WATCH|POLL)_[A-Z]+\b' "$prefix/include/linux/ivshmem.h" | grep -v _MAGIC | sort -u)
check 'every parameter of the module' all_in "$manual" < <(sed -n 's/^module_param(\([a-z_]*\),.*/\1/p' "$top"/kmod/*.c)
check 'every attribute in sysfs' all_in "$manual" < <(sed -n 's|^What:.*/||p' "$top/docs/ABI/sysfs-class-ivshmem")
defaults_hold() {
	local name value
	while read -r name value; do
		grep -qx "\.It Cm $name Pq $value" "$manual" || { echo "$name is $value" >&2; return 1; }
	done
}
check 'and what they are without being set' defaults_hold < <(
	sed -nE 's/^static (unsigned int|bool) ([a-z_]+) = ([0-9]+|true);$/\2 \3/p' "$top"/kmod/*.c | sed 's/true$/yes/')

analyze() {
	systemd-analyze "$@" >"$work/analyze.err" 2>&1
}
quiet() {
	analyze "$@" && [ ! -s "$work/analyze.err" ]
}
if command -v systemd-analyze >/dev/null; then
	check 'the unit holds' quiet verify --man=no "$unit"
	sed 's/^ProtectHome=.*/ProtectHom=yes/' "$unit" >"$work/wrong@.service"
	check 'a wrong one would not' eval '! quiet verify --man=no "$work/wrong@.service"'
	# Of 10. What is left: a group, devices that are named, sockets to itself.
	check 'it is exposed to less than 1.0' analyze security --no-pager --offline=yes --threshold=10 "$unit"
	check 'so does that which forwards' quiet verify --man=no "$forwards"
	# What is left besides: a network, which is this machine itself.
	check 'which is exposed to 1.5 at the most' analyze security --no-pager --offline=yes --threshold=15 "$forwards"
	check 'to any address it would be more' eval 'sed "/^IPAddressDeny=/d" "$forwards" >"$work/open@.service"
		! analyze security --no-pager --offline=yes --threshold=15 "$work/open@.service"'
	sed -i '/^CapabilityBoundingSet=/d' "$work/wrong@.service"
	check 'with capabilities it would be more' eval \
		'! analyze security --no-pager --offline=yes --threshold=10 "$work/wrong@.service"'
else
	skip 'the unit' 'systemd-analyze is not installed'
fi

# The command as it stands there, with the variables of its Environment, but for the place of region and files.
command_of_unit() {
	local words
	REGION=$region SERVICE='' OUTPUT='' OPTIONS=''
	read -ra words < <(sed -n 's/^Environment=//p' "$unit")
	for words in "${words[@]}"; do
		case $words in SERVICE=* | OUTPUT=*) declare -g "$words" ;; esac
	done
	OUTPUT=${OUTPUT//%%/%}
	OUTPUT=$work/inbox/${OUTPUT##*/}
	eval "exec $(sed -n 's/^ExecStart=//p' "$unit") -v"
}
export -f command_of_unit
receives() {
	start service env unit="$unit" region="$region" work="$work" bash -c command_of_unit
	listens service || return 1
	gives 0 "$prefix/bin/ivpipe" send -r "$region" "$work/data" && gives 0 "$prefix/bin/ivpipe" send --name two -r "$region" "$work/data" &&
		cmp "$work/data" "$work/inbox/data" && cmp "$work/data" "$work/inbox/two"
}
format
random_file data 100000
mkdir "$work/inbox"
check 'its command receives' receives

# What its command makes of the example, with other ports.
forward_of_unit() {
	local REGION=$region SERVICE=forward OPTIONS=$1 FORWARD=$2
	eval "exec $(sed -n 's/^ExecStart=//p' "$forwards") -v"
}
export -f forward_of_unit
forwards() {
	local target port
	target=$(python3 "$top/tests/cli/sockets.py" free) port=$(python3 "$top/tests/cli/sockets.py" free)
	start answer python3 "$top/tests/cli/sockets.py" answer "$target"
	start listens env region="$region" forwards="$forwards" bash -c "forward_of_unit --listen localhost:$target"
	start calls env region="$region" forwards="$forwards" bash -c "forward_of_unit '' $port:localhost:$target"
	listens answer && listens listens && await calls 'at most' && gives 0 python3 "$top/tests/cli/sockets.py" call "$port"
}
check 'the command of that which forwards does' forwards

variables() {
	sed -nE 's/^#?([A-Z]+)=.*/\1/p' "$1" | sort
}
check 'its example sets what it has' diff <(variables "$examples/ivpipe-recv-vm0") <(
	sed -n 's/^Environment=//p' "$unit" | grep -oE '[A-Z]+=' | tr -d = | sort)
check 'and so does the other' diff <(variables "$examples/ivpipe-forward-vm0" | sort -u) <(
	sed -n 's/^Environment=//p' "$forwards" | grep -oE '[A-Z]+=' | tr -d = | sort)
makes_memory() {
	mkdir -p "$work/root/etc" "$work/root/dev/shm"
	cp /etc/passwd "$work/root/etc"
	echo 'kvm:x:4321:' >"$work/root/etc/group"
	systemd-tmpfiles --root="$work/root" --create "$examples/ivpipe-vm0.conf" &&
		[ "$(stat -c '%a %u %g %s' "$work/root/dev/shm/vm0")" = '660 0 4321 0' ]
}
if [ "$(id -u)" = 0 ] && command -v systemd-tmpfiles >/dev/null; then
	check 'the memory is made for its group' makes_memory
else
	skip 'the memory is made for its group' 'needs root and systemd-tmpfiles'
fi
done_testing
