#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# setup: what it prints, for libvirt held against libvirt's own schema; and the file that --apply makes.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=/dev/null
. "$here/../../scripts/lib.sh"

name=${region##*/}
name=${name//./_}
file=/dev/shm/$name
remove() {
	rm -f "$file"
	cleanup
}
trap remove EXIT

prints() {
	[ "$(cat "$work/last.out")" = "$1" ] || { echo "# $(cat "$work/last.out")"; return 1; }
}

check 'qemu' gives 0 "$IVPIPE" setup qemu --name vm0 --size 64M --user me
check 'has the arguments' prints \
	'-object memory-backend-file,id=ivpipe-vm0,mem-path=/dev/shm/vm0,size=64M,share=on -device ivshmem-plain,memdev=ivpipe-vm0'
check 'what --apply would be' grep -q 'sudo ivpipe setup qemu --name vm0 --size 64M --user me --apply' "$work/last.err"
check "tmpfiles' line" grep -q "'f /dev/shm/vm0 0660 me kvm -' | sudo tee /etc/tmpfiles.d/10-ivpipe-vm0.conf" "$work/last.err"
check 'and SELinux' grep -q 'semanage fcontext -a -t svirt_tmpfs_t /dev/shm/vm0' "$work/last.err"
check '-q' gives 0 "$IVPIPE" setup -q qemu --size 128K
check 'has the arguments alone' test ! -s "$work/last.err"
check 'of that size' grep -q 'size=128K,' "$work/last.out"
check 'proxmox' gives 0 "$IVPIPE" setup -q proxmox --name vm0 --size 64M
check 'has the command' prints 'qm set VMID --ivshmem size=64,name=vm0'
check 'incus' gives 0 "$IVPIPE" setup -q incus --name vm0
check "has AppArmor's line" grep -q "^incus config set vm0 raw.qemu='-object .*' raw.apparmor='/dev/shm/vm0 rwk,'\$" "$work/last.out"
check 'libvirt' gives 0 "$IVPIPE" setup libvirt --name vm0 --size 1G
check 'has an element' grep -q "^<shmem name='vm0'>" "$work/last.out"
check 'and AppArmor' grep -q 'AppArmor' "$work/last.err"

# domain ELEMENT...: a machine that has these devices, as libvirt takes it.
domain() {
	echo "<domain type='kvm'><name>vm</name><memory unit='MiB'>512</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>"
	echo "<devices>$1</devices></domain>"
}
schema=$(find "$CACHE"/deb/libvirt0_*/usr/share/libvirt/schemas -name domain.rng 2>/dev/null | sort -V | tail -n 1)
valid() {
	domain "$1" >"$work/domain.xml"
	xmllint --noout --relaxng "$schema" "$work/domain.xml" >"$work/xmllint" 2>&1 || { sed 's/^/# /' "$work/xmllint"; return 1; }
}
not_valid() {
	! valid "$1" >/dev/null
}
if [ -z "$schema" ] || ! command -v xmllint >/dev/null; then
	skip "libvirt's schema" 'not there; type: scripts/deps check'
else
	for size in 1M 64M 1G 8G; do
		element=$("$IVPIPE" setup -q libvirt --name vm-0_a --size $size)
		check "libvirt's schema takes it with $size" valid "$element"
	done
	check 'and not what is no such element' not_valid "${element/plain/plane}"
fi

for bad in a/b '' -a "a'b" 'a b' a.b 12345678901234567890123456789012; do
	check "--name '$bad'" gives 2 "$IVPIPE" setup qemu "--name=$bad"
done
check 'no hypervisor' complains 2 'qemu, libvirt' "$IVPIPE" setup
check 'an unknown one' complains 2 'xen' "$IVPIPE" setup xen
check 'no power of two' complains 2 'power of two' "$IVPIPE" setup qemu --size 3M
check 'too small' complains 2 '64K' "$IVPIPE" setup qemu --size 32K
check 'too small for libvirt' complains 2 '1M' "$IVPIPE" setup libvirt --size 512K
check 'a user with a quote' complains 2 'no name of a user' "$IVPIPE" setup qemu --user "a'b"
check 'a user that is not there' complains 2 'not in /etc/passwd' "$IVPIPE" setup qemu --name "$name" --user no-such-user --apply
check 'for whom no file is made' test ! -e "$file"

# Who may: root, and a user who is in group kvm or has no such group here.
kvm=$(awk -F: '$1 == "kvm" { print $3 }' /etc/group)
group=${kvm:-$(id -g)}
if [ "$(id -u)" != 0 ] && ! id -G | grep -qw "$group"; then
	check '--apply without leave' complains 4 'sudo' "$IVPIPE" setup qemu --name "$name" --size 1M --apply
	check 'leaves no file' test ! -e "$file"
else
	check '--apply' gives 0 "$IVPIPE" setup qemu --name "$name" --size 1M --apply --user "$(id -u)"
	check 'makes the file with owner, mode and size' test "$(stat -c '%u %g %a %s' "$file")" = "$(id -u) $group 660 1048576"
	check 'and all its blocks' test "$(stat -c %b "$file")" = 2048
	check 'which are zeros' cmp -s -n 1048576 "$file" /dev/zero
	check 'twice' complains 1 'exists' "$IVPIPE" setup qemu --name "$name" --size 1M --apply
	check 'the doctor has no complaint' gives 0 "$IVPIPE" doctor -r "$file"
	check 'a region at once' gives 5 "$IVPIPE" recv -q -r "$file" --wait 0
	check 'and after that' gives 0 "$IVPIPE" info "$file"
	rm -f "$file"
	ln -s "$work/elsewhere" "$file"
	check 'a link is not followed' gives 1 "$IVPIPE" setup qemu --name "$name" --size 1M --apply
	check 'to anywhere' test ! -e "$work/elsewhere"
fi
check 'a full disk' gives 1 sh -c '"$0" setup -q qemu >/dev/full' "$IVPIPE"
done_testing
