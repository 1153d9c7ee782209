#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016,SC2034
# The recipes of docs/recipes.md do what they say. Their lines are taken from there; only places and ports are those of this test.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

top=$(cd "$here/../.." && pwd)
recipes=$top/docs/recipes.md
free() {
	python3 "$here/sockets.py" free
}
sshd_port=$(free) port=$(free) disk_port=$(free)

mkdir "$work/bin"
printf '#!/bin/sh\nexec "%s" "$@"\n' "$(realpath "$IVPIPE")" >"$work/bin/ivpipe"
for program in ssh sftp; do
	printf '#!/bin/sh\nexec %s -F "%s" "$@"\n' "$(command -v $program)" "$work/ssh_config" >"$work/bin/$program"
done
# sshfs has its own way to call ssh, and no -F before the rest of its words.
printf '#!/bin/sh\nexec %s -F "%s" "$@"\n' "$(command -v sshfs)" "$work/ssh_config" >"$work/bin/sshfs"
chmod +x "$work/bin"/*
export PYTHONDONTWRITEBYTECODE=1 PATH=$work/bin:$PATH:/usr/sbin PYTHONPATH=$top/user/python LD_LIBRARY_PATH=${IVPIPE%/*}

# block HEADING NUMBER: the lines of that block, as SIDE$ COMMAND, those that go on in one.
block() {
	awk -v heading="## $1" -v wanted="$2" '
		/^## / { on = $0 == heading; next }
		on && /^    / { if (!inside) number++; inside = 1; if (number == wanted) print substr($0, 5); next }
		on { inside = 0 }' "$recipes"
}

# of SIDE: a shell's script of its lines; behind each that goes on by itself, until it is ready.
of() {
	awk -v side="$1" '
		/^(guest|host)\$/ { mine = !index($0, side "$ ") ? 0 : 1; if (mine) { sub("^[a-z]+\\$ +", ""); print }; next }
		mine { sub("^       ", ""); print }' |
		sed -e "s,/dev/shm/vm0\|/dev/ivshmem0,$region,g; s|localhost:22\b|localhost:$sshd_port|g; s|\b2222\b|$port|g; s|\b10809\b|$disk_port|g" \
			-e 's|^\(ivpipe forward .*\) &$|\1 2>"$PWD/forward.err" \& ready forward.err|' \
			-e 's|^\(nbdkit .* -U \([a-z.]*\) .*\) &$|\1 \& until [ -S \2 ]; do :; done|'
}

# Words of the helper's own, of which the last one is that it listens.
ready() {
	until grep -q ': listening' "$1"; do :; done
}
export -f ready

# recipe HEADING NUMBER: both sides at once, each in a directory of its own, to the end of both. What one leaves running is there, with
# the shell that began it, until the other one is done, too.
recipe() {
	local side groups=() wrong=0
	local -A meet=([guest]='echo over >../meet' [host]='read -r over <../meet')
	rm -f "$work/meet"
	mkfifo "$work/meet"
	for side in guest host; do
		block "$1" "$2" | of $side >"$work/$side.sh"
		grep -q . "$work/$side.sh" || { echo "# no lines for $side"; return 1; }
		start $side env IVPIPE_REGION="$region" bash -c 'set -e -o pipefail; cd "$1"; . "$2"; eval "$3"' _ \
			"$work/$side" "$work/$side.sh" "${meet[$side]}"
		groups+=("-${pids[$side]}")
	done
	for side in guest host; do
		ends $side 0 || wrong=1
	done
	kill -TERM -- "${groups[@]}" 2>/dev/null
	return $wrong
}
holds() {
	recipe "$1" "$2" && (cd "$work" && eval "$3")
}
# does HEADING NUMBER CONDITION PROGRAM...: if the programs are there. It goes on from where the last one ended.
does() {
	local program
	for program in "${@:4}"; do
		command -v "$program" >/dev/null || { skip "$1" "no $program: scripts/deps check"; return; }
	done
	check "$1 ($2)" holds "$@"
}
# Both directories as in the beginning.
anew() {
	rm -rf "$work/guest" "$work/host"
	mkdir -p "$work/guest/data" "$work/host"
	cp "$work/large" "$work/guest/data"
	echo small >"$work/guest/data/small"
}
# In the format that journals are exported in.
journal() {
	local n
	for n in 1 2 3 4 5; do
		printf '__CURSOR=s=1;i=%x;b=2;m=%x;t=%x;x=%x\n__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n' \
			$n $n $((1700000000000000 + n)) $n $((1700000000000000 + n)) $n
		printf '_BOOT_ID=0123456789abcdef0123456789abcdef\n_MACHINE_ID=0123456789abcdef0123456789abcdef\n'
		printf 'PRIORITY=6\nMESSAGE=line %d of the guest\n\n' $n
	done
}

# A server of ssh for whoever runs this, with keys that are nobody's.
serve_ssh() {
	local user
	user=$(id -un)
	[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$work/host_key" && ssh-keygen -q -t ed25519 -N '' -f "$work/key" || return
	printf '%s\n' "Port $sshd_port" 'ListenAddress 127.0.0.1' "HostKey $work/host_key" "AuthorizedKeysFile $work/key.pub" \
		'StrictModes no' 'UsePAM no' 'PasswordAuthentication no' 'PidFile none' 'Subsystem sftp /usr/lib/openssh/sftp-server' \
		"ForceCommand cd $work/guest && exec sh -c \"\$SSH_ORIGINAL_COMMAND\"" >"$work/sshd_config"
	printf '%s\n' "IdentityFile $work/key" 'IdentitiesOnly yes' "UserKnownHostsFile $work/known" 'StrictHostKeyChecking accept-new' \
		"User $user" 'BatchMode yes' 'HostKeyAlias vm' >"$work/ssh_config"
	start sshd "$(command -v sshd)" -D -e -f "$work/sshd_config"
	await sshd 'Server listening'
}

format
random_file large 700000
anew
does 'A directory: tar' 1 'diff -r guest/data host/copy'
does 'A directory: tar' 2 'diff -r guest/data guest/back'

shell='A shell, and files: ssh, sftp, sshfs' changing='A directory that changes: rsync'
if command -v sshd >/dev/null && command -v ssh-keygen >/dev/null; then
	check 'a server of ssh' serve_ssh
	anew
	does "$shell" 1 'grep -qx data/large host/list && cmp guest/data/large host/large' sftp
	if [ -w /dev/fuse ]; then
		does "$shell" 2 'cmp guest/data/large host/copy' sshfs fusermount3
	else
		skip "$shell (2)" 'no /dev/fuse'
	fi
	anew
	does "$changing" 1 'diff -r guest/data host/copy' rsync
	echo more >>"$work/guest/data/small"
	does "$changing" 1 'diff -r guest/data host/copy' rsync
else
	skip "$shell" 'no sshd: scripts/deps check'
fi

anew
head -c 8M /dev/urandom >"$work/host/disk.img"
does 'A disk: nbdkit' 1 '[ "$(cat guest/size)" = 8388608 ] && cmp host/disk.img guest/copy.img' nbdkit nbdinfo nbdcopy

remote=/lib/systemd/systemd-journal-remote
if [ -x $remote ] && journal | "$remote" -o "$work/guest/guest.journal" - >"$work/made" 2>&1; then
	does 'Logs: journalctl' 1 '[ "$(journalctl --file host/copy.journal -o cat | grep -c "^line [1-5] of the guest$")" = 5 ]' journalctl
else
	skip 'Logs: journalctl' "no $remote: scripts/deps check"
fi

# The system's has it where another one is in front.
python3 -c 'import numpy' 2>"$work/numpy" || { ln -s /usr/bin/python3 "$work/bin" && hash -r; }
if ! python3 -c 'import ivpipe' 2>"$work/numpy"; then
	echo '# arrays: no library for this Python beside this helper'
elif python3 -c 'import numpy' 2>"$work/numpy"; then
	does 'Arrays without a copy: numpy' 1 '[ "$(cat host/sum)" = $((19200 * 19199 / 2)) ]'
else
	skip 'Arrays without a copy: numpy' 'no numpy: scripts/deps check'
fi
does 'The newest picture: ffmpeg' 1 'ffprobe -v error host/cam.gif && [ -s host/cam.gif ]' ffmpeg ffprobe
# Those above, and the one that says why it is not.
check 'no block is left out' [ "$(awk '/^    / && !inside { n++ } { inside = /^    / } END { print n }' "$recipes")" = 10 ]
done_testing
